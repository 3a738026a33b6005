import { AkashiError } from '../../foundation/index.ts'
import { withBriefLocks } from '../migrate/connection.ts'
import type { DirectSession } from '../types.ts'
import { planRemoval, type RemovalPlan } from './removal-plan.ts'

export interface RemoveOptions {
  /** Drops the record too; else it stays, as plain tables in renamed schemas. */
  readonly destroy: boolean
  /** Suffix of the schemas that stay: letters, digits and underscores. */
  readonly suffix: string
}

export interface Removed {
  /** New names of the schemas that stay; empty where they were dropped. */
  readonly schemas: readonly string[]
  readonly roles: readonly string[]
}

/** Objects in Akashi's schemas, without those that belong to its tables. $1 the schemas */
const codeSql = `
  select statement from (
    select 1 as step, format('drop view if exists %s cascade', c.oid::regclass) as statement
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = any ($1) and c.relkind = 'v'
    union all
    select 2, format('drop routine if exists %s cascade', p.oid::regprocedure)
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = any ($1)
    union all
    select 3, format('drop policy if exists %I on %s', p.polname, p.polrelid::regclass)
    from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any ($1)
    union all
    select 4, format('alter table %s disable row level security, no force row level security', c.oid::regclass)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any ($1) and c.relkind in ('r', 'p') and (c.relrowsecurity or c.relforcerowsecurity)
  ) s order by step, statement`

/**
 * Takes Akashi out of a database: what it put on tables of the application first, one table at a time, then the rest
 * in one transaction. Interrupted, it is run again and continues.
 *
 * @throws AkashiError conflict if there are {@link RemovalPlan.obstacles}; nothing is changed
 */
export async function removeInstallation(
  session: DirectSession,
  plan: RemovalPlan,
  { destroy, suffix }: RemoveOptions,
): Promise<Removed> {
  await becomeMember(session, plan)
  for (const slot of plan.slots) {
    await session.query('select pg_drop_replication_slot($1)', [slot])
  }
  await leaveTables(session, plan)
  // The application may have begun to use something since the check.
  const { obstacles } = await planRemoval(session)
  const [obstacle] = obstacles
  if (obstacle !== undefined) throw new AkashiError('conflict', obstacle.what, { hint: obstacle.hint })
  const kept = destroy ? [] : plan.schemas.map((schema) => `${schema}_${suffix}`)
  await withBriefLocks(session, 'the removal', async () => {
    for (const name of plan.publications) await session.query(`drop publication ${name}`)
    for (const name of plan.eventTriggers) await session.query(`drop event trigger ${name}`)
    if (destroy) {
      for (const schema of plan.schemas) await session.query(`drop schema ${schema} cascade`)
    } else {
      await keepRecord(session, plan, suffix)
    }
    for (const role of plan.roles) {
      await session.query(`reassign owned by ${role} to current_user`)
      await session.query(`drop owned by ${role}`)
    }
    if (plan.usedBy.length === 0) for (const role of plan.roles) await session.query(`drop role ${role}`)
  })
  return { schemas: kept, roles: plan.usedBy.length === 0 ? plan.roles : [] }
}

/** Objects of a role are given away by its members only. */
async function becomeMember(session: DirectSession, { roles }: RemovalPlan): Promise<void> {
  const { rows } = await session.query<{ statement: string }>(
    `select format('grant %I to %I', rolname, session_user) as statement from pg_roles
     where rolname = any ($1) and not pg_has_role(session_user, oid, 'USAGE')`,
    [roles],
  )
  for (const { statement } of rows) await session.query(statement)
}

async function leaveTables(session: DirectSession, plan: RemovalPlan): Promise<void> {
  const { schemas, triggers, ownership } = plan
  for (const table of await protectedTables(session, schemas)) {
    await withBriefLocks(session, `ending the protection of ${table}`, () =>
      session.query('select akashi_audit.unprotect($1::regclass)', [table]),
    )
  }
  for (const { table, name } of triggers) {
    await withBriefLocks(session, `removing a trigger of ${table}`, () =>
      session.query(`drop trigger if exists ${name} on ${table}`),
    )
  }
  for (const { table, owner } of ownership) {
    await withBriefLocks(session, `giving ${table} back`, () =>
      session.query(`alter table ${table} owner to ${owner}`),
    )
  }
}

/** Tables of the application whose protection also changed their replica identity and the publication. */
async function protectedTables(session: DirectSession, schemas: readonly string[]): Promise<string[]> {
  const known = await session.query<{ known: boolean }>(
    `select to_regprocedure('akashi_audit.unprotect(regclass)') is not null as known`,
  )
  if (known.rows[0]?.known !== true) return []
  const { rows } = await session.query<{ table: string }>(
    `select c.oid::regclass::text as table from akashi_audit.coverage p
     join pg_namespace n on n.nspname = p.schema_name join pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
     where p.state = 'protected' and n.nspname <> all ($1) order by 1`,
    [schemas],
  )
  return rows.map(({ table }) => table)
}

/** What is left contains rows and no code, so nothing runs with the rights of its new owner. */
async function keepRecord(session: DirectSession, { schemas }: RemovalPlan, suffix: string): Promise<void> {
  const { rows } = await session.query<{ statement: string }>(codeSql, [schemas])
  for (const { statement } of rows) await session.query(statement)
  for (const schema of schemas) await session.query(`alter schema ${schema} rename to ${schema}_${suffix}`)
}
