/** Sends what is sealed to the channels. */
import { Deliverer } from '../delivery/index.ts'
import type { Log } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import { type ObjectStore, openObjectStore } from '../object-store/index.ts'
import type { Database } from '../postgres/index.ts'
import { type Loop, runLoop } from './loops.ts'

const DELIVERY_INTERVAL_MS = 1_000

/** One process at a time, so that each channel has one order. */
export function deliveryLoop(parts: {
  readonly worker: Database
  readonly keyring: Keyring
  readonly log: Log
  readonly signal: AbortSignal
}): Loop {
  const { worker, keyring, log, signal } = parts
  const stores = new Map<string, Promise<ObjectStore>>()
  const openStore = (url: string) => {
    const known = stores.get(url)
    if (known !== undefined) return known
    const opened = openObjectStore(url)
    stores.set(url, opened)
    opened.catch(() => stores.delete(url))
    return opened
  }
  let deliverer: Deliverer | undefined
  let leader: unknown
  return runLoop({
    name: 'delivery',
    worker,
    intervalMs: DELIVERY_INTERVAL_MS,
    signal,
    log,
    work: async (round) => {
      if (deliverer === undefined || leader !== round.session) {
        await deliverer?.settle()
        deliverer = new Deliverer({
          database: round.worker,
          actor: round.actor,
          keyring,
          openStore,
          log,
          signal: round.signal,
        })
        leader = round.session
      }
      await deliverer.round()
    },
  })
}
