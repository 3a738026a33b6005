/** Passkeys by what the browser has for them (WebAuthn). */
import type { BodyOf } from '@akashi/contract'
import { call } from './client.ts'

export type PasskeyProof = Extract<BodyOf<'POST /v1/session/step-up'>, { passkey: unknown }>['passkey']

/** No passkey is for an address such as 127.0.0.1, and older browsers cannot read the server's options. */
export function hasPasskeys(): boolean {
  const isAddress = /^[\d.]+$|:/.test(location.hostname)
  return (
    !isAddress &&
    typeof PublicKeyCredential === 'function' &&
    'parseRequestOptionsFromJSON' in PublicKeyCredential
  )
}

/** Asks the person for a passkey of theirs. */
export async function askPasskey(): Promise<PasskeyProof> {
  const { challenge, options } = await call('POST /v1/session/passkey')
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options as unknown as PublicKeyCredentialRequestOptionsJSON,
  )
  return { challenge, response: responseOf(await navigator.credentials.get({ publicKey })) }
}

/** Makes a passkey and adds it to the account; returns recovery codes where it is the first second factor. */
export async function addPasskey(label: string | null): Promise<readonly string[] | null> {
  const { challenge, options } = await call('POST /v1/me/passkeys/options')
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options as unknown as PublicKeyCredentialCreationOptionsJSON,
  )
  const response = responseOf(await navigator.credentials.create({ publicKey }))
  return (await call('POST /v1/me/passkeys', { body: { challenge, response, label } })).recoveryCodes
}

/** The person closed the browser's dialog, let it time out, or has no passkey for this site. */
export function isDismissedPasskey(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'AbortError')
}

/** The passkey is on this device already. */
export function isKnownPasskey(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'InvalidStateError'
}

function responseOf(credential: Credential | null): Record<string, unknown> {
  if (!(credential instanceof PublicKeyCredential))
    throw new DOMException('there is no passkey', 'NotAllowedError')
  return { ...credential.toJSON() }
}
