/** The file that holds a key of the service. */
import { z } from 'zod'
import { AkashiError, uuidV7 } from '../foundation/index.ts'
import { algorithmOf, ID, type Key, SECRET_BYTES } from './key.ts'
import type { KeyService } from './key-service.ts'
import type { KeyPurpose } from './types.ts'

/** Of the service (a person's key is made by person-keys.ts), with the text of its file. */
export async function makeKey(
  purpose: KeyPurpose,
  createdAt: Date,
  service: KeyService,
): Promise<{ readonly key: Key; readonly text: string }> {
  const id = `${purpose}-${uuidV7(createdAt)}`
  const about = { id, purpose, algorithm: algorithmOf[purpose], createdAt, subject: null }
  const { secret, wrapped } = await service.make(about)
  const file = {
    version: 1,
    ...about,
    createdAt: createdAt.toISOString(),
    secret: Buffer.from(wrapped).toString('base64'),
  }
  return { key: { ...about, secret: Buffer.from(secret) }, text: `${JSON.stringify(file, null, 2)}\n` }
}

const keyFile = z.strictObject({
  version: z.literal(1),
  id: z.string().regex(ID),
  purpose: z.enum([
    'checkpoint',
    'context',
    'wrapping',
    'person',
    'blind-index',
    'report',
    'witness',
    'backup',
  ]),
  algorithm: z.enum(['ed25519', 'hmac-sha256', 'aes-256-gcm', 'x25519']),
  createdAt: z.iso.datetime(),
  subject: z.string().nullable(),
  secret: z.base64(),
})

/** `integrity` when the file is not the key that its name says, or was changed. */
export async function decodeKey(id: string, text: string, service: KeyService): Promise<Key> {
  try {
    const { version: _, secret: stored, ...info } = keyFile.parse(JSON.parse(text))
    const known = { ...info, createdAt: new Date(info.createdAt) }
    const secret = Buffer.from(await service.unwrap(Buffer.from(stored, 'base64'), known))
    if (known.id === id && algorithmOf[known.purpose] === known.algorithm && secret.length === SECRET_BYTES) {
      return { ...known, secret }
    }
  } catch (error) {
    if (error instanceof AkashiError) throw error
    // Any other cause may quote the file, and with it the secret.
  }
  throw damagedKey(id)
}

export function damagedKey(keyId: string): AkashiError {
  return new AkashiError('integrity', 'a key file is damaged', {
    hint: "restore it from the keyring's own backup",
    detail: { keyId },
  })
}

/** `destroyed` tells an erased person from a wrong or lost keyring. */
export function noSuchKey(keyId: string, destroyed: boolean): AkashiError {
  return new AkashiError('not_found', destroyed ? 'the key was destroyed' : 'the keyring has no such key', {
    ...(destroyed ? {} : { hint: 'check that KEYS_URL names the keyring that the database was used with' }),
    detail: { keyId, destroyed },
  })
}
