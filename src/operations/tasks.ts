import { indexClosedPartition, reportLosses, unsettledLosses } from '../audit/index.ts'
import { AkashiError } from '../foundation/index.ts'
import { applyPartitions, partitionStatus } from '../lifecycle/index.ts'
import { pruneJobRuns, type Task } from './schedule/index.ts'

/** The tasks of `akashi_lifecycle.jobs` that need only the database. */
export const lifecycleTasks: Readonly<Record<string, Task>> = {
  'partitions.apply': async ({ worker, actor, signal }) => {
    const tables = await applyPartitions(worker, actor, undefined, { signal })
    const failed = tables.filter((row) => row.action === 'failed')
    if (failed.length > 0) {
      const reasons = failed.map(
        (row) => `${row.table} ${row.partition}: ${row.message ?? 'no reason given'}`,
      )
      throw new AkashiError('conflict', `partitions could not be created: ${reasons.join('; ')}`, {
        hint: 'see akashi partitions plan',
      })
    }
    return { created: tables.filter((row) => row.action === 'created').length }
  },
  'partitions.check': async ({ worker, actor, signal }) => {
    const tables = await partitionStatus(worker, actor, undefined, { signal })
    const short = tables.filter((row) => row.alarm)
    if (short.length > 0) {
      const ends = short.map((row) => `${row.table} (covered until ${row.coveredUntil ?? 'before now'})`)
      throw new AkashiError('conflict', `tables are about to run out of partitions: ${ends.join(', ')}`, {
        hint: 'run akashi partitions apply, and find out why the daily job did not (akashi jobs)',
      })
    }
    return { tables: tables.length }
  },
  'audit.losses': async ({ worker, actor }) => {
    const reported = await reportLosses(worker, actor)
    const losses = await unsettledLosses(worker, actor)
    if (losses.length > 0) {
      const tables = losses.map((loss) => `${loss.table} (${loss.statements} statements, ${loss.message})`)
      throw new AkashiError('integrity', `changes were not recorded: ${tables.join('; ')}`, {
        hint: 'fix the cause, then settle them: akashi audit losses --settle EXPLANATION',
      })
    }
    return { reported }
  },
  'audit.index_closed': async ({ worker, actor, signal }) => {
    const made: string[] = []
    for (;;) {
      signal.throwIfAborted()
      const index = await indexClosedPartition(worker, actor, signal)
      if (index === null) return { indexes: made }
      made.push(index)
    }
  },
  'jobs.prune': async ({ worker, actor }) => ({ removed: await pruneJobRuns(worker, actor) }),
}
