/** Secrets of channels, encrypted under a key of the keyring; only the worker reads them, to deliver. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Keyring } from '../keys/index.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16

interface Sealed {
  readonly keyId: string
  readonly bytes: Buffer
}

/** @param channel name of the channel, so that the secret cannot be used in another one */
export async function sealSecret(keyring: Keyring, channel: string, secret: string): Promise<Sealed> {
  const { id } = await keyring.ensure('delivery')
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', await keyring.secret(id), nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(`${id}\0${channel}`))
  return {
    keyId: id,
    bytes: Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]),
  }
}

export async function openSecret(
  keyring: Keyring,
  channel: string,
  { keyId, bytes }: Sealed,
): Promise<string> {
  const decipher = createDecipheriv(
    'aes-256-gcm',
    await keyring.secret(keyId),
    bytes.subarray(0, NONCE_BYTES),
    {
      authTagLength: TAG_BYTES,
    },
  )
  decipher.setAAD(Buffer.from(`${keyId}\0${channel}`))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString(
    'utf8',
  )
}
