/** Synthetic logs whose truth is known: what a reader must find is counted while they are made. */

/** What a reader of the log must find. */
export interface Expectation {
  lines: number
  /** Lines that are at least one event. */
  accepted: number
  events: number
  rejected: number
  readonly byType: Record<string, number>
  /** Events of type `authentication_failure`, by the address that they came from. */
  readonly failuresByAddress: Record<string, number>
}

/** Yields lines without line ends; returns what they hold. The same seed gives the same lines. */
export type LogGenerator = (lines: number, seed: number) => Generator<string, Expectation, undefined>

/** One line, and the events that it stands for: none when it must be rejected. */
export interface MadeLine {
  readonly text: string
  readonly type: string | null
  readonly times?: number
  readonly address?: string | null
}

export function emptyExpectation(): Expectation {
  return { lines: 0, accepted: 0, events: 0, rejected: 0, byType: {}, failuresByAddress: {} }
}

export function count(expectation: Expectation, { type, times = 1, address = null }: MadeLine): void {
  expectation.lines += 1
  if (type === null) {
    expectation.rejected += 1
    return
  }
  expectation.accepted += 1
  expectation.events += times
  expectation.byType[type] = (expectation.byType[type] ?? 0) + times
  if (type === 'authentication_failure' && address !== null) {
    expectation.failuresByAddress[address] = (expectation.failuresByAddress[address] ?? 0) + times
  }
}

/** Makes lines one after another until there are enough. */
export function* take(
  lines: number,
  made: Iterator<MadeLine, void, undefined>,
): Generator<string, Expectation, undefined> {
  const expectation = emptyExpectation()
  for (let next = made.next(); !next.done && expectation.lines < lines; next = made.next()) {
    count(expectation, next.value)
    yield next.value.text
  }
  return expectation
}
