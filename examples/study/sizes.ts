/** How large the study is. The numbers of a size are part of every result; results of different sizes do not mix. */
export interface Size {
  /** Optimizer steps at equal numbers of examples; tuning takes a third. */
  readonly steps: number
  readonly roomsPerStep: number
  readonly testRooms: number
  /** Rooms from which settings are chosen, and as many that teach the blind controls. */
  readonly devRooms: number
}

export const sizes = {
  full: { steps: 240, roomsPerStep: 16, testRooms: 400, devRooms: 200 },
  /** Seconds: to see that everything works. Its results mean nothing. */
  smoke: { steps: 3, roomsPerStep: 2, testRooms: 4, devRooms: 4 },
} satisfies Record<string, Size>

export type SizeName = keyof typeof sizes

/** Each room is seen once at equal numbers of examples. */
export function trainRooms({ steps, roomsPerStep }: Size): number {
  return steps * roomsPerStep
}
