import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../../src/postgres/index.ts'

/** Nothing that a test writes has to survive a crash. */
const SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' }

export interface ThrowawayServer {
  /** Superuser URL, password included. */
  url(database: string): string
  stop(): Promise<void>
}

/** The embedded server in a folder that goes away with it. */
export async function startThrowaway(): Promise<ThrowawayServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'akashi-embedded-'))
  const remove = () => rm(dataDir, { recursive: true, force: true })
  try {
    const server = await startEmbedded({ dataDir, port: 0, settings: SETTINGS })
    return {
      url: (database) => server.url(database),
      stop: async () => {
        await server.stop()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}
