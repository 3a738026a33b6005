import type { Command } from 'commander'
import { appOf, type Config, type Logger, loadConfig, openLog } from '../foundation/index.ts'
import type { Actor } from '../postgres/index.ts'
import { type Progress, startProgress } from './output/progress.ts'
import type { ExitStatus, World } from './world.ts'

/** Milliseconds that a question waits for somebody to answer it. */
const ANSWER_TIMEOUT_MS = 30_000

/** One run of a verb: what the verb works with. */
export interface Invocation {
  /** Standard output takes one JSON document. */
  readonly json: boolean
  /** Hand it to everything that waits: aborted when the user stops the verb. */
  readonly signal: AbortSignal
  /** Options that were given, the global ones included, by setting or option name. */
  readonly flags: Readonly<Record<string, unknown>>
  /** Flags, environment and file together, read once. `invalid_config` names every mistake. */
  config(): Promise<Config>
  /** Whoever typed the command, for the transactions of it. */
  actor(): Promise<Actor>
  /** The log of the configuration, on standard error. */
  log(): Promise<Logger>
  /** The result: `document` with --json, else `text`. Once per run. */
  print(document: unknown, text: string): void
  /** A remark beside the result, on standard error. */
  note(text: string): void
  /**
   * Asks whoever sits at a terminal. Null where nobody does, when nobody answers in time, and with --json.
   */
  ask(question: string): Promise<string | null>
  /** A bar on a terminal, nothing elsewhere. */
  progress(label: string, total: number): Promise<Progress>
}

/** A verb's work; what it resolves to is the exit status, nothing is 0. */
export type Work = (invocation: Invocation) => Promise<ExitStatus | undefined>

/** Runs the work of a verb with its options; what it throws becomes the error on standard error. */
export type Perform = (work: Work) => Promise<void>

/** Adds a verb to the program. */
export type Register = (program: Command, perform: Perform) => void

/** @param command the verb with its groups, such as `akashi users list` */
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

/** 64-bit numbers go as text: a JSON number beyond 2^53 reaches most readers rounded. */
export function toJson(document: unknown): string {
  return JSON.stringify(document, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}
