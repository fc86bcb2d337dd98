/** Finding and loading the addon: order, and errors that name the command. No addon is built here. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addonFile, loadAddonFrom } from '../../../src/setup/addon.js'
import { buildFailure } from '../../../src/setup/build.js'
import { checkNode, diagnose, formatChecks } from '../../../src/setup/doctor.js'
import { buildDirs, cacheDir, packageRoot } from '../../../src/setup/paths.js'
import { run } from '../../../src/setup/run.js'
import { expectedStamp, readStamp, stampFile } from '../../../src/setup/stamp.js'
import { ffmpeg } from '../../ffmpeg.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vsgrpo-addon-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(path: string, content: string): string {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

const env = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ XDG_CACHE_HOME: join(folder, 'cache'), ...extra })

/** A folder that looks like libtorch to the loader. */
function libtorch(version: string): string {
  const [major, minor, patch] = version.split('.')
  write('libtorch/lib/libtorch_cpu.so', '')
  write('libtorch/include/ATen/ATen.h', '')
  const macros = { MAJOR: major, MINOR: minor, PATCH: patch }
  const lines = Object.entries(macros).map(([name, value]) => `#define TORCH_VERSION_${name} ${value}\n`)
  write('libtorch/include/torch/headeronly/version.h', lines.join(''))
  return join(folder, 'libtorch')
}

/** A module in the addon's place: the loader only asks for buildInfo. */
function fakeAddon(libtorchDir: string, version: string): string {
  const file = write('build/Release/vsgrpo.js', `exports.buildInfo = () => ({ libtorch: '${version}' })`)
  writeFileSync(stampFile(file), JSON.stringify({ hash: 'x', libtorch: { dir: libtorchDir, version } }))
  return file
}

describe('the addon file', () => {
  it('is the one that VSGRPO_ADDON names, else the local build, else the one in the cache', () => {
    const cached = write(
      join('cache/vsgrpo', buildDirs(folder, env())[1].split('/').at(-1) ?? '', 'Release/vsgrpo.node'),
      '',
    )
    expect(addonFile(folder, env())).toBe(cached)
    const local = write('build/Release/vsgrpo.node', '')
    expect(addonFile(folder, env())).toBe(local)
    const chosen = write('chosen.node', '')
    expect(addonFile(folder, env({ VSGRPO_ADDON: chosen }))).toBe(chosen)
  })

  it('is missing with an error that names the command', () => {
    expect(() => addonFile(folder, env())).toThrow(/not built.*npx vsgrpo setup/)
    expect(() => addonFile(folder, env({ VSGRPO_ADDON: '/nowhere.node' }))).toThrow(
      /VSGRPO_ADDON names \/nowhere\.node/,
    )
    expect(() => addonFile(folder, env())).toThrow(expect.objectContaining({ code: 'ERR_VSGRPO_NATIVE_MISSING' }))
  })
})

describe('loading the addon', () => {
  it('accepts one whose libtorch is still the one it was built for, and makes OpenMP wait passively', () => {
    const before = process.env.OMP_WAIT_POLICY
    delete process.env.OMP_WAIT_POLICY
    expect(loadAddonFrom(fakeAddon(libtorch('2.13.0'), '2.13.0'))).toHaveProperty('buildInfo')
    expect(process.env.OMP_WAIT_POLICY).toBe('PASSIVE')
    process.env.OMP_WAIT_POLICY = 'ACTIVE'
    loadAddonFrom(fakeAddon(libtorch('2.13.0'), '2.13.0'))
    expect(process.env.OMP_WAIT_POLICY).toBe('ACTIVE')
    if (before === undefined) delete process.env.OMP_WAIT_POLICY
    else process.env.OMP_WAIT_POLICY = before
  })

  it('refuses one whose libtorch changed or went away', () => {
    const file = fakeAddon(libtorch('2.14.0'), '2.13.0')
    expect(() => loadAddonFrom(file)).toThrow(/built for libtorch 2\.13\.0.*now holds 2\.14\.0/)
    rmSync(join(folder, 'libtorch'), { recursive: true })
    expect(() => loadAddonFrom(file)).toThrow(/which is gone.*npx vsgrpo setup/)
  })

  it('says why a file cannot be loaded', () => {
    expect(() => loadAddonFrom(write('broken.node', 'not a library'))).toThrow(
      /broken\.node cannot be loaded: .+npx vsgrpo setup/,
    )
  })
})

describe('the build stamp', () => {
  const here = { dir: '/torch', version: '2.13.0', source: 'cache' } as const

  it('changes with sources, build file, libtorch and options, and with nothing else', () => {
    write('CMakeLists.txt', 'a')
    write('native/core/a.cpp', 'int a;')
    write('native/README.md', 'words')
    const hash = (flags: string[] = [], libtorch = here) => expectedStamp(folder, libtorch, flags).hash
    const first = hash()
    write('native/README.md', 'other words')
    expect(hash()).toBe(first)
    expect(hash(['-DX=1'])).not.toBe(first)
    expect(expectedStamp(folder, { ...here, version: '2.14.0' }, []).hash).not.toBe(first)
    write('native/core/a.cpp', 'int b;')
    expect(hash()).not.toBe(first)
  })

  it('is read only beside an addon and only when it is whole', () => {
    const addon = write('build/Release/vsgrpo.node', '')
    expect(readStamp(addon)).toBeUndefined()
    writeFileSync(stampFile(addon), '{"hash": "x", "libtorch"')
    expect(readStamp(addon)).toBeUndefined()
    const stamp = { hash: 'x', libtorch: { dir: '/torch', version: '2.13.0' } }
    writeFileSync(stampFile(addon), JSON.stringify(stamp))
    expect(readStamp(addon)).toEqual(stamp)
    rmSync(addon)
    expect(readStamp(addon)).toBeUndefined()
  })
})

describe('a failed build', () => {
  it('is explained by the compiler errors, a full disk or too little memory', () => {
    const compiler = buildFailure('[1/2] x\na.cpp:3:1: error: no type\nnoise\n', '/b')
    expect(compiler.message).toMatch('a.cpp:3:1: error: no type')
    expect(compiler.message).not.toMatch('noise')
    expect(buildFailure('fatal error: No space left on device', '/b').message).toMatch('the disk is full')
    expect(buildFailure('c++: fatal error: Killed signal terminated program', '/b').message).toMatch(
      'ran out of memory',
    )
  })
})

describe('the doctor', () => {
  it('names every missing thing with what fixes it, and never throws', async () => {
    const checks = await diagnose(env({ PATH: folder, VSGRPO_PYTHON: 'no-python', VSGRPO_ADDON: '/nowhere.node' }))
    const missing = checks.filter((check) => !check.ok && !check.optional).map((check) => check.name)
    expect(missing).toEqual(['cmake', 'C++ compiler', 'ninja or make', 'python with pip', 'libtorch', 'build', 'addon'])
    expect(formatChecks(checks)).toMatch(/missing {3}cmake .*\n\s+fix: sudo apt-get install cmake/)
    expect(formatChecks(checks)).toMatch(/optional {2}ffmpeg/)
  })

  it('asks the ffmpeg that VSGRPO_FFMPEG names', async () => {
    const checks = await diagnose(env({ PATH: folder, VSGRPO_FFMPEG: ffmpeg }))
    expect(checks.find(({ name }) => name === 'ffmpeg')).toMatchObject({
      ok: true,
      detail: expect.stringMatching(/^ffmpeg version/),
    })
  })

  it('wants Node 20.19', () => {
    expect(checkNode('20.18.1').ok).toBe(false)
    expect(checkNode('22.0.0').ok).toBe(true)
  })
})

describe('paths', () => {
  it('find the package from a file deep in it', () => {
    expect(packageRoot()).toBe(packageRoot(join(packageRoot(), 'src', 'cli')))
    expect(() => packageRoot(folder)).toThrow(/no package\.json of vsgrpo/)
  })

  it('put the cache where XDG_CACHE_HOME says', () => {
    expect(cacheDir({ XDG_CACHE_HOME: '/c' })).toBe('/c/vsgrpo')
    expect(cacheDir({})).toMatch(/\.cache\/vsgrpo$/)
  })
})

describe('run', () => {
  it('collects output line by line and reports the exit status', async () => {
    const lines: string[] = []
    const result = await run(process.execPath, ['-e', 'console.log("a\\nb"); console.error("c"); process.exit(3)'], {
      onLine: (line) => lines.push(line),
    })
    expect(result).toMatchObject({ code: 3, stdout: 'a\nb\n' })
    expect(lines.sort()).toEqual(['a', 'b', 'c'])
  })

  it('gives 127 for a program that does not exist', async () => {
    expect(await run('/no/such/program', [])).toMatchObject({ code: 127 })
  })
})
