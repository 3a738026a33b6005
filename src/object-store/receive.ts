import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { AkashiError } from '../foundation/index.ts'
import { asStoreError, cancelled, throwIfCancelled, wrongDigest } from './errors.ts'
import type { PutOptions } from './types.ts'

const FILE_MODE = 0o600
/** Small chunks are buffered up to this many bytes. */
const WRITE_BYTES = 256 * 1024

/** Writes the body durably to a new file; returns digest and size. Errors of the source are passed on. */
export async function receive(
  path: string,
  key: string,
  body: Readable | Uint8Array,
  options: PutOptions,
): Promise<{ sha256: string; size: number }> {
  const { signal } = options
  const hash = createHash('sha256')
  let size = 0
  let gathered: Uint8Array[] = []
  let gatheredBytes = 0
  const file = await open(path, 'wx', FILE_MODE).catch((error: unknown) => {
    throw asStoreError(error, key)
  })
  const flush = async () => {
    const bytes = gathered.length === 1 && gathered[0] !== undefined ? gathered[0] : Buffer.concat(gathered)
    gathered = []
    gatheredBytes = 0
    const written = file.writeFile(bytes).catch((error: unknown) => {
      throw asStoreError(error, key)
    })
    hash.update(bytes)
    await written
  }
  // A stalled source only wakes up when it is destroyed.
  const stop = () => {
    if (body instanceof Readable) body.destroy(cancelled(key))
  }
  signal?.addEventListener('abort', stop, { once: true })
  try {
    for await (const chunk of body instanceof Readable ? body : [body]) {
      throwIfCancelled(signal, key)
      if (!(chunk instanceof Uint8Array)) {
        throw new AkashiError('invalid_input', 'the body of an object must be bytes', { detail: { key } })
      }
      size += chunk.length
      gathered.push(chunk)
      gatheredBytes += chunk.length
      if (gatheredBytes >= WRITE_BYTES) await flush()
    }
    throwIfCancelled(signal, key)
    await flush()
    const sha256 = hash.digest('hex')
    if (options.sha256 !== undefined && options.sha256 !== sha256) {
      throw wrongDigest(key, options.sha256, sha256)
    }
    await file.sync().catch((error: unknown) => {
      throw asStoreError(error, key)
    })
    return { sha256, size }
  } finally {
    signal?.removeEventListener('abort', stop)
    await file.close()
  }
}
