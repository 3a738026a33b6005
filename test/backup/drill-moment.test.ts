import { expect, it } from 'vitest'
import { chooseMoment, type Stretch } from '../../src/backup/index.ts'

function stretch(kind: 'full' | 'incremental', fromMs: number, toMs: number): Stretch {
  const backup = { id: `${kind}-${fromMs}`, kind } as Stretch['backup']
  return { backup, timeline: 1, fromMs, toMs, fromLsn: 0n, toLsn: 1n, wal: [] }
}

function every(stretches: readonly Stretch[]) {
  const seen = new Map<number, boolean>()
  for (let at = 0; at < 500; at += 1) {
    const moment = chooseMoment(stretches, (below) => at % below)
    if (moment !== undefined) seen.set(moment.ms, moment.comparable)
  }
  return seen
}

it('takes only moments that come back through an incremental while a full backup leads there too', () => {
  const moments = every([
    stretch('full', 0, 100),
    stretch('incremental', 10, 100),
    stretch('incremental', 30, 100),
    stretch('full', 60, 100),
  ])
  expect(Math.min(...moments.keys())).toBe(10)
  expect(Math.max(...moments.keys())).toBe(59)
  expect([...moments.values()].every(Boolean)).toBe(true)
})

it('takes any moment where there are full backups only, both ends included, and none where there is nothing', () => {
  const moments = every([stretch('full', 5, 9), stretch('full', 20, 20)])
  expect([...moments.keys()].sort((a, b) => a - b)).toEqual([5, 6, 7, 8, 9, 20])
  expect([...moments.values()].some(Boolean)).toBe(false)
  expect(chooseMoment([])).toBeUndefined()
})
