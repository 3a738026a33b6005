/** Links by which somebody without an account reads chosen logs and reports. The rules are in the database. */
import { createHash, randomBytes } from 'node:crypto'
import type { EvidenceLink } from '@akashi/contract'
import { hasMoreEntries } from '../audit/index.ts'
import { AkashiError, requireReason } from '../foundation/index.ts'
import { type Actor, type Database, linkHolder } from '../postgres/index.ts'
import { MAX_EVIDENCE_ROWS } from './limits.ts'
import { rangeOf } from './range.ts'

const TOKEN_BYTES = 32
const TOKEN = /^[\w-]{43}$/

export interface LinkQuery {
  readonly logs: readonly string[]
  /** Bounds of `created_at`, ISO 8601; the upper one exclusive. */
  readonly from: string
  readonly to: string
  /** Ids of compliance reports. */
  readonly reports: readonly string[]
  /** For whom and why, recorded. */
  readonly reason: string
  /** From now on. */
  readonly days: number
}

/** What the holder of a link may read. */
export interface LinkScope {
  readonly link: string
  readonly logs: readonly string[]
  readonly from: string
  readonly to: string
  readonly reports: readonly string[]
  /** Of the session, ISO 8601. */
  readonly expiresAt: string
}

/**
 * @returns its id and its token, which is stored nowhere
 * @throws AkashiError forbidden without evidence:write or a permission to read what it shows; not_found for a report
 */
export async function createLink(
  database: Database,
  actor: Actor,
  query: LinkQuery,
): Promise<{ readonly id: string; readonly token: string; readonly expiresAt: string }> {
  const { logs, reports, reason, days } = query
  requireReason(reason)
  const { from, to } = rangeOf(query)
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  const { rows } = await database.transaction(actor, async (session) => {
    const made = await session.query<{ id: string; expiresAt: string }>(
      'select link as id, expires_at as "expiresAt" from akashi_security.create_evidence_link($1, $2, $3, $4, $5, $6, $7)',
      [hashOf(token), [...new Set(logs)], from, to, [...new Set(reports)], reason, days],
    )
    for (const log of logs) {
      if (await hasMoreEntries(session, { log, from, to }, MAX_EVIDENCE_ROWS)) throw tooManyRows(log)
    }
    return made
  })
  const [made] = rows
  if (made === undefined) throw new AkashiError('internal', 'the database returned nothing')
  return { ...made, token }
}

/** Ends a link, and every session of it. @throws AkashiError forbidden without evidence:write; not_found */
export async function revokeLink(
  database: Database,
  actor: Actor,
  id: string,
  reason: string,
): Promise<void> {
  requireReason(reason)
  await database.transaction(actor, (session) =>
    session.query('select akashi_security.revoke_evidence_link($1, $2)', [id, reason]),
  )
}

/** For holders of evidence:read, newest first. */
export async function listLinks(database: Database, actor: Actor): Promise<EvidenceLink[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<EvidenceLink>(
        `select id, logs, covers_from as "from", covers_until as "to", reports, reason, created_at as "createdAt",
                created_by as "createdBy", expires_at as "expiresAt", revoked_at as "revokedAt", revoked_by as "revokedBy",
                is_open as open, opened::integer, last_opened_at as "lastOpenedAt"
         from akashi_security.list_evidence_links()`,
      ),
    { readOnly: true },
  )
  return rows
}

/**
 * Exchanges the token of a link for that of a session.
 *
 * @throws AkashiError not_found, alike for a link that is unknown, expired, revoked, or whose sharer lost the right
 */
export async function openLink(
  worker: Database,
  actor: Actor,
  token: string,
): Promise<{ readonly token: string; readonly expiresAt: string }> {
  const session = randomBytes(TOKEN_BYTES).toString('base64url')
  const { rows } = await worker.transaction(actor, (run) =>
    run.query<{ expiresAt: string }>(
      'select expires_at as "expiresAt" from akashi_security.open_evidence_link($1, $2)',
      [hashOf(token), hashOf(session)],
    ),
  )
  const [opened] = rows
  if (opened === undefined) {
    throw new AkashiError('not_found', 'this link is not valid', {
      hint: 'it is incomplete, has expired or was revoked: ask whoever sent it for another one',
    })
  }
  return { token: session, expiresAt: opened.expiresAt }
}

/** Who holds the session of a token, and what they may read; null where it may read nothing. */
export async function linkSession(
  worker: Database,
  actor: Actor,
  token: string,
): Promise<{ readonly actor: Actor; readonly scope: LinkScope } | null> {
  if (!TOKEN.test(token)) return null
  const { rows } = await worker.transaction(
    actor,
    (session) =>
      session.query<LinkScope>(
        `select link, logs, covers_from as "from", covers_until as "to", reports, expires_at as "expiresAt"
         from akashi_security.evidence_session($1)`,
        [hashOf(token)],
      ),
    { readOnly: true },
  )
  const [scope] = rows
  return scope === undefined ? null : { actor: linkHolder(scope.link, actor.origin), scope }
}

/** Records that the holder of a link looked at what it shows. */
export async function recordLook(database: Database, actor: Actor, link: string): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_audit.record_access($1, $2)', ['evidence_link', [link]]),
  )
}

export async function closeSession(worker: Database, actor: Actor, token: string): Promise<void> {
  await worker.transaction(actor, (session) =>
    session.query('select akashi_security.close_evidence_session($1)', [hashOf(token)]),
  )
}

/** The link would open, and its file could not be made. */
function tooManyRows(log: string): AkashiError {
  return new AkashiError('invalid_input', `the range has more than ${MAX_EVIDENCE_ROWS} rows of ${log}`, {
    hint: 'choose a shorter time range, and share several links',
  })
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest()
}
