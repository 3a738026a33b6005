import { type LogFunctionFactory, Logger as QueueLogger } from 'graphile-worker'
import type { Log } from '../../foundation/index.ts'

/** The queue's own words. What it calls information is said once for every job: too much for ours. */
export function queueLogger(log: Log): QueueLogger {
  const factory: LogFunctionFactory = (scope) => (level, message) => {
    const about = { queue: scope.label }
    if (level === 'error') {
      log.error(about, message)
    } else if (level === 'warning') {
      log.warn(about, message)
    } else {
      log.debug(about, message)
    }
  }
  return new QueueLogger(factory)
}
