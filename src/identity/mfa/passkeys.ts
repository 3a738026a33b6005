/**
 * Passkeys (WebAuthn Level 3). Each signs a challenge of this server after verifying its owner, by PIN or
 * biometrics, so one alone is two factors. A challenge is sealed and stored nowhere; one that is older than the last use
 * of the passkey counts no more.
 */
import { randomBytes } from 'node:crypto'
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import type { Sealer } from '../sessions/index.ts'
import { dropSpareCodes } from './factors.ts'

const CHALLENGE_LIFETIME_S = 5 * 60
const CHALLENGE_BYTES = 32
const ADD = 'passkey to add'
const SHOW = 'passkey to show'
const MAX_PASSKEYS = 20
/** Names of RFC 8176: a proof of possession, with the presence of the user verified. */
export const PASSKEY_METHODS = ['pop', 'user', 'mfa'] as const

/** The site that the passkeys are for. */
export interface RelyingParty {
  /** The host name of the pages. */
  readonly id: string
  readonly origin: string
}

export interface PasskeyProof {
  readonly challenge: string
  readonly response: Readonly<Record<string, unknown>>
}

export interface Passkey {
  readonly id: string
  readonly label: string | null
  readonly backedUp: boolean
  readonly createdAt: string
  readonly lastUsedAt: string | null
}

/** A passkey as its check needs it. */
export interface KnownPasskey {
  readonly id: string
  readonly userId: string
  readonly issuer: string
  readonly credentialId: string
  readonly publicKey: Uint8Array<ArrayBuffer>
  readonly signCount: number
}

const sealedChallenge = z.strictObject({
  value: z.string(),
  userId: z.guid().nullable(),
  /** In ms since 1970. */
  at: z.number(),
})

export async function listPasskeys(session: Session, userId: string): Promise<readonly Passkey[]> {
  const { rows } = await session.query<Passkey>(
    `select id, label, backed_up as "backedUp", created_at as "createdAt", last_used_at as "lastUsedAt"
     from akashi_auth.passkeys where user_id = $1 order by created_at, id`,
    [userId],
  )
  return rows
}

/** A challenge for any passkey of this server. */
export async function challengePasskey(sealer: Sealer, party: RelyingParty) {
  const options = await generateAuthenticationOptions({ rpID: party.id, userVerification: 'required' })
  return { challenge: await seal(sealer, SHOW, options.challenge, null), options }
}

/** A challenge for a passkey that is to be added. */
export async function challengeNewPasskey(
  session: Session,
  sealer: Sealer,
  party: RelyingParty,
  user: { readonly id: string; readonly username: string; readonly displayName: string | null },
) {
  const { rows } = await session.query<{ credential_id: Buffer }>(
    'select credential_id from akashi_auth.passkeys where user_id = $1',
    [user.id],
  )
  const options = await generateRegistrationOptions({
    rpName: 'Akashi',
    rpID: party.id,
    userID: Uint8Array.from(Buffer.from(user.id)),
    userName: user.username,
    userDisplayName: user.displayName ?? user.username,
    challenge: Uint8Array.from(randomBytes(CHALLENGE_BYTES)),
    attestationType: 'none',
    excludeCredentials: rows.map((row) => ({ id: row.credential_id.toString('base64url') })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  })
  return { challenge: await seal(sealer, ADD, options.challenge, user.id), options }
}

/** Adds a passkey that signed its challenge; returns its id. @throws invalid_input, conflict */
export async function addPasskey(
  session: Session,
  sealer: Sealer,
  party: RelyingParty,
  userId: string,
  proof: PasskeyProof & { readonly label: string | null },
): Promise<string> {
  const challenge = await sealer.open(ADD, proof.challenge, sealedChallenge)
  if (challenge === null || challenge.userId !== userId) throw unanswered()
  const checked = await verifyRegistrationResponse({
    // The library refuses what is not in it.
    response: proof.response as unknown as RegistrationResponseJSON,
    expectedChallenge: challenge.value,
    expectedOrigin: party.origin,
    expectedRPID: party.id,
    requireUserVerification: true,
  }).catch((cause: unknown) => {
    throw unanswered(cause)
  })
  if (!checked.verified) throw unanswered()
  const { credential, credentialBackedUp } = checked.registrationInfo
  const { rows } = await session.query<{ id: string }>(
    `insert into akashi_auth.passkeys (user_id, credential_id, public_key, sign_count, label, backed_up)
     select $1, $2, $3, $4, $5, $6
     where (select count(*) from akashi_auth.passkeys where user_id = $1) < ${MAX_PASSKEYS}
     on conflict (credential_id) do nothing returning id`,
    [
      userId,
      Buffer.from(credential.id, 'base64url'),
      Buffer.from(credential.publicKey),
      credential.counter,
      proof.label,
      credentialBackedUp,
    ],
  )
  const [row] = rows
  if (row === undefined) {
    throw new AkashiError('conflict', 'the passkey was not added', {
      hint: `it was already added, or the account has ${MAX_PASSKEYS} passkeys`,
    })
  }
  return row.id
}

/** @throws not_found */
export async function removePasskey(session: Session, userId: string, id: string): Promise<void> {
  const { rowCount } = await session.query(
    'delete from akashi_auth.passkeys where user_id = $1 and id = $2',
    [userId, id],
  )
  if (rowCount === 0) throw new AkashiError('not_found', 'passkey not found')
  await dropSpareCodes(session, userId)
}

/** The passkey that a response names; null if there is none. Requires the role `worker`. */
export async function findPasskey(
  session: Session,
  { response }: PasskeyProof,
): Promise<KnownPasskey | null> {
  const credentialId = typeof response['id'] === 'string' ? response['id'] : ''
  if (!/^[\w-]{1,1364}$/.test(credentialId)) return null
  const { rows } = await session.query<{
    id: string
    user_id: string
    issuer: string
    public_key: Buffer
    sign_count: bigint
  }>('select * from akashi_auth.passkey_named($1)', [Buffer.from(credentialId, 'base64url')])
  const [row] = rows
  if (row === undefined) return null
  return {
    id: row.id,
    userId: row.user_id,
    issuer: row.issuer,
    credentialId,
    publicKey: Uint8Array.from(row.public_key),
    signCount: Number(row.sign_count),
  }
}

/** Checks the response of a passkey, which can be used once. Requires the role `worker`. */
export async function usePasskey(
  session: Session,
  sealer: Sealer,
  party: RelyingParty,
  passkey: KnownPasskey,
  proof: PasskeyProof,
): Promise<boolean> {
  const challenge = await sealer.open(SHOW, proof.challenge, sealedChallenge)
  if (challenge === null) return false
  const checked = await verifyAuthenticationResponse({
    // The library refuses what is not in it.
    response: proof.response as unknown as AuthenticationResponseJSON,
    expectedChallenge: challenge.value,
    expectedOrigin: party.origin,
    expectedRPID: party.id,
    requireUserVerification: true,
    credential: { id: passkey.credentialId, publicKey: passkey.publicKey, counter: passkey.signCount },
  }).catch(() => null)
  if (checked?.verified !== true) return false
  const { rows } = await session.query<{ used: boolean }>(
    'select akashi_auth.use_passkey($1, $2, $3) as used',
    [passkey.id, checked.authenticationInfo.newCounter, new Date(challenge.at).toISOString()],
  )
  return rows[0]?.used === true
}

function seal(sealer: Sealer, purpose: string, value: string, userId: string | null): Promise<string> {
  return sealer.seal(purpose, { value, userId, at: Date.now() }, CHALLENGE_LIFETIME_S)
}

function unanswered(cause?: unknown): AkashiError {
  return new AkashiError('invalid_input', 'the passkey’s response does not match the challenge', {
    hint: 'start again',
    ...(cause === undefined ? {} : { cause }),
  })
}
