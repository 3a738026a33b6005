import type { Register } from '../invocation.ts'

export const drill: Register = (program, perform) => {
  program
    .command('drill')
    .description(
      'test recovery: restore to a random moment on a temporary server, compare and measure; exits 1 if anything is wrong',
    )
    .option('--latest', 'restore to the latest moment instead: the half-yearly recovery test')
    .option(
      '--binaries <dir>',
      'folder with the server of the backups’ major version (default: where packages install it)',
    )
    .option('--list', 'list earlier drills instead')
    .action(() =>
      perform(async (cli) => {
        const { drill: run, listDrills } = await import('../../operations/index.ts')
        const { scratchPlace, withRunningBackups } = await import('../../start/index.ts')
        const settings = await cli.config()
        if (cli.flags['list'] === true) {
          const { table } = await import('../output/table.ts')
          const drills = await withRunningBackups(settings, await cli.actor(), ({ worker, actor }) =>
            listDrills(worker, actor),
          )
          const rows = drills.map((one) => [
            one.startedAt,
            one.kind,
            one.ok ? 'passed' : 'FAILED',
            one.target,
            one.rpoSeconds,
            one.rtoSeconds,
            one.problems[0] ?? '',
          ])
          cli.print(
            { drills },
            rows.length === 0
              ? 'no drills yet'
              : table(['drill', 'kind', '', 'target', 'RPO s', 'RTO s', ''], rows),
          )
          return 0
        }
        const report = await withRunningBackups(settings, await cli.actor(), (backups) =>
          run({
            ...backups,
            kind: cli.flags['latest'] === true ? 'recovery_test' : 'drill',
            place: scratchPlace(settings),
            ...(typeof cli.flags['binaries'] === 'string' ? { binaries: cli.flags['binaries'] } : {}),
            signal: cli.signal,
            onPhase: (phase) => cli.note(`drill: ${phase}`),
          }),
        )
        const { ok, rpoSeconds, rtoSeconds, target, phases, content, comparedWith, problems, object } = report
        cli.print(
          report,
          [
            `drill ${ok ? 'passed' : 'FAILED'}: restored to ${target ?? 'nothing'}; RPO at most ${rpoSeconds ?? '?'} s, RTO ${rtoSeconds ?? '?'} s`,
            ...phases.map(({ phase, seconds }) => `  ${phase}: ${seconds.toFixed(1)} s`),
            ...(content === null
              ? []
              : [
                  `  ${content.relations} tables and sequences, ${content.rows} rows${comparedWith === null ? '; no second chain to compare with' : '; compared with a restore from a second chain'}`,
                ]),
            ...problems.map((problem) => `  problem: ${problem}`),
            `signed report: ${object}`,
          ].join('\n'),
        )
        return ok ? 0 : 1
      }),
    )
}
