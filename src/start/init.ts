/** Installs Akashi in an existing PostgreSQL server and removes it, as an administrator. */
import { AkashiError, given } from '../foundation/index.ts'
import {
  type Actor,
  asAdministrator,
  inspectDatabase,
  migrationStatus,
  type Obstacle,
  type Preflight,
  planRemoval,
  type RemovalPlan,
  type Removed,
  randomPassword,
  removeInstallation,
  SERVER_LOGIN,
  setLoginPassword,
} from '../postgres/index.ts'
import { findConnections } from './connections.ts'
import { migrateDatabase, migrationsDirectory } from './migrate.ts'
import { openKeys } from './places.ts'
import type { Settings } from './settings.ts'

export interface InitPlan {
  readonly preflight: Preflight
  /** Ids of the migrations to apply. */
  readonly pending: readonly string[]
  /** The server's login gets a password, because it is new or a new password was requested. */
  readonly setsPassword: boolean
}

export interface InitResult extends InitPlan {
  /** URLs for the server, with the password; null if its login keeps the current one. */
  readonly urls: { readonly databaseUrl: string; readonly databaseDirectUrl: string | null } | null
}

/** @throws invalid_config without an external server */
export function ownServer(settings: Pick<Settings, 'databaseUrl' | 'databaseDirectUrl'>): {
  readonly url: string
  readonly directUrl: string
} {
  const { databaseUrl: url } = settings
  if (url === undefined) {
    throw new AkashiError('invalid_config', 'no database was given', {
      hint: 'set DATABASE_URL to your own PostgreSQL, as its administrator; akashi up needs none of this',
    })
  }
  return { url, directUrl: settings.databaseDirectUrl ?? url }
}

/**
 * What `init` would do. Changes nothing. @throws invalid_config naming every obstacle
 */
export async function planInit(
  settings: Pick<Settings, 'databaseUrl' | 'databaseDirectUrl'>,
  options: { readonly newPassword: boolean; readonly signal?: AbortSignal },
): Promise<InitPlan> {
  const { directUrl } = ownServer(settings)
  const preflight = await inspectDatabase(directUrl)
  refuse(preflight.obstacles)
  const { pending } = await migrationStatus({
    url: directUrl,
    directory: migrationsDirectory,
    ...given({ signal: options.signal }),
  })
  return { preflight, pending, setsPassword: options.newPassword || !preflight.serverLoginExists }
}

/** Creates roles, schemas and the server's login, or completes what an earlier run began. */
export async function initialise(
  settings: Settings,
  plan: InitPlan,
  { actor, signal }: { readonly actor: Actor; readonly signal: AbortSignal },
): Promise<InitResult> {
  const { url, directUrl } = ownServer(settings)
  const keyring = await openKeys(settings)
  try {
    const connections = await findConnections(settings, keyring)
    await migrateDatabase({ connections, keyring, actor, signal })
  } finally {
    await keyring.close()
  }
  if (!plan.setsPassword) return { ...plan, urls: null }
  const password = randomPassword()
  await asAdministrator({ url: directUrl, applicationName: 'akashi init', signal }, (session) =>
    setLoginPassword(session, SERVER_LOGIN, password),
  )
  const as = (address: string) => urlOf(address, SERVER_LOGIN, password)
  return {
    ...plan,
    urls: { databaseUrl: as(url), databaseDirectUrl: directUrl === url ? null : as(directUrl) },
  }
}

/** The same address for another login. */
export function urlOf(address: string, login: string, password: string): string {
  const url = new URL(address)
  // A URL of a Unix socket has no host, and so no place for a login before it.
  if (url.hostname === '') {
    url.searchParams.set('user', login)
    url.searchParams.set('password', password)
    return url.href
  }
  url.username = encodeURIComponent(login)
  url.password = password
  return url.href
}

/**
 * What `remove` would do. Changes nothing. @returns null if nothing of Akashi exists @throws invalid_config
 * or conflict naming every obstacle
 */
export async function planRemove(
  settings: Pick<Settings, 'databaseUrl' | 'databaseDirectUrl'>,
  signal: AbortSignal,
): Promise<RemovalPlan | null> {
  const { directUrl } = ownServer(settings)
  const { obstacles } = await inspectDatabase(directUrl)
  refuse(obstacles.filter(({ what }) => what.includes('pooler') || what.includes('standby')))
  const plan = await asAdministrator(
    { url: directUrl, applicationName: 'akashi remove', signal },
    planRemoval,
  )
  if (plan.schemas.length === 0 && (plan.roles.length === 0 || plan.usedBy.length > 0)) return null
  refuse(plan.obstacles)
  return plan
}

export async function remove(
  settings: Pick<Settings, 'databaseUrl' | 'databaseDirectUrl'>,
  plan: RemovalPlan,
  options: { readonly destroy: boolean; readonly signal: AbortSignal },
): Promise<Removed> {
  const { directUrl } = ownServer(settings)
  const suffix = `removed_${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_')}`
  return await asAdministrator(
    { url: directUrl, applicationName: 'akashi remove', signal: options.signal },
    (session) => removeInstallation(session, plan, { destroy: options.destroy, suffix }),
  )
}

/** One error for all obstacles. */
function refuse(obstacles: readonly Obstacle[]): void {
  if (obstacles.length === 0) return
  throw new AkashiError('invalid_config', obstacles.map(({ what }) => what).join('; '), {
    hint: obstacles.map(({ hint }) => hint).join('; '),
  })
}
