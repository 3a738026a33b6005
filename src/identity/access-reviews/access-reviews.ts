/**
 * Who holds which role and key, and the reviews in which people sign that off. The rules are in the database.
 */
import type { AccessReview, AccessReviewItem, AccessRight } from '@akashi/contract'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { call } from '../call.ts'
import { recordAccess } from '../record-access.ts'

/** The table named in the records of reading access rights. */
const RESOURCE = 'user_role'

const held = `kind, user_id as "userId", account_id as "accountId", holder, title, tier, granted_at as "grantedAt",
  expires_at as "expiresAt", last_used_at as "lastUsedAt", given_by as "givenBy"`

/** For holders of roles:read; recorded. */
export async function listAccessRights(database: Database, actor: Actor): Promise<AccessRight[]> {
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<AccessRight>(`select ${held} from akashi_auth.list_access_rights()`)
    await recordHolders(session, rows)
    return rows
  })
}

/** For holders of roles:read, newest first. */
export async function listAccessReviews(database: Database, actor: Actor): Promise<AccessReview[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<AccessReview>(
        `select id, opened_at as "openedAt", opened_by as "openedBy", due_at as "dueAt", items::integer, kept::integer,
                revoked::integer, ended::integer, open_items::integer as open, completed_at as "completedAt"
         from akashi_auth.list_access_reviews()`,
      ),
    { readOnly: true },
  )
  return rows
}

/** For holders of roles:read; recorded. @throws AkashiError not_found */
export async function readAccessReview(
  database: Database,
  actor: Actor,
  review: string,
): Promise<AccessReviewItem[]> {
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<AccessReviewItem>(
      `select id, ${held}, ended, decision, reason, decided_at as "decidedAt", decided_by as "decidedBy", gave_it as "gaveIt"
       from akashi_auth.list_access_review($1)`,
      [review],
    )
    await recordHolders(session, rows)
    return rows
  })
}

async function recordHolders(
  session: Session,
  rows: readonly Pick<AccessRight, 'userId' | 'accountId'>[],
): Promise<void> {
  const holders = rows.flatMap(({ userId, accountId }) => userId ?? accountId ?? [])
  await recordAccess(session, RESOURCE, [...new Set(holders)])
}

/**
 * @returns its id; null for the server where one is open
 * @throws AkashiError forbidden without roles:write; conflict while one is open
 */
export async function openAccessReview(database: Database, actor: Actor): Promise<string | null> {
  return await call(database, actor, 'akashi_auth.open_access_review()', [])
}

/** @throws AkashiError forbidden outside a session, and about oneself; conflict once it was decided or has ended */
export async function decideAccess(
  database: Database,
  actor: Actor,
  target: { readonly review: string; readonly item: string },
  { decision, reason }: { readonly decision: 'keep' | 'revoke'; readonly reason: string },
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_auth.decide_access($1, $2, $3, $4)', [
      target.review,
      target.item,
      decision,
      reason,
    ]),
  )
}

interface AccessReviewOwed {
  /** Undecided access rights of the open review. */
  readonly open: number
  /** Until when it is due; null where none is open. */
  readonly dueAt: string | null
  /** When the last completed one was opened; before the first, when Akashi was installed. */
  readonly lastAt: string
  readonly maxAgeDays: number
}

/** @param database of the role `worker` */
export async function accessReviewOwed(database: Database, actor: Actor): Promise<AccessReviewOwed> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<AccessReviewOwed>(
        `select open_items::integer as open, due_at as "dueAt", last_completed_at as "lastAt",
                akashi_lifecycle.setting('access_review.max_age_days')::float8 as "maxAgeDays"
         from akashi_auth.access_review_owed()`,
      ),
    { readOnly: true },
  )
  const [row] = rows
  if (row === undefined) throw new Error('a select over one row returns one row')
  return row
}
