import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { AbortedError } from '../../../src/errors.js'
import { PpmReader } from '../../../src/processing/ppm.js'
import { decodeVideo, parseFrameRate } from '../../../src/processing/video.js'

/** A stand-in for ffmpeg: ten packets of 1/5 s, and as many 2x1 pictures as -frames:v asks for. It logs its arguments. */
function fakeFfmpeg(body = ''): string {
  const dir = mkdtempSync(join(tmpdir(), 'vsgrpo-ffmpeg-'))
  const file = join(dir, 'ffmpeg')
  writeFileSync(
    file,
    `#!/bin/sh
echo "$@" >> ${dir}/log
${body}
case "$*" in
*framecrc*) echo "#tb 0: 1/10"; for i in 0 1 2 3 4 5 6 7 8 9; do echo "0, $i, $i, 2, 100, 0x1"; done ;;
*frames:v\\ 4*) for i in 1 2 3 4; do printf 'P6\\n2 1\\n255\\nabcdef'; done ;;
esac
`,
  )
  chmodSync(file, 0o755)
  vi.stubEnv('VSGRPO_FFMPEG', file)
  return join(dir, 'log')
}

afterEach(() => vi.unstubAllEnvs())

describe('decodeVideo', () => {
  it('decodes the frames that the sampler chose', async () => {
    const log = fakeFfmpeg()
    const sample = vi.fn(() => [0, 3, 6, 9])
    const frames = await decodeVideo('room.mp4', { sample })
    expect(sample).toHaveBeenCalledWith({ total: 10, fps: 5 })
    expect(frames).toMatchObject({ frames: 4, height: 1, width: 2 })
    expect(Buffer.from(frames.rgb).toString()).toBe('abcdef'.repeat(4))
    expect(readFileSync(log, 'utf8')).toContain("select='eq(n\\,0)+eq(n\\,3)+eq(n\\,6)+eq(n\\,9)'")
  })

  it('says when frames are missing, when ffmpeg fails and when the file is too short', async () => {
    fakeFfmpeg()
    await expect(decodeVideo('a.mp4', { sample: () => [0, 1, 2, 3, 4] })).rejects.toThrow(/a.mp4: only 0 of 5 frames/)
    const short = () => {
      throw new RangeError('16 frames were to be taken of 10')
    }
    await expect(decodeVideo('a.mp4', { sample: short })).rejects.toThrow(/a.mp4: too short: 16 frames/)
    fakeFfmpeg('echo "moov atom not found" >&2; exit 1')
    await expect(decodeVideo('b.mp4', { sample: () => [0] })).rejects.toThrow(
      'b.mp4: ffmpeg cannot read it (moov atom not found)',
    )
  })

  it('names the file and the cure where its frames do not fit into a buffer, and ends ffmpeg', async () => {
    fakeFfmpeg("case $* in *frames:v*) printf 'P6 9999999 9999999 255\\n'; exec sleep 20 ;; esac")
    await expect(decodeVideo('a.mp4', { sample: () => [0, 3, 6, 9] })).rejects.toMatchObject({
      name: 'InputError',
      message:
        'a.mp4: 4 frames of 9999999x9999999 take 1199999.8 GB, more than a buffer can hold here; take fewer (sampling.frames, sampling.maxFrames), or a smaller video',
    })
  })

  it('says how to get ffmpeg when there is none', async () => {
    vi.stubEnv('VSGRPO_FFMPEG', '/nowhere/ffmpeg')
    const failure = decodeVideo('a.mp4', { sample: () => [0] })
    await expect(failure).rejects.toMatchObject({
      message: 'ffmpeg not found (/nowhere/ffmpeg)',
      hint: expect.stringContaining('VSGRPO_FFMPEG'),
    })
  })

  it('kills ffmpeg when aborted', async () => {
    fakeFfmpeg('exec sleep 20')
    const abort = new AbortController()
    const failure = decodeVideo('a.mp4', { sample: () => [0], signal: abort.signal })
    setTimeout(() => abort.abort(), 50)
    await expect(failure).rejects.toBeInstanceOf(AbortedError)
  })
})

describe('the parsers', () => {
  it('read frame count and rate from packets, of the first stream only', () => {
    const text = '#software: x\n#tb 0: 1001/30000\n0, 0, 0, 1, 9, 0x1\n0, 1, 1, 1, 9, 0x2\n1, 0, 0, 5, 9, 0x3\n'
    const rate = parseFrameRate(text)
    expect(rate?.total).toBe(2)
    expect(rate?.fps).toBeCloseTo(29.97, 3)
    expect(parseFrameRate('#tb 0: 1/10\n')).toBeUndefined()
  })

  const whole = Buffer.from('P6\n1 2\n255\nP6\n1 2')

  it('stop at a picture that is cut off, and take pixel bytes that look like headers', () => {
    const cut = new PpmReader(3)
    cut.push(Buffer.concat([whole, whole, whole.subarray(0, 13)]))
    expect([cut.count, cut.frames]).toEqual([2, undefined])
    const one = new PpmReader(1)
    one.push(Buffer.concat([whole, whole]))
    expect([one.count, one.frames]).toEqual([
      1,
      { rgb: new Uint8Array(Buffer.from('P6\n1 2')), frames: 1, height: 2, width: 1 },
    ])
  })

  it('read pictures in whatever pieces they come', () => {
    const bytes = Buffer.concat([whole, whole])
    for (let size = 1; size <= bytes.length; size++) {
      const reader = new PpmReader(2)
      for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size))
      expect(Buffer.from(reader.frames?.rgb ?? []).toString()).toBe('P6\n1 2P6\n1 2')
    }
  })

  it('stop at what is no picture, and refuse one of another size', () => {
    const none = new PpmReader(1)
    none.push(Buffer.from('P6 0 0 255 '.padEnd(1000)))
    none.push(whole)
    expect([none.count, none.frames]).toEqual([0, undefined])
    const mixed = new PpmReader(2)
    expect(() => mixed.push(Buffer.concat([whole, Buffer.from('P6 3 4 255 ')]))).toThrow(
      'a frame is 4x3, the first is 2x1',
    )
  })
})
