import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../foundation/index.ts'
import type { Database } from '../../postgres/index.ts'
import { type LifeOptions, live } from './life.ts'
import { RESTART_MAX_MS, RESTART_MS } from './limits.ts'
import type { Task } from './task.ts'

export interface WorkerOptions {
  /** Of the role `worker`. */
  readonly worker: Database
  /** URL of the same role, to the server itself. */
  readonly directUrl: string
  /** What `akashi_lifecycle.jobs.task` names. Jobs whose task is not here are left to other workers. */
  readonly tasks: Readonly<Record<string, Task>>
  readonly log: Log
  /** Stops the worker: running jobs may finish for some seconds, are then cancelled, and are given up in the end. */
  readonly signal: AbortSignal
}

export interface Worker {
  /** Resolves when the worker has stopped. Never rejects. */
  readonly done: Promise<void>
}

/**
 * Runs the jobs of `akashi_lifecycle.jobs` when they are due, together with any number of other workers. A job
 * never runs twice at once; a downtime is made up for by one run of each job at most. When its connection
 * or its queue fails, the worker cancels what it runs and starts again; only a task that outlives the
 * connection of its worker may meet the next run, so a task must be safe against that.
 *
 * @returns once jobs are taken
 * @throws AkashiError unavailable, or why else it could not start the first time
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const started = Promise.withResolvers<void>()
  const first = live({ ...options, onStarted: started.resolve })
  await Promise.race([started.promise, first])
  return { done: supervise(options, first) }
}

async function supervise(options: WorkerOptions, first: Promise<void>): Promise<void> {
  let life = first
  for (let failures = 1; ; failures += 1) {
    try {
      await life
    } catch (error) {
      options.log.error({ err: error }, 'the worker failed')
    }
    const pause = Math.min(RESTART_MS * 2 ** (failures - 1), RESTART_MAX_MS)
    await sleep(pause, undefined, { signal: options.signal }).catch(() => undefined)
    if (options.signal.aborted) {
      return
    }
    const next: LifeOptions = {
      ...options,
      onStarted: () => {
        failures = 0
      },
    }
    life = live(next)
  }
}
