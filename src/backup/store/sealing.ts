/**
 * Frames: up to 1 MiB of data, compressed with zstd and encrypted with AES-256-GCM. Every object has its own key,
 * derived from the data key and the salt of the object, so that the frame number can be the nonce. Object name
 * and frame number are associated data: a frame moved elsewhere fails to decrypt.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import { AkashiError, given } from '../../foundation/index.ts'
import { compressFrame } from './frame-compressor.ts'

/** Uncompressed bytes per frame; the last frame of an object may have fewer. */
export const FRAME_BYTES = 1024 * 1024

export const SALT_BYTES = 32
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Output chunk size; each chunk costs a turn of the event loop, and the default is 16 KiB. */
const CHUNK_BYTES = 512 * 1024

const decompress = promisify(zstdDecompress)

export interface ObjectCipher {
  /** Name of the object in the store. */
  readonly name: string
  readonly key: Buffer
}

export function objectCipher(dataKey: Uint8Array, salt: Uint8Array, name: string): ObjectCipher {
  return { name, key: Buffer.from(hkdfSync('sha256', dataKey, salt, 'akashi backup object 1', KEY_BYTES)) }
}

/** HMAC of a manifest. */
export function authenticate(dataKey: Uint8Array, text: string): string {
  const key = Buffer.from(hkdfSync('sha256', dataKey, '', 'akashi backup manifest 1', KEY_BYTES))
  return createHmac('sha256', key).update(text).digest('hex')
}

/** Maximum size of a sealed frame: incompressible data, zstd overhead and the tag. */
export const MAX_SEALED_BYTES = FRAME_BYTES + (FRAME_BYTES >> 7)

/** @param last marks the end of an object whose reader does not know its number of frames */
export async function sealFrame(
  cipher: ObjectCipher,
  number: number,
  last: boolean,
  data: Uint8Array,
): Promise<readonly Buffer[]> {
  const packed = await compressFrame(data)
  const gcm = createCipheriv('aes-256-gcm', cipher.key, nonce(number), { authTagLength: TAG_BYTES })
  gcm.setAAD(associated(cipher, number, last))
  const sealed = packed.map((piece) => gcm.update(piece))
  return [...sealed, gcm.final(), gcm.getAuthTag()]
}

/** @throws integrity, naming the object and the frame */
export async function openFrame(
  cipher: ObjectCipher,
  number: number,
  last: boolean,
  sealed: Uint8Array,
): Promise<Buffer> {
  try {
    const gcm = createDecipheriv('aes-256-gcm', cipher.key, nonce(number), { authTagLength: TAG_BYTES })
    gcm.setAAD(associated(cipher, number, last))
    gcm.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
    const packed = Buffer.concat([gcm.update(sealed.subarray(0, sealed.length - TAG_BYTES)), gcm.final()])
    return await decompress(packed, { maxOutputLength: FRAME_BYTES, chunkSize: CHUNK_BYTES })
  } catch (cause) {
    throw damagedObject(cipher.name, `frame ${number} was changed`, cause)
  }
}

export function damagedObject(name: string, what: string, cause?: unknown): AkashiError {
  return new AkashiError('integrity', `${name} is damaged: ${what}`, {
    hint: 'restore this object from a replica of the store, or take a new full backup: akashi backup full',
    detail: { object: name },
    ...given({ cause }),
  })
}

function nonce(number: number): Buffer {
  const bytes = Buffer.alloc(NONCE_BYTES)
  bytes.writeUInt32BE(number, NONCE_BYTES - 4)
  return bytes
}

function associated({ name }: ObjectCipher, number: number, last: boolean): Buffer {
  return Buffer.from(JSON.stringify(['akashi frame 1', name, number, last]))
}
