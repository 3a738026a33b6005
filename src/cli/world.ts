import type { Environment } from '../foundation/index.ts'

/** The command line's access to the outside, replaceable in tests. */
export interface World {
  readonly environment: Environment
  /** The account of the operating system that runs the command. */
  readonly account: string
  /** Base folder of relative paths. */
  readonly directory: string
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
  /** Whether standard error is a terminal; only then progress is drawn. */
  readonly interactive: boolean
  /** Asks the user at a terminal and returns the line they type; absent without a terminal. */
  readonly ask?: (question: string, signal: AbortSignal) => Promise<string>
  /** Aborted by SIGINT or SIGTERM, with the signal's name as the reason. */
  readonly signal: AbortSignal
}

/** 0 success, 1 problem found, 2 invalid use or input, 3 dependency unavailable; 200 makes PostgreSQL's recovery stop. */
export type ExitStatus = 0 | 1 | 2 | 3 | 200
