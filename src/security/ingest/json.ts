import { eventInputSchema } from '../event.ts'
import type { LineParser } from './format.ts'
import { isJsonObject, parseJsonObject } from './json-text.ts'

/** Where the intake writes what it knows of an event's origin. */
export const INGEST_KEY = 'ingest'
const MAX_REASON_CHARACTERS = 300

/** Reads events in Akashi's own field names. */
export const parseJsonEvent: LineParser = (text) => {
  const object = parseJsonObject(text)
  if (typeof object === 'string') return object
  const details = object['event_details']
  if (isJsonObject(details) && Object.hasOwn(details, INGEST_KEY)) {
    return `event_details.${INGEST_KEY}: written by the intake itself`
  }
  const parsed = eventInputSchema.safeParse(object)
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) =>
      path.length > 0 ? `${path.join('.')}: ${message}` : message,
    )
    return issues.join('; ').slice(0, MAX_REASON_CHARACTERS)
  }
  const { id, ...event } = parsed.data
  return [{ event, id, key: null }]
}
