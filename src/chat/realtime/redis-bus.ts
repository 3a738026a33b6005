import { z } from 'zod'
import { jsonOrNull, type Log } from '../../foundation/index.ts'
import { type Bus, localBus, type Word } from './bus.ts'

const CHANNEL = 'akashi:chat'
/** Waited between two tries to reach Redis again, in milliseconds. */
const RECONNECT_MS = 1_000
/** A first connection that takes longer, in milliseconds, is given up; the bus goes on alone meanwhile. */
const CONNECT_TIMEOUT_MS = 5_000

const wordShape = z.union([
  z.strictObject({ about: z.literal('room'), roomId: z.guid(), sequence: z.int().optional() }),
  z.strictObject({ about: z.literal('person'), userId: z.guid(), except: z.guid().optional() }),
  z.strictObject({ about: z.literal('presence'), userId: z.guid() }),
])

/**
 * Carries words between nodes over Redis. This node always hears its own at once; while Redis is away the
 * others find what happened by looking.
 */
export async function redisBus(url: string, log: Log): Promise<Bus> {
  // Several hundred modules, which nobody without Redis is to wait for.
  const { createClient } = await import('redis')
  const local = localBus()
  const socket = { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: RECONNECT_MS }
  const publisher = createClient({ url, socket, disableOfflineQueue: true })
  const subscriber = publisher.duplicate()
  for (const client of [publisher, subscriber]) {
    client.on('error', (error: unknown) =>
      log.warn({ error }, 'redis cannot be reached; nodes look for what is new'),
    )
  }
  const node = crypto.randomUUID()
  const hear = (text: string) => {
    const [from, ...rest] = text.split(' ')
    if (from === node) return
    const word = wordShape.safeParse(jsonOrNull(rest.join(' ')))
    if (word.success) local.announce(word.data as Word)
  }
  const connected = Promise.allSettled([
    publisher.connect(),
    subscriber.connect().then(() => subscriber.subscribe(CHANNEL, hear)),
  ])
  const gaveUp = new Promise<void>((resolve) => setTimeout(resolve, CONNECT_TIMEOUT_MS).unref())
  await Promise.race([connected, gaveUp])
  return {
    announce: (word) => {
      local.announce(word)
      if (publisher.isReady)
        publisher.publish(CHANNEL, `${node} ${JSON.stringify(word)}`).catch(() => undefined)
    },
    listen: (listener) => local.listen(listener),
    close: async () => {
      await local.close()
      publisher.destroy()
      subscriber.destroy()
    },
  }
}
