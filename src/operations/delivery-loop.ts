/** Sends what is sealed to the channels. */
import { SEALED_CHANNEL } from '../audit/index.ts'
import { Deliverer, lookForDeliveries } from '../delivery/index.ts'
import type { Log } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import { type ObjectStore, openObjectStore } from '../object-store/index.ts'
import type { Database } from '../postgres/index.ts'
import { type Loop, runLoop } from './loops.ts'

/** Milliseconds between two looks for what is to be sent, or sent again. */
const DELIVERY_INTERVAL_MS = 1_000
/** The same without a channel; a new one is a change that is sealed, which wakes delivery. */
const WITHOUT_CHANNEL_MS = 30_000

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
  let active = true
  return runLoop({
    name: 'delivery',
    worker,
    intervalMs: () => (active ? DELIVERY_INTERVAL_MS : WITHOUT_CHANNEL_MS),
    wakeOn: SEALED_CHANNEL,
    wakeAfterMs: DELIVERY_INTERVAL_MS,
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
      // One statement, and not those of a transaction.
      const look = await lookForDeliveries(round.session)
      active = look.active
      if (look.due) await deliverer.round()
    },
  })
}
