/** Procedural textures: how bright a surface is at a place, in metres along the surface; 1 = as painted. */
import type { Texture } from './record.js'

export function brightness(texture: Texture, x: number, y: number): number {
  switch (texture) {
    case 'plain':
      return 1
    case 'tiles':
      return joint(x, 0.5) || joint(y, 0.5) ? 0.8 : (Math.floor(x / 0.5) + Math.floor(y / 0.5)) % 2 === 0 ? 1 : 0.93
    case 'planks':
      return plank(x, y)
    case 'stripes':
      return Math.floor(x / 0.12) % 2 === 0 ? 1 : 0.94
    case 'bricks':
      return joint(y, 0.16) || joint(x + (Math.floor(y / 0.16) % 2) * 0.2, 0.4) ? 0.88 : 1
  }
}

function plank(x: number, y: number): number {
  const row = Math.floor(y / 0.18)
  const shift = (row * 0.37) % 1.2
  if (joint(y, 0.18, 0.015) || joint(x + shift, 1.2, 0.015)) return 0.78
  const board = row * 7 + Math.floor((x + shift) / 1.2) * 3
  return 0.92 + (0.08 * ((((board * 37) % 11) + 11) % 11)) / 10
}

function joint(along: number, period: number, width = 0.025): boolean {
  return along - Math.floor(along / period) * period < width
}
