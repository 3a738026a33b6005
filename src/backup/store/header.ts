/** The header of every sealed object, a line of JSON: its kind and data key. */
import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { z } from 'zod'
import { given } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import { damagedObject, SALT_BYTES } from './sealing.ts'

/** Far above the size of any header. */
export const MAX_HEADER_BYTES = 512

const header = z.strictObject({
  akashi: z.literal('backup 1'),
  kind: z.enum(['pack', 'index', 'wal', 'history', 'audit']),
  key: z.uuid(),
  salt: z.string().length(SALT_BYTES * 2),
})

export type ObjectKind = z.infer<typeof header>['kind']

export interface ObjectHeader {
  readonly kind: ObjectKind
  /** Id of the data key. */
  readonly keyId: string
  readonly salt: Buffer
}

export function newHeader(kind: ObjectKind, keyId: string): ObjectHeader {
  return { kind, keyId, salt: randomBytes(SALT_BYTES) }
}

export function encodeHeader({ kind, keyId, salt }: ObjectHeader): Buffer {
  return Buffer.from(
    `${JSON.stringify({ akashi: 'backup 1', kind, key: keyId, salt: salt.toString('hex') })}\n`,
  )
}

/** Returns the header and its length in bytes. */
export function decodeHeader(
  name: string,
  kind: ObjectKind,
  bytes: Buffer,
): { readonly header: ObjectHeader; readonly length: number } {
  const end = bytes.subarray(0, MAX_HEADER_BYTES).indexOf('\n')
  try {
    const found = header.parse(JSON.parse(bytes.toString('utf8', 0, end)))
    if (found.kind !== kind) throw new Error(`it is a ${found.kind}`)
    return {
      header: { kind, keyId: found.key, salt: Buffer.from(found.salt, 'hex') },
      length: end + 1,
    }
  } catch (cause) {
    throw damagedObject(name, 'its header was changed', cause)
  }
}

/** Id of the data key of an object, from its header alone. */
export async function readKeyId(
  store: ObjectStore,
  name: string,
  kind: ObjectKind,
  signal?: AbortSignal,
): Promise<string> {
  const range = { start: 0, end: MAX_HEADER_BYTES }
  return decodeHeader(name, kind, await buffer(await store.get(name, { range, ...given({ signal }) }))).header
    .keyId
}
