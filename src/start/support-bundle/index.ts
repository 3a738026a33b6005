/**
 * Collects what somebody who helps needs to know about an installation, without secrets or personal data, in
 * one file.
 */
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { gzipSync } from 'node:zlib'
import { appOf, type Config, redactJson } from '../../foundation/index.ts'
import { listSettings } from '../../lifecycle/index.ts'
import { alarmHistory, listJobs, openAlarms } from '../../operations/index.ts'
import { type Actor, migrationStatus, readCapabilities } from '../../postgres/index.ts'
import { type Connections, findConnections } from '../connections.ts'
import { examine } from '../doctor/index.ts'
import { migrationsDirectory } from '../migrate.ts'
import { describeSettings } from './process-settings.ts'
import { readServerSettings, readSizes } from './sizes.ts'
import { type TarFile, tar } from './tar.ts'

/** Maximum past alarms included, newest first. */
const ALARMS = 200

const README = `This is what akashi support-bundle collected about an installation of Akashi.

It holds: what akashi doctor found, versions, settings, jobs with their last run, alarms, and the sizes of tables.
It holds no rows of any table, no notes that people wrote, and no passwords, keys or tokens; URLs are cut to host and path.
It does name tables, hosts and logins. Review it before you send it.
`

interface SupportBundle {
  /** tar.gz */
  readonly bytes: Buffer
  readonly files: readonly string[]
  /** What could not be collected, with the reason. */
  readonly missing: Readonly<Record<string, string>>
}

/**
 * Never fails because of one part: what cannot be collected, for example without a database, is listed in
 * missing.json.
 */
export async function supportBundle(
  settings: Config,
  { actor, signal, now }: { readonly actor: Actor; readonly signal: AbortSignal; readonly now: Date },
): Promise<SupportBundle> {
  const missing: Record<string, string> = {}
  const files: TarFile[] = [{ name: 'README.txt', content: Buffer.from(README) }]
  const add = async (name: string, collect: () => unknown) => {
    signal.throwIfAborted()
    try {
      // Redacted a second time, in case a part missed something.
      const content = JSON.stringify(redactJson(await collect()), null, 2)
      files.push({ name, content: Buffer.from(`${content}\n`) })
    } catch (error) {
      signal.throwIfAborted()
      missing[name] = error instanceof Error ? error.message : String(error)
    }
  }
  await add('doctor.json', () =>
    examine({ signal, config: () => Promise.resolve(settings), actor: () => Promise.resolve(actor) }),
  )
  await add('settings.json', () => describeSettings(settings))
  await addFromDatabase(settings, { actor, add })
  await add('missing.json', () => missing)
  return {
    bytes: gzipSync(tar(files, now)),
    files: files.map(({ name }) => name),
    missing,
  }
}

async function addFromDatabase(
  settings: Config,
  { actor, add }: { actor: Actor; add: (name: string, collect: () => unknown) => Promise<void> },
): Promise<void> {
  let found: Promise<Connections> | undefined
  const connections = () => {
    found ??= findConnections(settings, null)
    return found
  }
  const asWorker = async <T>(work: (worker: ReturnType<Connections['open']>) => Promise<T>): Promise<T> => {
    const worker = (await connections()).open('worker', { poolSize: 1 })
    return await work(worker).finally(() => worker.close())
  }
  const directly = async <T>(work: Parameters<ReturnType<Connections['open']>['direct']>[0]): Promise<T> => {
    const administrator = (await connections()).open('owner', { poolSize: 1 })
    return (await administrator.direct(work).finally(() => administrator.close())) as T
  }
  await add('versions.json', async () => ({
    app: appOf(settings),
    node: process.versions,
    system: {
      platform: platform(),
      release: release(),
      arch: arch(),
      processors: cpus().length,
      memory: totalmem(),
    },
    ...(await versionsOfDatabase(connections)),
  }))
  await add('data-settings.json', () => asWorker((worker) => listSettings(worker, actor)))
  await add('server-settings.json', () => directly(readServerSettings))
  // Results and progress of runs are free text, so they are left out.
  await add('jobs.json', () =>
    asWorker(async (worker) =>
      (await listJobs(worker, actor)).map(({ lastRun, ...job }) => ({
        ...job,
        lastRun: lastRun === null ? null : { ...lastRun, result: undefined, progress: undefined },
      })),
    ),
  )
  await add('alarms.json', () =>
    asWorker(async (worker) => {
      const withoutNote = <A extends { readonly note: string | null }>({ note, ...alarm }: A) => ({
        ...alarm,
        hasNote: note !== null,
      })
      return {
        open: (await openAlarms(worker, actor)).map(withoutNote),
        history: (await alarmHistory(worker, actor, { limit: ALARMS })).rows.map(withoutNote),
      }
    }),
  )
  await add('sizes.json', () => directly(readSizes))
}

/** Without a database, the other versions are still useful. */
async function versionsOfDatabase(connections: () => Promise<Connections>) {
  try {
    const url = (await connections()).adminUrl
    return {
      database: await readCapabilities(url),
      migrations: await migrationStatus({ url, directory: migrationsDirectory }),
    }
  } catch (error) {
    return { database: error instanceof Error ? error.message : String(error) }
  }
}
