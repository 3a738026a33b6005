import { setTimeout as sleep } from 'node:timers/promises'
import { SQLSTATE, sqlState } from '../../postgres/index.ts'

/** Attaching a partition needs the lock of its table immediately; number of attempts. */
const ATTEMPTS = 40
const PAUSE_MS = 500

/** Runs a transaction that may create partitions; retries while another transaction locks the table. */
export async function retryWhileLocked<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const locked = sqlState(error) === SQLSTATE.lockNotAvailable
      if (!locked || attempt === ATTEMPTS) throw error
      await sleep(PAUSE_MS)
    }
  }
}
