import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../foundation/index.ts'
import type { Database } from '../../postgres/index.ts'
import { RESTART_MAX_MS, RESTART_MS } from './limits.ts'
import type { Task } from './task.ts'
import { runOnce, type WorkerRunOptions } from './worker-run.ts'

export interface WorkerOptions {
  /** Of the role `worker`. */
  readonly worker: Database
  /** URL of the same role, directly to the server. */
  readonly directUrl: string
  /** The tasks by the name in `akashi_lifecycle.jobs.task`. Jobs with other tasks are left to other workers. */
  readonly tasks: Readonly<Record<string, Task>>
  readonly log: Log
  /** Stops the worker: running jobs have some seconds to finish, are then cancelled, and finally abandoned. */
  readonly signal: AbortSignal
}

export interface Worker {
  /** Resolves when the worker has stopped. Never rejects. */
  readonly done: Promise<void>
}

/**
 * Runs the jobs of `akashi_lifecycle.jobs` when they are due, together with any number of other workers. A job
 * never runs twice at once; after a downtime, at most one run of each job is caught up on. When its connection or
 * its queue fails, the worker cancels its jobs and restarts. A task that ignores cancellation may overlap with the
 * next run of its job, so tasks must tolerate that.
 *
 * @returns when the worker accepts jobs
 * @throws AkashiError unavailable, or another reason why the first start failed
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const started = Promise.withResolvers<void>()
  const first = runOnce({ ...options, onStarted: started.resolve })
  await Promise.race([started.promise, first])
  return { done: supervise(options, first) }
}

async function supervise(options: WorkerOptions, first: Promise<void>): Promise<void> {
  let running = first
  for (let failures = 1; ; failures += 1) {
    try {
      await running
    } catch (error) {
      options.log.error({ err: error }, 'the worker failed')
    }
    const pause = Math.min(RESTART_MS * 2 ** (failures - 1), RESTART_MAX_MS)
    await sleep(pause, undefined, { signal: options.signal }).catch(() => undefined)
    if (options.signal.aborted) {
      return
    }
    const next: WorkerRunOptions = {
      ...options,
      onStarted: () => {
        failures = 0
      },
    }
    running = runOnce(next)
  }
}
