/** `1 row`, `0 rows`, `2 rows`: a figure with its noun, for people. */
export function counted(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`
}
