import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import Provider, { type Configuration } from 'oidc-provider'

export const CLIENT = 'akashi'
export const CLIENT_SECRET = 'a secret of the tests, long enough'
export const SERVICE = 'reporting'
/** `aud` of the tokens that services get. */
export const AUDIENCE = 'https://akashi.example/api'

export interface TestProvider {
  readonly issuer: string
  /** Who signs in next, without being asked; the claims that the provider vouches for. */
  account: { sub: string; claims?: Record<string, unknown>; amr?: string[] }
  /** An access token for {@link SERVICE}, by its own credentials. */
  serviceToken(): Promise<string>
  /** Other signing keys from now on, as after a rotation. */
  rotate(): Promise<void>
  stop(): Promise<void>
}

/** A certified OpenID provider on this machine, whose sign-in page is a test. */
export async function startProvider(redirectUri: string): Promise<TestProvider> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  let keys = [await signingKey()]
  let serve = handler()
  server.on('request', (request, response) => void serve(request, response))

  const result: TestProvider = {
    issuer,
    account: { sub: 'nobody' },
    serviceToken: async () => {
      const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: SERVICE,
          client_secret: CLIENT_SECRET,
          resource: AUDIENCE,
        }),
      })
      const { access_token: token } = (await answer.json()) as { access_token: string }
      return token
    },
    rotate: async () => {
      keys = [await signingKey()]
      serve = handler()
    },
    stop: () => closed(server),
  }
  return result

  function handler() {
    const configuration: Configuration = {
      jwks: { keys },
      cookies: { keys: ['a key of the tests'] },
      clients: [
        {
          client_id: CLIENT,
          client_secret: CLIENT_SECRET,
          redirect_uris: [redirectUri],
          token_endpoint_auth_method: 'client_secret_post',
        },
        {
          client_id: SERVICE,
          client_secret: CLIENT_SECRET,
          redirect_uris: [],
          response_types: [],
          grant_types: ['client_credentials'],
          token_endpoint_auth_method: 'client_secret_post',
        },
      ],
      conformIdTokenClaims: false,
      claims: {
        openid: ['sub'],
        email: ['email', 'email_verified'],
        profile: ['name', 'preferred_username'],
      },
      findAccount: async (_, sub) => ({
        accountId: sub,
        claims: async () => ({ sub, ...result.account.claims }),
      }),
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: async () => ({
            scope: '',
            audience: AUDIENCE,
            accessTokenFormat: 'jwt' as const,
            jwt: { sign: { alg: 'RS256' as const } },
          }),
        },
      },
    }
    const provider = new Provider(issuer, configuration)
    const callback = provider.callback()
    return async (...[request, response]: Parameters<typeof callback>): Promise<void> => {
      if (request.url?.startsWith('/interaction/') !== true) return callback(request, response)
      const { sub, amr } = result.account
      const { params } = await provider.interactionDetails(request, response)
      const grant = new provider.Grant({ accountId: sub, clientId: String(params['client_id']) })
      grant.addOIDCScope(String(params['scope']))
      await provider.interactionFinished(request, response, {
        login: { accountId: sub, ...(amr === undefined ? {} : { amr }) },
        consent: { grantId: await grant.save() },
      })
    }
  }
}

async function signingKey() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return { ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256' }
}

/** Follows redirects at the provider, as a browser does, until one leads elsewhere; answers that address. */
export async function throughProvider(start: string, issuer: string): Promise<string> {
  const cookies = new Map<string, string>()
  let url = start
  for (let step = 0; step < 10 && url.startsWith(issuer); step += 1) {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    })
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    if (location === null) throw new Error(`the provider answered ${answer.status}: ${await answer.text()}`)
    url = new URL(location, url).href
  }
  return url
}

/** Signs whatever a test wants to, and publishes the key as a provider does. */
export interface TokenForge {
  readonly issuer: string
  /** How often the keys were asked for. */
  readonly fetches: () => number
  sign(claims: JWTPayload, header?: Record<string, unknown>): Promise<string>
  /** Bytes of the public key as an attacker has them. */
  readonly publicKey: () => Promise<Uint8Array>
  readonly answering: { value: boolean }
  stop(): Promise<void>
}

/** @param name what it calls itself below its address, such as `/realms/main/` */
export async function startForge(name = ''): Promise<TokenForge> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'forge', use: 'sig', alg: 'RS256' }
  const answering = { value: true }
  let fetches = 0
  const server = createServer((request, response) => {
    const { port } = server.address() as AddressInfo
    const base = `http://127.0.0.1:${port}`
    if (!answering.value) return void response.writeHead(503).end()
    response.setHeader('content-type', 'application/json')
    if (request.url === '/jwks') {
      fetches += 1
      return void response.end(JSON.stringify({ keys: [jwk] }))
    }
    return void response.end(
      JSON.stringify({
        issuer: `${base}${name}`,
        jwks_uri: `${base}/jwks`,
        authorization_endpoint: `${base}/auth`,
        token_endpoint: `${base}/token`,
      }),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}${name}`
  return {
    issuer,
    fetches: () => fetches,
    answering,
    publicKey: async () => Buffer.from(JSON.stringify(await exportJWK(publicKey))),
    sign: (claims, header = {}) =>
      new SignJWT({ iss: issuer, sub: 'robot', exp: Math.floor(Date.now() / 1_000) + 300, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'forge', typ: 'at+jwt', ...header })
        .sign(privateKey),
    stop: () => closed(server),
  }
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}
