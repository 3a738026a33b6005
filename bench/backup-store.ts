import { join } from 'node:path'
import { type BackupSource, type BackupStore, identify, openBackupStore } from '../src/backup/index.ts'
import { openObjectStore } from '../src/object-store/index.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'

const GIBIBYTE = 1024 ** 3
/** Bytes per row of {@link fill}, including the header. */
const ROW_BYTES = 1_040

export interface BackupBench {
  readonly cluster: BenchCluster
  readonly backupStore: BackupStore
  readonly source: BackupSource
  close(): Promise<void>
}

/** A cluster with a table of about `gibibytes`, and a backup store in a folder beside it. */
export async function backupBench(folder: string, gibibytes: number): Promise<BackupBench> {
  const cluster = await benchCluster()
  const url = cluster.connections.directUrl('backup')
  const database = cluster.connections.open('backup', { poolSize: 1 })
  await fill(cluster, 'filled', gibibytes)
  await cluster.asAdministrator((session) => session.query('checkpoint'))
  const { systemId } = await identify(url)
  const store = await openObjectStore(`file:${join(folder, 'objects')}`)
  return {
    cluster,
    backupStore: await openBackupStore({ store, keyring: cluster.keyring }, systemId),
    source: { url, database },
    close: async () => {
      await database.close()
      await cluster.close()
    },
  }
}

/** Inserts text that compresses like real text: half of each row repeats. */
export async function fill(
  cluster: Pick<BenchCluster, 'asAdministrator'>,
  table: string,
  gibibytes: number,
): Promise<number> {
  const rows = Math.round((gibibytes * GIBIBYTE) / ROW_BYTES)
  await cluster.asAdministrator(async (session) => {
    await session.query(`create table public.${table} (id integer, note text)`)
    await session.query(`alter table public.${table} alter note set storage plain`)
    await session.query(
      `insert into public.${table}
       select i, (select string_agg(md5(i::text || j), '') from generate_series(1, 16) j) || repeat(md5(i::text), 15)
       from generate_series(1, ${rows}) i`,
    )
  })
  return rows
}
