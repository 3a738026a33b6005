/** Sealed objects written and read as a whole: index of a backup, piece of WAL, history of a timeline. */
import type { ObjectHead, ObjectStore } from '../../object-store/index.ts'
import type { DataKey, DataKeys } from './data-keys.ts'
import { decodeHeader, encodeHeader, newHeader, type ObjectKind } from './header.ts'
import { damagedObject, FRAME_BYTES, objectCipher, openFrame, sealFrame } from './sealing.ts'
import { putWithRetries, readObject } from './transfer.ts'

const LENGTH_BYTES = 4

export async function putSealed(
  store: ObjectStore,
  key: DataKey,
  object: { readonly kind: ObjectKind; readonly name: string; readonly data: Buffer },
  signal?: AbortSignal,
  options: { readonly ifAbsent?: boolean } = {},
): Promise<ObjectHead> {
  const { kind, name, data } = object
  const header = newHeader(kind, key.id)
  const cipher = objectCipher(key.secret, header.salt, name)
  const parts: Buffer[] = [encodeHeader(header)]
  const frames = Math.max(1, Math.ceil(data.length / FRAME_BYTES))
  for (let number = 0; number < frames; number += 1) {
    const raw = data.subarray(number * FRAME_BYTES, (number + 1) * FRAME_BYTES)
    const sealed = await sealFrame(cipher, number, number === frames - 1, raw)
    parts.push(lengthOf(sealed), ...sealed)
  }
  return putWithRetries(store, name, parts, signal, options)
}

/** @throws not_found, integrity naming the object, forbidden */
export async function readSealed(
  store: ObjectStore,
  keys: DataKeys,
  object: { readonly kind: ObjectKind; readonly name: string },
  signal?: AbortSignal,
): Promise<Buffer> {
  const { kind, name } = object
  const bytes = await readObject(store, name, signal)
  const { header, length } = decodeHeader(name, kind, bytes)
  const key = await keys.open(header.keyId, name, signal)
  const cipher = objectCipher(key.secret, header.salt, name)
  const data: Buffer[] = []
  let at = length
  for (let number = 0; at < bytes.length || number === 0; number += 1) {
    if (at + LENGTH_BYTES > bytes.length) throw damagedObject(name, 'its end is missing')
    const start = at + LENGTH_BYTES
    const end = start + bytes.readUInt32LE(at)
    if (end > bytes.length) throw damagedObject(name, 'its end is missing')
    data.push(await openFrame(cipher, number, end === bytes.length, bytes.subarray(start, end)))
    at = end
  }
  return Buffer.concat(data)
}

function lengthOf(sealed: readonly Buffer[]): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32LE(sealed.reduce((sum, piece) => sum + piece.length, 0))
  return length
}
