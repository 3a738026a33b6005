/** The file of a service key. */
import { z } from 'zod'
import { AkashiError, uuidV7 } from '../foundation/index.ts'
import { algorithmOf, ID, type Key, SECRET_BYTES } from './key.ts'
import type { KeyService } from './key-service.ts'
import type { KeyPurpose } from './types.ts'

/** Makes a service key and the text of its file; person-keys.ts makes person keys. */
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
    'post-quantum-witness',
    'backup',
    'delivery',
  ]),
  algorithm: z.enum(['ed25519', 'ml-dsa-44', 'hmac-sha256', 'aes-256-gcm', 'x25519']),
  createdAt: z.iso.datetime(),
  subject: z.string().nullable(),
  secret: z.base64(),
})

/** `integrity` if the file was changed or is not the key of its name. */
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
    // Other causes may quote the file including the secret, so they are dropped.
  }
  throw damagedKey(id)
}

export function damagedKey(keyId: string): AkashiError {
  return new AkashiError('integrity', 'a key file is damaged', {
    hint: "restore it from the keyring's own backup",
    detail: { keyId },
  })
}

/** `destroyed` distinguishes an erased person from a wrong or lost keyring. */
export function noSuchKey(keyId: string, destroyed: boolean): AkashiError {
  return new AkashiError('not_found', destroyed ? 'the key was destroyed' : 'the keyring has no such key', {
    ...(destroyed ? {} : { hint: 'check that KEYS_URL names the keyring of this database' }),
    detail: { keyId, destroyed },
  })
}
