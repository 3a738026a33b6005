/** What a key is, and the file that holds it. */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { AkashiError, uuidV7 } from '../foundation/index.ts'
import type { Wrapping } from './passphrase.ts'
import type { KeyInfo, KeyPurpose } from './types.ts'

/** Ed25519 seeds, HMAC-SHA-256 keys, AES-256 keys and X25519 secrets are all of this length. */
export const SECRET_BYTES = 32

export const algorithmOf = {
  checkpoint: 'ed25519',
  context: 'hmac-sha256',
  wrapping: 'aes-256-gcm',
  person: 'aes-256-gcm',
  'blind-index': 'hmac-sha256',
  report: 'ed25519',
  witness: 'ed25519',
  backup: 'x25519',
} as const satisfies Record<KeyPurpose, KeyInfo['algorithm']>

const ID =
  /^(checkpoint|context|wrapping|person|blind-index|report|witness|backup)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function isKeyId(id: string): boolean {
  return ID.test(id)
}

/** A key never changes after it was made; whether it is active is told by its slot. */
export type Key = Omit<KeyInfo, 'state'> & { readonly secret: Buffer }

export function newKey(purpose: KeyPurpose, subject: string | null, createdAt: Date): Key {
  return {
    id: `${purpose}-${uuidV7(createdAt)}`,
    purpose,
    algorithm: algorithmOf[purpose],
    createdAt,
    subject,
    secret: randomBytes(SECRET_BYTES),
  }
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

/** The secret is bound to everything else in the file, so that no wrapped secret can pose as another key's. */
function associated(key: Omit<Key, 'secret'>): Buffer {
  const { id, purpose, algorithm, createdAt, subject } = key
  return Buffer.from(
    JSON.stringify(['akashi key 1', id, purpose, algorithm, createdAt.toISOString(), subject]),
  )
}

export function encodeKey(key: Key, wrapping: Wrapping | null): string {
  const stored = wrapping === null ? key.secret : wrapping.wrap(key.secret, associated(key))
  const { id, purpose, algorithm, subject } = key
  const createdAt = key.createdAt.toISOString()
  const file = { version: 1, id, purpose, algorithm, createdAt, subject, secret: stored.toString('base64') }
  return `${JSON.stringify(file, null, 2)}\n`
}

/** `integrity` when the file is not the key that its name says, or was changed. */
export function decodeKey(id: string, text: string, wrapping: Wrapping | null): Key {
  try {
    const { version: _, secret: stored, ...info } = keyFile.parse(JSON.parse(text))
    const known = { ...info, createdAt: new Date(info.createdAt) }
    const bytes = Buffer.from(stored, 'base64')
    const secret = wrapping === null ? bytes : wrapping.unwrap(bytes, associated(known))
    if (known.id === id && algorithmOf[known.purpose] === known.algorithm && secret.length === SECRET_BYTES) {
      return { ...known, secret }
    }
  } catch {
    // The cause may quote the file, and with it the secret.
  }
  throw new AkashiError('integrity', 'a key file is damaged', {
    hint: "restore it from the keyring's own backup",
    detail: { keyId: id },
  })
}
