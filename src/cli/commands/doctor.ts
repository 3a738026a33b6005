import type { Register } from '../invocation.ts'

export const doctor: Register = (program, perform) => {
  program
    .command('doctor')
    .description(
      'check this installation, explain how to fix problems, and score it; exits 1 if there are any',
    )
    .action(() =>
      perform(async (cli) => {
        const { examine } = await import('../../start/index.ts')
        const { table } = await import('../output/table.ts')
        const diagnosis = await examine(cli)
        const { ok, score, checks } = diagnosis
        const rows = checks.map((check) => [check.ok ? 'ok' : 'WRONG', check.area, check.name, check.detail])
        const wrong = checks.filter((check) => !check.ok)
        const advice = checks.filter((check) => check.ok && check.hint !== null)
        cli.print(
          diagnosis,
          [
            table(['', 'area', 'check', 'detail'], rows),
            ...advice.map(({ name, hint }) => `hint: ${name}: ${hint}`),
            ...wrong.map(({ name, hint, deduction }) => `fix (-${deduction}): ${name}: ${hint}`),
            `score: ${score} of 100`,
          ].join('\n'),
        )
        return ok ? 0 : 1
      }),
    )
}
