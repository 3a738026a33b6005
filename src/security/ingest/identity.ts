import { hash } from 'node:crypto'

/** Version of the hash input below; changing it changes all ids. */
const RECIPE = 'akashi-event/1'
/**
 * Identical lines count as different events while they are within this time of the log, in milliseconds, and
 * within this number of different events.
 */
const REMEMBERED_MS = 60_000
const REMEMBERED_EVENTS = 100_000

export interface EventIdentity {
  /**
   * The id of an event at `time` (RFC 3339 in UTC). The same `key` of the source means the same event. Without
   * a key, the `content` identifies the event, and a repetition of time and content gets another id.
   */
  identify(time: string, key: string | null, content: string): string
}

/**
 * Deterministic event ids, so that reading the same input again gives the same ids: UUIDs version 8 (RFC 9562)
 * from SHA-256 of format, source, time, and key or content. Keeps at most 2 × REMEMBERED_EVENTS ids.
 */
export function createEventIdentity(format: string, source: string): EventIdentity {
  const prefix = `${RECIPE}\0${format}\0${source}\0`
  let recent = new Map<string, number>()
  let older = new Map<string, number>()
  let since = Number.NEGATIVE_INFINITY
  let lastTime = ''

  const remember = (time: string) => {
    if (time === lastTime && recent.size < REMEMBERED_EVENTS) return
    lastTime = time
    const milliseconds = Date.parse(time)
    if (milliseconds - since < REMEMBERED_MS && recent.size < REMEMBERED_EVENTS) return
    const emptied = older
    older = recent
    recent = emptied
    recent.clear()
    since = Math.max(since, milliseconds)
  }

  return {
    identify(time, key, content) {
      if (key !== null) return uuidOf(`${prefix}${time}\0key\0${key}`)
      remember(time)
      const id = uuidOf(`${prefix}${time}\0content\0${content}`)
      const before = recent.get(id) ?? older.get(id) ?? 0
      recent.set(id, before + 1)
      return before === 0 ? id : uuidOf(`${prefix}${time}\0repeat\0${id}\0${before}`)
    },
  }
}

function uuidOf(input: string): string {
  const hex = hash('sha256', input, 'hex')
  const variant = ((Number.parseInt(hex[16] ?? '', 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
