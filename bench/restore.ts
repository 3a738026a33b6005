/** From an empty folder to a running server: restore of a full backup and the WAL after it. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseTarget, restoreCluster, runBackup, streamWal } from '../src/backup/index.ts'
import { openRestoreFolder, removeCluster, startEmbedded } from '../src/postgres/index.ts'
import { backupBench, fill } from './backup-store.ts'
import { atMost, type Benchmark, figure, median } from './harness.ts'

export const restore: Benchmark = {
  name: 'restore',
  description: '1 GiB of files and 1 GiB of WAL to a running server',
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
      return [
        atMost('restore to serving', median(seconds), 's', 45),
        figure('size of files and of WAL', scale, 'GiB each'),
      ]
    } finally {
      await bench.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
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
