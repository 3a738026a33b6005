import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BackupManifest, planPrune, restorableRanges } from '../../src/backup/index.ts'
import { parseWalPiece, type WalPiece, walPieceName } from '../../src/backup/wal/names.ts'
import { coverageOf, piecesOf } from '../../src/backup/wal/pieces.ts'
import { formatLsn } from '../../src/postgres/index.ts'

const SEGMENT = 0x100_0000
const CATALOGS = 10_000
const HOUR_MS = 3_600_000
const START_MS = Date.parse('2026-01-01T00:00:00Z')

function manifest(
  n: number,
  parts: {
    readonly parent: string | null
    readonly timeline: number
    readonly segment: number
    readonly ms: number
  },
): BackupManifest {
  const { parent, timeline, segment, ms } = parts
  const kind = parent === null ? 'full' : 'incremental'
  return {
    version: 1,
    id: `20260101T000000Z-${kind}-${n.toString(16).padStart(4, '0')}`,
    kind,
    parent,
    systemId: '7',
    postgresVersion: '18.4',
    timeline,
    startLsn: formatLsn(BigInt(segment) * BigInt(SEGMENT) + 0x28n),
    endLsn: formatLsn(BigInt(segment) * BigInt(SEGMENT) + 0x120n),
    startedAt: new Date(ms - 1000).toISOString(),
    stoppedAt: new Date(ms).toISOString(),
    nextXid: String(700 + n),
    walSegmentBytes: SEGMENT,
    dataChecksums: true,
    tablespaces: [],
    files: 1,
    bytes: 1,
    stored: 1,
    key: '01a1fd10-5cb0-77c6-8796-e7c1f8f71787',
    objects: [],
    mac: '',
  }
}

function piece(timeline: number, segment: number, ms: number): WalPiece {
  const range = {
    timeline,
    start: BigInt(segment) * BigInt(SEGMENT),
    end: BigInt(segment + 1) * BigInt(SEGMENT),
    commitMs: ms,
  }
  return { ...range, name: walPieceName('7', range) }
}

/** Hours of a cluster's life: a segment each hour, some lost, backups now and then, failovers in between. */
const life = fc.array(
  fc.record({
    lost: fc.integer({ min: 0, max: 19 }),
    backup: fc.constantFrom('none', 'none', 'full', 'incremental', 'broken'),
    failover: fc.integer({ min: 0, max: 14 }),
  }),
  { minLength: 1, maxLength: 40 },
)

function catalogOf(hours: readonly { lost: number; backup: string; failover: number }[]) {
  const backups: BackupManifest[] = []
  const pieces: WalPiece[] = []
  const histories = new Map<number, { timeline: number; end: bigint }[]>()
  let timeline = 1
  for (const [hour, { lost, backup, failover }] of hours.entries()) {
    const ms = START_MS + hour * HOUR_MS
    if (failover === 0) {
      const ancestors = [
        ...(histories.get(timeline) ?? []),
        { timeline, end: BigInt(hour) * BigInt(SEGMENT) },
      ]
      timeline += 1
      histories.set(timeline, ancestors)
    }
    const last = backups.at(-1)
    const parent = backup === 'incremental' && last?.timeline === timeline ? last.id : null
    if (backup === 'full' || parent !== null) {
      backups.push(manifest(hour, { parent, timeline, segment: hour, ms: ms + 60_000 }))
    }
    if (backup === 'broken') {
      backups.push(manifest(hour, { parent: 'gone', timeline, segment: hour, ms: ms + 60_000 }))
    }
    if (lost !== 0) pieces.push(piece(timeline, hour, ms + HOUR_MS - 1))
  }
  return { backups, pieces, histories }
}

const reachable = (catalog: ReturnType<typeof catalogOf>, timeline: number, ms: number) =>
  restorableRanges(catalog).some((one) => one.timeline === timeline && one.fromMs <= ms && ms <= one.toMs)

describe('retention', () => {
  it(`keeps every moment behind the cutoff restorable, over ${CATALOGS} catalogs`, () => {
    fc.assert(
      fc.property(life, fc.integer({ min: 0, max: 45 }), fc.nat(45), (hours, cutoffHour, incrementalHour) => {
        const catalog = catalogOf(hours)
        const cutoffMs = START_MS + cutoffHour * HOUR_MS
        const incrementalCutoffMs = START_MS + incrementalHour * HOUR_MS
        const plan = planPrune(catalog, { cutoffMs, incrementalCutoffMs, hold: false })
        const after = {
          ...catalog,
          backups: catalog.backups.filter((backup) => !plan.backups.includes(backup)),
          pieces: catalog.pieces.filter((one) => !plan.pieces.includes(one)),
        }
        const before = restorableRanges(catalog)
        for (const { timeline, fromMs, toMs } of before) {
          for (const ms of [Math.max(fromMs, cutoffMs), Math.max(toMs, cutoffMs), (fromMs + toMs) / 2]) {
            if (ms < cutoffMs || !reachable(catalog, timeline, ms)) continue
            if (!reachable(after, timeline, ms)) return false
          }
        }
        // No chain is broken, and the newest whole one stays.
        const newest = before.at(-1)
        const ids = new Set(after.backups.map(({ id }) => id))
        const whole = after.backups.every(
          ({ parent, id }) =>
            parent === null ||
            parent === 'gone' ||
            ids.has(parent) ||
            !before.some(({ backup }) => backup.id === id),
        )
        return whole && (newest === undefined || ids.has(newest.backup.id))
      }),
      { numRuns: CATALOGS, seed: 7 },
    )
  }, 120_000)

  it('removes what nothing needs any more, and nothing under a legal hold', () => {
    const hours = Array.from({ length: 30 }, (_, hour) => ({
      lost: 1,
      backup: hour % 10 === 0 ? 'full' : 'none',
      failover: 1,
    }))
    const catalog = catalogOf(hours)
    const cutoffMs = START_MS + 25 * HOUR_MS
    const plan = planPrune(catalog, { cutoffMs, incrementalCutoffMs: cutoffMs, hold: false })
    expect(plan.backups.map(({ startLsn }) => startLsn)).toEqual(['0/28', '0/A000028'])
    expect(plan.pieces).toHaveLength(20)
    expect(planPrune(catalog, { cutoffMs, incrementalCutoffMs: cutoffMs, hold: true })).toEqual({
      backups: [],
      pieces: [],
    })
  })
})

describe('an old incremental', () => {
  const day = (backup: (hour: number) => string, lost: (hour: number) => number = () => 1) =>
    catalogOf(
      Array.from({ length: 24 }, (_, hour) => ({ lost: lost(hour), backup: backup(hour), failover: 1 })),
    )
  const removedOf = (catalog: ReturnType<typeof catalogOf>, hour: number) =>
    planPrune(catalog, {
      cutoffMs: START_MS - HOUR_MS,
      incrementalCutoffMs: START_MS + hour * HOUR_MS + 60_000,
      hold: false,
    }).backups.map(({ id }) => id.slice(-4))

  it('goes where a full backup and the WAL lead to the same moments', () => {
    const twoFulls = day((hour) => (hour % 12 === 0 ? 'full' : 'incremental'))
    // Later ones build on them.
    expect(removedOf(twoFulls, 5)).toEqual([])
    // Those of the first chain: nothing that stays builds on them any more.
    expect(removedOf(twoFulls, 11)).toHaveLength(11)
    // The newest backup stays, and all that it builds on.
    expect(removedOf(twoFulls, 23)).toHaveLength(11)
  })

  it('stays where WAL is missing before it', () => {
    const hole = day(
      (hour) => (hour % 12 === 0 ? 'full' : hour === 6 || hour === 8 ? 'incremental' : 'none'),
      (hour) => (hour === 3 ? 0 : 1),
    )
    // 6 is the only way over the hole, and leads where 8 does.
    expect(removedOf(hole, 11)).toEqual(['0008'])
  })
})

describe('pieces of WAL', () => {
  it('are named so that the name tells them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 0xffff_ffff }),
        fc.bigInt({ min: 0n, max: 2n ** 63n }),
        fc.bigInt({ min: 1n, max: 2n ** 30n }),
        fc.integer({ min: 0, max: 4_000_000_000_000 }),
        (timeline, start, length, commitMs) => {
          const one = { timeline, start, end: start + length, commitMs }
          const name = walPieceName('7', one)
          expect(parseWalPiece(name)).toEqual({ ...one, name })
        },
      ),
    )
  })

  it('cover what they say, with holes told and overlaps merged', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 10 })), { maxLength: 20 }),
        (ranges) => {
          const pieces = ranges.map(([start, length]) => ({
            name: `${start}+${length}`,
            timeline: 1,
            start: BigInt(start),
            end: BigInt(start + length),
            commitMs: 0,
          }))
          const covered = new Set(
            ranges.flatMap(([start, length]) => Array.from({ length }, (_, i) => start + i)),
          )
          const coverage = coverageOf(pieces)
          const told = coverage.flatMap(({ start, end }) =>
            Array.from({ length: Number(end - start) }, (_, i) => Number(start) + i),
          )
          expect(told).toEqual([...covered].sort((a, b) => a - b))
          for (const { start, end } of coverage) expect(piecesOf(pieces, start, end).at(-1)?.end).toBe(end)
        },
      ),
    )
  })
})
