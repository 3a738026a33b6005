import { fileURLToPath } from 'node:url'
import { convertPlainUsers, reapplyErasures, useContextKey } from '../identity/index.ts'
import { type Keyring, openPersonVault } from '../keys/index.ts'
import { type Actor, migrateUp } from '../postgres/index.ts'
import { type Connections, contextKey } from './connections.ts'

/** Where the migration files are, from the source tree and from `dist` alike. */
export const migrationsDirectory: string = fileURLToPath(new URL('../../migrations', import.meta.url))

/**
 * Brings a database to the version of this program, makes it know the key that contexts are signed with,
 * erases again who came back with an older copy of it or of the keyring, and encrypts what is still plain of
 * its users. Answers the ids of the migrations that were applied.
 */
export async function migrateDatabase(options: {
  /** Of an administrator. */
  readonly connections: Pick<Connections, 'adminUrl' | 'open'>
  readonly keyring: Keyring
  readonly actor: Actor
  readonly signal?: AbortSignal
}): Promise<string[]> {
  const { connections, keyring, actor, signal } = options
  const applied = await migrateUp({
    url: connections.adminUrl,
    directory: migrationsDirectory,
    ...(signal === undefined ? {} : { signal }),
  })
  const key = await contextKey(keyring)
  const admin = connections.open('owner', { poolSize: 1 })
  try {
    await admin.transaction(actor, (session) => useContextKey(session, key))
    const cancel = signal === undefined ? {} : { signal }
    await reapplyErasures({ database: admin, keyring }, actor, cancel)
    await convertPlainUsers(admin, actor, openPersonVault(keyring), cancel)
  } finally {
    await admin.close()
  }
  return applied
}
