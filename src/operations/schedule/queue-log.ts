import { type LogFunctionFactory, Logger as QueueLogger } from 'graphile-worker'
import type { Log } from '../../foundation/index.ts'

/** Writes the queue's messages to the log. Its info messages come once per job, so they are logged at debug. */
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
