/** Authenticates API keys with one read and no write; use of an invalid key is recorded as a security event. */
import type { Tier } from '@akashi/contract'
import { type Actor, anonymous, type Database, type Origin, person, service } from '../../postgres/index.ts'
import { recordEventAlone } from '../../security/index.ts'
import { type KeyIdentity, parseApiKey } from './format.ts'
import { KeyReader, type StoredKey } from './reader.ts'
import { UseLog } from './use-log.ts'

export interface ApiKeyCaller {
  readonly keyId: string
  readonly name: string
  readonly serviceName: string
  readonly tier: Tier
  /** `resource:action`; effective only as far as the owner has the permission at that time. */
  readonly scopes: readonly string[]
  /** Exactly one of the two owners is set. */
  readonly userId: string | null
  readonly serviceAccountId: string | null
  /** RFC 3339 */
  readonly expiresAt: string | null
  /** The actor of this caller's transactions, with the key in place of a session. */
  readonly actor: Actor
}

/** Milliseconds in which repeated misuse of a key for the same reason is recorded only once. */
const MISUSE_REPEAT_MS = 60_000
/** Maximum keys whose misuse is remembered; the oldest are dropped first. */
const MAX_REMEMBERED = 1_000

interface Verifier {
  readonly reader: KeyReader
  readonly uses: UseLog
  readonly misused: Map<string, number>
}

const verifiers = new WeakMap<Database, Verifier>()

function verifierOf(database: Database): Verifier {
  const known = verifiers.get(database)
  if (known !== undefined) return known
  const made = { reader: new KeyReader(database), uses: new UseLog(database), misused: new Map() }
  verifiers.set(database, made)
  return made
}

/**
 * The caller of a key; null when the key is invalid, expired or revoked. `database` is of the role `app`; `origin` is
 * where the request comes from.
 */
export async function verifyApiKey(
  database: Database,
  presented: string,
  origin: Origin = {},
): Promise<ApiKeyCaller | null> {
  const identity = parseApiKey(presented)
  if (identity === undefined) return null
  const { reader, uses, misused } = verifierOf(database)
  const stored = await reader.find(identity.hash)
  if (stored?.state === 'valid') {
    uses.note(stored.id)
    return callerOf(stored, origin)
  }
  if (firstInAWhile(misused, `${identity.hash} ${stored?.state}`)) {
    await recordMisuse(database, origin, identity, stored)
  }
  return null
}

/** Writes the last uses of keys now; call it before the pool is closed. */
export async function flushApiKeyUses(database: Database): Promise<void> {
  await verifiers.get(database)?.uses.flush()
}

function callerOf(stored: StoredKey, origin: Origin): ApiKeyCaller {
  const { id, user_id, service_account_id, service_name } = stored
  return {
    keyId: id,
    name: stored.name,
    serviceName: service_name,
    tier: stored.tier,
    scopes: stored.permissions,
    userId: user_id,
    serviceAccountId: service_account_id,
    expiresAt: stored.expires_at,
    actor:
      user_id === null
        ? service({ name: service_name, keyId: id }, origin)
        : person({ userId: user_id, sessionId: id }, origin),
  }
}

function firstInAWhile(misused: Map<string, number>, what: string): boolean {
  const now = Date.now()
  const before = misused.get(what)
  if (before !== undefined && now - before < MISUSE_REPEAT_MS) return false
  misused.delete(what)
  misused.set(what, now)
  const [oldest] = misused.keys()
  if (misused.size > MAX_REMEMBERED && oldest !== undefined) misused.delete(oldest)
  return true
}

async function recordMisuse(
  database: Database,
  origin: Origin,
  { prefix }: KeyIdentity,
  stored: StoredKey | undefined,
): Promise<void> {
  await recordEventAlone(database, anonymous('invalid API key', origin), {
    event_type: 'api_key_misuse',
    resource_type: 'api_key',
    action_performed: 'authenticate',
    resource_id: stored?.id ?? null,
    event_details: { reason: stored?.state ?? 'unknown', prefix },
  })
}
