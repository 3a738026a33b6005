/**
 * From an empty folder to a running server: restore of a full backup and the WAL after it, beside pgBackRest with the same on
 * PostgreSQL 15; and one table of it.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseTarget, restoreCluster, restoreTable, runBackup, streamWal } from '../src/backup/index.ts'
import { openDatabase, openRestoreFolder, removeCluster, startEmbedded } from '../src/postgres/index.ts'
import { type BackupBench, backupBench, fill } from './backup-store.ts'
import { atLeast, atMost, type Benchmark, type BenchmarkOptions, bencher, figure, median } from './harness.ts'
import { openPgBackRest } from './pgbackrest.ts'

export const restore: Benchmark = {
  name: 'restore',
  description: '1 GiB of files and 1 GiB of WAL to a running server, beside pgBackRest; one table',
  async run({ scale, rounds, progress }) {
    const folder = await mkdtemp(join(tmpdir(), 'akashi-bench-backups-'))
    const bench = await backupBench(folder, scale)
    try {
      const { cluster, backupStore, source } = bench
      const stopping = new AbortController()
      const stream = streamWal(backupStore, source, { signal: stopping.signal })
      await runBackup(backupStore, source, 'full')
      const begun = performance.now()
      await fill(cluster, 'later', scale)
      stopping.abort()
      await stream
      progress(`wrote and streamed the WAL in ${((performance.now() - begun) / 1000).toFixed(1)} s`)
      const seconds: number[] = []
      for (let round = 0; round < rounds; round += 1) {
        seconds.push(await restoreOnce(backupStore))
        progress(`round ${round + 1}/${rounds}: ${seconds.at(-1)?.toFixed(1)} s`)
      }
      await cluster.asAdministrator(async (session) => {
        await session.query(
          'create table public.small as select i as id, md5(i::text) as v from generate_series(1, 10000) i',
        )
      })
      await runBackup(backupStore, source, 'full')
      const table: number[] = []
      for (let round = 0; round < rounds; round += 1) table.push(await tableOnce(bench, folder, round))
      const pgbackrest = await besidePgBackRest({ scale, rounds, progress })
      return [
        atMost('restore to serving', median(seconds), 's', 45),
        atMost('restore ÷ pgBackRest', median(seconds) / median(pgbackrest), '', 1),
        figure('restore of pgBackRest', median(pgbackrest), 's'),
        atMost('one table', median(table), 's', 10),
        atLeast(
          'whole restore of either ÷ one table',
          Math.min(median(seconds), median(pgbackrest)) / median(table),
          '×',
          5,
        ),
        figure('size of files and of WAL', scale, 'GiB each'),
      ]
    } finally {
      await bench.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

/** @returns seconds */
async function tableOnce(
  { backupStore, cluster }: BackupBench,
  folder: string,
  round: number,
): Promise<number> {
  const live = openDatabase({ url: cluster.connections.adminUrl, role: 'owner', poolSize: 1 })
  try {
    const begun = performance.now()
    await restoreTable(backupStore, live, bencher, {
      table: { schema: 'public', table: 'small' },
      into: { schema: 'public', table: `small_${round}` },
      target: parseTarget('latest'),
      databaseName: new URL(cluster.connections.adminUrl).pathname.slice(1),
      liveUrl: cluster.connections.adminUrl,
      place: join(folder, 'scratch'),
    })
    return (performance.now() - begun) / 1000
  } finally {
    await live.close()
  }
}

/** @returns seconds of each round */
async function besidePgBackRest({ scale, rounds, progress }: BenchmarkOptions): Promise<number[]> {
  const other = await openPgBackRest()
  const folders = await mkdtemp(join(tmpdir(), 'akashi-bench-restored-'))
  await chmod(folders, 0o777)
  try {
    await fill(other, 'filled', scale)
    await other.backup('full')
    await fill(other, 'later', scale)
    await other.asAdministrator((session) => session.query('select pg_switch_wal()'))
    const seconds: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      const begun = performance.now()
      const to = join(folders, String(round))
      await other.restore(to)
      const restored = (performance.now() - begun) / 1000
      seconds.push(restored + (await other.serve(to)))
      progress(`round ${round + 1}/${rounds} pgBackRest: ${seconds.at(-1)?.toFixed(1)} s`)
      await rm(to, { recursive: true, force: true })
    }
    return seconds
  } finally {
    await other.close()
    await rm(folders, { recursive: true, force: true })
  }
}

async function restoreOnce(backupStore: Parameters<typeof restoreCluster>[0]): Promise<number> {
  const dataDir = await mkdtemp(join(tmpdir(), 'akashi-bench-restored-'))
  await chmod(dataDir, 0o711)
  try {
    const begun = performance.now()
    const folder = await openRestoreFolder(dataDir)
    await restoreCluster(backupStore, folder, {
      target: parseTarget('latest'),
      walFetch: 'exit 200',
    }).finally(() => folder.close())
    const server = await startEmbedded({ dataDir, port: 0 })
    const seconds = (performance.now() - begun) / 1000
    await server.stop()
    return seconds
  } finally {
    await removeCluster(dataDir)
    await rm(dataDir, { recursive: true, force: true })
  }
}
