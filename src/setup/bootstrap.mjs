/**
 * Takes a clean clone to a working one: `npm ci` when node_modules is behind the lockfile, the TypeScript build when the
 * sources changed, then `vsgrpo setup`. It depends on nothing, so that it runs before anything was installed.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const stampFile = join(root, 'dist', '.stamp')

/**
 * Brings the clone up to date; does nothing, in well under two seconds, when it is.
 * @param {{ addon?: boolean, tests?: boolean }} [options] addon false: stop before the native build; tests: native tests too
 */
export function bootstrap({ addon = true, tests = false } = {}) {
  requireNode()
  if (isInstallStale()) step('npm ci', npm(), ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  const sources = sourceHash()
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== sources) {
    rmSync(join(root, 'dist'), { recursive: true, force: true })
    step('build TypeScript', process.execPath, [join(root, 'node_modules/tsup/dist/cli-default.js'), '--silent'])
    writeFileSync(stampFile, sources)
  }
  if (addon) run(process.execPath, [join(root, 'dist/cli/main.js'), 'setup', ...(tests ? ['--tests'] : [])])
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  fail(`vsgrpo needs Node 20.19 or newer; this is ${process.versions.node}`)
}

/** Whether a package that the lockfile demands is missing from node_modules or has another version there. */
function isInstallStale() {
  const installed = packagesOf(join(root, 'node_modules', '.package-lock.json'))
  if (!installed) return true
  const wanted = packagesOf(join(root, 'package-lock.json')) ?? {}
  return Object.entries(wanted).some(([path, { version, optional, devOptional, link }]) => {
    if (path === '' || link) return false
    const have = installed[path]
    return have ? have.version !== version : !optional && !devOptional
  })
}

function packagesOf(file) {
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

function sourceHash() {
  const hash = createHash('sha256')
  const files = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsup.config.ts', ...list('src')]
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(root, file)))
      .update('\0')
  return hash.digest('hex')
}

function list(folder) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    return entry.isDirectory() ? list(path) : path.endsWith('.ts') ? [path] : []
  })
}

function npm() {
  return process.platform === 'win32' ? 'npm.cmd' : 'npm'
}

function step(name, command, args) {
  const start = performance.now()
  run(command, args)
  console.error(`${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
}

/** The child's stdout goes to stderr: the caller's stdout is for data. */
function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (error) fail(`${command} could not be started: ${error.message}`)
  if (signal === 'SIGINT' || status === 130) process.exit(130)
  if (status !== 0) process.exit(status ?? 1)
}

function fail(message) {
  console.error(`error: ${message}`)
  process.exit(1)
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  bootstrap({ addon: !process.argv.includes('--no-addon'), tests: process.argv.includes('--tests') })
}
