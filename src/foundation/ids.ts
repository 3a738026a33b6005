import { randomBytes } from 'node:crypto'

const UUID_V7_RANDOM_BYTES = 16

/** A UUID version 7 (RFC 9562): sorts by creation time to the millisecond, which keeps index inserts local. */
export function uuidV7(now: Date = new Date()): string {
  const bytes = randomBytes(UUID_V7_RANDOM_BYTES)
  bytes.writeUIntBE(now.getTime(), 0, 6)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
