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
export { nearest } from './nearest.ts'
export * from './query.ts'
export { requireReason } from './reason.ts'
export { redactText } from './redact.ts'
export { makeScratchFolder } from './scratch.ts'
export * from './search.ts'
export { Secret } from './secret.ts'
export {
  parseTableName,
  quoteName,
  quoteTable,
  type TableName,
  tableText,
} from './table-name.ts'
export { readVersion } from './version.ts'
