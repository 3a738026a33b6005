/**
 * Verifies access tokens of services (RFC 9068, and the variants of Cognito and Keycloak): issuer, signature,
 * algorithm, type, audience and expiry (ASVS 5.0 9.1.1–9.2.3). Nothing is fetched per request.
 */
import { decodeJwt, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import { AkashiError, type OidcIssuer } from '../../foundation/index.ts'
import { hasSecondFactor } from './authorization.ts'
import { type Issuer, issuerForms } from './issuer.ts'

/** Allowed clock difference in seconds. */
const CLOCK_TOLERANCE_S = 30
const MS_PER_S = 1_000
/** Longer tokens are refused without parsing. */
const MAX_TOKEN_CHARACTERS = 8_192

export interface BearerIdentity {
  readonly issuer: string
  readonly subject: string
  /** The client that the token was issued to; null if the token does not say. */
  readonly clientId: string | null
  /** Groups or roles of the subject at the provider. */
  readonly groups: readonly string[]
  readonly expiresAt: Date
  /** Issued to a service for itself, not for a person who signed in. */
  readonly isService: boolean
  /** The person showed a second factor, as far as the token says so (RFC 8176). */
  readonly multiFactor: boolean
  /** When the person showed credentials; null where the token does not say. */
  readonly authenticatedAt: Date | null
}

const strings = z.array(z.string()).catch([])
const text = z.string().min(1)

const common = z.looseObject({
  sub: text,
  exp: z.number(),
  jti: text.optional(),
  amr: strings.optional(),
  auth_time: z.number().int().positive().optional().catch(undefined),
})
const standardClaims = common.extend({
  client_id: text.optional(),
  groups: strings.optional(),
  roles: strings.optional(),
})
const cognitoClaims = common.extend({
  token_use: z.literal('access'),
  client_id: text,
  'cognito:groups': strings.optional(),
})
const keycloakClaims = common.extend({
  typ: z.literal('Bearer'),
  azp: text.optional(),
  realm_access: z.looseObject({ roles: strings }).optional(),
})

/** Whether a bearer token has the form of a JWT. */
export function looksLikeJwt(token: string): boolean {
  return token.length <= MAX_TOKEN_CHARACTERS && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)
}

/** The identity of a token; null for an invalid token. @throws unavailable when the provider's keys cannot be read */
export async function verifyBearer(
  issuers: readonly Issuer[],
  token: string,
): Promise<BearerIdentity | null> {
  if (!looksLikeJwt(token)) return null
  const issuer = issuerOf(issuers, token)
  if (issuer === undefined || issuer.settings.audiences.length === 0) return null
  const { settings } = issuer
  try {
    const { payload, protectedHeader } = await jwtVerify(token, issuer.key, {
      // As it calls itself, to the last slash.
      issuer: (await issuer.configuration()).serverMetadata().issuer,
      algorithms: [...settings.algorithms],
      requiredClaims: ['exp', 'sub'],
      clockTolerance: CLOCK_TOLERANCE_S,
      // Cognito's access tokens have no audience: their client_id is compared instead.
      ...(settings.form === 'cognito' ? {} : { audience: [...settings.audiences] }),
    })
    return identityOf(settings, payload, protectedHeader.typ)
  } catch (error) {
    if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) return null
    if (error instanceof AkashiError) throw error
    throw new AkashiError('unavailable', `the keys of ${settings.name} cannot be read`, { cause: error })
  }
}

/** Selects the issuer whose keys must verify the token; the claim is not trusted yet. */
function issuerOf(issuers: readonly Issuer[], token: string): Issuer | undefined {
  try {
    const { iss } = decodeJwt(token)
    return issuers.find(({ settings }) => iss !== undefined && issuerForms(settings.issuer).includes(iss))
  } catch {
    return undefined
  }
}

/** Accepts only access tokens; ID tokens and logout tokens have the same signature and differ in type. */
function identityOf(settings: OidcIssuer, payload: unknown, typ: string | undefined): BearerIdentity | null {
  const from = (
    clientId: string | undefined,
    groups: readonly string[],
    claims: z.output<typeof common>,
  ) => ({
    issuer: settings.issuer,
    subject: claims.sub,
    clientId: clientId ?? null,
    groups,
    expiresAt: new Date(claims.exp * MS_PER_S),
    isService: clientId === claims.sub,
    multiFactor: hasSecondFactor(claims.amr),
    authenticatedAt: claims.auth_time === undefined ? null : new Date(claims.auth_time * MS_PER_S),
  })
  switch (settings.form) {
    case 'cognito': {
      const { data } = cognitoClaims.safeParse(payload)
      if (data === undefined || !settings.audiences.includes(data.client_id)) return null
      return from(data.client_id, data['cognito:groups'] ?? [], data)
    }
    case 'keycloak': {
      const { data } = keycloakClaims.safeParse(payload)
      return data === undefined ? null : from(data.azp, data.realm_access?.roles ?? [], data)
    }
    case 'standard': {
      const { data } = standardClaims.safeParse(payload)
      const isAccessToken = /^(application\/)?at\+jwt$/i.test(typ ?? '')
      if (data === undefined || !isAccessToken) return null
      return from(data.client_id, data.groups ?? data.roles ?? [], data)
    }
  }
}
