/** The configuration and keys of an OpenID provider, discovered once and refreshed in the background. */
import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose'
import {
  allowInsecureRequests,
  ClientError,
  ClientSecretPost,
  type Configuration,
  discovery,
  enableNonRepudiationChecks,
  None,
} from 'openid-client'
import { AkashiError, given, type OidcIssuer } from '../../foundation/index.ts'

/** Age in milliseconds at which configuration and keys are refreshed in the background. */
const REFRESH_MS = 10 * 60_000
/** Age in milliseconds beyond which keys are no longer used, so that withdrawn ones expire. */
const KEYS_MAX_AGE_MS = 60 * 60_000
const UNKNOWN_KEY_MS = 30_000
const TIMEOUT_S = 5
const MS_PER_S = 1_000
/** Of openid-client: what the provider calls itself is not the address under which it was asked. */
const OTHER_NAME = 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED'

export interface Issuer {
  readonly settings: OidcIssuer
  configuration(): Promise<Configuration>
  /** The key of a token; unknown keys are looked up, at most every half minute. */
  readonly key: JWTVerifyGetKey
}

/** @param unknownKeyMs minimum milliseconds between two lookups of unknown keys */
export function openIssuer(settings: OidcIssuer, unknownKeyMs: number = UNKNOWN_KEY_MS): Issuer {
  let known: { readonly configuration: Configuration; readonly at: number } | undefined
  let reading: Promise<Configuration> | undefined
  let keys:
    | { readonly url: string; readonly set: ReturnType<typeof createRemoteJWKSet>; at: number }
    | undefined

  async function read(): Promise<Configuration> {
    reading ??= discover(settings)
      .then((configuration) => {
        known = { configuration, at: performance.now() }
        return configuration
      })
      .finally(() => {
        reading = undefined
      })
    return reading
  }

  async function configuration(): Promise<Configuration> {
    if (known === undefined) return read()
    // The old configuration stays in use during the refresh, also if it fails.
    if (performance.now() - known.at > REFRESH_MS) read().catch(() => undefined)
    return known.configuration
  }

  const key: JWTVerifyGetKey = async (header, token) => {
    const url = (await configuration()).serverMetadata().jwks_uri
    if (url === undefined) throw notUsable(settings, 'it publishes no keys')
    if (keys?.url !== url) {
      const set = createRemoteJWKSet(new URL(url), {
        timeoutDuration: TIMEOUT_S * MS_PER_S,
        cooldownDuration: unknownKeyMs,
        cacheMaxAge: KEYS_MAX_AGE_MS,
      })
      keys = { url, set, at: performance.now() }
    } else if (performance.now() - keys.at > REFRESH_MS) {
      keys.at = performance.now()
      keys.set.reload().catch(() => undefined)
    }
    return keys.set(header, token)
  }

  return { settings, configuration, key }
}

/** Issuers that differ in a slash at the end are one: which of them a provider calls itself, only it knows. */
export function issuerForms(issuer: string): readonly [string, string] {
  return [issuer, issuer.endsWith('/') ? issuer.slice(0, -1) : `${issuer}/`]
}

async function discover(settings: OidcIssuer): Promise<Configuration> {
  const [configured, other] = issuerForms(settings.issuer)
  try {
    return await discoverAt(configured, settings).catch((error: unknown) => {
      if (error instanceof ClientError && error.code === OTHER_NAME) return discoverAt(other, settings)
      throw error
    })
  } catch (cause) {
    throw notUsable(settings, 'its configuration cannot be read', cause)
  }
}

function discoverAt(issuer: string, { clientId, clientSecret }: OidcIssuer): Promise<Configuration> {
  const url = new URL(issuer)
  return discovery(
    url,
    clientId,
    undefined,
    clientSecret === undefined ? None() : ClientSecretPost(clientSecret.reveal()),
    {
      timeout: TIMEOUT_S,
      execute: [
        // The signature of an ID token is checked although it comes over TLS (ASVS 5.0 9.1.1).
        enableNonRepudiationChecks,
        // The settings allow http only for this machine.
        ...(url.protocol === 'http:' ? [allowInsecureRequests] : []),
      ],
    },
  )
}

export function notUsable({ name }: OidcIssuer, why: string, cause?: unknown): AkashiError {
  return new AkashiError('unavailable', `the identity provider ${name} cannot be used: ${why}`, {
    hint: 'check the setting oidcIssuers, and whether the provider responds',
    ...given({ cause }),
  })
}
