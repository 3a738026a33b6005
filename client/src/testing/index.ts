/** For tests of an application: what did a request leave in the trail? */
import assert from 'node:assert/strict'
import type { TrailRow } from '@akashi/contract/trail'
import type { Executor } from '../executor.ts'
import { search } from '../trail/read.ts'

/** What is said of a row; everything else of it may be anything. */
export type ExpectedRow = Partial<TrailRow>

/**
 * Asserts that a request left exactly these rows, in this order. Reading is recorded too, and left out.
 *
 * @param executor of a login that may read the history of the tables
 * @throws AssertionError with the difference
 */
export async function assertRecorded(
  executor: Executor,
  requestId: string,
  expected: readonly ExpectedRow[],
): Promise<void> {
  const { rows } = await search(executor, { requestId }, { limit: expected.length + 100 })
  const recorded = rows.filter(({ resource }) => resource !== 'akashi_audit.audit_logs').reverse()
  const told = recorded.map((row, index) => {
    const keys = Object.keys(
      expected[index] ?? { table: null, operation: null, action: null },
    ) as (keyof TrailRow)[]
    return Object.fromEntries(keys.map((key) => [key, row[key]]))
  })
  assert.deepEqual(told, expected, `request ${requestId} left other rows in the trail`)
}
