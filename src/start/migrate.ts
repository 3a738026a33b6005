import { fileURLToPath } from 'node:url'
import { given } from '../foundation/index.ts'
import { convertPlainUsers, reapplyErasures, useContextKey } from '../identity/index.ts'
import { type Keyring, openPersonVault } from '../keys/index.ts'
import { type Actor, migrateUp } from '../postgres/index.ts'
import { type Connections, contextKey } from './connections.ts'

/** The folder of the migration files. */
export const migrationsDirectory: string = fileURLToPath(new URL('../../migrations', import.meta.url))

/**
 * Applies the pending migrations, registers the key that signs request contexts, repeats erasures that an older
 * copy of the database or the keyring undid, and encrypts columns of users that are still plain text.
 * @returns the ids of the applied migrations
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
    ...given({ signal }),
  })
  const key = await contextKey(keyring)
  const admin = connections.open('owner', { poolSize: 1 })
  try {
    await admin.transaction(actor, (session) => useContextKey(session, key))
    const cancel = given({ signal })
    await reapplyErasures({ database: admin, keyring }, actor, cancel)
    await convertPlainUsers(admin, actor, openPersonVault(keyring), cancel)
  } finally {
    await admin.close()
  }
  return applied
}
