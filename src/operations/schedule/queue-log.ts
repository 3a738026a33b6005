import { type LogFunctionFactory, Logger as QueueLogger } from 'graphile-worker'
import type { Logger } from '../log.ts'

/** The queue's own words. What it calls information is said once for every job: too much for ours. */
export function queueLogger(log: Logger): QueueLogger {
  const factory: LogFunctionFactory = (scope) => (level, message) => {
    const write = level === 'error' ? log.error : level === 'warning' ? log.warn : log.debug
    write.call(log, { queue: scope.label }, message)
  }
  return new QueueLogger(factory)
}
