/** Files of the Hub against a small server that answers as it does. */
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type HubFile, hubFile, hubFiles, parseHubPath } from '../../../src/data/hub.js'

const commit = 'a'.repeat(40)
const content = Buffer.from('{"prompt":"How many?"}\n'.repeat(1000))
const wanted: HubFile = { kind: 'dataset', repo: 'org/rooms', revision: 'main', file: 'data/test set.jsonl' }
const folder = 'datasets--org--rooms'

let dir = ''
let server: Server
let requests: string[] = []
/** Set by a test that wants another answer than the file. */
let answer: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hub-'))
  requests = []
  answer = undefined
  server = createServer((request, response) => {
    const { range, authorization } = request.headers
    requests.push([request.method, request.url, range, authorization].filter(Boolean).join(' '))
    if (answer?.(request, response)) return
    if (request.url?.startsWith('/storage')) return sendStored(request, response)
    response.writeHead(302, {
      ...{ location: '/storage/blob', 'x-repo-commit': commit },
      ...{ 'x-linked-etag': '"e123"', 'x-linked-size': String(content.length) },
    })
    response.end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
})
afterEach(async () => {
  await new Promise((done) => server.close(done))
  rmSync(dir, { recursive: true, force: true })
})

function sendStored(request: IncomingMessage, response: ServerResponse): void {
  const begin = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
  response.writeHead(begin > 0 ? 206 : 200, { 'content-length': content.length - begin })
  response.end(content.subarray(begin))
}

function env(more: Record<string, string> = {}): Record<string, string> {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { HF_ENDPOINT: `http://127.0.0.1:${port}/`, HF_HOME: join(dir, 'home'), HF_HUB_CACHE: dir, ...more }
}

const url = '/datasets/org/rooms/resolve/main/data/test%20set.jsonl'

describe('hubFile', () => {
  it('fetches a file into the layout of the Python library, once', async () => {
    const told: number[] = []
    const path = await hubFile(wanted, { env: env(), onProgress: (done) => told.push(done) })
    expect(path).toBe(join(dir, folder, 'snapshots', commit, 'data/test set.jsonl'))
    expect(readFileSync(path).equals(content)).toBe(true)
    expect(readlinkSync(path)).toBe('../../../blobs/e123')
    expect(readFileSync(join(dir, folder, 'refs/main'), 'utf8')).toBe(commit)
    expect(told.at(-1)).toBe(content.length)
    expect(await hubFile(wanted, { env: env() })).toBe(path)
    expect(requests).toEqual([`HEAD ${url}`, `GET ${url}`, 'GET /storage/blob', `HEAD ${url}`])
  })

  it('asks nobody for a commit that is there, or when it is to stay offline', async () => {
    const path = await hubFile(wanted, { env: env() })
    requests = []
    expect(await hubFile({ ...wanted, revision: commit }, { env: env() })).toBe(path)
    expect(await hubFile(wanted, { env: env({ HF_HUB_OFFLINE: '1' }) })).toBe(path)
    await expect(hubFile({ ...wanted, file: 'other' }, { env: env({ HF_HUB_OFFLINE: '1' }) })).rejects.toThrow(
      /^hf:\/\/datasets\/org\/rooms@main\/other: not in the cache .*HF_HUB_OFFLINE is set/,
    )
    expect(requests).toEqual([])
  })

  it('goes on with a download that was interrupted', async () => {
    mkdirSync(join(dir, folder, 'blobs'), { recursive: true })
    writeFileSync(join(dir, folder, 'blobs/e123.incomplete'), content.subarray(0, 5000))
    const path = await hubFile(wanted, { env: env() })
    expect(readFileSync(path).equals(content)).toBe(true)
    expect(requests).toContain('GET /storage/blob bytes=5000-')
  })

  it('keeps what has come when the connection breaks, and says so', async () => {
    answer = (request, response) => {
      if (!request.url?.startsWith('/storage')) return false
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 7000))
      setTimeout(() => response.destroy(), 100)
      return true
    }
    await expect(hubFile(wanted, { env: env() })).rejects.toMatchObject({
      message: expect.stringMatching(/cannot be fetched: /),
      hint: expect.stringContaining('HF_HUB_OFFLINE=1'),
    })
    answer = undefined
    expect(readFileSync(await hubFile(wanted, { env: env() })).equals(content)).toBe(true)
    expect(requests.at(-1)).toBe('GET /storage/blob bytes=7000-')
  })

  it.each([
    [401, 'private or gated'],
    [403, 'ask for access'],
    [404, 'there is no such repository, revision or file'],
    [500, 'the Hub answered 500'],
  ])('says what %i means', async (status, message) => {
    answer = (_, response) => {
      response.writeHead(status).end()
      return true
    }
    await expect(hubFile(wanted, { env: env() })).rejects.toThrow(message)
  })

  it('sends the token, and refuses a server that is no Hub', async () => {
    answer = (_, response) => {
      response.writeHead(200).end()
      return true
    }
    await expect(hubFile(wanted, { env: env({ HF_TOKEN: 'secret' }) })).rejects.toThrow('does not answer as a Hub does')
    expect(requests).toEqual([`HEAD ${url} Bearer secret`])
  })

  it('sends the token that a login left below HF_HOME', async () => {
    writeFileSync(join(dir, 'token'), 'stored\n')
    await hubFile(wanted, { env: env({ HF_HOME: dir }) })
    expect(requests[0]).toBe(`HEAD ${url} Bearer stored`)
  })
})

describe('hubFiles', () => {
  const { file: _, ...repo } = wanted
  const list = (body: string): void => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(body)
      return true
    }
  }

  it('lists a repository, and what the cache has of it when it is to stay offline', async () => {
    await hubFile(wanted, { env: env() })
    requests = []
    list(JSON.stringify({ sha: commit, siblings: [{ rfilename: 'README.md' }, { rfilename: 'data/a.jsonl' }] }))
    expect(await hubFiles(repo, { env: env() })).toEqual(['README.md', 'data/a.jsonl'])
    expect(requests).toEqual(['GET /api/datasets/org/rooms/revision/main'])
    expect(await hubFiles(repo, { env: env({ HF_HUB_OFFLINE: '1' }) })).toEqual(['data/test set.jsonl'])
    const other = { ...repo, repo: 'org/other' }
    await expect(hubFiles(other, { env: env({ HF_HUB_OFFLINE: '1' }) })).rejects.toThrow(
      /^hf:\/\/datasets\/org\/other@main: not in the cache/,
    )
  })

  it.each(['{"error": "x"}', 'no JSON'])('refuses %s for a list', async (body) => {
    list(body)
    await expect(hubFiles(repo, { env: env() })).rejects.toThrow('does not answer as a Hub does (no list of files)')
  })
})

describe('parseHubPath', () => {
  it('reads datasets, models and revisions, and leaves paths alone', () => {
    expect(parseHubPath('hf://datasets/org/rooms/data/test set.jsonl')).toEqual(wanted)
    expect(parseHubPath('hf://org/model@v1/config.json')).toEqual({
      ...{ kind: 'model', repo: 'org/model', revision: 'v1', file: 'config.json' },
    })
    expect(parseHubPath('hf://datasets/org/rooms@v2')).toEqual({ kind: 'dataset', repo: 'org/rooms', revision: 'v2' })
    expect(parseHubPath('data/rows.jsonl')).toBeUndefined()
  })
  it.each(['hf://rooms', 'hf://org/name', 'hf://datasets/org/name/../x', 'hf://org/name@../x'])('refuses %s', (path) =>
    expect(() => parseHubPath(path)).toThrow(`${path}: expected hf://datasets/<org>/<name>`),
  )
})
