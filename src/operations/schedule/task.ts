import type { Log } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'

export interface TaskContext {
  /** Of the role `worker`. */
  readonly worker: Database
  /** The job, for its transactions. */
  readonly actor: Actor
  /** Aborted when the job's time is over or the worker stops. A task that ignores it keeps its job running. */
  readonly signal: AbortSignal
  readonly log: Log
}

/** What a job runs. The result is kept in `akashi_lifecycle.job_runs.result`; throwing makes the run a failed one. */
export type Task = (context: TaskContext) => Promise<Readonly<Record<string, unknown>>>
