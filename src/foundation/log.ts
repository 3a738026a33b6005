import { type BaseLogger, type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'
import type { App } from './app.ts'
import { redactJson, redactText } from './redact.ts'

export type { Logger } from 'pino'
/** The subset of a logger that most code needs; HTTP and worker loggers both satisfy it. */
export type Log = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'>

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

export const logFormats = ['json', 'pretty'] as const
export type LogFormat = (typeof logFormats)[number]

export interface LogOptions {
  readonly level: LogLevel
  /** `json`: one JSON document per line, times in ISO 8601; `pretty`: human-readable. */
  readonly format: LogFormat
  /** In every line of the format `json`. */
  readonly app: App
  /** Defaults to standard error, so that standard output is left to the command. */
  readonly destination?: DestinationStream
}

const STANDARD_ERROR = 2

/**
 * The log of a process. Redaction runs on the finished line, so that no part of it (fields, child bindings,
 * messages, nested errors and their causes) can bypass it.
 */
export async function openLog(options: LogOptions): Promise<Logger> {
  const log = pino(
    {
      level: options.level,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redactLine },
    },
    await destinationOf(options),
  )
  return log.child({ app: options.app })
}

async function destinationOf({ format, destination }: LogOptions): Promise<DestinationStream> {
  const output = destination ?? pino.destination({ dest: STANDARD_ERROR, sync: true })
  if (format === 'json') return output
  const { prettyFactory } = await import('pino-pretty')
  const pretty = prettyFactory({
    colorize: destination === undefined && process.stderr.isTTY,
    ignore: 'app',
  })
  return { write: (line) => output.write(pretty(line)) }
}

function redactLine(line: string): string {
  try {
    return `${JSON.stringify(redactJson(JSON.parse(line)))}\n`
  } catch {
    return redactText(line)
  }
}
