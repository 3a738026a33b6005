/**
 * Sign-in at an OpenID provider: authorization code flow with PKCE, state and nonce. Its state is in an encrypted
 * cookie, so that any server can complete it, but only in the browser that started it (login CSRF).
 */
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientError,
  calculatePKCECodeChallenge,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client'
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import { type Issuer, notUsable } from './issuer.ts'

/** The state between start and callback; encrypted, since the verifier is secret. */
export const flowSchema = z.strictObject({
  issuer: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  redirectUri: z.string(),
  returnTo: z.string(),
  /** Credentials must be shown at the provider after this time, in ms since 1970; null where any sign-in will do. */
  reauthenticateAfter: z.number().nullable(),
})

export type Flow = Readonly<z.output<typeof flowSchema>>

/** The authenticated identity. Users are identified by issuer and subject; the rest are suggestions. */
export interface OidcIdentity {
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  readonly username: string | null
  readonly displayName: string | null
  readonly avatarUrl: string | null
  /** Whether the provider reports a second factor (RFC 8176). */
  readonly multiFactor: boolean
  /** When credentials were shown there; null where the provider does not say. */
  readonly authenticatedAt: Date | null
}

/** Seconds that the provider's clock may differ. */
const CLOCK_TOLERANCE_S = 30
const MS_PER_S = 1_000
/** Seconds after which a sign-in at the provider no longer counts here: a week. */
const MAX_SIGN_IN_AGE_S = 7 * 24 * 60 * 60

/**
 * Values that cannot be stored or displayed are left out: an invalid claim of the provider must not prevent a
 * sign-in.
 */
const text = z
  .string()
  .transform((value) =>
    value
      .toWellFormed()
      .replaceAll(/[\p{Cc}\p{Cs}]/gu, '')
      .trim(),
  )
  .pipe(z.string().min(1))
  .optional()
  .catch(undefined)
const claimsSchema = z.looseObject({
  sub: z.string().min(1).max(255),
  email: text,
  email_verified: z
    .union([z.boolean(), z.string().transform((value) => value === 'true')])
    .optional()
    .catch(undefined),
  preferred_username: text,
  'cognito:username': text,
  name: text,
  picture: text,
  amr: z.array(z.string()).optional().catch(undefined),
  auth_time: z.number().int().positive().optional().catch(undefined),
})

/** Methods of RFC 8176 that say a second factor was shown. */
const secondFactors = new Set(['mfa', 'otp', 'hwk', 'swk', 'sc', 'fpt', 'face', 'iris', 'retina', 'vbm'])

export function hasSecondFactor(methods: readonly string[] | undefined): boolean {
  return methods?.some((method) => secondFactors.has(method)) ?? false
}

export async function startFlow(
  issuer: Issuer,
  places: { readonly redirectUri: string; readonly returnTo: string; readonly reauthenticate?: boolean },
): Promise<{ readonly url: URL; readonly flow: Flow }> {
  const configuration = await issuer.configuration()
  const verifier = randomPKCECodeVerifier()
  const flow: Flow = {
    issuer: issuer.settings.name,
    state: randomState(),
    nonce: randomNonce(),
    verifier,
    redirectUri: places.redirectUri,
    returnTo: places.returnTo,
    reauthenticateAfter: places.reauthenticate === true ? Date.now() : null,
  }
  const url = buildAuthorizationUrl(configuration, {
    redirect_uri: flow.redirectUri,
    scope: issuer.settings.scopes.join(' '),
    state: flow.state,
    nonce: flow.nonce,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    // max_age also obliges the provider to say when it asked (OpenID Connect Core 3.1.2.1).
    ...(places.reauthenticate === true
      ? { prompt: 'login', max_age: '0' }
      : { max_age: String(MAX_SIGN_IN_AGE_S) }),
  })
  return { url, flow }
}

/**
 * @param query of the callback, with its question mark
 * @throws AkashiError unauthenticated when the provider refused or a check failed; unavailable when it does not respond
 */
export async function finishFlow(issuer: Issuer, flow: Flow, query: string): Promise<OidcIdentity> {
  const configuration = await issuer.configuration()
  const current = new URL(flow.redirectUri)
  current.search = query
  try {
    const tokens = await authorizationCodeGrant(configuration, current, {
      pkceCodeVerifier: flow.verifier,
      expectedState: flow.state,
      expectedNonce: flow.nonce,
      idTokenExpected: true,
    })
    const identity = identityOf(issuer, tokens.claims())
    refuseOld(flow, identity)
    return identity
  } catch (cause) {
    if (cause instanceof AkashiError) throw cause
    if (cause instanceof TypeError || (cause instanceof ClientError && cause.code === 'OAUTH_TIMEOUT')) {
      throw notUsable(issuer.settings, 'it does not respond', cause)
    }
    throw new AkashiError('unauthenticated', 'the sign-in at the identity provider did not succeed', {
      hint: 'start again',
      cause,
    })
  }
}

/** The parameters of the redirect are in the browser's hands: only what the provider signed says that it asked. */
function refuseOld({ reauthenticateAfter }: Flow, { authenticatedAt }: OidcIdentity): void {
  if (reauthenticateAfter === null) return
  const earliest = reauthenticateAfter - CLOCK_TOLERANCE_S * MS_PER_S
  if (authenticatedAt === null || authenticatedAt.getTime() < earliest) {
    throw new AkashiError('unauthenticated', 'the identity provider did not authenticate the user again', {
      hint: 'start again, and sign in there',
    })
  }
}

function identityOf(issuer: Issuer, payload: unknown): OidcIdentity {
  const claims = claimsSchema.parse(payload)
  return {
    issuer: issuer.settings.issuer,
    subject: claims.sub,
    // An unverified address could be somebody else's.
    email: claims.email_verified === true ? (claims.email ?? null) : null,
    username: claims.preferred_username ?? claims['cognito:username'] ?? null,
    displayName: claims.name ?? null,
    avatarUrl: claims.picture ?? null,
    multiFactor: hasSecondFactor(claims.amr),
    authenticatedAt: claims.auth_time === undefined ? null : new Date(claims.auth_time * MS_PER_S),
  }
}
