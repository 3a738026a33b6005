import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError, given } from '../../foundation/index.ts'
import type { ObjectHead, ObjectStore } from '../../object-store/index.ts'

/** Attempts to put an object before its store counts as unavailable. */
const PUT_ATTEMPTS = 5
/** Pause before the second attempt in milliseconds; doubles each time. */
const PUT_PAUSE_MS = 200
/** Milliseconds of one attempt for each started {@link TIMED_BYTES}. */
const PUT_TIMEOUT_MS = 60_000
const TIMED_BYTES = 8 * 1024 * 1024

/**
 * Puts an object with retries on transient failures. Passes the SHA-256, so that the store detects bytes altered
 * in transfer.
 */
export async function putWithRetries(
  store: ObjectStore,
  name: string,
  body: Uint8Array | readonly Uint8Array[],
  signal?: AbortSignal,
  { ifAbsent = false }: { readonly ifAbsent?: boolean } = {},
): Promise<ObjectHead> {
  const hash = createHash('sha256')
  let bytes = 0
  for (const part of body instanceof Uint8Array ? [body] : body) {
    hash.update(part)
    bytes += part.length
  }
  const sha256 = hash.digest('hex')
  for (let attempt = 1; ; attempt += 1) {
    const limit = AbortSignal.timeout(PUT_TIMEOUT_MS * Math.max(1, Math.ceil(bytes / TIMED_BYTES)))
    try {
      return await store.put(name, body instanceof Uint8Array ? body : Readable.from(body), {
        sha256,
        ifAbsent,
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      })
    } catch (error) {
      if (signal?.aborted === true || attempt === PUT_ATTEMPTS || !isTransient(error, limit)) throw error
    }
    await sleep(PUT_PAUSE_MS * 2 ** (attempt - 1), undefined, given({ signal }))
  }
}

function isTransient(error: unknown, limit: AbortSignal): boolean {
  if (limit.aborted) return true
  return (
    !(error instanceof AkashiError) ||
    ['unavailable', 'timeout', 'rate_limited', 'integrity'].includes(error.code)
  )
}

/** Reads a whole object, whose SHA-256 the store verifies. */
export async function readObject(store: ObjectStore, name: string, signal?: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of await store.get(name, given({ signal }))) {
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}
