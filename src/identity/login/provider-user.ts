import { createHash } from 'node:crypto'
import { newUser, type User } from '@akashi/contract'
import type { z } from 'zod'
import { AkashiError, type OidcIssuer } from '../../foundation/index.ts'
import type { Actor, Session } from '../../postgres/index.ts'
import { issuerForms, type OidcIdentity } from '../oidc/index.ts'
import { createUser } from '../users/index.ts'
import { subjectIndexes } from '../users/personal.ts'
import type { LoginParts } from './parts.ts'

/** A provider's user, as far as sign-in needs it. */
export interface ProviderUser {
  readonly id: string
  readonly issuer: string
  readonly active: boolean
  readonly hasFactor: boolean
  /** One of their roles requires a second factor. */
  readonly needsFactor: boolean
}

/**
 * Attempts to create a user; if a value proposed by the provider is taken or refused, the next one omits it.
 */
const ATTEMPTS = 4

/**
 * The user of (issuer, subject), created at the first sign-in if the issuer's settings allow it. Users are never
 * matched by e-mail or username across issuers.
 *
 * @throws AkashiError forbidden when there is no such user and none may be created
 */
export async function providerUser(
  parts: LoginParts,
  actor: Actor,
  settings: OidcIssuer,
  identity: OidcIdentity,
): Promise<ProviderUser> {
  const find = (session: Session) => findProviderUser(session, parts, identity.issuer, identity.subject)
  const known = await parts.worker.transaction(actor, find)
  if (known !== null) return known
  if (!settings.createUsers) {
    throw new AkashiError('forbidden', 'there is no user for this account', {
      hint: 'ask an administrator to create one',
    })
  }
  let taken: unknown
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    try {
      await parts.worker.transaction(actor, (session) =>
        createUser(session, parts.vault, {
          issuer: identity.issuer,
          subject: identity.subject,
          username: usernameOf(identity, attempt),
          displayName: fitting(newUser.shape.displayName, identity.displayName?.slice(0, 100)) ?? null,
          email: emailOf(identity, attempt),
          avatarUrl: pictureOf(identity),
        }),
      )
    } catch (error) {
      if (!(error instanceof AkashiError) || !retried.has(error.code)) throw error
      taken = error
    }
    // Created now, or by a concurrent sign-in.
    const made = await parts.worker.transaction(actor, find)
    if (made !== null) return made
  }
  throw taken
}

/** The user with this identity, in any state; null when there is none. */
export async function findProviderUser(
  session: Session,
  parts: Pick<LoginParts, 'vault'>,
  issuer: string,
  subject: string,
): Promise<(ProviderUser & Pick<User, 'tenantId'>) | null> {
  const { rows } = await session.query<{
    id: string
    active: boolean
    has_factor: boolean
    needs_factor: boolean
    tenant_id: string | null
  }>(
    `select u.id, u.is_active as active, akashi_auth.has_factor(u.id) as has_factor,
       akashi_auth.needs_factor(u.id) as needs_factor, u.tenant_id
     from akashi_auth.users u where u.issuer = any ($1) and u.subject_index = any ($2::bytea[])
     order by u.issuer = $3 desc limit 1`,
    [issuerForms(issuer), await subjectIndexes(parts.vault, subject), issuer],
  )
  const [row] = rows
  if (row === undefined) return null
  const { id, active, has_factor: hasFactor, needs_factor: needsFactor, tenant_id: tenantId } = row
  return { id, issuer, active, hasFactor, needsFactor, tenantId }
}

/** A name that is taken, or that only the database refuses. */
const retried: ReadonlySet<string> = new Set(['already_exists', 'invalid_input'])

const suffixOf = ({ issuer, subject }: OidcIdentity) =>
  createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest('hex')
    .slice(0, 32)

/** The value if it can be stored: an invalid claim of the provider must not prevent a sign-in. */
function fitting<T>(schema: z.ZodType<T>, value: unknown): T | undefined {
  return schema.safeParse(value).data
}

function usernameOf(identity: OidcIdentity, attempt: number): string {
  const proposed = [...(identity.username ?? identity.email?.split('@')[0] ?? '').trim()]
    .slice(0, 40)
    .join('')
  const suffix = suffixOf(identity).slice(0, 8)
  const wanted = attempt === 0 ? proposed : `${proposed}-${suffix}`
  const username = attempt < ATTEMPTS - 1 ? fitting(newUser.shape.username, wanted) : undefined
  return username ?? `user-${suffix}`
}

/** An address is required and unique; without a verified one, a placeholder that cannot be a real address. */
function emailOf(identity: OidcIdentity, attempt: number): string {
  const verified = attempt < ATTEMPTS / 2 ? fitting(newUser.shape.email, identity.email) : undefined
  return verified ?? `${suffixOf(identity)}@unverified.invalid`
}

function pictureOf({ avatarUrl }: OidcIdentity): string | null {
  return avatarUrl?.startsWith('https://') === true
    ? (fitting(newUser.shape.avatarUrl, avatarUrl) ?? null)
    : null
}
