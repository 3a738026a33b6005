import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { runBackup } from '../../src/backup/index.ts'
import { restoreTo, startCluster } from './support/cluster.ts'

const ROUNDS = process.env['AKASHI_LONG'] === '1' ? 10 : 3
const SEED = 20_261_121
/** Seconds of commits that losing the machine may cost (RPO). */
const LOSS_SECONDS = 2

/** Park and Miller's generator: the same moments in every run. */
function random(seed: number): () => number {
  let state = seed % 2_147_483_647
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

it(
  'loses two seconds at most, and nothing that was reported as stored, when the machine is lost',
  async () => {
    const next = random(SEED)
    for (let round = 0; round < ROUNDS; round += 1) {
      const cluster = await startCluster()
      try {
        await cluster.sql('create table commits (id integer primary key, at timestamptz, lsn pg_lsn)')
        const stream = cluster.stream()
        await runBackup(cluster.backupStore, cluster.source, 'full')
        const committed: { id: number; at: number; lsn: bigint }[] = []
        let lost = false
        const writer = (async () => {
          for (let id = 1; !lost; id += 1) {
            const [row] = await cluster.sql<{ at: number }>(
              `insert into commits values (${id}, clock_timestamp(), pg_current_wal_insert_lsn())
             returning extract(epoch from at)::float8 as at`,
            )
            const [after] = await cluster.sql<{ lsn: string }>(
              `select (pg_current_wal_flush_lsn() - '0/0')::text as lsn`,
            )
            committed.push({ id, at: row?.at ?? 0, lsn: BigInt(after?.lsn ?? '0') })
          }
        })().catch(() => undefined)
        await sleep(500 + next() * 2_500)
        process.kill(cluster.server.pid, 'SIGKILL')
        lost = true
        await cluster.server.exited
        await writer
        await expect(stream.ended).rejects.toThrow()
        await rm(cluster.folder, { recursive: true })
        const reported = stream.events.reduce(
          (last, event) => (event.kind === 'flushed' && event.lsn > last ? event.lsn : last),
          0n,
        )
        const restored = await restoreTo(cluster.backupStore, 'latest')
        const [found] = await restored.sql<{ last: number; rows: number }>(
          'select max(id) as last, count(*)::integer as rows from commits',
        )
        await restored.stop()
        const last = found?.last ?? 0
        expect(found?.rows).toBe(last)
        expect(committed.length).toBeGreaterThan(0)
        for (const { id, lsn } of committed) if (lsn <= reported) expect(last).toBeGreaterThanOrEqual(id)
        const newest = committed.at(-1)?.at ?? 0
        const kept = committed.find(({ id }) => id === last)?.at ?? newest
        expect(newest - kept).toBeLessThanOrEqual(LOSS_SECONDS)
      } finally {
        await cluster.stop()
      }
    }
  },
  ROUNDS * 60_000,
)
