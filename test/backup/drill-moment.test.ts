import { expect, it } from 'vitest'
import { chooseMoment, type RestorableRange } from '../../src/backup/index.ts'

function range(kind: 'full' | 'incremental', fromMs: number, toMs: number): RestorableRange {
  const backup = { id: `${kind}-${fromMs}`, kind } as RestorableRange['backup']
  return { backup, timeline: 1, fromMs, toMs, fromLsn: 0n, toLsn: 1n, wal: [] }
}

function every(ranges: readonly RestorableRange[]) {
  const seen = new Map<number, boolean>()
  for (let at = 0; at < 500; at += 1) {
    const moment = chooseMoment(ranges, (below) => at % below)
    if (moment !== undefined) seen.set(moment.ms, moment.comparable)
  }
  return seen
}

it('takes only moments that come back through an incremental while a full backup leads there too', () => {
  const moments = every([
    range('full', 0, 100),
    range('incremental', 10, 100),
    range('incremental', 30, 100),
    range('full', 60, 100),
  ])
  expect(Math.min(...moments.keys())).toBe(10)
  expect(Math.max(...moments.keys())).toBe(59)
  expect([...moments.values()].every(Boolean)).toBe(true)
})

it('takes any moment where there are full backups only, both ends included, and none where there is nothing', () => {
  const moments = every([range('full', 5, 9), range('full', 20, 20)])
  expect([...moments.keys()].sort((a, b) => a - b)).toEqual([5, 6, 7, 8, 9, 20])
  expect([...moments.values()].some(Boolean)).toBe(false)
  expect(chooseMoment([])).toBeUndefined()
})
