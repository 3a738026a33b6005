import { startEmbedded } from '../../src/postgres/index.ts'
import { reachableFolder, removeDataDir } from './embedded.ts'

/** Nothing that a test writes has to survive a crash. */
const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  max_prepared_transactions: '10',
}

export interface ThrowawayServer {
  /** Superuser URL, password included. */
  url(database: string): string
  stop(): Promise<void>
}

/** The embedded server in a folder that goes away with it. */
export async function startThrowaway(): Promise<ThrowawayServer> {
  const dataDir = await reachableFolder()
  try {
    const server = await startEmbedded({ dataDir, port: 0, settings: SETTINGS })
    return {
      url: (database) => server.url(database),
      stop: async () => {
        await server.stop()
        await removeDataDir(dataDir)
      },
    }
  } catch (error) {
    await removeDataDir(dataDir)
    throw error
  }
}
