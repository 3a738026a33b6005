import { randomUUID } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { AkashiError } from '../foundation/index.ts'
import type { ObjectStore } from './types.ts'

/** Milliseconds for the whole probe. */
const PROBE_TIMEOUT_MS = 30_000

/**
 * Puts a small object, puts it again with ifAbsent, reads and deletes it: the operations that Akashi relies on.
 * Throws naming the first one that does not work; leaves nothing behind if it may delete.
 */
export async function probeObjectStore(store: ObjectStore, signal: AbortSignal): Promise<void> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)])
  const key = `probe/${randomUUID()}`
  const body = Buffer.from(key)
  await store.put(key, body, { ifAbsent: true, signal: either })
  try {
    const again = await store.put(key, body, { ifAbsent: true, signal: either }).then(
      () => 'stored',
      (error: unknown) => {
        if (error instanceof AkashiError && error.code === 'already_exists') return 'refused'
        throw error
      },
    )
    if (again === 'stored') {
      throw new AkashiError(
        'unsupported',
        'the object store overwrites existing objects despite If-None-Match',
        {
          hint: 'use a store that honours If-None-Match: concurrent archive runs and checkpoints rely on it',
        },
      )
    }
    const read = await buffer(await store.get(key, { signal: either }))
    if (!read.equals(body)) throw new AkashiError('integrity', 'the object store returned different bytes')
  } finally {
    await store.delete(key)
  }
  if ((await store.head(key)) !== null) {
    throw new AkashiError('unsupported', 'the object store still returns a deleted object', {
      hint: 'use a store with read-after-write consistency',
    })
  }
}
