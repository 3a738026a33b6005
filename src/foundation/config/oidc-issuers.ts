import { z } from 'zod'
import { Secret } from '../secret.ts'

/** Asymmetric signatures only: with a shared secret, every verifier could also sign (ASVS 5.0 9.1.2). */
const algorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'] as const

/** An OpenID provider whose users may sign in, and whose tokens services may present. */
const issuerSchema = z.strictObject({
  /** Its name in paths: `/v1/oidc/<name>/start`. */
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
  /**
   * The `iss` of its tokens and base URL for discovery, with or without the slash at the end. Plain http is allowed for
   * localhost only.
   */
  issuer: z.string().refine(isSafeUrl),
  clientId: z.string().min(1),
  /** Without it the client is public and protected by PKCE alone. */
  clientSecret: z
    .string()
    .min(1)
    .transform((text) => new Secret(text))
    .optional(),
  /** Label of the sign-in button; defaults to the name. */
  label: z.string().min(1).max(80).optional(),
  scopes: z.array(z.string().min(1)).default(['openid', 'email', 'profile']),
  /** Layout of the claims in its access tokens. */
  form: z.enum(['standard', 'cognito', 'keycloak']).default('standard'),
  /** A bearer token must have one of these as `aud` (Cognito: `client_id`). Empty: bearer tokens are refused. */
  audiences: z.array(z.string().min(1)).default([]),
  algorithms: z.array(z.enum(algorithms)).min(1).default(['RS256', 'PS256', 'ES256', 'EdDSA']),
  /** Whether the first sign-in of an unknown person creates a user. */
  createUsers: z.boolean().default(true),
})

export type OidcIssuer = Readonly<z.output<typeof issuerSchema>>

/** A list, or the JSON text of one as an environment variable gives it. */
export const oidcIssuersSchema = z
  .union([z.string().transform(parseJson), z.array(z.unknown())])
  .pipe(z.array(issuerSchema))
  .refine((issuers) => allDifferent(issuers.map(({ name }) => name)))
  .refine((issuers) => allDifferent(issuers.map(({ issuer }) => issuer.replace(/\/$/, ''))))

function isSafeUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.search !== '' || url.hash !== '') return false
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  return url.protocol === 'https:' || (url.protocol === 'http:' && local)
}

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON' })
    return z.NEVER
  }
}

function allDifferent(values: readonly string[]): boolean {
  return new Set(values).size === values.length
}
