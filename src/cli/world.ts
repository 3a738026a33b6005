import type { Environment } from '../foundation/index.ts'

/** What the command line touches outside itself, so that tests can stand in for it. */
export interface World {
  readonly environment: Environment
  /** The account of the operating system that runs the command. */
  readonly account: string
  /** Folder that relative paths start from. */
  readonly directory: string
  readonly stdout: { write(text: string): unknown }
  readonly stderr: { write(text: string): unknown }
  /** Whether someone watches standard error: only then progress is drawn. */
  readonly interactive: boolean
  /** Asks whoever sits at a terminal, and answers the line they typed; absent where nobody does. */
  readonly ask?: (question: string, signal: AbortSignal) => Promise<string>
  /** Aborted by SIGINT or SIGTERM, with the signal's name as the reason. */
  readonly signal: AbortSignal
}

/** Exit statuses: done, found a problem, wrong use or bad input, cannot reach a dependency; 200 tells PostgreSQL not to go on. */
export type ExitStatus = 0 | 1 | 2 | 3 | 200
