import { randomUUID } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { AkashiError } from '../foundation/index.ts'
import type { ObjectStore } from './types.ts'

/** Milliseconds for the whole probe. */
const PROBE_TIMEOUT_MS = 30_000

/**
 * Puts a small object of its own, puts it again only if absent, reads and deletes it: what everything else
 * here relies on. Fails with what the store cannot do; leaves nothing where it may delete.
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
      throw new AkashiError('unsupported', 'the object store overwrites what is to be put only if absent', {
        hint: 'use a store that honours If-None-Match: racing archivers and checkpoints rely on it',
      })
    }
    const read = await buffer(await store.get(key, { signal: either }))
    if (!read.equals(body)) throw new AkashiError('integrity', 'the object store gives back other bytes')
  } finally {
    await store.delete(key)
  }
  if ((await store.head(key)) !== null) {
    throw new AkashiError('unsupported', 'the object store shows an object that was deleted', {
      hint: 'use a store whose reads see what was written before',
    })
  }
}
