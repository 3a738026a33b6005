/**
 * The file of the key of a person or room, or the tombstone of a destroyed one. Each has one key ever: its id and path
 * are derived from the person or room, so that a destroyed key is never recreated by mistake.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { AkashiError, jsonOrNull } from '../foundation/index.ts'
import { type Key, SECRET_BYTES } from './key.ts'
import { damagedKey } from './key-file.ts'
import { unwrapSecret, wrapSecret } from './secret-wrapping.ts'

const MAX_SUBJECT_BYTES = 255
const UUID_BYTES = 16

/** What a key of this store belongs to. */
export type Owned = 'person' | 'room'

export function isOwnedPurpose(purpose: string | undefined): purpose is Owned {
  return purpose === 'person' || purpose === 'room'
}

/** Undefined for the key of a service. */
export function ownedPurposeOf(id: string): Owned | undefined {
  const purpose = id.slice(0, id.indexOf('-'))
  return isOwnedPurpose(purpose) ? purpose : undefined
}

export function personKeyId(subject: string | undefined): string {
  return ownedKeyId('person', subject)
}

export function roomKeyId(room: string): string {
  return ownedKeyId('room', room)
}

/** `person-` or `room-` and a UUID version 8 from the first bits of a digest of the subject. */
export function ownedKeyId(purpose: Owned, subject: string | undefined): string {
  if (subject === undefined || subject === '' || Buffer.byteLength(subject) > MAX_SUBJECT_BYTES) {
    throw new AkashiError('invalid_input', `a ${purpose} key needs a subject`, {
      hint: `give the ${purpose} as 1 to ${MAX_SUBJECT_BYTES} bytes; a ${purpose}'s key can only be destroyed, not rotated`,
    })
  }
  const bytes = createHash('sha256')
    .update(`akashi ${purpose} key 1\n${subject}`)
    .digest()
    .subarray(0, UUID_BYTES)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${purpose}-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** 256 folders: about 400 files each for 100,000 persons. */
export function shardOf(id: string): string {
  const at = id.indexOf('-') + 1
  return id.slice(at, at + 2)
}

const keyFile = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  subject: z.string(),
  createdAt: z.iso.datetime(),
  wrappedBy: z.string(),
  secret: z.base64(),
})
const destroyedFile = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  destroyedAt: z.iso.datetime(),
})
const personFile = z.union([keyFile, destroyedFile])

export type PersonFile = WrappedPersonKey | { readonly kind: 'destroyed'; readonly destroyedAt: Date }

export interface WrappedPersonKey {
  readonly kind: 'key'
  readonly id: string
  readonly subject: string
  readonly createdAt: Date
  /** Id of the wrapping key. */
  readonly wrappedBy: string
  readonly wrapped: Buffer
}

/** `integrity` if the file does not belong to its name. */
export function parsePersonFile(id: string, text: string): PersonFile {
  const parsed = personFile.safeParse(jsonOrNull(text))
  if (!parsed.success || parsed.data.id !== id) throw damagedKey(id)
  const file = parsed.data
  if ('destroyedAt' in file) return { kind: 'destroyed', destroyedAt: new Date(file.destroyedAt) }
  const { subject, wrappedBy } = file
  return {
    kind: 'key',
    id,
    subject,
    createdAt: new Date(file.createdAt),
    wrappedBy,
    wrapped: Buffer.from(file.secret, 'base64'),
  }
}

type PersonFacts = Pick<WrappedPersonKey, 'id' | 'subject' | 'createdAt'>

export function encodePersonKey(person: PersonFacts, secret: Uint8Array, wrapping: Key): string {
  const { id, subject } = person
  const stored = wrapSecret(wrapping.secret, secret, associated(person, wrapping.id)).toString('base64')
  const createdAt = person.createdAt.toISOString()
  return line({ version: 1, id, subject, createdAt, wrappedBy: wrapping.id, secret: stored })
}

export function encodeDestroyed(id: string, at: Date): string {
  return line({ version: 1, id, destroyedAt: at.toISOString() })
}

/** `integrity` if the file was changed or contains another key. */
export function unwrapPersonKey(file: WrappedPersonKey, wrapping: Key): Buffer {
  try {
    const secret = unwrapSecret(wrapping.secret, file.wrapped, associated(file, wrapping.id))
    const purpose = ownedPurposeOf(file.id)
    if (
      secret.length === SECRET_BYTES &&
      purpose !== undefined &&
      ownedKeyId(purpose, file.subject) === file.id
    )
      return secret
  } catch {
    // Authentication failed; the cause adds nothing.
  }
  throw damagedKey(file.id)
}

function associated({ id, subject, createdAt }: PersonFacts, wrappedBy: string): Buffer {
  return Buffer.from(JSON.stringify(['akashi person key 1', id, subject, createdAt.toISOString(), wrappedBy]))
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`
}
