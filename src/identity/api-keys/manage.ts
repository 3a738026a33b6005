/** Creating, listing, rotating and revoking keys; the database checks permissions (000009_access_rules). */
import type { ApiKey, IssuedKey, Tier } from '@akashi/contract'
import type { Actor, Database } from '../../postgres/index.ts'
import { call } from '../call.ts'
import { recordAccess } from '../record-access.ts'
import { makeApiKey } from './format.ts'

export interface ApiKeyRequest {
  readonly name: string
  /** `resource:action`; without scopes, the key only identifies its caller. */
  readonly scopes?: readonly string[]
  /** Name of the service account that owns it; default: the actor. */
  readonly serviceAccount?: string
  /** The user that owns it; only for database administrators. */
  readonly owner?: string
  /** Default: the owner's. */
  readonly tier?: Tier
  /** The service that uses it. */
  readonly serviceName?: string
  readonly expiresAt?: Date
  /** Part of the key text, such as `test`. */
  readonly environment?: string
}

const columns = `id, name, key_prefix as prefix, service_name as "serviceName", tier, permissions as scopes,
  user_id as "userId", service_account_id as "serviceAccountId", replaces, expires_at as "expiresAt",
  last_used_at as "lastUsedAt", is_active as "isActive", created_at as "createdAt"`

/** Maximum keys in a list. */
const MAX_LISTED = 1_000

/** The actor's own keys, or all keys with api_keys:read. Newest first. */
export async function listApiKeys(database: Database, actor: Actor): Promise<ApiKey[]> {
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<ApiKey>(
      `select ${columns} from akashi_auth.api_keys order by created_at desc, id limit $1`,
      [MAX_LISTED],
    )
    // Reading those of others is recorded.
    const others = rows.filter(({ userId }) => userId === null || userId !== actor.userId)
    await recordAccess(
      session,
      'api_key',
      others.map(({ id }) => id),
    )
    return rows
  })
}

/**
 * Creates a key. Its scopes are limited to the permissions of the owner and the actor.
 *
 * @throws AkashiError forbidden, not_found, invalid_input for an expiry that policies do not allow
 */
export async function createApiKey(
  database: Database,
  actor: Actor,
  request: ApiKeyRequest,
): Promise<IssuedKey> {
  const { key, prefix, hash } = makeApiKey(request.environment)
  const id = await call<string>(
    database,
    actor,
    `akashi_auth.create_api_key(name => $1, key_hash => $2, key_prefix => $3, scopes => $4, service_account => $5,
       owner => $6, tier => $7, service_name => $8, expires_at => $9)`,
    [
      request.name,
      hash,
      prefix,
      request.scopes ?? [],
      request.serviceAccount ?? null,
      request.owner ?? null,
      request.tier ?? null,
      request.serviceName ?? null,
      request.expiresAt ?? null,
    ],
  )
  return { id, prefix, key }
}

export interface Rotation {
  /** Seconds that the old key stays valid; default: by policy. */
  readonly overlapSeconds?: number
  readonly environment?: string
}

/**
 * Creates the successor of a key, with the same owner, scopes and lifetime.
 *
 * @throws AkashiError forbidden, not_found, conflict for a key that is expired, revoked or already rotated
 */
export async function rotateApiKey(
  database: Database,
  actor: Actor,
  keyId: string,
  { overlapSeconds, environment }: Rotation = {},
): Promise<IssuedKey> {
  const { key, prefix, hash } = makeApiKey(environment)
  const id = await call<string>(
    database,
    actor,
    'akashi_auth.rotate_api_key($1, $2, $3, make_interval(secs => $4))',
    [keyId, hash, prefix, overlapSeconds ?? null],
  )
  return { id, prefix, key }
}

/** Revokes a key immediately; false when it was already revoked or expired. */
export async function revokeApiKey(
  database: Database,
  actor: Actor,
  keyId: string,
  reason?: string,
): Promise<boolean> {
  return await call<boolean>(database, actor, 'akashi_auth.revoke_api_key($1, $2)', [keyId, reason ?? null])
}
