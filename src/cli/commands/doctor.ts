import type { Register } from '../invocation.ts'

export const doctor: Register = (program, perform) => {
  program
    .command('doctor')
    .description('check this installation and say how to fix what is wrong; exits 1 if anything is')
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
