/**
 * Detects a keyring that does not belong to the database: another folder, a lost volume, a forgotten
 * KEYS_URL.
 */
import { readHeads, verifierKeys, verifiesAny } from '../audit/index.ts'
import { AkashiError } from '../foundation/index.ts'
import { activeContextKeys } from '../identity/index.ts'
import type { Keyring } from '../keys/index.ts'
import { type DirectSession, openDatabase } from '../postgres/index.ts'

/** Ids of keys created by a keyring begin with their purpose; other ids do not identify one. */
const FROM_KEYRING = /^context-/

/**
 * Resolves when the keyring is the one that the database was installed with, or the database is new. No key
 * is created in the keyring before that: with new keys, its signatures could not be verified and encrypted
 * data could not be read.
 *
 * @returns ids of the context keys that the database accepts
 * @throws conflict
 */
export async function refuseForeignKeyring(adminUrl: string, keyring: Keyring): Promise<readonly string[]> {
  const database = openDatabase({ url: adminUrl, role: 'owner', poolSize: 1 })
  const { active, heads } = await database.direct(readKnown).finally(() => database.close())
  const own = new Set((await keyring.list('context')).map(({ id }) => id))
  const known = active.filter((id) => FROM_KEYRING.test(id))
  if (known.length > 0 && !known.some((id) => own.has(id))) {
    throw foreign(
      own.size === 0
        ? 'the keyring is empty, but the database was installed with another one'
        : 'the keyring belongs to another installation, or is older than the database',
    )
  }
  const keysOf = verifierKeys(keyring)
  for (const { log, origin, note } of heads) {
    if (note !== null && !verifiesAny(note, await keysOf(origin))) {
      throw foreign(
        `the keyring lacks the key that signed the head of the log ${log}, or the head was altered`,
      )
    }
  }
  return active
}

function foreign(message: string): AkashiError {
  return new AkashiError('conflict', message, {
    hint: 'set KEYS_URL to the keyring of this database, or restore its newest copy; if there is none: akashi keys adopt',
  })
}

async function readKnown(session: DirectSession) {
  const { rows } = await session.query<{ installed: boolean }>(
    `select exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                    where n.nspname = 'akashi_auth' and p.proname = 'active_context_keys')
        and exists (select from pg_roles where rolname = 'akashi_worker' and pg_has_role(oid, 'member')) as installed`,
  )
  // A login that cannot act as the worker does not sign heads either, and the database refuses contexts that
  // it signs.
  if (rows[0]?.installed !== true) return { active: [], heads: [] }
  await session.query("select set_config('role', 'akashi_worker', false)")
  return { active: await activeContextKeys(session), heads: await readHeads(session) }
}
