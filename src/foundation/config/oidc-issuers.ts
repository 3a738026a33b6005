import { z } from 'zod'
import { Secret } from '../secret.ts'

/** Asymmetric signatures only: with a shared secret, whoever verifies could also sign (ASVS 5.0 9.1.2). */
const algorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'] as const

/** An OpenID provider whose users may sign in, and whose tokens services may present. */
const issuerSchema = z.strictObject({
  /** Its name in paths: `/v1/oidc/<name>/start`. */
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
  /** The `iss` of its tokens, below which its configuration is discovered. Plain http only on this machine. */
  issuer: z.string().refine(isSafeUrl),
  clientId: z.string().min(1),
  /** Without it the client is a public one, which PKCE protects. */
  clientSecret: z
    .string()
    .min(1)
    .transform((text) => new Secret(text))
    .optional(),
  /** What people read on the button; the name where it is missing. */
  label: z.string().min(1).max(80).optional(),
  scopes: z.array(z.string().min(1)).default(['openid', 'email', 'profile']),
  /** How its access tokens say things. */
  form: z.enum(['standard', 'cognito', 'keycloak']).default('standard'),
  /** `aud` that a bearer token must hold one of, for Cognito its `client_id`. Empty: none is taken. */
  audiences: z.array(z.string().min(1)).default([]),
  algorithms: z.array(z.enum(algorithms)).min(1).default(['RS256', 'PS256', 'ES256', 'EdDSA']),
  /** Whether somebody who signs in for the first time becomes a user. */
  createUsers: z.boolean().default(true),
})

export type OidcIssuer = Readonly<z.output<typeof issuerSchema>>

/** A list, or the JSON text of one as an environment variable gives it. */
export const oidcIssuersSchema = z
  .union([z.string().transform(parseJson), z.array(z.unknown())])
  .pipe(z.array(issuerSchema))
  .refine((issuers) => allDifferent(issuers.map(({ name }) => name)))
  .refine((issuers) => allDifferent(issuers.map(({ issuer }) => issuer)))

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
