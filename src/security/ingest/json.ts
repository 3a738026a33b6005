import { eventInputSchema } from '../event.ts'
import type { LineParser } from './format.ts'
import { isJsonObject, parseJsonObject } from './json-text.ts'

/** Field of event_details where ingestion records the origin of an event. */
export const INGEST_KEY = 'ingest'
const MAX_REASON_CHARACTERS = 300

/** Parses events in Akashi's own field names. */
export const parseJsonEvent: LineParser = (text) => {
  const object = parseJsonObject(text)
  if (typeof object === 'string') return object
  const details = object['event_details']
  if (isJsonObject(details) && Object.hasOwn(details, INGEST_KEY)) {
    return `event_details.${INGEST_KEY}: reserved for ingestion`
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
