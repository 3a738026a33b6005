import { AkashiError, type App, appOf } from '../foundation/index.ts'
import { findAddresses, logins } from './connections.ts'
import { objectStoreUrl } from './places.ts'
import { readRunRecord } from './run-record.ts'
import type { Settings } from './settings.ts'

/** The addresses of a running Akashi. The database URLs contain passwords. */
export interface Description {
  readonly app: App
  readonly http: string | null
  /** URL of the role `app`; null when no database is running. */
  readonly database: string | null
  readonly superuser: string | null
  /** Host and name of the database, without user and password. */
  readonly place: string | null
  readonly objectStore: string
  readonly pid: number | null
}

export async function describe(settings: Settings): Promise<Description> {
  const run = await readRunRecord(settings.data)
  const base = {
    app: appOf(settings),
    http: run?.http ?? null,
    objectStore: objectStoreUrl(settings),
    pid: run?.pid ?? null,
  }
  try {
    const connections = await findAddresses(settings)
    const database = connections.directUrl('app')
    const { host, pathname } = new URL(database)
    return { ...base, database, superuser: connections.adminUrl, place: `${host}${pathname}` }
  } catch (error) {
    if (error instanceof AkashiError && error.code === 'unavailable') {
      return { ...base, http: null, database: null, superuser: null, place: null }
    }
    throw error
  }
}

/** The URL of one role's login, or the superuser's. */
export async function databaseUrl(settings: Settings, role: string): Promise<string> {
  const connections = await findAddresses(settings)
  if (role === 'superuser') return connections.adminUrl
  const known = logins.find((candidate) => candidate === role)
  if (known === undefined) {
    throw new AkashiError('invalid_input', `there is no role ${role}`, {
      hint: `one of ${logins.join(', ')} or superuser`,
    })
  }
  return connections.directUrl(known)
}
