import type { Register } from '../invocation.ts'

export const supportBundle: Register = (program, perform) => {
  program
    .command('support-bundle')
    .description('collect diagnostics for support in one file, without secrets or row data')
    .option('--output <file>', 'default akashi-support-TIME.tar.gz in this folder; never overwrites')
    .action(() =>
      perform(async (cli) => {
        const { writeFile } = await import('node:fs/promises')
        const { AkashiError, errno } = await import('../../foundation/index.ts')
        const { supportBundle: collect } = await import('../../start/index.ts')
        const now = new Date()
        const { output } = cli.flags
        const file =
          typeof output === 'string'
            ? output
            : `akashi-support-${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z.tar.gz`
        const { bytes, files, missing } = await collect(await cli.config(), {
          actor: await cli.actor(),
          signal: cli.signal,
          now,
        })
        await writeFile(file, bytes, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
          const reason =
            errno(error) === 'EEXIST' ? 'already exists' : `cannot be written (${errno(error) ?? 'unknown'})`
          throw new AkashiError('invalid_input', `${file} ${reason}`, { hint: 'give another --output' })
        })
        for (const [name, reason] of Object.entries(missing)) cli.note(`${name} was left out: ${reason}`)
        cli.print(
          { file, bytes: bytes.length, files, missing },
          `${file} (${bytes.length} bytes): ${files.join(', ')}\nreview it before you send it: tar -xzf ${file}`,
        )
        return 0
      }),
    )
}
