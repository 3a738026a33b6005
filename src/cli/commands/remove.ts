import { AkashiError, counted } from '../../foundation/index.ts'
import type { RemovalPlan } from '../../postgres/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import { addSettings } from '../setting-option.ts'

export const remove: Register = (program, perform) => {
  addSettings(
    program
      .command('remove')
      .description(
        'uninstall Akashi from your own PostgreSQL; your tables and the record stay (docs/deploy.md)',
      )
      .option('--dry-run', 'show what would be removed and what prevents it; changes nothing')
      .option('--destroy', 'also drop the record: trail, ledger, events, users, chat')
      .option('--yes', 'do not ask for confirmation'),
    ['databaseUrl'],
  ).action(() => perform(removeFromDatabase))
}

async function removeFromDatabase(cli: Invocation): Promise<0> {
  const start = await import('../../start/index.ts')
  const settings = await cli.config()
  const destroy = cli.flags['destroy'] === true
  const plan = await start.planRemove(settings, cli.signal)
  if (plan === null) {
    cli.print({ removed: false }, 'Akashi is not in this database')
    return 0
  }
  const { remarks } = plan
  if (cli.flags['dryRun'] === true) {
    const text = [
      ...removals(plan, destroy).map((line) => `would ${line}`),
      ...stays(
        plan,
        destroy,
        plan.schemas.map((schema) => `${schema}_removed_…`),
      ),
      ...remarks.map((remark) => `note: ${remark}`),
    ]
    cli.print({ dryRun: true, ...plan }, text.join('\n'))
    return 0
  }
  await confirm(cli, plan, destroy)
  const removed = await start.remove(settings, plan, { destroy, signal: cli.signal })
  const text = [
    `Akashi is removed from database ${plan.database}`,
    ...stays(plan, destroy, removed.schemas),
    ...remarks.map((remark) => `note: ${remark}`),
  ]
  cli.print({ removed: true, ...removed, usedBy: plan.usedBy, remarks }, text.join('\n'))
  return 0
}

async function confirm(cli: Invocation, { database }: RemovalPlan, destroy: boolean): Promise<void> {
  if (cli.flags['yes'] === true) return
  const what = destroy ? 'Akashi and its whole record' : 'Akashi'
  const answer = await cli.ask(`this removes ${what} from database ${database}; type its name to continue: `)
  if (answer?.trim() === database) return
  throw new AkashiError('invalid_input', 'the removal was not confirmed, and nothing was changed', {
    hint: 'run it with --dry-run first, then give --yes or type the name of the database',
  })
}

function removals(plan: RemovalPlan, destroy: boolean): string[] {
  const { slots, publications, eventTriggers, triggers, ownership, schemas, roles, usedBy, members } = plan
  const lines: string[] = []
  const list = (what: string, names: readonly string[]) => {
    if (names.length > 0) lines.push(`${what} ${names.join(', ')}`)
  }
  list('drop the replication slot', slots)
  list('drop the publication', publications)
  list('drop the event trigger', eventTriggers)
  const tables = [...new Set(triggers.map(({ table }) => table))]
  list(`drop ${counted(triggers.length, 'trigger')} of`, tables)
  for (const { table, owner } of ownership) lines.push(`give ${table} back to ${owner}`)
  list(
    destroy ? 'drop the schemas' : 'drop the functions, views and policies of and rename the schemas',
    schemas,
  )
  if (usedBy.length === 0) {
    list('drop the roles', roles)
    list('thereby end the memberships of', members)
  }
  return lines
}

function stays({ usedBy }: RemovalPlan, destroy: boolean, schemas: readonly string[]): string[] {
  return [
    'stays: your tables and their rows; values that were encrypted stay encrypted',
    ...(destroy || schemas.length === 0
      ? []
      : [
          `stays: the record (trail, ledger, events), as plain tables that belong to you, in ${schemas.join(', ')}; drop them when you no longer need them`,
        ]),
    ...(usedBy.length === 0
      ? []
      : [`stays: the roles and the replication slot of backups, which ${usedBy.join(', ')} also uses`]),
    'stays: objects in the object store (archives, backups, checkpoints) and the keyring, without which backups and encrypted values cannot be read',
  ]
}
