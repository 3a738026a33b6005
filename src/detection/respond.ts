/** Performs the configured response to a new finding on the user it names. */
import type { Session } from '../postgres/index.ts'
import { recordEvent } from '../security/index.ts'
import type { Finding } from './correlate.ts'

export const responseActions = ['suspend_account', 'end_sessions', 'revoke_keys'] as const
export type ResponseAction = (typeof responseActions)[number]

export interface Responses {
  /** Rule or severity → response. */
  readonly actions: ReadonlyMap<string, readonly ResponseAction[]>
  /** False: responses are only recorded, not performed. */
  readonly act: boolean
}

export const noResponses: Responses = { actions: new Map(), act: false }

/** Reads `bulk_operations=end_sessions`. */
export function responsesOf(texts: readonly string[], act: boolean): Responses {
  const actions = new Map<string, ResponseAction[]>()
  for (const text of texts) {
    const [name = '', written] = text.split('=')
    const action = responseActions.find((each) => each === written)
    if (action !== undefined) actions.set(name, [...(actions.get(name) ?? []), action])
  }
  return { actions, act }
}

/**
 * In the transaction that stores the finding. Applies only to users of Akashi, by id: names in the logs of
 * hosts and services are names of other systems.
 */
export async function respond(
  session: Session,
  finding: Finding,
  { actions, act }: Responses,
): Promise<void> {
  const { rule, subject } = finding
  const user = subject['user_id'] ?? null
  if (user === null) return
  const wanted = new Set([...(actions.get(rule.name ?? rule.id) ?? []), ...(actions.get(rule.level) ?? [])])
  for (const action of responseActions.filter((each) => wanted.has(each))) {
    const outcome = act ? await carryOut(session, user, action) : 'dry run'
    await recordEvent(session, {
      event_type: 'detection_response',
      result: outcome === 'done' || outcome === 'dry run' ? 'success' : 'failure',
      severity: rule.level === 'informational' ? 'info' : rule.level,
      source_service: 'security_monitor',
      description: rule.title,
      action_performed: action,
      resource_type: 'user',
      resource_id: user,
      event_details: { finding: finding.id, rule: rule.name ?? rule.id, outcome },
    })
  }
}

async function carryOut(session: Session, user: string, action: ResponseAction): Promise<string> {
  const { rows } = await session.query<{ outcome: string }>('select akashi_auth.respond($1, $2) as outcome', [
    user,
    action,
  ])
  return rows[0]?.outcome ?? 'unknown'
}
