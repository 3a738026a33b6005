import type { Command } from 'commander'
import { appOf, type Config, type Logger, loadConfig, openLog } from '../foundation/index.ts'
import type { Actor } from '../postgres/index.ts'
import { type Progress, startProgress } from './output/progress.ts'
import type { ExitStatus, World } from './world.ts'

/** Milliseconds to wait for the answer to a question. */
const ANSWER_TIMEOUT_MS = 30_000

/** One run of a command: what the command works with. */
export interface Invocation {
  /** Whether standard output is one JSON document. */
  readonly json: boolean
  /** Aborted when the user stops the command; pass it to everything that waits. */
  readonly signal: AbortSignal
  /** The given options, global ones included, by setting or option name. */
  readonly flags: Readonly<Record<string, unknown>>
  /** Flags, environment and file combined, read once. @throws invalid_config with every mistake */
  config(): Promise<Config>
  /** The account that runs the command, as the actor of its transactions. */
  actor(): Promise<Actor>
  /** The log of the configuration, on standard error. */
  log(): Promise<Logger>
  /** Prints the result: `document` with --json, else `text`. Once per run. */
  print(document: unknown, text: string): void
  /** Prints a remark on standard error. */
  note(text: string): void
  /**
   * Asks the user at a terminal. Null without a terminal, without an answer in time, and with --json.
   */
  ask(question: string): Promise<string | null>
  /** A progress bar on a terminal, nothing elsewhere. */
  progress(label: string, total: number): Promise<Progress>
}

/** The work of a command; resolves to its exit status, undefined means 0. */
export type Work = (invocation: Invocation) => Promise<ExitStatus | undefined>

/** Runs the work of a command with its options and reports its errors. */
export type Perform = (work: Work) => Promise<void>

/** Adds a command to the program. */
export type Register = (program: Command, perform: Perform) => void

/** @param command the full command, such as `akashi users list` */
export function createInvocation(
  world: World,
  command: string,
  flags: Readonly<Record<string, unknown>>,
): Invocation {
  const { environment, directory, account, stdout, stderr, signal, interactive, ask } = world
  const json = flags['json'] === true
  let config: Promise<Config> | undefined
  let log: Promise<Logger> | undefined
  const configFile = typeof flags['config'] === 'string' ? flags['config'] : undefined
  const readConfig = () => {
    config ??= loadConfig({ flags, configFile, environment, directory })
    return config
  }
  return {
    json,
    signal,
    flags,
    config: readConfig,
    actor: async () => (await import('../postgres/index.ts')).operator({ account, command }),
    log: () => {
      log ??= readConfig().then((read) =>
        openLog({ level: read.logLevel, format: read.logFormat, app: appOf(read) }),
      )
      return log
    },
    print: (document, text) => {
      stdout.write(`${json ? toJson(document) : text.trimEnd()}\n`)
    },
    note: (text) => {
      stderr.write(`${text}\n`)
    },
    ask: async (question) => {
      if (ask === undefined || json) return null
      try {
        return await ask(question, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]))
      } catch (error) {
        if (error instanceof Error && error.name === 'AbortError') return null
        throw error
      }
    },
    progress: (label, total) => startProgress(interactive, label, total),
  }
}

/** 64-bit numbers become strings, since most JSON parsers round numbers beyond 2^53. */
export function toJson(document: unknown): string {
  return JSON.stringify(document, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}
