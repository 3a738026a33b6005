/** A full backup, compressed and encrypted, against reading the same base backup to nowhere. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runBackup } from '../src/backup/index.ts'
import { openReplication } from '../src/postgres/index.ts'
import { atMost, type Benchmark, figure, interleave, median, ratio } from './harness.ts'
import { backupBench } from './vault.ts'

const MEBIBYTE = 1024 * 1024
const SAMPLE_MS = 100

/** Seconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1000
}

async function readToNowhere(url: string): Promise<void> {
  const replication = await openReplication(url, { applicationName: 'akashi bench' })
  try {
    const backup = await replication.baseBackup({ label: 'bench', wal: true })
    for await (const _ of backup.parts);
  } finally {
    await replication.close()
  }
}

export const backup: Benchmark = {
  name: 'backup',
  description: 'full backup ÷ BASE_BACKUP with SHA-256 manifest to nowhere, 1 GiB; idle incremental',
  async run(options) {
    const folder = await mkdtemp(join(tmpdir(), 'akashi-bench-vault-'))
    const bench = await backupBench(folder, options.scale)
    let resident = 0
    const sampler = setInterval(() => {
      resident = Math.max(resident, process.memoryUsage.rss())
    }, SAMPLE_MS)
    try {
      const { vault, source } = bench
      const seconds = await interleave(
        {
          nowhere: () => timed(() => readToNowhere(source.url)),
          backup: () => timed(() => runBackup(vault, source, 'full')),
        },
        options,
      )
      const idle: number[] = []
      for (let round = 0; round < options.rounds; round += 1) {
        idle.push(await timed(() => runBackup(vault, source, 'incremental')))
      }
      return [
        atMost('full ÷ base backup to nowhere', ratio(seconds.backup, seconds.nowhere), '', 2),
        figure('full', median(seconds.backup), 's'),
        atMost('incremental, idle', median(idle), 's', 1),
        atMost('memory of Node at most', resident / MEBIBYTE, 'MiB', 200),
      ]
    } finally {
      clearInterval(sampler)
      await bench.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}
