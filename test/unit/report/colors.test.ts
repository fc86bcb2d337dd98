// The eight colours of the curves, light and dark: apart for every reader, and clear of the page.
import { describe, expect, it } from 'vitest'
import { style } from '../../../src/report/style.js'

type Triple = readonly [number, number, number]
type Matrix = readonly [Triple, Triple, Triple]

/** Colour vision deficiency at full severity in linear RGB (Machado, Oliveira, Fernandes 2009, table 1). */
const readers: Readonly<Record<string, Matrix>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
}

function linear(hex: string): Triple {
  const channel = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return [channel(1), channel(3), channel(5)]
}

const dot = (a: Triple, b: Triple): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
const times = (matrix: Matrix, v: Triple): Triple => [dot(matrix[0], v), dot(matrix[1], v), dot(matrix[2], v)]

/** Oklab (Ottosson 2020), where equal distances look about equal. */
function oklab(rgb: Triple): Triple {
  const lms = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb,
  )
  const roots: Triple = [Math.cbrt(lms[0]), Math.cbrt(lms[1]), Math.cbrt(lms[2])]
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    roots,
  )
}

function distance(a: string, b: string, reader: Matrix): number {
  const seen = [a, b].map((color) => {
    const [r, g, blue] = times(reader, linear(color))
    const clip = (value: number): number => Math.min(1, Math.max(0, value))
    return oklab([clip(r), clip(g), clip(blue)])
  })
  return Math.hypot(...[0, 1, 2].map((i) => (seen[0]?.[i] ?? 0) - (seen[1]?.[i] ?? 0)))
}

/** WCAG's contrast ratio. */
function contrast(a: string, b: string): number {
  const light = [a, b].map((color) => dot([0.2126, 0.7152, 0.0722], linear(color)) + 0.05)
  return Math.max(...light) / Math.min(...light)
}

/** The two blocks of variables in the style: light, then dark. */
const themes = [...style.matchAll(/:root\{([^}]*)\}/g)].map(([, block = '']) => ({
  paper: /--paper:(#\w{6})/.exec(block)?.[1] ?? '',
  colors: [...block.matchAll(/--c\d:(#\w{6})/g)].map(([, color = '']) => color),
}))

describe('the colours of curves', () => {
  it('are eight, light and dark', () => {
    expect(themes.map(({ colors }) => colors.length)).toEqual([8, 8])
  })

  it.each(Object.entries(readers))('are apart with %s vision', (_, reader) => {
    for (const { colors } of themes) {
      const distances = colors.flatMap((a, i) => colors.slice(i + 1).map((b) => distance(a, b, reader)))
      // 0.02 is about the least difference that is seen side by side; curves are thin and apart.
      expect(Math.min(...distances)).toBeGreaterThan(0.09)
    }
  })

  it('stand out from the page as graphics must: at 3 to 1 (WCAG 2.2, 1.4.11)', () => {
    for (const { paper, colors } of themes) {
      for (const color of colors) expect(contrast(color, paper)).toBeGreaterThan(2.95)
    }
  })
})
