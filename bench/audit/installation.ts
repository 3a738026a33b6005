/** `akashi up` as a user runs it, in a process of its own: the database, the sealer and the WAL stream. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { akashi, akashiUp } from '../../scripts/akashi-process.ts'
import {
  type ContextKey,
  type Database,
  openDatabase,
  removeCluster,
  type Session,
} from '../../src/postgres/index.ts'

export interface Installation {
  /** Of the process that seals and streams. */
  readonly pid: number
  /** Of the login akashi_app. */
  readonly appUrl: string
  urlOf(role: string): Promise<string>
  /** The same login with signed contexts. */
  readonly application: Database
  /** On a superuser connection, each statement in its own transaction. */
  asAdministrator<T>(work: (session: Session) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export async function startInstallation(): Promise<Installation> {
  const data = await mkdtemp(join(tmpdir(), 'akashi-bench-'))
  // The account of the server must be able to access it, or the cluster is kept elsewhere.
  await chmod(data, 0o711)
  const running = await akashiUp(data)
  const urlOf = async (role: string) => {
    const { stdout } = await akashi(['url', '--role', role, '--data', data, '--json'])
    return (JSON.parse(stdout) as { url: string }).url
  }
  const owner = openDatabase({ url: await urlOf('superuser'), role: 'owner' })
  const asAdministrator: Installation['asAdministrator'] = (work) =>
    owner.direct(
      async (session) => {
        // Tables of the benchmark are in public.
        await session.query('set search_path = public')
        return await work(session)
      },
      { timeoutMs: 0 },
    )
  const contextKey: ContextKey = { id: 'benchmark', secret: randomBytes(32) }
  await asAdministrator(async (session) => {
    await session.query('set role akashi_owner')
    await session.query("select akashi_auth.add_context_key($1, $2, 'akashi', null)", [
      contextKey.id,
      contextKey.secret,
    ])
  })
  const appUrl = await urlOf('app')
  const application = openDatabase({ url: appUrl, role: 'app', contextKey, poolSize: 1 })
  return {
    pid: running.pid,
    appUrl,
    urlOf,
    application,
    asAdministrator,
    close: async () => {
      await Promise.all([owner.close(), application.close()])
      await running.stop()
      await removeCluster(data)
      await rm(data, { recursive: true, force: true })
    },
  }
}
