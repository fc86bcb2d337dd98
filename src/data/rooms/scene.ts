/**
 * Draws one furnished room from a recipe: boxes that lie inside the room and do not touch, a camera path, a look.
 */
import { InputError } from '../../errors.js'
import type { Random, Range } from '../../random.js'
import { keepApart } from '../scenes/box-distance.js'
import { type Point, uprightBox } from '../scenes/oriented-box.js'
import type { BoxRecord, Vec3 } from '../scenes/record.js'
import type { CameraRecipe, CategoryRecipe, Recipe, Wall } from './recipe.js'
import type { CameraRecord, Color, Look, RoomScene } from './record.js'

interface Placed {
  readonly category: string
  readonly box: BoxRecord
}

const placementTries = 40
const roomTries = 200
const wallGap = 0.03

/** A room from the stream's next draws. Throws InputError when the recipe's furniture does not fit its rooms. */
export function drawScene(recipe: Recipe, random: Random): RoomScene {
  const { singles, repeated, numbers } = drawNumbers(recipe, random)
  for (let attempt = 0; attempt < roomTries; attempt++) {
    const extent: Vec3 = [
      random.uniform(recipe.room.width),
      random.uniform(recipe.room.depth),
      random.uniform(recipe.room.height),
    ]
    const placed = furnish(recipe, extent, [...singles, ...repeated], numbers, random)
    if (placed !== undefined) return describe(recipe, extent, placed, repeated, random)
  }
  throw new InputError(`recipe '${recipe.name}': its furniture does not fit; make rooms larger or copies fewer`)
}

function drawNumbers(recipe: Recipe, random: Random) {
  const order = random.shuffle(Object.keys(recipe.categories))
  const repeatable = order.filter((category) => recipe.categories[category]?.oneOnly !== true)
  const repeated = repeatable.slice(0, random.integer(recipe.repeated))
  const singles = order.filter((category) => !repeated.includes(category)).slice(0, random.integer(recipe.singles))
  const numbers = new Map(singles.map((category) => [category, 1]))
  for (const category of repeated) numbers.set(category, random.integer(recipe.copies))
  return { singles, repeated, numbers }
}

/** Door first, then the largest furniture; undefined when something found no free place. */
function furnish(
  recipe: Recipe,
  extent: Vec3,
  categories: readonly string[],
  numbers: ReadonlyMap<string, number>,
  random: Random,
): Placed[] | undefined {
  const placed: Placed[] = [{ category: 'door', box: drawDoor(recipe, extent, random) }]
  const area = (category: string): number => meanArea(recipe.categories[category])
  for (const category of [...categories].sort((a, b) => area(b) - area(a))) {
    for (let copy = 0; copy < (numbers.get(category) ?? 0); copy++) {
      const box = drawFreeBox(recipe, category, extent, placed, random)
      if (box === undefined) return undefined
      placed.push({ category, box })
    }
  }
  return placed
}

function drawFreeBox(recipe: Recipe, category: string, extent: Vec3, placed: readonly Placed[], random: Random) {
  const spec = recipe.categories[category]
  if (spec === undefined) throw new InputError(`recipe '${recipe.name}': no category '${category}'`)
  for (let attempt = 0; attempt < placementTries; attempt++) {
    const size: Vec3 = [random.uniform(spec.length), random.uniform(spec.width), random.uniform(spec.height)]
    const box = spec.atWall === true ? besideWall(size, extent, random) : standing(recipe, size, extent, random)
    if (box !== undefined && placed.every((other) => keepApart(box, other.box, recipe.gap))) return box
  }
  return undefined
}

function standing(recipe: Recipe, size: Vec3, extent: Vec3, random: Random): BoxRecord | undefined {
  const { step, jitter } = recipe.turn
  const degrees = step * random.integer([0, Math.round(360 / step) - 1]) + random.uniform([-jitter, jitter])
  const yaw = (degrees * Math.PI) / 180
  const unplaced = uprightBox([0, 0], size, yaw)
  const [halfX, halfY] = [unplaced.max[0] + wallGap, unplaced.max[1] + wallGap]
  if (2 * halfX > extent[0] || 2 * halfY > extent[1]) return undefined
  const center: Point = [random.uniform([halfX, extent[0] - halfX]), random.uniform([halfY, extent[1] - halfY])]
  return uprightBox(center, size, yaw)
}

function besideWall(size: Vec3, extent: Vec3, random: Random): BoxRecord | undefined {
  const wall = random.pick<Wall>(['west', 'east', 'south', 'north'])
  const reach = wallLength(wall, extent) / 2 - size[0] / 2 - wallGap
  return reach < 0 ? undefined : boxAtWall(wall, size, random.uniform([-reach, reach]), extent)
}

function drawDoor(recipe: Recipe, extent: Vec3, random: Random): BoxRecord {
  const { size, walls, along } = recipe.door
  const wall = random.pick(walls)
  const reach = wallLength(wall, extent) / 2 - size[0] / 2 - wallGap
  return boxAtWall(wall, size, random.uniform(along) * reach, extent)
}

function wallLength(wall: Wall, extent: Vec3): number {
  return wall === 'north' || wall === 'south' ? extent[0] : extent[1]
}

/** A box with its back (+y of its own axes) at a wall, `offset` metres from the wall's middle. */
function boxAtWall(wall: Wall, size: Vec3, offset: number, extent: Vec3): BoxRecord {
  const depth = size[1] / 2 + 0.01
  const [middleX, middleY] = [extent[0] / 2, extent[1] / 2]
  switch (wall) {
    case 'north':
      return uprightBox([middleX + offset, extent[1] - depth], size, 0)
    case 'south':
      return uprightBox([middleX + offset, depth], size, Math.PI)
    case 'east':
      return uprightBox([extent[0] - depth, middleY + offset], size, -Math.PI / 2)
    case 'west':
      return uprightBox([depth, middleY + offset], size, Math.PI / 2)
  }
}

function describe(recipe: Recipe, extent: Vec3, placed: Placed[], repeated: string[], random: Random): RoomScene {
  const boxes: Record<string, BoxRecord[]> = {}
  for (const { category, box } of placed) {
    const list = boxes[category] ?? []
    boxes[category] = list
    list.push(box)
  }
  return {
    dataset: 'rooms',
    video_path: '',
    room_size: extent[0] * extent[1],
    room_center: [extent[0] / 2, extent[1] / 2, extent[2] / 2],
    object_counts: Object.fromEntries(Object.entries(boxes).map(([category, list]) => [category, list.length])),
    object_bbox: boxes,
    cameras: drawPath(recipe.camera, extent, random),
    extent,
    repeated,
    look: drawLook(recipe, random),
  }
}

function drawPath(camera: CameraRecipe, extent: Vec3, random: Random): CameraRecord[] {
  const [eye, radius, fov] = [random.uniform(camera.eye), random.uniform(camera.radius), random.uniform(camera.fov)]
  const [start, arc] = [random.uniform(camera.start), random.uniform(camera.arc)]
  const opening = drawOpening(camera, random)
  return Array.from({ length: camera.frames }, (_, frame) => {
    const last = Math.max(1, camera.frames - 1)
    const angle = ((start + (arc * frame) / last) * Math.PI) / 180
    const [x, y] = [extent[0] / 2 + radius * Math.cos(angle), extent[1] / 2 + radius * Math.sin(angle)]
    const { zoom, aside } = opening(frame / last)
    return {
      position: [x, y, eye],
      target: [extent[0] / 2 + aside[0], extent[1] / 2 + aside[1], camera.targetHeight],
      up: camera.northUp ? [0, 1, 0] : [0, 0, 1],
      fov: fov * zoom,
    }
  })
}

/** What the recipe's opening does when so much of the path is done, 0 to 1. Without one it draws nothing. */
function drawOpening({ opening }: CameraRecipe, random: Random): (done: number) => { zoom: number; aside: Point } {
  if (opening === undefined) return () => ({ zoom: 1, aside: [0, 0] })
  const [zoom, distance] = [random.uniform(opening.zoom), random.uniform(opening.aside)]
  const direction = random.uniform([0, 2 * Math.PI])
  return (done) => {
    const reach = distance * (1 - done)
    return { zoom: zoom + (1 - zoom) * done, aside: [reach * Math.cos(direction), reach * Math.sin(direction)] }
  }
}

function drawLook(recipe: Recipe, random: Random): Look {
  const { look } = recipe
  const jitter = (color: Color): Color => {
    const channel = (value: number): number => value + random.uniform([-look.jitter, look.jitter])
    return [channel(color[0]), channel(color[1]), channel(color[2])]
  }
  const [west, east, south, north] = look.walls
  return {
    floor: jitter(look.floor),
    floorTintX: look.floorTintX,
    floorTintY: look.floorTintY,
    walls: [jitter(west), jitter(east), jitter(south), jitter(north)],
    floorTexture: random.pick(look.floorTextures),
    wallTexture: random.pick(look.wallTextures),
    light: drawLight(look.light, random),
    ambient: random.uniform(look.ambient),
  }
}

function drawLight(elevation: Range, random: Random): Vec3 {
  const height = (random.uniform(elevation) * Math.PI) / 180
  const around = random.uniform([0, 2 * Math.PI])
  return [Math.cos(height) * Math.cos(around), Math.cos(height) * Math.sin(around), Math.sin(height)]
}

function meanArea(spec: CategoryRecipe | undefined): number {
  if (spec === undefined) return 0
  return ((spec.length[0] + spec.length[1]) * (spec.width[0] + spec.width[1])) / 4
}
