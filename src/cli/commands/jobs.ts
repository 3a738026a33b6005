import type { Register } from '../invocation.ts'

export const jobs: Register = (program, perform) => {
  const group = program.command('jobs').description('scheduled jobs: list, history, run, pause')
  group
    .command('list', { isDefault: true })
    .description('list the jobs with their latest run')
    .action(() =>
      perform(async (cli) => {
        const { listJobs } = await import('../../operations/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const found = await withConnections(cli, ({ pool, actor }) => listJobs(pool('worker'), actor))
        const rows = found.map((job) => [
          job.name,
          job.schedule,
          job.paused ? 'paused' : (job.lastRun?.state ?? 'never ran'),
          job.lastRun?.startedAt,
          job.description,
        ])
        cli.print({ jobs: found }, table(['job', 'schedule (UTC)', 'state', 'last run', 'description'], rows))
        return 0
      }),
    )
  group
    .command('history')
    .argument('<job>')
    .description('list the latest runs of a job')
    .action((name: string) =>
      perform(async (cli) => {
        const { jobHistory } = await import('../../operations/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const runs = await withConnections(cli, ({ pool, actor }) => jobHistory(pool('worker'), actor, name))
        const rows = runs.map((run) => [run.state, run.startedAt, run.finishedAt, run.message])
        cli.print(
          { runs },
          runs.length === 0 ? `${name} never ran` : table(['state', 'started', 'finished', ''], rows),
        )
        return 0
      }),
    )
  group
    .command('run')
    .argument('<job>')
    .description('request that a worker run a job now')
    .action((name: string) =>
      perform(async (cli) => {
        const { runNow } = await import('../../operations/index.ts')
        const { withConnections } = await import('../databases.ts')
        const requestedAt = await withConnections(cli, ({ pool, actor }) =>
          runNow(pool('worker'), actor, name),
        )
        cli.print({ job: name, requestedAt }, `requested a run of ${name}; see akashi jobs history ${name}`)
        return 0
      }),
    )
  for (const paused of [true, false]) {
    group
      .command(paused ? 'pause' : 'resume')
      .argument('<job>')
      .description(paused ? 'pause a job' : 'resume a paused job')
      .action((name: string) =>
        perform(async (cli) => {
          const { pauseJob } = await import('../../operations/index.ts')
          const { withConnections } = await import('../databases.ts')
          await withConnections(cli, ({ pool, actor }) => pauseJob(pool('worker'), actor, name, paused))
          cli.print({ job: name, paused }, `${name} is ${paused ? 'paused' : 'scheduled again'}`)
          return 0
        }),
      )
  }
}
