/**
 * Buffers a body of unknown digest in a temporary file: S3 and Google Cloud Storage accept metadata only before
 * the bytes of an object. The file is unlinked as soon as it is open, so that nothing is left behind.
 */
import { createHash, randomUUID } from 'node:crypto'
import { open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asStoreError } from '../errors.ts'

const FILE_MODE = 0o600

export interface Spool extends AsyncDisposable {
  readonly sha256: string
  readonly size: number
  /** The body in pieces of `partBytes`. */
  parts(partBytes: number): AsyncGenerator<Uint8Array, undefined>
}

export async function spool(parts: AsyncIterable<Uint8Array>, key: string): Promise<Spool> {
  const path = join(tmpdir(), `akashi-${randomUUID()}`)
  const file = await open(path, 'wx+', FILE_MODE).catch((error: unknown) => {
    throw asStoreError(error, key)
  })
  try {
    await unlink(path)
    const hash = createHash('sha256')
    let size = 0
    for await (const part of parts) {
      hash.update(part)
      await file.write(part, 0, part.length, size).catch((error: unknown) => {
        throw asStoreError(error, key)
      })
      size += part.length
    }
    return {
      sha256: hash.digest('hex'),
      size,
      async *parts(partBytes) {
        for (let at = 0; at < size; at += partBytes) {
          const part = Buffer.allocUnsafe(Math.min(partBytes, size - at))
          await file.read(part, 0, part.length, at)
          yield part
        }
        return undefined
      },
      [Symbol.asyncDispose]: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}
