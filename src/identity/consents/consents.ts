import type { Consent } from '@akashi/contract'
import type { Person, Session } from '../../postgres/index.ts'

/** Maximum decisions in the history. */
const MAX_LISTED = 500

const columns = `id, purpose, decision, document_version as "documentVersion", regulation, created_at as "createdAt"`

/** The latest decision for each purpose, and all decisions, newest first. */
export async function readConsents(
  session: Session,
  userId: string,
): Promise<{ readonly current: readonly Consent[]; readonly history: readonly Consent[] }> {
  const current = await session.query<Consent>(
    `select ${columns} from akashi_auth.current_consents where user_id = $1 order by purpose`,
    [userId],
  )
  const history = await session.query<Consent>(
    `select ${columns} from akashi_auth.privacy_consents where user_id = $1 order by created_at desc, id limit $2`,
    [userId, MAX_LISTED],
  )
  return { current: current.rows, history: history.rows }
}

export async function decideConsent(
  session: Session,
  actor: Person,
  consent: Pick<Consent, 'purpose' | 'decision' | 'documentVersion' | 'regulation'>,
): Promise<void> {
  await session.query(
    `insert into akashi_auth.privacy_consents (user_id, purpose, decision, document_version, regulation, ip_address, user_agent)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      actor.userId,
      consent.purpose,
      consent.decision,
      consent.documentVersion,
      consent.regulation,
      actor.origin.clientIp ?? null,
      actor.origin.userAgent ?? null,
    ],
  )
}
