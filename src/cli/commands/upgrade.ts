import type { Register } from '../invocation.ts'

export const upgrade: Register = (program, perform) => {
  program
    .command('upgrade')
    .description(
      'bring the data of an older PostgreSQL to the version of this program, by a copy that is compared; the old data is kept',
    )
    .option('--binaries <dir>', 'folder with the old version’s programs (default: where packages put them)')
    .option('--remove-old', 'delete what earlier upgrades kept, and nothing else')
    .action(() =>
      perform(async (cli) => {
        const { oldClusters, upgrade: run } = await import('../../start/index.ts')
        const settings = await cli.config()
        if (cli.flags['removeOld'] === true) {
          const removed = await oldClusters(settings, true)
          cli.print(
            { removed },
            removed.length === 0
              ? 'nothing to remove'
              : removed.map((folder) => `removed ${folder}`).join('\n'),
          )
          return 0
        }
        const { binaries } = cli.flags
        const started = performance.now()
        const report = await run({
          settings,
          actor: await cli.actor(),
          ...(binaries === undefined ? {} : { binaries: String(binaries) }),
          signal: cli.signal,
          onPhase: (phase) => cli.note(`upgrade: ${phase}`),
          onCopied: () => undefined,
        })
        const kept = await oldClusters(settings, false)
        if (report === undefined) {
          cli.print(
            { upgraded: false, kept },
            [
              'nothing to do: the data is of the present version',
              ...kept.map((folder) => `kept: ${folder} (akashi upgrade --remove-old deletes it)`),
            ].join('\n'),
          )
          return 0
        }
        const seconds = Math.round(performance.now() - started) / 1000
        const { from, to, databases, verify } = report
        cli.print(
          { upgraded: true, ok: verify.ok, seconds, ...report, kept },
          [
            `PostgreSQL ${from} to ${to} in ${seconds.toFixed(1)} s`,
            ...databases.map(
              ({ database, relations, rows }) =>
                `  ${database}: ${relations} tables and sequences, ${rows} rows, all the same`,
            ),
            `the ledger goes on in a new epoch; verification ${verify.ok ? 'found no problem' : 'FAILED: akashi verify'}`,
            ...kept.map((folder) => `kept: ${folder} (akashi upgrade --remove-old deletes it)`),
            'backups of the old version stay restorable only by it: the first start takes a new full backup',
          ].join('\n'),
        )
        return verify.ok ? 0 : 1
      }),
    )
}
