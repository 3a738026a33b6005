import type { BaseLogger } from 'pino'

/** What operations write to: pino or anything like it. */
export type Logger = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'>
