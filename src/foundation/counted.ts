/** `1 row`, `0 rows`, `2 rows`: a count with its noun. */
export function counted(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`
}
