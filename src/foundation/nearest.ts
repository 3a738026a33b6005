/** Maximum edit distance that counts as a typing error. */
const MAX_DISTANCE = 3
/** Maximum share of the longer name that those edits may make up. */
const MAX_SHARE = 0.4

/**
 * The name most similar to `word`; undefined if none is close.
 * @param compared maps a name to the text that is compared
 */
export function nearest(
  word: string,
  names: Iterable<string>,
  compared: (name: string) => string = (name) => name,
): string | undefined {
  let found: string | undefined
  let least = MAX_DISTANCE + 1
  const typed = compared(word).toLowerCase()
  for (const name of names) {
    const candidate = compared(name).toLowerCase()
    const distance = editDistance(typed, candidate)
    if (distance < least && distance <= MAX_SHARE * Math.max(typed.length, candidate.length)) {
      least = distance
      found = name
    }
  }
  return found
}

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. */
function editDistance(from: string, to: string): number {
  let before: number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let line = 0; line < from.length; line += 1) {
    const next = [line + 1]
    for (let column = 0; column < to.length; column += 1) {
      const replaced = (row[column] ?? 0) + (from[line] === to[column] ? 0 : 1)
      const swapped = from[line] === to[column - 1] && from[line - 1] === to[column]
      next.push(
        Math.min(
          replaced,
          (row[column + 1] ?? 0) + 1,
          (next[column] ?? 0) + 1,
          swapped ? (before[column - 1] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    before = row
    row = next
  }
  return row[to.length] ?? 0
}
