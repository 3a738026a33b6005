import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError } from '../../foundation/index.ts'

/** A partition is attached only when its table's lock comes at once; how often that is tried. */
const ATTEMPTS = 10
const PAUSE_MS = 500
const LOCK_NOT_AVAILABLE = '55P03'

/** Runs a transaction that may make partitions, again where somebody else holds the table for a moment. */
export async function whilePartitionsAreMade<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const locked = error instanceof AkashiError && error.detail['sqlstate'] === LOCK_NOT_AVAILABLE
      if (!locked || attempt === ATTEMPTS) throw error
      await sleep(PAUSE_MS)
    }
  }
}
