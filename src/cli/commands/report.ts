import { readFile, writeFile } from 'node:fs/promises'
import { type ReportFormat, type ReportLanguage, reportFormats, reportLanguages } from '@akashi/contract'
import { Option } from 'commander'
import { AkashiError, appOf, systemClock } from '../../foundation/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import type { ExitStatus } from '../world.ts'

export const report: Register = (program, perform) => {
  const group = program
    .command('report')
    .description('compliance reports: controls and their evidence, signed')
  group
    .command('make', { isDefault: true })
    .description(
      'create, sign and store the report of a month; exits 1 unless every requirement is fulfilled',
    )
    .option('--month <YYYY-MM>', 'default: the previous month')
    .addOption(
      new Option('--lang <language>', 'of --format html and pdf').choices([...reportLanguages]).default('ja'),
    )
    .addOption(
      new Option(
        '--format <format>',
        'print the report instead of a summary; pdf writes a file in this folder and prints its name',
      ).choices([...reportFormats]),
    )
    .action(() => perform(make))
  group
    .command('list')
    .description('list reports, newest month first')
    .action(() =>
      perform(async (cli) => {
        const { listReports } = await import('../../report/index.ts')
        const { table } = await import('../output/table.ts')
        const { withConnections } = await import('../databases.ts')
        const reports = await withConnections(cli, ({ pool, actor }) =>
          listReports(pool('security_admin'), actor),
        )
        cli.print(
          { reports },
          reports.length === 0
            ? 'no reports yet'
            : table(
                ['month', 'verdict', 'made', 'report'],
                reports.map(({ month, verdict, createdAt, id }) => [month, verdict, createdAt, id]),
              ),
        )
        return 0
      }),
    )
  group
    .command('verify')
    .argument('<file>', 'a report in any format')
    .description('verify that a file is a signed report and unchanged; exits 1 if not')
    .option('--note <file>', 'signed note of the report (default: the one in the database)')
    .option('--key <key>', 'verifier key of the signer (default: the keys of the keyring)')
    .action((file: string) => perform((cli) => verify(cli, file)))
}

async function make(cli: Invocation): Promise<ExitStatus> {
  const { fileName, makeReport, parseMonth } = await import('../../report/index.ts')
  const { openKeys, openOwnedObjects } = await import('../../start/index.ts')
  const { withConnections } = await import('../databases.ts')
  const config = await cli.config()
  const keyring = await openKeys(config)
  try {
    const month = typeof cli.flags['month'] === 'string' ? parseMonth(cli.flags['month']) : undefined
    const made = await withConnections(
      cli,
      async ({ pool, actor }) => {
        const worker = pool('worker')
        const { store } = await openOwnedObjects(config, worker, actor)
        return await makeReport(
          {
            securityAdmin: pool('security_admin'),
            worker,
            keyring,
            store,
            app: appOf(config),
            clock: systemClock,
            actor,
            signal: cli.signal,
          },
          month,
        )
      },
      keyring,
    )
    const { document, files, contents } = made
    const language = cli.flags['lang'] as ReportLanguage
    const format = cli.flags['format'] as ReportFormat | undefined
    const fulfilled = document.verdict === 'fulfilled' ? 0 : 1
    if (format !== undefined && !cli.json) {
      const bytes = contents.get(fileName(format, language)) ?? Buffer.alloc(0)
      if (format === 'pdf') {
        const file = `report-${document.month}.${language}.pdf`
        await writeFile(file, bytes)
        cli.print(null, file)
      } else {
        cli.print(null, bytes.toString('utf8'))
      }
      return fulfilled
    }
    const open = document.controls.filter(({ status }) => status !== 'met')
    cli.print(
      { id: document.id, month: document.month, verdict: document.verdict, files, document },
      [
        `report ${document.id} of ${document.month}: ${document.verdict.replace('_', ' ')}`,
        ...open.map(({ id, status, evidence }) => {
          const lacking = evidence.filter((one) => one.status === 'not_met' || one.status === 'missing')
          return `  ${id}: ${status.replace('_', ' ')} (${lacking.map(({ key, value }) => `${key} ${value ?? 'not measured'}`).join(', ')})`
        }),
        ...files.map(({ object, bytes }) => `  ${object} (${bytes} bytes)`),
      ].join('\n'),
    )
    return fulfilled
  } finally {
    await keyring.close()
  }
}

async function verify(cli: Invocation, file: string): Promise<ExitStatus> {
  const { checkReportFile, noteOf, reportVerifierKeys } = await import('../../report/index.ts')
  const bytes = await readFile(file)
  const { note: noteFile, key } = cli.flags
  const note = typeof noteFile === 'string' ? await readFile(noteFile, 'utf8') : await storedNote()
  const keys = typeof key === 'string' ? [key] : await ownKeys()
  const signed = checkReportFile(bytes, note, keys)
  cli.print(
    { ok: true, ...signed },
    `${file} is ${signed.file} of report ${signed.id} (${signed.month}, ${signed.verdict.replace('_', ' ')}), signed by ${signed.signer}`,
  )
  return 0

  async function storedNote(): Promise<string> {
    const { withConnections } = await import('../databases.ts')
    const found = await withConnections(cli, ({ pool, actor }) =>
      noteOf(pool('security_admin'), actor, bytes),
    )
    if (found !== null) return found
    throw new AkashiError('integrity', `${file} is not a report of this installation`, {
      hint: 'it was changed, or it belongs to another installation: give its --note and --key',
    })
  }

  async function ownKeys(): Promise<readonly string[]> {
    const { openKeys } = await import('../../start/index.ts')
    const keyring = await openKeys(await cli.config())
    try {
      return await reportVerifierKeys(keyring)
    } finally {
      await keyring.close()
    }
  }
}
