import { createHash } from 'node:crypto'
import { AkashiError } from '../../foundation/index.ts'
import { taken, wrongDigest } from '../errors.ts'
import type { Remote, Upload, WriteConditions } from './remote.ts'
import { RemoteFailure, type RetryLimits, retrying } from './retry.ts'

/** A put in progress. */
export interface PendingUpload {
  readonly remote: Remote
  readonly limits: RetryLimits
  readonly key: string
  readonly name: string
  readonly nonce: string
  readonly conditions: WriteConditions
  readonly signal: AbortSignal | undefined
  /** Sends the request that publishes the object. */
  commit(attempt: (signal: AbortSignal) => Promise<void>): Promise<void>
}

/**
 * Sends `parts`, a few concurrently, and publishes the object if they hash to `sha256`; discards the upload
 * otherwise. Holds one more part in memory than are being sent.
 *
 * @param stop aborted when a part fails, to wake up a stalled source
 */
export async function uploadParts(
  pending: PendingUpload,
  parts: AsyncGenerator<Uint8Array, undefined>,
  sha256: string | undefined,
  stop: AbortController,
): Promise<{ sha256: string; size: number }> {
  const { remote, limits, key, name, nonce, conditions } = pending
  const signal = pending.signal === undefined ? stop.signal : AbortSignal.any([pending.signal, stop.signal])
  const upload = await retrying(remote, limits, key, pending.signal, (attempt) =>
    remote.begin(name, { sha256, nonce }, conditions, attempt),
  ).catch((error: unknown) => {
    // This put has published nothing yet, so an existing object is from another writer.
    const exists = error instanceof RemoteFailure && error.explanation.failure === 'precondition'
    throw exists && conditions.ifAbsent ? taken(key) : error
  })
  const sending = new Set<Promise<void>>()
  let failed: { readonly error: unknown } | undefined
  try {
    const hash = createHash('sha256')
    let size = 0
    let index = 0
    for await (const part of parts) {
      if (index === remote.maxParts) throw tooLarge(key, size)
      hash.update(part)
      size += part.length
      const sent = sendPart(upload, index++, part).catch((error: unknown) => {
        failed ??= { error }
        stop.abort(error)
      })
      sending.add(sent)
      void sent.then(() => sending.delete(sent))
      while (sending.size >= remote.partsAtOnce) await Promise.race(sending)
      if (failed !== undefined) throw failed.error
    }
    await Promise.all(sending)
    if (failed !== undefined) throw failed.error
    const digest = hash.digest('hex')
    if (sha256 !== undefined && sha256 !== digest) throw wrongDigest(key, sha256, digest)
    await pending.commit((attempt) => upload.commit({ sha256: digest, nonce }, attempt))
    return { sha256: digest, size }
  } catch (error) {
    // The failed part is the cause; errors of parts aborted because of it are not.
    const cause = failed === undefined ? error : failed.error
    stop.abort(cause)
    await Promise.all(sending)
    await abandon(upload)
    throw cause
  }

  function sendPart(upload: Upload, index: number, part: Uint8Array): Promise<void> {
    return retrying(remote, limits, key, signal, (attempt) => upload.part(index, part, attempt))
  }

  /** Runs without the signal of the caller, up to the limits; lifecycle rules of the bucket remove the rest. */
  async function abandon(upload: Upload): Promise<void> {
    await retrying(remote, limits, key, undefined, (attempt) => upload.abort(attempt)).catch(() => {})
  }
}

function tooLarge(key: string, size: number): AkashiError {
  return new AkashiError('too_large', 'the object has more parts than the store allows', {
    hint: `put it as several objects of at most ${size} bytes`,
    detail: { key },
  })
}
