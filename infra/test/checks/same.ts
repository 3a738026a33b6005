import { isDeepStrictEqual } from 'node:util'
import type { Json } from '../support/template.ts'

/** Two values that are not the same. A test shows what differs; a mutation, which fails thousands of times, does not. */
class Different extends Error {
  override readonly name = 'Different'
  readonly actual: Json
  readonly expected: Json

  constructor(actual: Json, expected: Json, what: string) {
    super(`${what} differs`)
    this.actual = actual
    this.expected = expected
  }
}

/** As `assert.deepStrictEqual`, without the description that it writes at once. */
export function assertSame(actual: Json, expected: Json, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) throw new Different(actual, expected, what)
}
