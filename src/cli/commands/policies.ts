import type { SecurityPolicy } from '@akashi/contract'
import type { Command } from 'commander'
import type { Perform, Register } from '../invocation.ts'

export const policies: Register = (program, perform) => {
  const group = program
    .command('policies')
    .description('security policies for passwords, sessions, second factors and API keys')
  list(group, perform)
  set(group, perform)
  reset(group, perform)
}

function list(group: Command, perform: Perform): void {
  group
    .command('list', { isDefault: true })
    .description('list every policy with its value and default')
    .action(() =>
      perform(async (cli) => {
        const { listPolicies } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const all = await withConnections(cli, ({ pool, actor }) => listPolicies(pool('owner'), actor))
        const rows = all.map((policy) => [
          policy.key,
          textOf(policy.value),
          policy.unit,
          textOf(policy.defaultValue),
          policy.description,
        ])
        cli.print({ policies: all }, table(['policy', 'value', 'unit', 'default', ''], rows))
        return 0
      }),
    )
}

function set(group: Command, perform: Perform): void {
  group
    .command('set')
    .argument('<policy>', 'as listed by akashi policies list')
    .argument('<value>', 'a number, true or false, a text, or comma-separated texts')
    .description('change a policy; recorded in the audit trail and as a security event')
    .action((key: string, value: string) =>
      perform(async (cli) => {
        const { listPolicies, setPolicy } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const changed = await withConnections(cli, async ({ pool, actor }) => {
          const owner = pool('owner')
          const known = (await listPolicies(owner, actor)).find((policy) => policy.key === key)
          return await setPolicy(owner, actor, key, known === undefined ? value : parseValue(known, value))
        })
        cli.print(changed, `${key} is now ${textOf(changed.value)}`)
        return 0
      }),
    )
}

function reset(group: Command, perform: Perform): void {
  group
    .command('reset')
    .argument('<policy>')
    .description('reset a policy to its default')
    .action((key: string) =>
      perform(async (cli) => {
        const { setPolicy } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const changed = await withConnections(cli, ({ pool, actor }) => setPolicy(pool('owner'), actor, key))
        cli.print(changed, `${key} is ${textOf(changed.value)} again`)
        return 0
      }),
    )
}

/** Parses a command line argument as the policy's type; the database validates the value. */
function parseValue({ valueType }: SecurityPolicy, text: string): SecurityPolicy['value'] {
  switch (valueType) {
    case 'integer':
      return /^-?\d+$/.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' || text === 'false' ? text === 'true' : text
    case 'text[]':
      return text === '' ? [] : text.split(',').map((each) => each.trim())
    default:
      return text
  }
}

function textOf(value: SecurityPolicy['value']): string {
  return typeof value === 'object' ? value.join(',') : String(value)
}
