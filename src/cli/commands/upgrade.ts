import type { Register } from '../invocation.ts'

export const upgrade: Register = (program, perform) => {
  program
    .command('upgrade')
    .description(
      'upgrade the embedded PostgreSQL to a new major version, by a verified copy; the old data is kept',
    )
    .option(
      '--binaries <dir>',
      'folder with the programs of the old version (default: where packages install them)',
    )
    .option('--remove-old', 'only delete the old data that earlier upgrades kept')
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
              'nothing to do: the data has the current version',
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
                `  ${database}: ${relations} tables and sequences, ${rows} rows, all identical`,
            ),
            `the ledger continues in a new epoch; verification ${verify.ok ? 'found no problems' : 'FAILED: run akashi verify'}`,
            ...kept.map((folder) => `kept: ${folder} (akashi upgrade --remove-old deletes it)`),
            'only the old version can restore its backups; the next start takes a new full backup',
          ].join('\n'),
        )
        return verify.ok ? 0 : 1
      }),
    )
}
