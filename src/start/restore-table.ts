import { join } from 'node:path'
import {
  type BackupStore,
  restoreTable as bring,
  type TableRestored,
  type TableRestoreOptions,
} from '../backup/index.ts'
import { AkashiError } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import { databaseOf } from '../operations/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { contextKey, findConnections } from './connections.ts'
import type { Settings } from './settings.ts'

export type TableRequest = Omit<TableRestoreOptions, 'place' | 'databaseName' | 'liveUrl' | 'contextKey'> & {
  readonly settings: Settings
  readonly keyring: Keyring
  readonly actor: Actor
  readonly backupStore: BackupStore
}

/** The folder for scratch servers. */
export function scratchPlace({ data }: Pick<Settings, 'data'>): string {
  return join(data, 'scratch')
}

/** Restores one table into the configured database, which must be running. */
export async function restoreTable({
  settings,
  backupStore,
  keyring,
  actor,
  ...options
}: TableRequest): Promise<TableRestored> {
  const connections = await findConnections(settings, keyring)
  const live = connections.open('owner', { poolSize: 1 })
  try {
    await requireAdministrator(live, actor, 'restoring a table')
    const databaseName = databaseOf(connections.adminUrl)
    return await bring(backupStore, live, actor, {
      ...options,
      place: scratchPlace(settings),
      databaseName,
      liveUrl: connections.adminUrl,
      contextKey: await contextKey(keyring),
    })
  } finally {
    await live.close()
  }
}

/**
 * Checked before anything is done: the server's login may not write tables of an application.
 * @throws unsupported unless the database is opened by an administrator
 */
export async function requireAdministrator(live: Database, actor: Actor, what: string): Promise<void> {
  try {
    await live.transaction(actor, (session) => session.query('select 1'))
  } catch (error) {
    if (!(error instanceof AkashiError) || error.code !== 'invalid_config') throw error
    throw new AkashiError(
      'unsupported',
      `${what} requires an administrator of the database: ${error.message}`,
      {
        hint: 'run the command of akashi with the DATABASE_URL of an administrator instead',
        cause: error,
      },
    )
  }
}
