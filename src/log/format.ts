/** Numbers, times and small curves as short text for people. Pure. */

/** 4 significant digits at most, without an exponent unless very small or large: 0.0123, 1.5e-7, 12.3k. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf'
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size >= 1e9) return exponential(value)
  if (size >= 1e6) return `${trim(value / 1e6, 1)}M`
  if (size >= 1e4) return `${trim(value / 1e3, 1)}k`
  if (size >= 100) return trim(value, 0)
  if (size >= 10) return trim(value, 1)
  if (size >= 1) return trim(value, 2)
  if (size >= 1e-3) return trim(value, 4)
  return exponential(value)
}

/** Seconds as 4s, 2m 05s, 1h 02m, 3d 04h. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '?'
  const s = Math.round(seconds)
  if (s < 60) return `${s}s`
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`
  if (s < 86400) return `${Math.floor(s / 3600)}h ${two(Math.floor((s % 3600) / 60))}m`
  return `${Math.floor(s / 86400)}d ${two(Math.floor((s % 86400) / 3600))}h`
}

/** Means of all values as a row of `width` blocks between their minimum and maximum; non-finite ones are left out. */
export function sparkline(values: readonly number[], width: number): string {
  const finite = values.filter(Number.isFinite)
  const points = means(finite, Math.min(width, finite.length))
  const low = Math.min(...points)
  const range = Math.max(...points) - low
  return points
    .map((value) => '▁▂▃▄▅▆▇█'[range > 0 ? Math.min(7, Math.floor(((value - low) / range) * 8)) : 3])
    .join('')
}

/** A bar of `width` cells, `fraction` of it filled in eighths. */
export function bar(fraction: number, width: number): string {
  const eighths = Math.round(Math.max(0, Math.min(1, fraction)) * width * 8)
  const full = Math.floor(eighths / 8)
  const part = eighths % 8 > 0 ? ('▏▎▍▌▋▊▉'[(eighths % 8) - 1] ?? '') : ''
  return '█'.repeat(full) + part + '░'.repeat(width - full - part.length)
}

/** Splits into `count` equal stretches and averages each. */
function means(values: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / count), Math.floor(((i + 1) * values.length) / count))
    return part.reduce((sum, value) => sum + value, 0) / part.length
  })
}

function trim(value: number, digits: number): string {
  const text = value.toFixed(digits)
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

function exponential(value: number): string {
  return value.toExponential(1).replace('.0e', 'e')
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
