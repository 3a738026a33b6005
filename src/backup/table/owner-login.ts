/** A login of the live database that lasts as long as what is done under it, with the rights of a table's owner. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { AkashiError, given } from '../../foundation/index.ts'
import {
  type ContextKey,
  type Database,
  openDatabase,
  releaseLock,
  type Session,
  SQLSTATE,
  sqlState,
  tryLock,
} from '../../postgres/index.ts'

const ROLE_BYTES = 6
const PASSWORD_BYTES = 32
const SALT_BYTES = 16
const SCRAM_ITERATIONS = 4096
const SCRAM_KEY_BYTES = 32

export interface OwnerLogin {
  /** Of an administrator: `url` leads straight to the server. */
  readonly admin: Database
  readonly url: string
  /** Signs in this process for what the login does; the login never has it. */
  readonly contextKey: ContextKey | undefined
  /** What the role may do besides connecting, as statements. */
  readonly rights: (role: string) => string
  /** Whom what it made belongs to afterwards. */
  readonly heir: string
}

/**
 * Triggers, checks, domains and expressions of a table are code of its owner, or of others. SET ROLE is no fence
 * around them, since RESET ROLE undoes it: they run under a login that has nothing to go back to.
 * @param heir quoted
 * @throws forbidden when the administrator may make no role
 */
export async function withOwnerLogin<T>(
  { admin, url, contextKey, rights, heir }: OwnerLogin,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  await dropAbandonedLogins(admin)
  return await admin.direct(
    async (guard) => {
      const role = await lockName(guard)
      const password = randomBytes(PASSWORD_BYTES).toString('base64url')
      await makeRole(guard, role, password, rights(role))
      try {
        const own = new URL(url)
        own.username = role
        own.password = password
        const database = openDatabase({ url: own.href, role: 'owner', poolSize: 1, ...given({ contextKey }) })
        try {
          return await work(database)
        } finally {
          await database.close()
        }
      } finally {
        await admin.direct((session) => dropRole(session, role, heir))
      }
    },
    { timeoutMs: 0 },
  )
}

/** Roles belong to the cluster and locks to a database, so the name has the number of the database. */
const prefixSql = `select 'akashi_restore_' || oid || '_' as prefix from pg_database where datname = current_database()`
const lockOf = (role: string) => `akashi.restore/${role}`

/** The name of a new role, locked for as long as the connection lasts: a restore that was killed has lost its lock. */
async function lockName(guard: Session): Promise<string> {
  const { rows } = await guard.query<{ prefix: string }>(prefixSql)
  const role = `${rows[0]?.prefix ?? ''}${randomBytes(ROLE_BYTES).toString('hex')}`
  // It idles for as long as the restore takes.
  await guard.query("select set_config('idle_session_timeout', '0', false)")
  const { key, others } = await tryLock(guard, lockOf(role), 'owner')
  if (key === null) {
    throw new AkashiError('conflict', `the lock of a restore is held by ${others ?? 'another process'}`, {
      hint: 'end the sessions of that login, and run the restore again',
    })
  }
  return role
}

async function dropRole(session: Session, role: string, heir: string): Promise<void> {
  await session.query(`reassign owned by ${role} to ${heir}; drop owned by ${role}; drop role ${role}`)
}

/** Drops the logins of restores that were killed; what they had finished belongs to the administrator then. */
export async function dropAbandonedLogins(admin: Pick<Database, 'direct'>): Promise<void> {
  await admin.direct(async (session) => {
    const { rows } = await session.query<{ role: string }>(
      `select rolname as role from pg_roles where rolcanlogin and rolname ~ ('^' || (${prefixSql}) || '[0-9a-f]+$')`,
    )
    for (const { role } of rows) {
      // Held by an administrator: the restore is under way. That any other login holds it says nothing.
      const { key } = await tryLock(session, lockOf(role), 'owner')
      if (key === null) continue
      await session.query('select pg_terminate_backend(pid, $2) from pg_stat_activity where usename = $1', [
        role,
        END_MS,
      ])
      await dropRole(session, role, 'session_user')
      await releaseLock(session, key)
    }
  })
}

/** Milliseconds that the server waits for a session to end. */
const END_MS = 5_000

async function makeRole(session: Session, role: string, password: string, rights: string): Promise<void> {
  const { rows } = await session.query<{ superuser: boolean; database: string }>(
    'select rolsuper as superuser, quote_ident(current_database()) as database from pg_roles where rolname = current_user',
  )
  const [{ superuser, database } = { superuser: false, database: '' }] = rows
  try {
    // The verifier and not the password: statements may be logged.
    await session.query(`begin;
      create role ${role} login nosuperuser nocreatedb nocreaterole ${superuser ? 'bypassrls' : ''} password '${scramVerifier(password)}';
      grant connect, temporary on database ${database} to ${role};
      grant akashi_restorer to ${role};
      ${rights};
      commit`)
  } catch (error) {
    await session.query('rollback')
    if (sqlState(error) !== SQLSTATE.insufficientPrivilege) throw error
    throw new AkashiError('forbidden', 'no login with the rights of the table’s owner could be created', {
      hint: 'use an administrator who may create roles and is a member of the owner',
      cause: error,
    })
  }
}

/** As PostgreSQL keeps a password (RFC 5803). */
function scramVerifier(password: string): string {
  const salt = randomBytes(SALT_BYTES)
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, SCRAM_KEY_BYTES, 'sha256')
  const mac = (text: string) => createHmac('sha256', salted).update(text).digest()
  const stored = createHash('sha256').update(mac('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${stored}:${mac('Server Key').toString('base64')}`
}
