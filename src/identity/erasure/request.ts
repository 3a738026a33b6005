/**
 * A person asks to be erased. The request is a security event, so that it is in the queue of those who decide and its
 * remediation says what became of it; `eraseUser` does it.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { Database, Person } from '../../postgres/index.ts'
import { type LatestEvent, latestEventOf, recordEvent } from '../../security/index.ts'

const TYPE = 'erasure_requested'
/** Days within which a request is shown to its person; it has to be answered within 30. */
const SHOWN_DAYS = 365

export interface ErasureRequest {
  readonly requestedAt: string
  readonly state: 'waiting' | 'closed' | 'declined'
}

const states: Readonly<Record<LatestEvent['status'], ErasureRequest['state']>> = {
  open: 'waiting',
  in_progress: 'waiting',
  resolved: 'closed',
  suppressed: 'declined',
}

/**
 * The last request of a person; null where there is none.
 *
 * @param database of the role `security_admin`, since people do not see remediations
 */
export async function readErasureRequest(database: Database, actor: Person): Promise<ErasureRequest | null> {
  const found = await latestEventOf(database, actor, { type: TYPE, userId: actor.userId, days: SHOWN_DAYS })
  return found === null ? null : { requestedAt: found.at, state: states[found.status] }
}

/**
 * @param reason up to 1,000 characters, for those who decide
 * @throws AkashiError conflict while an earlier request waits
 */
export async function requestErasure(
  { app, securityAdmin }: { readonly app: Database; readonly securityAdmin: Database },
  actor: Person,
  reason: string,
): Promise<void> {
  const earlier = await readErasureRequest(securityAdmin, actor)
  if (earlier?.state === 'waiting') {
    throw new AkashiError('conflict', 'an erasure was already requested', {
      hint: 'an administrator decides',
    })
  }
  await app.transaction(actor, (session) =>
    recordEvent(session, {
      event_type: TYPE,
      user_id: actor.userId,
      resource_type: 'user',
      resource_id: actor.userId,
      event_details: reason === '' ? {} : { reason },
    }),
  )
}
