import { SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { oidcIssuersSchema } from '../../src/foundation/config/oidc-issuers.ts'
import { type Issuer, openIssuer, verifyBearer } from '../../src/identity/index.ts'
import { AUDIENCE, startForge, type TokenForge } from './provider.ts'

let forge: TokenForge

beforeAll(async () => {
  forge = await startForge()
})
afterAll(() => forge.stop())

function issuer(changes: Record<string, unknown> = {}): Issuer {
  const [settings] = oidcIssuersSchema.parse([
    { name: 'forge', issuer: forge.issuer, clientId: 'akashi', audiences: [AUDIENCE], ...changes },
  ])
  if (settings === undefined) throw new Error('there is one')
  return openIssuer(settings)
}

describe('a token of RFC 9068', () => {
  it('is taken with what it says', async () => {
    const token = await forge.sign({ aud: AUDIENCE, client_id: 'reporting', groups: ['a', 'b'] })
    expect(await verifyBearer([issuer()], token)).toMatchObject({
      issuer: forge.issuer,
      subject: 'robot',
      clientId: 'reporting',
      groups: ['a', 'b'],
    })
  })

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['another audience', { aud: 'https://other.example' }, {}],
    ['no audience', {}, {}],
    ['an end in the past', { aud: AUDIENCE, exp: 1_000 }, {}],
    ['a beginning in the future', { aud: AUDIENCE, nbf: 4_000_000_000 }, {}],
    ['another issuer', { aud: AUDIENCE, iss: 'https://other.example' }, {}],
    ['the issuer with a slash', { aud: AUDIENCE, iss: 'SLASH' }, {}],
    ['no subject', { aud: AUDIENCE, sub: undefined }, {}],
    ['no end', { aud: AUDIENCE, exp: undefined }, {}],
    ['the type of an ID token', { aud: AUDIENCE }, { typ: 'JWT' }],
    ['the type of a logout token', { aud: AUDIENCE }, { typ: 'logout+jwt' }],
    ['no type', { aud: AUDIENCE }, { typ: undefined }],
  ])('is refused with %s', async (_, claims, header) => {
    const said = claims['iss'] === 'SLASH' ? { ...claims, iss: `${forge.issuer}/` } : claims
    expect(await verifyBearer([issuer()], await forge.sign(said, header))).toBeNull()
  })

  it.each(['', '/', '/realms/main', '/realms/main/'])(
    'is taken from an issuer %j that is configured with or without the slash, and is named as it names itself',
    async (name) => {
      const named = await startForge(name)
      try {
        const bare = named.issuer.replace(/\/$/, '')
        for (const configured of [bare, `${bare}/`]) {
          const token = await named.sign({ aud: AUDIENCE })
          expect(await verifyBearer([issuer({ issuer: configured })], token)).toMatchObject({
            issuer: configured,
            subject: 'robot',
          })
          const other = named.issuer.endsWith('/') ? bare : `${bare}/`
          const misnamed = await named.sign({ aud: AUDIENCE, iss: other })
          expect(await verifyBearer([issuer({ issuer: configured })], misnamed)).toBeNull()
        }
      } finally {
        await named.stop()
      }
    },
  )

  it('is refused without a signature, with a shared secret, or with another key', async () => {
    const claims = { iss: forge.issuer, sub: 'robot', aud: AUDIENCE, exp: 4_000_000_000 }
    expect(await verifyBearer([issuer()], new UnsecuredJWT(claims).encode())).toBeNull()
    const confused = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', kid: 'forge', typ: 'at+jwt' })
      .sign(await forge.publicKey())
    expect(await verifyBearer([issuer()], confused)).toBeNull()
    const other = await startForge()
    try {
      const stolen = await other.sign({ iss: forge.issuer, aud: AUDIENCE })
      expect(await verifyBearer([issuer()], stolen)).toBeNull()
    } finally {
      await other.stop()
    }
  })

  it('is refused by an algorithm that the settings do not name, and by an issuer without audiences', async () => {
    const token = await forge.sign({ aud: AUDIENCE })
    expect(await verifyBearer([issuer({ algorithms: ['ES256'] })], token)).toBeNull()
    expect(await verifyBearer([issuer({ audiences: [] })], token)).toBeNull()
  })

  it.each(['', 'a.b', 'a.b.c', 'x'.repeat(10_000), `${'x'.repeat(9_000)}.b.c`])(
    'is not %.20j',
    async (token) => {
      expect(await verifyBearer([issuer()], token)).toBeNull()
    },
  )
})

describe('the form of Cognito', () => {
  const cognito = () => issuer({ form: 'cognito', audiences: ['client-1'] })

  it('has the client in place of an audience', async () => {
    const token = await forge.sign(
      // As the developer guide of user pools shows an access token.
      {
        sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
        device_key: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
        'cognito:groups': ['staff'],
        token_use: 'access',
        scope: 'phone openid profile email',
        auth_time: 1_676_313_851,
        iat: 1_676_313_851,
        version: 2,
        jti: 'dddddddd-eeee-4fff-8aaa-bbbbbbbbbbbb',
        origin_jti: 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
        event_id: 'cccccccc-dddd-4eee-8fff-aaaaaaaaaaaa',
        client_id: 'client-1',
        username: 'my-test-user',
      },
      { typ: undefined },
    )
    expect(await verifyBearer([cognito()], token)).toMatchObject({
      subject: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      clientId: 'client-1',
      groups: ['staff'],
    })
  })

  it.each([
    { token_use: 'id', client_id: 'client-1', aud: 'client-1' },
    { token_use: 'access', client_id: 'client-2' },
    { client_id: 'client-1' },
  ])('refuses %j', async (claims) => {
    expect(await verifyBearer([cognito()], await forge.sign(claims))).toBeNull()
  })
})

describe('the form of Keycloak', () => {
  const keycloak = () => issuer({ form: 'keycloak' })

  it('says the client and roles of the realm', async () => {
    // As Keycloak writes one for a confidential client whose audience mapper names us.
    const claims = {
      sub: 'f1d0e3c2-5a77-4f0e-9d8e-0c7d6f5b4a32',
      iat: 1_760_000_000,
      auth_time: 1_760_000_000,
      jti: 'onrtac:3d9e1c53-9a0b-6d1c-7b6e-2a3f4d5c6b7a',
      aud: ['account', AUDIENCE],
      typ: 'Bearer',
      azp: 'web',
      sid: '0b8f7c6d-1e2d-4c3b-8a49-5f6e7d8c9b0a',
      acr: '1',
      'allowed-origins': ['https://web.example'],
      realm_access: { roles: ['auditor'] },
      resource_access: { account: { roles: ['manage-account', 'view-profile'] } },
      scope: 'openid email profile',
      email_verified: true,
      name: 'Hanako Yamada',
      preferred_username: 'hanako',
      email: 'hanako@example.com',
    }
    const token = await forge.sign(claims, { typ: 'JWT' })
    expect(await verifyBearer([keycloak()], token)).toMatchObject({ clientId: 'web', groups: ['auditor'] })
  })

  it.each([
    { aud: AUDIENCE, typ: 'ID', azp: 'web' },
    { aud: AUDIENCE, typ: 'Refresh', azp: 'web' },
    { aud: 'account', typ: 'Bearer', azp: 'web' },
  ])('refuses %j', async (claims) => {
    expect(await verifyBearer([keycloak()], await forge.sign(claims, { typ: 'JWT' }))).toBeNull()
  })
})

describe('keys', () => {
  it('are fetched once, not for each token, and not for each unknown one', async () => {
    const known = issuer()
    const before = forge.fetches()
    const token = await forge.sign({ aud: AUDIENCE })
    for (let i = 0; i < 20; i += 1) expect(await verifyBearer([known], token)).not.toBeNull()
    const unknown = await forge.sign({ aud: AUDIENCE }, { kid: 'never-published' })
    for (let i = 0; i < 20; i += 1) expect(await verifyBearer([known], unknown)).toBeNull()
    expect(forge.fetches() - before).toBe(1)
  })

  it('that cannot be had are no refusal of the caller', async () => {
    forge.answering.value = false
    try {
      await expect(verifyBearer([issuer()], await forge.sign({ aud: AUDIENCE }))).rejects.toMatchObject({
        code: 'unavailable',
      })
    } finally {
      forge.answering.value = true
    }
  })
})

it('settings refuse what would not be safe', () => {
  const settings = (changes: object) =>
    oidcIssuersSchema.safeParse([{ name: 'a', issuer: 'https://id.example', clientId: 'x', ...changes }])
      .success
  expect(settings({})).toBe(true)
  expect(settings({ issuer: 'http://127.0.0.1:8080/realms/x' })).toBe(true)
  expect(settings({ issuer: 'http://id.example' })).toBe(false)
  expect(settings({ algorithms: ['HS256'] })).toBe(false)
  expect(settings({ algorithms: ['none'] })).toBe(false)
  expect(settings({ name: '../x' })).toBe(false)
  expect(settings({ unknown: 1 })).toBe(false)
  const twice = { name: 'a', issuer: 'https://id.example', clientId: 'x' }
  expect(oidcIssuersSchema.safeParse([twice, { ...twice, name: 'b' }]).success).toBe(false)
  expect(oidcIssuersSchema.safeParse(JSON.stringify([twice])).success).toBe(true)
})
