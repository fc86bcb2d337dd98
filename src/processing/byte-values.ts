/** Normalisation as a table: a byte has 256 values. Pure. */
import type { MediaSettings } from './processor-config.js'

/**
 * [3, 256] (byte / 255 - mean) / std in one of the two arithmetics of transformers' processors, which differ by about 1e-6:
 * `slow`, the image processor in numpy, takes byte / 255 to float32 first; `fast`, by torchvision, scales mean and std by 255.
 * Doubles rounded after every operation give what float32 gives.
 */
export function byteValues(
  { mean, std }: Pick<MediaSettings, 'mean' | 'std'>,
  arithmetic: 'slow' | 'fast',
): Float32Array {
  const f = Math.fround
  return Float32Array.from({ length: 3 * 256 }, (_, i) => {
    const byte = i % 256
    const [m, s] = [f(mean[i >> 8] ?? 0), f(std[i >> 8] ?? 1)]
    return arithmetic === 'slow' ? f(f(byte * (1 / 255)) - m) / s : f(byte - f(m * 255)) / f(s * 255)
  })
}
