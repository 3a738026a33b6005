/** Settings of the server that break guarantees. */
import type { DirectSession } from '../../../postgres/index.ts'
import type { Check, Finding } from '../check.ts'
import { onDatabase } from '../on-database.ts'

/** The current and the required value of a setting. */
interface Rule {
  readonly name: string
  readonly is: readonly string[]
  readonly because: string
  readonly fix: string
}

const rules: readonly Rule[] = [
  { name: 'fsync', is: ['on'], because: 'a crash of the machine can destroy the database', fix: 'on' },
  { name: 'full_page_writes', is: ['on'], because: 'a crash of the machine can damage pages', fix: 'on' },
  {
    name: 'synchronous_commit',
    is: ['on', 'local', 'remote_write', 'remote_apply'],
    because: 'a crash loses changes that were reported as committed',
    fix: 'on',
  },
  {
    name: 'log_statement',
    is: ['none', 'ddl'],
    because: 'the server log then contains values of rows in plain text',
    fix: 'ddl',
  },
  {
    name: 'row_security',
    is: ['on'],
    because: 'queries fail where row-level security would filter',
    fix: 'on',
  },
  {
    name: 'session_replication_role',
    is: ['origin'],
    because: 'ordinary triggers and foreign keys do not fire',
    fix: 'origin',
  },
  { name: 'zero_damaged_pages', is: ['off'], because: 'damaged rows disappear without an error', fix: 'off' },
  {
    name: 'ignore_checksum_failure',
    is: ['off'],
    because: 'damaged pages are read as if they were intact',
    fix: 'off',
  },
  {
    name: 'allow_system_table_mods',
    is: ['off'],
    because: 'statements can rewrite the catalog',
    fix: 'off',
  },
]

/** Settings that defaults of a role or database must not change either. */
const DEFAULTS = new Set(['session_replication_role', 'row_security', 'log_statement', 'synchronous_commit'])

interface SettingFacts {
  readonly values: Readonly<Record<string, string>>
  /** Defaults of roles and databases (alter role … set). */
  readonly defaults: readonly { readonly of: string; readonly name: string; readonly value: string }[]
}

export const serverSettings: Check = {
  name: 'settings of the server',
  run: onDatabase('owner', async (database) => judgeSettings(await database.direct(readSettings))),
}

async function readSettings(session: DirectSession): Promise<SettingFacts> {
  // The values that other sessions get: this session sets some of its own.
  const { rows } = await session.query<{ name: string; value: string }>(
    'select name, reset_val as value from pg_settings where name = any ($1)',
    [rules.map(({ name }) => name)],
  )
  const { rows: defaults } = await session.query<SettingFacts['defaults'][number]>(
    `select case when s.setrole = 0 then 'database ' || quote_ident(d.datname) else 'role ' || quote_ident(r.rolname) end as of,
            split_part(c, '=', 1) as name, substr(c, strpos(c, '=') + 1) as value
     from pg_db_role_setting s cross join unnest(s.setconfig) c
     left join pg_database d on d.oid = s.setdatabase left join pg_roles r on r.oid = s.setrole
     where s.setdatabase = 0 or d.datname = current_database() order by 1, 2`,
  )
  return { values: Object.fromEntries(rows.map(({ name, value }) => [name, value])), defaults }
}

export function judgeSettings({ values, defaults }: SettingFacts): Finding {
  const wrong = (name: string, value: string) =>
    rules.find((rule) => rule.name === name && !rule.is.includes(value))
  const problems = [
    ...Object.entries(values).flatMap(([name, value]) => {
      const rule = wrong(name, value)
      return rule === undefined
        ? []
        : [
            {
              what: `${name} is ${value}: ${rule.because}`,
              fix: `alter system set ${name} = ${rule.fix}; select pg_reload_conf()`,
            },
          ]
    }),
    ...defaults.flatMap(({ of, name, value }) => {
      const rule = DEFAULTS.has(name) ? wrong(name, value) : undefined
      return rule === undefined
        ? []
        : [{ what: `${of} sets ${name} = ${value}: ${rule.because}`, fix: `alter ${of} reset ${name}` }]
    }),
  ]
  if (problems.length === 0) return { ok: true, detail: 'no setting weakens the database' }
  return {
    ok: false,
    detail: problems.map(({ what }) => what).join('; '),
    hint: problems.map(({ fix }) => fix).join('; '),
  }
}
