/** Archived objects that cannot be read at present, and which missing rows they may account for. */
import type { ArchivedObject } from '../archived.ts'
import type { ProblemList } from './problems.ts'

/** Whether a row of this position and time (milliseconds since 1970) may be in the object. */
export function mayHold(object: ArchivedObject, position: bigint, at: number): boolean {
  return (
    position >= object.firstPosition &&
    position <= object.lastPosition &&
    at >= object.from.getTime() &&
    at < object.to.getTime()
  )
}

/**
 * An object accounts for entries within its range of positions and of times, and for no more entries than it has rows:
 * rows of one range of time may have positions among those of other rows.
 */
export class UnreadObjects {
  readonly #left: { readonly object: ArchivedObject; rows: bigint }[]
  readonly #exceeded = new Map<ArchivedObject, bigint>()

  constructor(objects: readonly ArchivedObject[]) {
    this.#left = objects.map((object) => ({ object, rows: object.rows }))
  }

  /** Counts one entry without a row; false when no object can contain it. */
  excuses(position: bigint, at: number): boolean {
    const holders = this.#left.filter(({ object }) => mayHold(object, position, at))
    const [first] = holders
    if (first === undefined) return false
    const free = holders.find(({ rows }) => rows > 0n)
    if (free === undefined) this.#exceeded.set(first.object, (this.#exceeded.get(first.object) ?? 0n) + 1n)
    else free.rows -= 1n
    return true
  }

  /** Reports objects that would have to contain more rows than were stored. */
  report(problems: ProblemList): void {
    for (const [{ name, rows, firstPosition }, more] of this.#exceeded)
      problems.add(
        'removed',
        firstPosition,
        name,
        `archived object ${name} was stored with ${rows} rows, but ${more} more entries of its time range have no row: rows were removed`,
      )
  }
}
