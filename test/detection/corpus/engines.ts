/** The same rules over the same corpus, by the plain evaluator, by PostgreSQL and by DuckDB. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Calendar } from '../../../src/detection/calendar.ts'
import type { Finding } from '../../../src/detection/correlate.ts'
import { portions, tableOf } from '../../../src/detection/history.ts'
import { duckdb, type Matcher, postgresql, type Row, type Rule } from '../../../src/detection/index.ts'
import type { DirectSession } from '../../../src/postgres/index.ts'
import type { Corpus, Labelled } from './build.ts'

const TABLES = ['security_events', 'audit_logs'] as const
/** Events after which windows are forgotten. */
const FORGET_AFTER = 5_000

type Rules = readonly Rule[]

/** The last state of each finding. */
class Collected {
  readonly #found = new Map<string, Finding>()
  take(matcher: Matcher): void {
    for (const finding of matcher.take()) this.#found.set(finding.id, finding)
  }
  get findings(): Finding[] {
    return [...this.#found.values()]
  }
}

function matchersOf(rules: Rules, table: (typeof TABLES)[number], calendar: Calendar): Matcher[] {
  return portions(
    table,
    rules.filter((rule) => tableOf(rule) === table),
    calendar,
  )
}

export function findPlainly(corpus: Corpus, rules: Rules, calendar: Calendar): Finding[] {
  const collected = new Collected()
  for (const table of TABLES) {
    for (const matcher of matchersOf(rules, table, calendar)) {
      for (const [at, { id, event }] of corpus[table].entries()) {
        matcher.event(id, event)
        if (at % FORGET_AFTER !== FORGET_AFTER - 1) continue
        collected.take(matcher)
        matcher.forget(event.created_at)
      }
      collected.take(matcher)
    }
  }
  return collected.findings
}

const OTHERS: Readonly<Record<string, string>> = {
  source_ip: 'inet',
  ocsf_class_uid: 'integer',
  event_details: 'jsonb',
}

/** Columns of the corpus and of the rules. */
function columnsOf(events: readonly Labelled[], matchers: readonly Matcher[]): string[] {
  const named = new Set(events.flatMap(({ event }) => Object.keys(event)))
  for (const matcher of matchers)
    for (const [, name = ''] of matcher.select(duckdb, String).columns.matchAll(/\br\.(\w+)/g))
      named.add(name)
  return [...named].filter((name) => name !== 'created_at' && name !== 'id')
}

export async function findInPostgres(
  session: DirectSession,
  corpus: Corpus,
  rules: Rules,
  calendar: Calendar,
): Promise<Finding[]> {
  const collected = new Collected()
  for (const table of TABLES) {
    const matchers = matchersOf(rules, table, calendar)
    const columns = columnsOf(corpus[table], matchers)
    const typeOf = (name: string) => OTHERS[name] ?? (name === 'context_verified' ? 'boolean' : 'text')
    await session.query(
      `create temporary table corpus (id uuid, created_at timestamptz, ${columns.map((name) => `${name} ${typeOf(name)}`).join(', ')})`,
    )
    await session.query(
      `insert into pg_temp.corpus select (e ->> 'id')::uuid, timestamptz 'epoch' + (e ->> 'created_at')::bigint * interval '1 microsecond',
         ${columns.map((name) => (typeOf(name) === 'jsonb' ? `e -> '${name}'` : `(e ->> '${name}')::${typeOf(name)}`)).join(', ')}
       from jsonb_array_elements($1::jsonb) e`,
      [JSON.stringify(corpus[table].map(({ id, event }) => ({ ...event, id })))],
    )
    for (const matcher of matchers) {
      const values: (string | number)[] = []
      const { columns: selected, where } = matcher.select(postgresql, (value) => `$${values.push(value)}`)
      const { rows } = await session.query<Readonly<Record<string, string | null>>>(
        `with matched as (select ${selected} from pg_temp.corpus r) ${where}`,
        values,
      )
      give(
        matcher,
        rows.map((row) => Object.values(row)),
      )
      collected.take(matcher)
    }
    await session.query('drop table pg_temp.corpus')
  }
  return collected.findings
}

export async function findInDuckdb(corpus: Corpus, rules: Rules, calendar: Calendar): Promise<Finding[]> {
  const collected = new Collected()
  const folder = await mkdtemp(join(tmpdir(), 'akashi-corpus-'))
  try {
    const connection = await (await DuckDBInstance.create()).connect()
    for (const table of TABLES) {
      const matchers = matchersOf(rules, table, calendar)
      const columns = columnsOf(corpus[table], matchers)
      const file = join(folder, `${table}.json`)
      await write(file, corpus[table])
      const types = ['id', ...columns].map((name) => `${name}: 'varchar'`).join(', ')
      const names = columns.map((name) => `, ${name}`).join('')
      await connection.run(
        `create table ${table} as select id, make_timestamptz(created_at) as created_at${names}
         from read_json('${file}', format = 'newline_delimited', columns = {created_at: 'bigint', ${types}})`,
      )
      for (const matcher of matchers) {
        const { columns: selected, where } = matcher.select(duckdb, (value) =>
          typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`,
        )
        const reader = await connection.runAndReadAll(
          `with matched as (select ${selected} from ${table} r) ${where}`,
        )
        give(matcher, reader.getRows())
        collected.take(matcher)
      }
    }
    connection.closeSync()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return collected.findings
}

function give(matcher: Matcher, rows: readonly (readonly unknown[])[]): void {
  for (const [id, at, passed, ...fields] of rows) {
    matcher.row([
      String(id),
      Number(at),
      String(passed),
      ...fields.map((value) => (value === null ? null : String(value))),
    ] satisfies Row)
  }
}

async function write(path: string, events: readonly Labelled[]): Promise<void> {
  const file = createWriteStream(path)
  for (const { id, event } of events) {
    const row = Object.entries(event).map(([name, value]): [string, unknown] => [
      name,
      typeof value === 'object' && value !== null ? JSON.stringify(value) : value,
    ])
    if (!file.write(`${JSON.stringify({ ...Object.fromEntries(row), id })}\n`)) await once(file, 'drain')
  }
  file.end()
  await once(file, 'finish')
}
