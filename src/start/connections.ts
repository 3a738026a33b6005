/**
 * The database that a process connects to, and its logins.
 *
 * The embedded cluster of the data folder has a login for each role. With DATABASE_URL, one login is used for
 * everything and is a member of the role of each transaction: `akashi_server` for `serve` and `work`, an
 * administrator for `migrate`, `protect` and other commands that need the owner.
 */
import { createHmac } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError, errno } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import {
  type ContextKey,
  clusterStatus,
  type Database,
  type DatabaseRole,
  openDatabase,
} from '../postgres/index.ts'
import { refuseForeignKeyring } from './foreign-keyring.ts'
import type { Settings } from './settings.ts'

/** Name of the database that `akashi up` creates. */
export const DATABASE_NAME = 'akashi'

/**
 * Logins `akashi_…`. There is none for the owner, whose work an administrator does; `server` has no privileges of
 * its own and can act as the others.
 */
export const logins = ['app', 'worker', 'reader', 'security_admin', 'backup', 'server'] as const

export type Login = DatabaseRole | (typeof logins)[number]

/** The URLs of the database. They contain passwords: never print them. */
export interface Addresses {
  /** Of an administrator, directly to the server. */
  readonly adminUrl: string
  /** Of a login that can act as the role of this name; may go through a pooler. */
  url(login: Login): string
  /** The same, directly to the server. */
  directUrl(login: Login): string
}

export interface Connections extends Addresses {
  /** A pool whose transactions act as the role and are signed; the caller closes it. */
  open(role: DatabaseRole, options?: { readonly poolSize?: number }): Database
}

/** The embedded cluster's role passwords are derived from the superuser's, so only one must be stored. */
export function rolePassword(superuserPassword: string, role: string): string {
  return createHmac('sha256', superuserPassword).update(`akashi role ${role}`).digest('base64url')
}

/**
 * The key that contexts are signed with.
 *
 * @param active the keys that the database knows: a key from an interrupted rotation is not used yet
 */
export async function contextKey(keyring: Keyring, active: readonly string[] = []): Promise<ContextKey> {
  const known = (await keyring.list('context')).find((key) => active.includes(key.id))
  const { id } = known ?? (await keyring.ensure('context'))
  return { id, secret: await keyring.secret(id), renew: () => contextKey(keyring) }
}

export function embeddedAddresses(
  port: number,
  superuser: { readonly user: string; readonly password: string },
  database = DATABASE_NAME,
): Addresses {
  const at = (user: string, password: string) =>
    `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`
  const adminUrl = at(superuser.user, superuser.password)
  const url = (login: Login) =>
    login === 'owner' ? adminUrl : at(`akashi_${login}`, rolePassword(superuser.password, `akashi_${login}`))
  return { adminUrl, directUrl: url, url }
}

/** In a data folder whose cluster was restored from another server: the name of its database. */
const DATABASE_FILE = 'database'

async function databaseOfFolder(data: string): Promise<string> {
  try {
    return (await readFile(join(data, DATABASE_FILE), 'utf8')).trim()
  } catch (error) {
    if (errno(error) === 'ENOENT') return DATABASE_NAME
    throw error
  }
}

export async function keepDatabaseName(data: string, name: string): Promise<void> {
  if (name !== DATABASE_NAME) await writeFile(join(data, DATABASE_FILE), `${name}\n`, { mode: 0o600 })
}

/** The URLs of the configured database. Starts nothing. */
export async function findAddresses(settings: Settings): Promise<Addresses> {
  if (settings.databaseUrl !== undefined) {
    const url = settings.databaseUrl
    const directUrl = settings.databaseDirectUrl ?? url
    return { adminUrl: directUrl, directUrl: () => directUrl, url: () => url }
  }
  const status = await clusterStatus(settings.data)
  if (status.state !== 'running' || status.port === undefined) {
    throw new AkashiError('unavailable', `no database is running for ${settings.data}`, {
      hint: 'start it with akashi up, or set DATABASE_URL',
    })
  }
  const password = (await readFile(status.passwordFile, 'utf8')).trim()
  return embeddedAddresses(status.port, { user: 'postgres', password }, await databaseOfFolder(settings.data))
}

/**
 * Pools of the configured database. Starts nothing.
 *
 * @param keyring null if the caller has none; its request context is then recorded as claimed, not verified
 */
export async function findConnections(settings: Settings, keyring: Keyring | null): Promise<Connections> {
  return await connect(await findAddresses(settings), keyring, settings)
}

/** The settings of every pool. */
export type PoolSettings = Pick<Settings, 'appName' | 'statementTimeoutMs'>

/** The same as options of `openDatabase`. */
export function poolOptions({ appName, statementTimeoutMs }: PoolSettings) {
  return { applicationName: appName, statementTimeoutMs }
}

async function knownContextKey({ adminUrl }: Addresses, keyring: Keyring): Promise<ContextKey> {
  return await contextKey(keyring, await refuseForeignKeyring(adminUrl, keyring))
}

export async function connect(
  addresses: Addresses,
  keyring: Keyring | null,
  settings: PoolSettings,
): Promise<Connections> {
  const signing = keyring === null ? {} : { contextKey: await knownContextKey(addresses, keyring) }
  return {
    ...addresses,
    open: (role, options = {}) =>
      openDatabase({
        ...poolOptions(settings),
        url: addresses.url(role),
        directUrl: addresses.directUrl(role),
        role,
        // It writes nothing that is recorded, and has no privilege on the schema that verifies contexts.
        ...(role === 'backup' ? {} : signing),
        ...options,
      }),
  }
}
