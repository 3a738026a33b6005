/** A full backup, compressed and encrypted, relative to reading the same base backup and discarding it. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runBackup } from '../src/backup/index.ts'
import { openReplication } from '../src/postgres/index.ts'
import { backupBench } from './backup-store.ts'
import { atMost, type Benchmark, figure, interleave, median, ratio } from './harness.ts'

const KIBIBYTES_OF_MEBIBYTE = 1024
const SAMPLE_MS = 20
const launcher = fileURLToPath(new URL('../bin/akashi', import.meta.url))

/** Seconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1000
}

async function readAndDiscard(url: string): Promise<void> {
  const replication = await openReplication(url, { applicationName: 'akashi bench' })
  try {
    const backup = await replication.baseBackup({ label: 'bench', wal: true })
    for await (const _ of backup.parts);
  } finally {
    await replication.close()
  }
}

/** Peak resident memory of `akashi backup full` in MiB, as counted by the kernel. */
async function peakMemory(dataDir: string): Promise<number> {
  const child = spawn(launcher, ['backup', 'full', '--data', dataDir], { stdio: 'ignore' })
  let kibibytes = Number.NaN
  const sampler = setInterval(() => {
    void readFile(`/proc/${child.pid}/status`, 'utf8').then(
      (status) => {
        const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? []
        if (peak !== undefined) kibibytes = Number(peak)
      },
      () => undefined,
    )
  }, SAMPLE_MS)
  try {
    const status = await new Promise((resolve) => child.once('exit', resolve))
    if (status !== 0) throw new Error(`akashi backup full exited with status ${String(status)}`)
    return kibibytes / KIBIBYTES_OF_MEBIBYTE
  } finally {
    clearInterval(sampler)
  }
}

export const backup: Benchmark = {
  name: 'backup',
  description: 'full backup ÷ BASE_BACKUP with SHA-256 manifest discarded, 1 GiB; idle incremental',
  async run(options) {
    const folder = await mkdtemp(join(tmpdir(), 'akashi-bench-backups-'))
    const bench = await backupBench(folder, options.scale)
    try {
      const { cluster, backupStore, source } = bench
      const seconds = await interleave(
        {
          nowhere: () => timed(() => readAndDiscard(source.url)),
          backup: () => timed(() => runBackup(backupStore, source, 'full')),
        },
        options,
      )
      const idle: number[] = []
      for (let round = 0; round < options.rounds; round += 1) {
        idle.push(await timed(() => runBackup(backupStore, source, 'incremental')))
      }
      const memory = await peakMemory(cluster.dataDir)
      return [
        atMost('full ÷ discarded base backup', ratio(seconds.backup, seconds.nowhere), '', 2),
        figure('full', median(seconds.backup), 's'),
        atMost('incremental, idle', median(idle), 's', 1),
        atMost('peak memory of akashi backup full', memory, 'MiB', 200),
      ]
    } finally {
      await bench.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}
