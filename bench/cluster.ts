import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Keyring, openKeyring } from '../src/keys/index.ts'
import {
  type Database,
  openDatabase,
  removeCluster,
  type Session,
  startEmbedded,
} from '../src/postgres/index.ts'
import { type Connections, prepareCluster } from '../src/start/index.ts'

/** A temporary cluster with all migrations applied, as `akashi up` creates it (fsync on). */
export interface BenchCluster {
  /** For `--data`. */
  readonly dataDir: string
  readonly connections: Connections
  readonly keyring: Keyring
  /** On a superuser connection, each statement in its own transaction. */
  asAdministrator<T>(work: (session: Session) => Promise<T>): Promise<T>
  readonly worker: Database
  /** An application pool with signed contexts. */
  application(poolSize: number): Database
  close(): Promise<void>
}

export async function benchCluster(): Promise<BenchCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'akashi-bench-'))
  // The account of the server must be able to access it, or the cluster is kept elsewhere.
  await chmod(dataDir, 0o711)
  const server = await startEmbedded({ dataDir, port: 0 })
  const keyring = await openKeyring(`file:${join(dataDir, 'keys')}`)
  const connections = await prepareCluster({
    server,
    keyring,
    settings: { appName: 'akashi-bench', statementTimeoutMs: 30_000 },
  })
  const owner = openDatabase({ url: connections.adminUrl, role: 'owner' })
  const worker = connections.open('worker', { poolSize: 4 })
  const open: Database[] = [owner, worker]
  return {
    dataDir,
    connections,
    keyring,
    worker,
    asAdministrator: (work) =>
      owner.direct(
        async (session) => {
          // Tables of a benchmark are in public.
          await session.query('set search_path = public')
          return await work(session)
        },
        { timeoutMs: 0 },
      ),
    application: (poolSize) => {
      const database = connections.open('app', { poolSize })
      open.push(database)
      return database
    },
    close: async () => {
      await Promise.all(open.map((database) => database.close()))
      await keyring.close()
      await server.stop()
      await removeCluster(dataDir)
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
