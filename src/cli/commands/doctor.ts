import type { Register } from '../invocation.ts'

export const doctor: Register = (program, perform) => {
  program
    .command('doctor')
    .description('say what is wrong here and how to mend it')
    .action(() =>
      perform(async (cli) => {
        const { examine } = await import('../doctor/index.ts')
        const { table } = await import('../output/table.ts')
        const results = await examine(cli)
        const ok = results.every((result) => result.ok)
        const rows = results.map(({ name, ok, detail }) => [ok ? 'ok' : 'WRONG', name, detail])
        const hints = results.flatMap(({ name, hint }) => (hint === null ? [] : [`hint: ${name}: ${hint}`]))
        cli.print({ ok, checks: results }, [table(['', 'check', 'detail'], rows), ...hints].join('\n'))
        return ok ? 0 : 1
      }),
    )
}
