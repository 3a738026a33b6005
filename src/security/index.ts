export {
  type EventInput,
  eventCategories,
  eventInputSchema,
  type SecurityEvent,
  severities,
} from './event.ts'
export { type IngestFormat, ingestFormats, type Rejection } from './ingest/format.ts'
export { LOAD_BATCH_EVENTS, type LoadProgress, type LoadResult, loadEvents } from './ingest/load.ts'
export { type ParseOptions, parseEvents } from './ingest/parse.ts'
