/** Sessions in PostgreSQL; every server refuses a revoked session at its next request. */
import { randomUUID } from 'node:crypto'
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database, Person, Session } from '../../postgres/index.ts'
import { recordAccess } from '../record-access.ts'
import { newSessionToken, sessionTokenHash } from './token.ts'

/** A session as its owner sees it. Times are RFC 3339. */
export interface SessionInfo {
  readonly id: string
  readonly deviceType: string | null
  readonly userAgent: string | null
  readonly ipAddress: string | null
  readonly status: 'online' | 'away' | 'offline'
  readonly createdAt: string
  readonly lastActivity: string
  readonly expiresAt: string
  /** Authentication methods, by the names of RFC 8176. */
  readonly methods: readonly string[]
  readonly secondFactor: boolean
}

/** The session of a token. */
export interface AuthenticatedSession {
  readonly sessionId: string
  readonly userId: string
  readonly tenantId: string | null
  /** The password must be changed before anything else. */
  readonly mustChangePassword: boolean
  /** A role of the user requires a second factor, and none was used. */
  readonly needsFactor: boolean
  readonly secondFactor: boolean
  readonly authenticatedAt: Date
  readonly expiresAt: Date
}

export interface NewSession {
  readonly token: string
  readonly sessionId: string
  readonly expiresAt: Date
}

/** The session of a token; null when it is invalid, expired or revoked. One read of the database. */
export async function authenticateSession(
  worker: Database,
  actor: Actor,
  token: string,
): Promise<AuthenticatedSession | null> {
  const hash = sessionTokenHash(token)
  if (hash === null) return null
  const { rows } = await worker.transaction(actor, (session) =>
    session.query<{
      session_id: string
      user_id: string
      tenant_id: string | null
      must_change: boolean
      needs_factor: boolean
      second_factor: boolean
      authenticated_at: string
      expires_at: string
    }>('select * from akashi_auth.authenticate_session($1)', [hash]),
  )
  const [row] = rows
  if (row === undefined) return null
  return {
    sessionId: row.session_id,
    userId: row.user_id,
    tenantId: row.tenant_id,
    mustChangePassword: row.must_change,
    needsFactor: row.needs_factor,
    secondFactor: row.second_factor,
    authenticatedAt: new Date(row.authenticated_at),
    expiresAt: new Date(row.expires_at),
  }
}

/** Starts a session for the actor's user with a new token, and ends the oldest beyond the limit of the policy. */
export async function beginSession(
  session: Session,
  actor: Person,
  how: {
    readonly methods: readonly string[]
    readonly secondFactor: boolean
    /** When credentials were shown, by a provider's word; now without it. */
    readonly authenticatedAt?: Date | undefined
  },
): Promise<NewSession> {
  const { token, hash } = newSessionToken()
  const sessionId = randomUUID()
  const { rows } = await session.query<{ expires_at: string }>(
    `insert into akashi_auth.user_sessions (id, user_id, session_token_hash, device_type, user_agent, ip_address, expires_at,
       security_validated, authentication_methods, authenticated_at)
     values ($1, $2, $3, $4, $5, $6,
       now() + make_interval(hours => (akashi_auth.policy('session.absolute_hours'))::integer), $7, $8,
       least(coalesce($9::timestamptz, now()), now()))
     returning expires_at`,
    [
      sessionId,
      actor.userId,
      hash,
      deviceType(actor.origin.userAgent),
      actor.origin.userAgent ?? null,
      actor.origin.clientIp ?? null,
      how.secondFactor,
      how.methods,
      how.authenticatedAt ?? null,
    ],
  )
  await session.query(
    `update akashi_auth.user_sessions set revoked_at = now(), status = 'offline' where id in (
       select id from akashi_auth.user_sessions where user_id = $1 and revoked_at is null and expires_at > now() and id <> $2
       order by last_activity desc offset (akashi_auth.policy('session.max_per_user'))::integer - 1)`,
    [actor.userId, sessionId],
  )
  return { token, sessionId, expiresAt: new Date(rows[0]?.expires_at ?? Number.NaN) }
}

/** Gives the actor's session a new token after credentials were confirmed; the old token becomes invalid. */
export async function renewSession(
  session: Session,
  how: {
    readonly methods: readonly string[]
    readonly secondFactor: boolean
    /** False: no recent confirmation follows from it. */
    readonly confirmed?: boolean
  },
): Promise<string> {
  const { token, hash } = newSessionToken()
  const { rows } = await session.query<{ renewed: boolean }>(
    'select akashi_auth.renew_session($1, $2, $3, $4) as renewed',
    [hash, how.methods, how.secondFactor, how.confirmed ?? true],
  )
  if (rows[0]?.renewed !== true) throw new AkashiError('unauthenticated', 'the session has ended')
  return token
}

/** The active sessions of a user, most recently used first. */
export async function listSessions(session: Session, userId: string): Promise<SessionInfo[]> {
  const { rows } = await session.query<{
    id: string
    device_type: string | null
    user_agent: string | null
    ip_address: string | null
    status: SessionInfo['status']
    created_at: string
    last_activity: string
    expires_at: string
    authentication_methods: string[]
    security_validated: boolean
  }>(
    `select id, device_type, user_agent, host(ip_address) as ip_address, status, created_at, last_activity,
       least(expires_at, last_activity + make_interval(mins => (akashi_auth.policy('session.idle_minutes'))::integer)) as expires_at,
       authentication_methods, security_validated
     from akashi_auth.user_sessions
     where user_id = $1 and revoked_at is null and expires_at > now()
       and last_activity > now() - make_interval(mins => (akashi_auth.policy('session.idle_minutes'))::integer)
     order by last_activity desc, id`,
    [userId],
  )
  return rows.map((row) => ({
    id: row.id,
    deviceType: row.device_type,
    userAgent: row.user_agent,
    ipAddress: row.ip_address,
    status: row.status,
    createdAt: row.created_at,
    lastActivity: row.last_activity,
    expiresAt: row.expires_at,
    methods: row.authentication_methods,
    secondFactor: row.security_validated,
  }))
}

/** The active sessions of another user, for holders of sessions:read; recorded. */
export async function viewSessions(database: Database, actor: Actor, userId: string): Promise<SessionInfo[]> {
  return await database.transaction(actor, async (session) => {
    const found = await listSessions(session, userId)
    await recordAccess(session, 'user_session', [userId])
    return found
  })
}

/** Ends a session of a user. @throws not_found when the user has no such active session */
export async function revokeSession(session: Session, userId: string, sessionId: string): Promise<void> {
  const { rowCount } = await session.query(
    `update akashi_auth.user_sessions set revoked_at = now(), status = 'offline'
     where id = $1 and user_id = $2 and revoked_at is null`,
    [sessionId, userId],
  )
  if (rowCount === 0) throw new AkashiError('not_found', 'session not found')
}

/** Ends all sessions of a user except `kept`, and returns their number. Requires the role `worker`. */
export async function revokeSessions(session: Session, userId: string, kept?: string): Promise<number> {
  const { rows } = await session.query<{ ended: number }>(
    'select akashi_auth.revoke_sessions($1, $2) as ended',
    [userId, kept ?? null],
  )
  return rows[0]?.ended ?? 0
}

function deviceType(userAgent: string | undefined): string {
  if (userAgent === undefined) return 'other'
  if (/ipad|tablet/i.test(userAgent)) return 'tablet'
  if (/mobile|android|iphone/i.test(userAgent)) return 'mobile'
  return userAgent.startsWith('Mozilla/') ? 'desktop' : 'other'
}
