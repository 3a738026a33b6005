import type { Invocation, Register } from '../invocation.ts'
import { addSettings } from '../setting-option.ts'

export const init: Register = (program, perform) => {
  addSettings(
    program
      .command('init')
      .description('install Akashi in your own PostgreSQL, as its administrator (docs/deploy.md)')
      .option('--dry-run', 'show what would be done and what prevents it; changes nothing')
      .option('--new-password', "give the server's login a new password even if it has one")
      .option(
        '--secrets <folder>',
        'write the URLs, with their password, to files in this folder that only you can read, instead of printing them',
      ),
    ['databaseUrl'],
  ).action(() => perform(initialise))
}

async function initialise(cli: Invocation): Promise<0> {
  const start = await import('../../start/index.ts')
  const settings = await cli.config()
  const plan = await start.planInit(settings, {
    newPassword: cli.flags['newPassword'] === true,
    signal: cli.signal,
  })
  const { preflight, pending, setsPassword } = plan
  const place = `database ${preflight.database} (PostgreSQL ${preflight.version}), as ${preflight.login}`
  if (cli.flags['dryRun'] === true) {
    const steps = [
      ...(preflight.missingRoles.length > 0 ? [`create the roles ${preflight.missingRoles.join(', ')}`] : []),
      ...(pending.length > 0
        ? [`apply ${pending.length} migrations, which create the schemas akashi_…`]
        : []),
      ...(setsPassword ? ['give akashi_server a password and print it once'] : []),
    ]
    const text = steps.length === 0 ? ['nothing to do'] : steps.map((step) => `would ${step}`)
    cli.print(
      { dryRun: true, ...preflight, pending, setsPassword },
      [place, ...text, ...notes(preflight.remarks)].join('\n'),
    )
    return 0
  }
  const folder = await openFolder(cli.flags['secrets'])
  try {
    const { urls } = await start.initialise(settings, plan, { actor: await cli.actor(), signal: cli.signal })
    const values: Record<string, string> = {}
    if (urls !== null) values['database-url'] = urls.databaseUrl
    if (urls !== null && urls.databaseDirectUrl !== null)
      values['database-direct-url'] = urls.databaseDirectUrl
    await folder?.write(values)
    const text = [
      `Akashi is installed in ${place}: ${pending.length} migrations applied`,
      ...told(values, folder?.path),
      `they also need the keys in ${start.keysUrl(settings)} and the object store ${start.objectStoreUrl(settings)}`,
      ...notes(preflight.remarks),
    ]
    cli.print(
      {
        database: preflight.database,
        applied: pending,
        secrets: folder?.path ?? null,
        ...(folder === undefined ? urls : {}),
      },
      text.join('\n'),
    )
    return 0
  } finally {
    await folder?.close()
  }
}

/** Where `akashi serve` and `akashi work` find the database. */
function told(values: Readonly<Record<string, string>>, folder: string | undefined): string[] {
  const names = Object.keys(values)
  if (names.length === 0) return ['akashi_server keeps its password; --new-password gives it a new one']
  const variable = (name: string) => name.toUpperCase().replaceAll('-', '_')
  return folder === undefined
    ? [
        'for akashi serve and akashi work (the password is shown only once):',
        ...names.map((name) => `${variable(name)}=${values[name]}`),
      ]
    : [
        'for akashi serve and akashi work:',
        ...names.map((name) => `${variable(name)}_FILE=${folder}/${name}`),
      ]
}

function notes(remarks: readonly string[]): string[] {
  return remarks.map((remark) => `note: ${remark}`)
}

async function openFolder(name: unknown) {
  if (typeof name !== 'string') return undefined
  const { openSecretFolder } = await import('../secret-folder.ts')
  return await openSecretFolder(name, ['database-url', 'database-direct-url'])
}
