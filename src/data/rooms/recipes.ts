/**
 * Recipes: the distributions that rooms are drawn from. `demo` is small and bright enough for a two-million-parameter
 * model; `base` asks the same of other-looking rooms, to warm-start that model; `home` is for people to look at, and `reveal`
 * shows the same piece by piece.
 */
import { instructions } from '../questions/instructions.js'
import { type QuestionKind, questionKinds } from '../questions/question.js'
import type { Recipe } from './recipe.js'

/** What can be asked about a room. The order of appearance needs a recipe whose camera has an `opening`. */
export const roomKinds: readonly QuestionKind[] = questionKinds

export const shortAnswer = instructions.word

const demo: Recipe = {
  name: 'demo',
  room: { width: [4.3, 4.7], depth: [4.3, 4.7], height: [2.5, 2.5] },
  categories: {
    chair: { shape: 'chair', color: [0.95, 0.12, 0.1], length: [0.75, 0.85], width: [0.75, 0.85], height: [0.9, 1.1] },
    table: { shape: 'round table', color: [0.15, 0.25, 0.95], length: [1, 1.15], width: [1, 1.15], height: [0.7, 0.8] },
    bed: { shape: 'bed', color: [0.1, 0.75, 0.15], length: [0.9, 1], width: [1.4, 1.6], height: [0.5, 0.6] },
    sofa: { shape: 'sofa', color: [1, 0.85, 0.05], length: [1.35, 1.55], width: [0.75, 0.85], height: [0.75, 0.85] },
    lamp: { shape: 'lamp', color: [0.9, 0.1, 0.85], length: [0.7, 0.8], width: [0.7, 0.8], height: [1.3, 1.5] },
    plant: { shape: 'plant', color: [0.05, 0.85, 0.85], length: [0.85, 0.95], width: [0.85, 0.95], height: [1, 1.2] },
  },
  singles: [3, 3],
  repeated: [1, 1],
  copies: [1, 4],
  turn: { step: 90, jitter: 8 },
  gap: 0.12,
  door: { size: [1.2, 0.12, 2], color: [0.1, 0.08, 0.08], walls: ['north'], along: [-0.35, 0.35] },
  camera: {
    frames: 4,
    width: 56,
    height: 56,
    eye: [4.4, 4.6],
    radius: [0.4, 0.5],
    start: [-150, -120],
    arc: [60, 90],
    fov: [62, 62],
    targetHeight: 0.2,
    northUp: true,
  },
  look: {
    floor: [0.62, 0.62, 0.62],
    floorTintX: [0.24, 0, -0.24],
    floorTintY: [0.12, 0.12, 0.12],
    walls: [
      [0.45, 0.5, 0.85],
      [0.9, 0.55, 0.4],
      [0.55, 0.55, 0.55],
      [0.85, 0.85, 0.85],
    ],
    jitter: 0.02,
    floorTextures: ['plain'],
    wallTextures: ['plain'],
    ambient: [0.55, 0.6],
    light: [60, 75],
    shadow: 0.2,
    supersample: 2,
  },
  questions: {
    kinds: ['object_counting', 'object_rel_distance', 'object_rel_direction_easy'],
    anchor: 'door',
    options: 3,
    distanceMargin: 0.3,
    angleMargin: 15,
    instruction: '',
  },
}

/** Wider, darker rooms seen from higher up and turned the other way round, paler and smaller furniture. */
const base: Recipe = {
  ...demo,
  name: 'base',
  room: { width: [4.8, 5.4], depth: [4.6, 5.2], height: [2.3, 2.9] },
  categories: {
    chair: { shape: 'chair', color: [0.82, 0.2, 0.2], length: [0.65, 0.8], width: [0.65, 0.8], height: [0.8, 1] },
    table: {
      shape: 'round table',
      color: [0.22, 0.3, 0.8],
      length: [0.9, 1.2],
      width: [0.9, 1.2],
      height: [0.65, 0.8],
    },
    bed: { shape: 'bed', color: [0.2, 0.62, 0.2], length: [0.9, 1.1], width: [1.4, 1.8], height: [0.4, 0.55] },
    sofa: { shape: 'sofa', color: [0.88, 0.74, 0.15], length: [1.3, 1.7], width: [0.7, 0.85], height: [0.7, 0.85] },
    lamp: { shape: 'lamp', color: [0.75, 0.2, 0.7], length: [0.7, 0.8], width: [0.7, 0.8], height: [1.1, 1.4] },
    plant: { shape: 'plant', color: [0.15, 0.7, 0.7], length: [0.75, 0.95], width: [0.75, 0.95], height: [0.9, 1.2] },
  },
  turn: { step: 90, jitter: 20 },
  door: { size: [1.1, 0.12, 2.1], color: [0.2, 0.13, 0.1], walls: ['north'], along: [-0.5, 0.5] },
  camera: {
    ...demo.camera,
    eye: [4.6, 5.2],
    radius: [0.3, 0.7],
    start: [-100, -60],
    arc: [-90, -45],
    fov: [60, 66],
  },
  look: {
    ...demo.look,
    floor: [0.5, 0.52, 0.5],
    floorTintX: [0.22, 0.02, -0.22],
    floorTintY: [0.08, 0.1, 0.12],
    walls: [
      [0.4, 0.42, 0.7],
      [0.75, 0.5, 0.4],
      [0.45, 0.45, 0.45],
      [0.7, 0.7, 0.72],
    ],
    jitter: 0.06,
    ambient: [0.45, 0.65],
    light: [45, 75],
    shadow: 0.3,
  },
}

const home: Recipe = {
  name: 'home',
  room: { width: [4.5, 6.5], depth: [4, 5.5], height: [2.4, 2.7] },
  categories: {
    chair: { shape: 'chair', color: [0.72, 0.25, 0.2], length: [0.42, 0.5], width: [0.45, 0.52], height: [0.85, 0.98] },
    table: {
      shape: 'table',
      color: [0.62, 0.42, 0.24],
      length: [1.1, 1.6],
      width: [0.7, 0.9],
      height: [0.7, 0.76],
      oneOnly: true,
    },
    bed: {
      shape: 'bed',
      color: [0.4, 0.55, 0.75],
      length: [1.2, 1.7],
      width: [1.9, 2.1],
      height: [0.5, 0.65],
      atWall: true,
      oneOnly: true,
    },
    sofa: {
      shape: 'sofa',
      color: [0.3, 0.5, 0.42],
      length: [1.6, 2.1],
      width: [0.8, 0.95],
      height: [0.75, 0.9],
      atWall: true,
      oneOnly: true,
    },
    lamp: { shape: 'lamp', color: [0.95, 0.8, 0.35], length: [0.35, 0.45], width: [0.35, 0.45], height: [1.3, 1.6] },
    plant: { shape: 'plant', color: [0.25, 0.58, 0.25], length: [0.4, 0.6], width: [0.4, 0.6], height: [0.7, 1.3] },
    stool: { shape: 'stool', color: [0.85, 0.55, 0.2], length: [0.35, 0.42], width: [0.35, 0.42], height: [0.45, 0.6] },
    desk: {
      shape: 'table',
      color: [0.35, 0.3, 0.28],
      length: [1.1, 1.4],
      width: [0.6, 0.7],
      height: [0.72, 0.78],
      atWall: true,
      oneOnly: true,
    },
    cabinet: {
      shape: 'cabinet',
      color: [0.82, 0.76, 0.66],
      length: [0.8, 1.2],
      width: [0.4, 0.5],
      height: [0.9, 1.3],
      atWall: true,
    },
    shelf: {
      shape: 'shelf',
      color: [0.5, 0.33, 0.2],
      length: [0.8, 1.1],
      width: [0.3, 0.36],
      height: [1.6, 2],
      atWall: true,
    },
    fridge: {
      shape: 'cabinet',
      color: [0.88, 0.9, 0.93],
      length: [0.6, 0.7],
      width: [0.6, 0.68],
      height: [1.6, 1.85],
      atWall: true,
      oneOnly: true,
    },
    bin: { shape: 'bin', color: [0.3, 0.35, 0.55], length: [0.28, 0.35], width: [0.28, 0.35], height: [0.35, 0.5] },
  },
  singles: [4, 6],
  repeated: [1, 2],
  copies: [2, 4],
  turn: { step: 90, jitter: 12 },
  gap: 0.15,
  door: {
    size: [0.9, 0.08, 2.05],
    color: [0.55, 0.36, 0.2],
    walls: ['west', 'east', 'south', 'north'],
    along: [-0.7, 0.7],
  },
  camera: {
    frames: 8,
    width: 224,
    height: 168,
    eye: [5, 6],
    radius: [4.2, 5],
    start: [-180, 180],
    arc: [80, 160],
    fov: [60, 64],
    targetHeight: 0.4,
    northUp: false,
  },
  look: {
    floor: [0.68, 0.55, 0.42],
    floorTintX: [0.06, 0.02, -0.04],
    floorTintY: [0.05, 0.05, 0.05],
    walls: [
      [0.83, 0.85, 0.88],
      [0.9, 0.84, 0.76],
      [0.84, 0.86, 0.8],
      [0.88, 0.86, 0.84],
    ],
    jitter: 0.04,
    floorTextures: ['planks', 'tiles'],
    wallTextures: ['plain', 'stripes', 'bricks'],
    ambient: [0.65, 0.72],
    light: [50, 75],
    shadow: 0.22,
    supersample: 2,
  },
  questions: {
    kinds: roomKinds.filter((kind) => kind !== 'obj_appearance_order'),
    options: 4,
    distanceMargin: 0.15,
    angleMargin: 10,
    instruction: shortAnswer,
  },
}

/** The same rooms, filmed from a detail to the whole, so that what comes into view first can be asked too. */
const reveal: Recipe = {
  ...home,
  name: 'reveal',
  camera: { ...home.camera, opening: { zoom: [0.2, 0.35], aside: [0, 1.2] } },
  questions: { ...home.questions, kinds: roomKinds },
}

/** The built-in recipes by name. Spread one to make your own: `{ ...recipes.demo, gap: 0.3 }`. */
export const recipes = { demo, base, home, reveal } as const

export type RecipeName = keyof typeof recipes
