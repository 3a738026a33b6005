import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'
import { SECRET_BYTES } from './key.ts'
import { personKeyId, roomKeyId } from './person-key-file.ts'
import { secretUnlessDestroyed } from './person-vault.ts'
import { unwrapSecret, wrapSecret } from './secret-wrapping.ts'
import type { Keyring } from './types.ts'

/**
 * Encrypts what is said in a room under a random key of the room, which is stored nowhere but in the copies of its
 * members: wrapped by the room's key in the keyring and then by the member's. So a copy opens for its member only, and
 * none does once the room's key is destroyed.
 */
export interface RoomVault {
  /** A new room's key, as the copy of its first member. `conflict` if the room's key was destroyed. */
  create(room: string, member: string): Promise<Uint8Array>
  /** The key from a member's copy; null if the key of the room or member was destroyed. `integrity` if it was changed or moved. */
  open(room: string, member: string, copy: Uint8Array): Promise<RoomKey | null>
  /** Permanently destroys the room's key, and with it what every copy of every backup says; idempotent. */
  destroy(room: string): Promise<void>
}

export interface RoomKey {
  /** A copy for another member. `conflict` if that person was erased. */
  copyFor(member: string): Promise<Uint8Array>
  /**
   * `room1.<row>.<base64 of nonce, ciphertext and tag>`: AES-256-GCM with the room and row as associated data.
   *
   * @param row a UUID that only the row has, in lower case
   */
  seal(row: string, text: string): string
  /** `integrity` if the text was changed or moved. Without `row`, a text of any row of the room. */
  unseal(sealed: string, row?: string): string
}

type VaultKeys = Pick<Keyring, 'ensure' | 'secret' | 'destroy'>

const NONCE_BYTES = 12
const TAG_BYTES = 16
const SEALED = /^room1\.([0-9a-f-]{36})\.([A-Za-z0-9+/]+={0,2})$/

export function openRoomVault(keyring: VaultKeys): RoomVault {
  async function copyOf(room: string, secret: Uint8Array, member: string): Promise<Uint8Array> {
    const ofRoom = await keyring.ensure('room', room)
    const ofMember = await keyring.ensure('person', member)
    const inner = wrapSecret(await keyring.secret(ofRoom.id), secret, placeOf(ofRoom.id, room))
    return wrapSecret(await keyring.secret(ofMember.id), inner, placeOf(ofMember.id, room, member))
  }
  function keyOf(room: string, secret: Uint8Array): RoomKey {
    return {
      copyFor: (member) => copyOf(room, secret, member),
      seal: (row, text) => seal(secret, room, row, text),
      unseal: (sealed, row) => unseal(secret, room, sealed, row),
    }
  }
  return {
    create: (room, member) => copyOf(room, randomBytes(SECRET_BYTES), member),
    async open(room, member, copy) {
      const memberKeyId = personKeyId(member)
      const ofMember = await secretUnlessDestroyed(keyring, memberKeyId)
      const ofRoom = await secretUnlessDestroyed(keyring, roomKeyId(room))
      if (ofMember === null || ofRoom === null) return null
      try {
        const inner = unwrapSecret(ofMember, copy, placeOf(memberKeyId, room, member))
        return keyOf(room, unwrapSecret(ofRoom, inner, placeOf(roomKeyId(room), room)))
      } catch {
        throw new AkashiError('integrity', "a member's copy of a room's key was changed or moved", {
          hint: 'check the history of the room and its members in the audit trail',
          detail: { room, member },
        })
      }
    },
    destroy: (room) => keyring.destroy(roomKeyId(room)),
  }
}

function seal(secret: Uint8Array, room: string, row: string, text: string): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', secret, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(placeOf('message', room, row))
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `room1.${row}.${sealed.toString('base64')}`
}

function unseal(secret: Uint8Array, room: string, text: string, row: string | undefined): string {
  const [, writtenFor, base64] = SEALED.exec(text) ?? []
  try {
    if (writtenFor === undefined || base64 === undefined || (row !== undefined && row !== writtenFor)) {
      throw new Error('another row')
    }
    const sealed = Buffer.from(base64, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
    decipher.setAAD(placeOf('message', room, writtenFor))
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
    return Buffer.concat([
      decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)),
      decipher.final(),
    ]).toString('utf8')
  } catch {
    throw new AkashiError('integrity', 'an encrypted message was changed or moved', { detail: { room } })
  }
}

/** JSON is injective: different places never give the same bytes. */
function placeOf(...parts: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(['akashi room 1', ...parts]))
}
