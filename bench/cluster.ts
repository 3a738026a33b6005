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

/** A cluster of its own with every migration applied, as `akashi up` makes it (fsync on). */
export interface BenchCluster {
  /** As a verb takes it: `--data`. */
  readonly dataDir: string
  readonly connections: Connections
  readonly keyring: Keyring
  /** On a connection of the superuser, statement by statement. */
  asAdministrator<T>(work: (session: Session) => Promise<T>): Promise<T>
  readonly worker: Database
  /** An application's pool whose context is signed. */
  application(poolSize: number): Database
  close(): Promise<void>
}

export async function benchCluster(): Promise<BenchCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'akashi-bench-'))
  // The server's account must reach it, or the cluster is kept elsewhere.
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
    asAdministrator: (work) => owner.direct(work, { timeoutMs: 0 }),
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
