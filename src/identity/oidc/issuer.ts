/** What is known of an OpenID provider: discovered once, then refreshed behind the requests' backs. */
import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose'
import {
  allowInsecureRequests,
  ClientSecretPost,
  type Configuration,
  discovery,
  enableNonRepudiationChecks,
  None,
} from 'openid-client'
import { AkashiError, given, type OidcIssuer } from '../../foundation/index.ts'

/** Age in milliseconds at which configuration and keys are read again while the old ones still serve. */
const REFRESH_MS = 10 * 60_000
/** Age in milliseconds beyond which keys serve no more, so that a withdrawn one ends. */
const KEYS_MAX_AGE_MS = 60 * 60_000
const UNKNOWN_KEY_MS = 30_000
const TIMEOUT_S = 5
const MS_PER_S = 1_000

export interface Issuer {
  readonly settings: OidcIssuer
  configuration(): Promise<Configuration>
  /** The key that a token names; unknown keys are looked up, at most every half minute. */
  readonly key: JWTVerifyGetKey
}

/** @param unknownKeyMs milliseconds between two looks for a key that is not known, whatever tokens name it */
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
    // What is there goes on serving while the provider is asked, also when it does not answer.
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

async function discover(settings: OidcIssuer): Promise<Configuration> {
  const { issuer, clientId, clientSecret } = settings
  const url = new URL(issuer)
  try {
    return await discovery(
      url,
      clientId,
      undefined,
      clientSecret === undefined ? None() : ClientSecretPost(clientSecret.reveal()),
      {
        timeout: TIMEOUT_S,
        execute: [
          // The signature of an ID token is checked although it comes over TLS (ASVS 5.0 9.1.1).
          enableNonRepudiationChecks,
          // The settings take plain http for this machine only.
          ...(url.protocol === 'http:' ? [allowInsecureRequests] : []),
        ],
      },
    )
  } catch (cause) {
    throw notUsable(settings, 'its configuration cannot be read', cause)
  }
}

export function notUsable({ name }: OidcIssuer, why: string, cause?: unknown): AkashiError {
  return new AkashiError('unavailable', `the identity provider ${name} cannot be used: ${why}`, {
    hint: 'see the setting oidcIssuers, and whether the provider answers',
    ...given({ cause }),
  })
}
