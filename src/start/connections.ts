/**
 * Which database a process talks to, and as whom.
 *
 * With DATABASE_URL set, that is the one login this process has: the worker's for `serve` and `work`, an
 * administrator's for `migrate` and `protect`. Without it, the embedded cluster of
 * the data folder serves, and each purpose logs in as its own role.
 */
import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { AkashiError } from '../foundation/index.ts'
import { clusterStatus, type Database, type DatabaseRole, openDatabase } from '../postgres/index.ts'
import type { Settings } from './settings.ts'

/** Name of the database that `akashi up` makes. */
export const DATABASE_NAME = 'akashi'

/** Roles that log in; the owner's work is done by whoever administers the server. */
export const loginRoles = ['app', 'worker', 'reader', 'security_admin', 'backup'] as const

export interface Connections {
  /** A pool under the role; the caller closes it. */
  open(
    role: DatabaseRole,
    options?: {
      readonly poolSize?: number
      readonly contextKey?: { readonly id: string; readonly secret: Uint8Array }
    },
  ): Database
  /** URL of an administrator, straight to the server. Holds a password: never print it. */
  readonly adminUrl: string
  /** URL of a role, straight to the server. Holds a password: never print it. */
  directUrl(role: DatabaseRole): string
}

/** Passwords of the embedded cluster's roles follow from the superuser's, so there is only one to keep. */
export function rolePassword(superuserPassword: string, role: string): string {
  return createHmac('sha256', superuserPassword).update(`akashi role ${role}`).digest('base64url')
}

export function embeddedConnections(
  port: number,
  superuser: { readonly user: string; readonly password: string },
  settings: PoolSettings,
): Connections {
  const url = (user: string, password: string) =>
    `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${DATABASE_NAME}`
  const adminUrl = url(superuser.user, superuser.password)
  const directUrl = (role: DatabaseRole) =>
    role === 'owner' ? adminUrl : url(`akashi_${role}`, rolePassword(superuser.password, `akashi_${role}`))
  return {
    adminUrl,
    directUrl,
    open: (role, options = {}) =>
      openDatabase({ ...poolOptions(settings), url: directUrl(role), role, ...options }),
  }
}

/** What every pool needs of the settings, whatever it is for. */
export type PoolSettings = Pick<Settings, 'appName' | 'statementTimeoutMs'>

/** The same as options of `openDatabase`. */
export function poolOptions({ appName, statementTimeoutMs }: PoolSettings) {
  return { applicationName: appName, statementTimeoutMs }
}

function externalConnections(url: string, settings: Settings): Connections {
  const directUrl = settings.databaseDirectUrl ?? url
  return {
    adminUrl: directUrl,
    directUrl: () => directUrl,
    // The worker's login may take the application's role, whose rows are those of whom it acts for.
    open: (role, options = {}) =>
      openDatabase({
        ...poolOptions(settings),
        url,
        directUrl,
        role,
        assumeRole: role === 'app',
        ...options,
      }),
  }
}

/** How to reach the database of these settings without starting anything. */
export async function findConnections(settings: Settings): Promise<Connections> {
  if (settings.databaseUrl !== undefined) {
    return externalConnections(settings.databaseUrl, settings)
  }
  const status = await clusterStatus(settings.data)
  if (status.state !== 'running' || status.port === undefined) {
    throw new AkashiError('unavailable', `no database runs for ${settings.data}`, {
      hint: 'start it with akashi up, or set DATABASE_URL',
    })
  }
  const password = (await readFile(status.passwordFile, 'utf8')).trim()
  return embeddedConnections(status.port, { user: 'postgres', password }, settings)
}
