/** A log as files of JSON lines in an object store. */
import type { Message } from '../message.ts'
import type { Channel, SendParts } from '../types.ts'
import { linesOf } from './webhook.ts'

const POSITION_DIGITS = 19

/** A file sent again after a failure replaces the first one, since its name is its first position. */
export async function putObjects(
  channel: Channel,
  messages: readonly Message[],
  parts: SendParts,
): Promise<number> {
  const [first] = messages
  if (first === undefined) return 200
  const store = await parts.openStore(channel.destination)
  const day = first.at.slice(0, 10).replaceAll('-', '/')
  const name = String(first.position).padStart(POSITION_DIGITS, '0')
  await store.put(`streams/${channel.name}/${day}/${name}.ndjson`, Buffer.from(linesOf(channel, messages)))
  return 200
}
