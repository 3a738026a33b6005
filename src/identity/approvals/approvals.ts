/**
 * Actions that need the approval of as many people as the policy `approval.people` says. The rules are in the
 * database.
 */
import type { Approval, ApprovalAction, NewApproval } from '@akashi/contract'
import { newApproval } from '@akashi/contract'
import type { Actor, Database } from '../../postgres/index.ts'

const LISTED = 200

/** The newest requests, for holders of approvals:read. */
export async function listApprovals(database: Database, actor: Actor): Promise<Approval[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Approval>(
        `select a.id, a.action, a.target,
           jsonb_strip_nulls(jsonb_build_object('total', a.detail ->> 'total', 'atExpiry', a.detail ->> 'at_expiry')) as detail,
           a.reason, a.requested_by as "requestedBy", a.requested_at as "requestedAt", a.expires_at as "expiresAt",
           case when a.used_at is not null then 'used' when a.withdrawn_at is not null then 'withdrawn'
             when a.expires_at <= now() then 'expired' when akashi_auth.approving(a) >= needed.people then 'approved'
             else 'waiting' end as state,
           needed.people, akashi_auth.approving(a)::integer as approving,
           array(select c.user_id::text from akashi_auth.approval_confirmations c where c.approval_id = a.id
                 order by c.confirmed_at) as "approvedBy"
         from akashi_auth.approvals a
         cross join (select akashi_auth.policy('approval.people')::integer as people) needed
         order by a.requested_at desc limit ${LISTED}`,
      ),
    { readOnly: true },
  )
  return rows
}

/**
 * @returns the id of the request
 * @throws AkashiError forbidden without the permission of the action; invalid_input without a reason
 */
export async function requestApproval(
  database: Database,
  actor: Actor,
  request: NewApproval,
): Promise<string> {
  const { action, reason, ...rest } = newApproval.parse(request)
  const detail = 'total' in rest ? { total: rest.total, at_expiry: rest.atExpiry } : {}
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ id: string }>('select akashi_auth.request_approval($1, $2, $3, $4) as id', [
      action,
      'target' in rest ? rest.target : '',
      detail,
      reason,
    ]),
  )
  return rows[0]?.id ?? ''
}

/**
 * @throws AkashiError forbidden for the person who requested it, and for people who have not had the
 * permission long enough; conflict once it was decided or has expired
 */
export async function confirmApproval(database: Database, actor: Actor, id: string): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_auth.confirm_approval($1)', [id]),
  )
}

export async function withdrawApproval(database: Database, actor: Actor, id: string): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_auth.withdraw_approval($1)', [id]),
  )
}

/** @throws AkashiError conflict if it needs an approval and has none */
export async function requireApproval(
  database: Database,
  actor: Actor,
  action: ApprovalAction,
): Promise<void> {
  await database.transaction(
    actor,
    (session) => session.query('select akashi_auth.require_approval($1, $2)', [action, '']),
    { readOnly: true },
  )
}
