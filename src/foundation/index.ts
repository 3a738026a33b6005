export * from './aborted.ts'
export type { App } from './app.ts'
export * from './clock.ts'
export * from './config/index.ts'
export { counted } from './counted.ts'
export * from './cursor.ts'
export * from './errors.ts'
export * from './files.ts'
export { given } from './given.ts'
export * from './ids.ts'
export * from './json.ts'
export * from './lock.ts'
export { type Log, type LogFormat, type Logger, type LogLevel, type LogOptions, openLog } from './log.ts'
export { isLoopbackAddress, isLoopbackHost } from './loopback.ts'
export { nearest } from './nearest.ts'
export { programFile } from './program-file.ts'
export * from './query.ts'
export { requireReason } from './reason.ts'
export { redactJson, redactText } from './redact.ts'
export { makeScratchFolder } from './scratch.ts'
export * from './search.ts'
export { REDACTED, Secret } from './secret.ts'
export {
  parseTableName,
  quoteName,
  quoteTable,
  type TableName,
  tableText,
} from './table-name.ts'
export {
  type Span,
  type SpanOptions,
  startSpan,
  type Tracer,
  traced,
  tracedPart,
  traceWith,
} from './tracing.ts'
export { readVersion } from './version.ts'
