/**
 * A full backup, compressed and encrypted, relative to reading the same base backup and discarding it, and to pgBackRest
 * on the same server of PostgreSQL 15 (zstd 3, AES-256, two processes); incrementals too, Akashi's on PostgreSQL 18.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { identify, openBackupStore, runBackup } from '../src/backup/index.ts'
import { openObjectStore } from '../src/object-store/index.ts'
import { openDatabase, openReplication } from '../src/postgres/index.ts'
import { type BackupBench, backupBench, fill } from './backup-store.ts'
import { childrenCpuMilliseconds } from './cpu.ts'
import {
  atMost,
  type Benchmark,
  type BenchmarkOptions,
  figure,
  interleave,
  median,
  type Result,
  ratio,
} from './harness.ts'
import { openPgBackRest } from './pgbackrest.ts'

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
  description: 'full and incremental backup of 1 GiB, against BASE_BACKUP discarded and pgBackRest',
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
        ...(await besidePgBackRest(bench, folder, options)),
      ]
    } finally {
      await bench.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

/** Share of the rows that change between two backups. */
const CHANGED = 'id % 20 = 0'

async function besidePgBackRest(
  newer: BackupBench,
  folder: string,
  options: BenchmarkOptions,
): Promise<readonly Result[]> {
  const other = await openPgBackRest()
  const database = openDatabase({ url: other.url, role: 'owner', poolSize: 1 })
  try {
    await fill(other, 'filled', options.scale)
    await other.asAdministrator((session) => session.query('checkpoint'))
    const { systemId } = await identify(other.url)
    const store = await openObjectStore(`file:${join(folder, 'beside')}`)
    const backupStore = await openBackupStore({ store, keyring: newer.cluster.keyring }, systemId)
    const source = { url: other.url, database }
    const sizes: Record<'akashi' | 'pgbackrest', number[]> = { akashi: [], pgbackrest: [] }
    const cpu: Record<'akashi' | 'pgbackrest', number[]> = { akashi: [], pgbackrest: [] }
    const full = await interleave(
      {
        akashi: () =>
          timed(async () => {
            const { user, system } = process.cpuUsage()
            sizes.akashi.push((await runBackup(backupStore, source, 'full')).stored)
            const after = process.cpuUsage()
            cpu.akashi.push((after.user - user + after.system - system) / 1000)
          }),
        pgbackrest: () =>
          timed(async () => {
            const before = await childrenCpuMilliseconds()
            await other.backup('full')
            cpu.pgbackrest.push((await childrenCpuMilliseconds()) - before)
          }),
      },
      options,
    )
    sizes.pgbackrest.push(await other.stored())
    const change = (server: Pick<BackupBench['cluster'], 'asAdministrator'>) =>
      server.asAdministrator(async (session) => {
        await session.query(`update public.filled set note = md5(note) || substr(note, 33) where ${CHANGED}`)
        await session.query('checkpoint')
      })
    const incremental = await interleave(
      {
        akashi: async () => {
          await change(newer.cluster)
          return await timed(() => runBackup(newer.backupStore, newer.source, 'incremental'))
        },
        pgbackrest: async () => {
          await change(other)
          return await timed(() => other.backup('incr'))
        },
      },
      options,
    )
    return [
      atMost('full ÷ pgBackRest', ratio(full.akashi, full.pgbackrest), '', 0.8),
      figure('full ÷ pgBackRest, CPU time of the client', ratio(cpu.akashi, cpu.pgbackrest), ''),
      atMost('size ÷ pgBackRest', median(sizes.akashi) / median(sizes.pgbackrest), '', 1),
      figure('full of pgBackRest', median(full.pgbackrest), 's'),
      atMost('incremental ÷ pgBackRest', ratio(incremental.akashi, incremental.pgbackrest), '', 0.8),
    ]
  } finally {
    await database.close()
    await other.close()
  }
}
