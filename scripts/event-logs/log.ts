/** Synthetic logs with known content: the expected results are counted while generating. */

/** The expected results of parsing the log. */
export interface Expectation {
  lines: number
  /** Lines that yield at least one event. */
  accepted: number
  events: number
  rejected: number
  readonly byType: Record<string, number>
  /** Events of type `authentication_failure`, by source address. */
  readonly failuresByAddress: Record<string, number>
}

/** Yields lines without line endings; returns the expected results. Deterministic by seed. */
export type LogGenerator = (lines: number, seed: number) => Generator<string, Expectation, undefined>

/** One line and its expected events: none if it must be rejected. */
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

/** Takes the given number of lines and counts their events. */
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
