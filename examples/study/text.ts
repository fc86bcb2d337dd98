/** Numbers as the report writes them. */

/** Points of 100 with one decimal. */
export function short(value: number): string {
  return value.toFixed(1).replace('-', '−')
}

export function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${short(value)}`
}
