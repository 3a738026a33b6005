export {
  type EventCategory,
  type EventInput,
  type EventResult,
  eventCategories,
  eventInputSchema,
  type SecurityEvent,
  type Severity,
  severities,
} from './event.ts'
export { type AkashiEventType, akashiEventTypes, OCSF } from './event-types.ts'
export { recordHookResults } from './hook-results.ts'
export { type IngestFormat, ingestFormats, type ParsedBatch, type Rejection } from './ingest/format.ts'
export { inferFirstYear } from './ingest/infer-year.ts'
export { LOAD_BATCH_EVENTS, type LoadProgress, type LoadResult, loadEvents } from './ingest/load.ts'
export { createEventParser, type ParseOptions, parseEvents } from './ingest/parse.ts'
export { listQuarantine, replayQuarantine } from './ingest/replay.ts'
export { describeShape } from './ingest/shape.ts'
export { type Receiver, type ReceiverCounts, receiveSyslog } from './receive/receiver.ts'
export {
  type AkashiEvent,
  type ApplicationEvent,
  recordEvent,
  recordEventAlone,
} from './record.ts'
export { readRemediation, remediate } from './remediation.ts'
export type { EventFilter } from './search/filter.ts'
export { type LatestEvent, latestEventOf } from './search/latest.ts'
export type { EventRow } from './search/row.ts'
export { type EventPage, readEvent, searchEvents, TEXT_SCAN_EVENTS } from './search/search.ts'
export {
  type Bucket,
  eventTimeline,
  type Timeline,
  type TimelineQuery,
  timelineQuery,
} from './search/timeline.ts'
export { changedRemediations, noteSecurityHubId } from './security-hub.ts'
export { submitEvents } from './submit.ts'
