/** A temporary login of the live database with the rights of a table's owner. */
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
  /** Signs the login's request contexts in this process; the login itself never has the key. */
  readonly contextKey: ContextKey | undefined
  /** Statements that grant the role more than connecting. */
  readonly rights: (role: string) => string
  /** The role that owns the login's objects afterwards. */
  readonly heir: string
}

/**
 * Triggers, checks, domains and expressions of a table are code of its owner or of others. SET ROLE does not
 * contain them, since they can RESET ROLE. They run under a separate login, which has no other rights to
 * return to.
 * @param heir quoted
 * @throws forbidden when the administrator may not create roles
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

/** Roles belong to the cluster and locks to a database, so the name contains the database's OID. */
const prefixSql = `select 'akashi_restore_' || oid || '_' as prefix from pg_database where datname = current_database()`
const lockOf = (role: string) => `akashi.restore/${role}`

/** The name of a new role, locked until the connection ends: a killed restore loses its lock. */
async function lockName(guard: Session): Promise<string> {
  const { rows } = await guard.query<{ prefix: string }>(prefixSql)
  const role = `${rows[0]?.prefix ?? ''}${randomBytes(ROLE_BYTES).toString('hex')}`
  // The session is idle during the whole restore.
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

/** Drops the logins of killed restores; what they had restored then belongs to the administrator. */
export async function dropAbandonedLogins(admin: Pick<Database, 'direct'>): Promise<void> {
  await admin.direct(async (session) => {
    const { rows } = await session.query<{ role: string }>(
      `select rolname as role from pg_roles where rolcanlogin and rolname ~ ('^' || (${prefixSql}) || '[0-9a-f]+$')`,
    )
    for (const { role } of rows) {
      // If an administrator holds it, the restore is still running. Locks held by other logins do not count.
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
    // Only the verifier, not the password, since statements may be logged.
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
