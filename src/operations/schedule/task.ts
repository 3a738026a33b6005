import type { Log } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'

export interface TaskContext {
  /** Of the role `worker`. */
  readonly worker: Database
  /** The job, as the actor of its transactions. */
  readonly actor: Actor
  /** Aborted at the job's timeout or when the worker stops. A task that ignores it keeps its job running. */
  readonly signal: AbortSignal
  readonly log: Log
  /** Says how far the run is, such as `{ phase: 'recover' }`; shown while it runs. Never fails. */
  readonly onProgress: (progress: Readonly<Record<string, unknown>>) => void
}

/** What a job runs. The result is stored in `akashi_lifecycle.job_runs.result`; if it throws, the run failed. */
export type Task = (context: TaskContext) => Promise<Readonly<Record<string, unknown>>>
