import { z } from 'zod'
import { jsonOrNull, type Log } from '../../foundation/index.ts'
import { type Bus, type BusMessage, localBus } from './bus.ts'

const CHANNEL = 'akashi:chat'
/** Milliseconds between two attempts to reconnect to Redis. */
const RECONNECT_MS = 1_000
/** Milliseconds to wait for the first connection; the bus starts without Redis afterwards. */
const CONNECT_TIMEOUT_MS = 5_000

const messageShape = z.union([
  z.strictObject({ about: z.literal('room'), roomId: z.guid(), sequence: z.int().optional() }),
  z.strictObject({ about: z.literal('person'), userId: z.guid(), except: z.guid().optional() }),
  z.strictObject({ about: z.literal('presence'), userId: z.guid() }),
])

/**
 * Sends messages between servers over Redis. This server receives its own at once; while Redis is unreachable, the
 * others notice changes by polling.
 */
export async function redisBus(url: string, log: Log): Promise<Bus> {
  // Loaded only when needed: several hundred modules.
  const { createClient } = await import('redis')
  const local = localBus()
  const socket = { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: RECONNECT_MS }
  const publisher = createClient({ url, socket, disableOfflineQueue: true })
  const subscriber = publisher.duplicate()
  for (const client of [publisher, subscriber]) {
    client.on('error', (error: unknown) =>
      log.warn({ error }, 'redis cannot be reached; servers poll for changes'),
    )
  }
  const node = crypto.randomUUID()
  const receive = (text: string) => {
    const [from, ...rest] = text.split(' ')
    if (from === node) return
    const message = messageShape.safeParse(jsonOrNull(rest.join(' ')))
    if (message.success) local.announce(message.data as BusMessage)
  }
  const connected = Promise.allSettled([
    publisher.connect(),
    subscriber.connect().then(() => subscriber.subscribe(CHANNEL, receive)),
  ])
  const timedOut = new Promise<void>((resolve) => setTimeout(resolve, CONNECT_TIMEOUT_MS).unref())
  await Promise.race([connected, timedOut])
  return {
    announce: (message) => {
      local.announce(message)
      if (publisher.isReady)
        publisher.publish(CHANNEL, `${node} ${JSON.stringify(message)}`).catch(() => undefined)
    },
    listen: (listener) => local.listen(listener),
    close: async () => {
      await local.close()
      publisher.destroy()
      subscriber.destroy()
    },
  }
}
