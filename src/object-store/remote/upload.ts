import { createHash } from 'node:crypto'
import { AkashiError } from '../../foundation/index.ts'
import { taken, wrongDigest } from '../errors.ts'
import type { Remote, Upload, WriteConditions } from './remote.ts'
import { RemoteFailure, type RetryLimits, retrying } from './retry.ts'

/** One put on its way. */
export interface Making {
  readonly key: string
  readonly name: string
  readonly nonce: string
  readonly conditions: WriteConditions
  readonly signal: AbortSignal | undefined
  /** Does the request that publishes the object. */
  commit(attempt: (signal: AbortSignal) => Promise<void>): Promise<void>
}

/**
 * Sends `parts`, a few at a time, and publishes the object when all of them are there and hash to `sha256`;
 * takes everything away otherwise. Holds one part more than are on their way.
 *
 * @param stop aborted when a part fails, to wake a source that has stalled
 */
export async function uploadParts(
  remote: Remote,
  limits: RetryLimits,
  making: Making,
  parts: AsyncGenerator<Uint8Array, undefined>,
  sha256: string | undefined,
  stop: AbortController,
): Promise<{ sha256: string; size: number }> {
  const { key, name, nonce, conditions } = making
  const signal = making.signal === undefined ? stop.signal : AbortSignal.any([making.signal, stop.signal])
  const upload = await retrying(remote, limits, key, making.signal, (attempt) =>
    remote.begin(name, { sha256, nonce }, conditions, attempt),
  ).catch((error: unknown) => {
    // Nothing of ours is published yet, so whatever is there is somebody else's.
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
    await making.commit((attempt) => upload.commit({ sha256: digest, nonce }, attempt))
    return { sha256: digest, size }
  } catch (error) {
    // A part that failed is why the source was stopped; parts that are stopped now are not why.
    const cause = failed === undefined ? error : failed.error
    stop.abort(cause)
    await Promise.all(sending)
    await abandon(upload)
    throw cause
  }

  function sendPart(upload: Upload, index: number, part: Uint8Array): Promise<void> {
    return retrying(remote, limits, key, signal, (attempt) => upload.part(index, part, attempt))
  }

  /** The caller may have gone: the limits alone end this, and rules of the bucket take what it leaves. */
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
