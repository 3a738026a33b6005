import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  auditLogs,
  type LogDefinition,
  logs,
  type Problem,
  readHead,
  seal,
  securityEvents,
  verifierKeys,
  verify,
} from '../../src/audit/index.ts'
import type { DirectSession } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { random } from '../support/random.ts'
import { insideOf, withoutGuards } from '../support/tamper.ts'

/** AKASHI_LONG=1 tries as many mutations as the design asks for. */
const LONG = process.env['AKASHI_LONG'] === '1'
const MUTATIONS = LONG ? 3_000 : 150
/** Mutations of one transaction: while it is open it holds the frontier of every test beside. */
const MUTATIONS_AT_ONCE = 25
const SEED = Number(process.env['AKASHI_SEED'] ?? 20261121)
const TIMEOUT_MS = LONG ? 1_800_000 : 300_000

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)

const choose = random(SEED)
const below = (n: number) => Math.floor(choose() * n)
function one<T>(from: readonly T[]): T {
  const found = from[below(from.length)]
  if (found === undefined) throw new Error('there is nothing to choose from')
  return found
}

/** Signed heads as somebody else kept them, by log. */
const published = new Map<string, string[]>()

async function keepHeads(): Promise<void> {
  await worker.transaction(tester, async (session) => {
    for (const { log } of logs) {
      const note = (await readHead(session, log))?.note
      if (note !== undefined && note !== null) published.set(log, [...(published.get(log) ?? []), note])
    }
  })
}

async function problemsIn(session: DirectSession, notes: ReadonlyMap<string, string[]>): Promise<Problem[]> {
  const report = await verify(insideOf(session), tester, {
    verifierKeys: verifierKeys(ledger.keyring),
    // Each attack leaves its traces in the catalog as well, which have tests of their own.
    catalog: false,
    published: async function* (log) {
      yield* notes.get(log) ?? []
    },
  })
  return report.logs.flatMap((log) => log.problems)
}

const nobody: ReadonlyMap<string, string[]> = new Map()

interface Entry {
  readonly log: LogDefinition
  readonly id: string
  readonly position: string
}

let entries: Entry[] = []

/** One transaction of a superuser whose guards are off; `mutate` is taken back after each look. */
async function asTamperer(
  work: (session: DirectSession, look: (mutate: () => Promise<void>) => Promise<Problem[]>) => Promise<void>,
): Promise<void> {
  await database.asSuperuser(async (session) => {
    await session.query('begin')
    const guarded = await withoutGuards(session)
    const noise = new Set((await problemsIn(session, published)).map((problem) => JSON.stringify(problem)))
    expect(noise.size).toBe(
      guarded.filter((relid) => watched.some((table) => relid.startsWith(table))).length,
    )
    await work(session, async (mutate) => {
      await session.query('savepoint mutation')
      await mutate()
      const found = await problemsIn(session, published)
      await session.query('rollback to savepoint mutation')
      return found.filter((problem) => !noise.has(JSON.stringify(problem)))
    })
    await session.query('rollback')
  })
}

/** Tables whose guards verification looks at. */
const watched = [
  'akashi_audit.catalog_records',
  'akashi_audit.crosscheck_',
  'akashi_audit.audit_logs',
  'akashi_audit.ledger_',
  'akashi_audit.losses',
  'akashi_audit.retention_records',
  'akashi_audit.verifications',
  'akashi_auth.login_attempts',
  'akashi_security.security_event',
]

const table = (log: LogDefinition) => `${log.schema}.${log.table}`

/** SQL for another value of a column, of the kind that somebody would like to be there. */
function otherValue(log: LogDefinition, column: string): string {
  const quoted = `"${column}"`
  switch (log.columns[column]) {
    case 'uuid':
      return one(['gen_random_uuid()', `overlay(${quoted}::text placing '0' from 36)::uuid`])
    case 'integer':
      return column === 'xid'
        ? one(["'3'::xid8", `(${quoted}::text::bigint + 1)::text::xid8`])
        : one([`coalesce(${quoted}, 0) + 1`, `coalesce(${quoted}, 0) - 1`, '0'])
    case 'boolean':
      return `not ${quoted}`
    case 'bytes':
      return one([`set_byte(${quoted}, ${below(16)}, ${below(256)})`, "''::bytea", `${quoted} || '\\x00'`])
    case 'time':
      return `${quoted} ${one(['+', '-'])} interval '${one(['1 microsecond', '1 second', '1 hour'])}'`
    case 'inet':
      return one(["'192.0.2.1'", "'2001:db8::1'", `coalesce(${quoted}, '192.0.2.1') + 1`, 'null'])
    case 'json':
      return one([
        `'{"forged": true}'`,
        "'null'",
        'null',
        `coalesce(${quoted}, '{}') || '{"x": 1.0}'`,
        `replace(coalesce(${quoted}, '{"n": 1}')::text, '1', '1.0')::jsonb`,
      ])
    case 'text[]':
      return one(["'{forged}'", "'{}'", 'null', `coalesce(${quoted}, '{}') || 'id'::text`])
    default:
      return one([
        "'forged'",
        "''",
        'null',
        `coalesce(${quoted}, '') || ' '`,
        `upper(coalesce(${quoted}, 'x'))`,
        `left(coalesce(${quoted}, 'xy'), -1)`,
      ])
  }
}

const required = new Set(['id', 'created_at', 'seq', 'xid', 'salt', 'event_details', 'received_at'])

beforeAll(async () => {
  // Thousands of looks, and most of one is planning over partitions that hold nothing yet.
  await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits, akashi_lifecycle.partition_bounds(inhrelid::regclass) b
       where inhparent in ('akashi_audit.audit_logs'::regclass, 'akashi_security.security_events'::regclass) and b.lower > now() + interval '1 day'`,
    )
    for (const { name } of rows) await session.query(`drop table ${name}`)
  })
  await database.asSuperuser((session) =>
    session.query(`create table shop (id int primary key, price numeric, note text, tags text[]);
      select akashi_audit.protect('shop', 'confidential', 'id');
      insert into shop select i, i * 1.5, 'n' || i, array['a', i::text] from generate_series(1, 280) i;
      insert into akashi_security.security_events (event_type, event_category, severity, source_service, source_ip, user_id, event_details, ocsf_class_uid)
      select 'login_failed', 'authentication', 'low', 'sso', '203.0.113.7', gen_random_uuid(), jsonb_build_object('n', i), 3002 from generate_series(1, 20) i`),
  )
  await ledger.seal()
  await keepHeads()
  await database.asSuperuser((session) =>
    session.query(
      'update shop set price = price + 1, tags = null where id <= 20; update shop set id = -id where id = 21; delete from shop where id > 270',
    ),
  )
  await ledger.seal()
  await keepHeads()
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ log: string; id: string; position: string }>(
      'select log, row_id as id, position::text from akashi_audit.ledger_entries order by log, position',
    ),
  )
  entries = rows.map(({ log, ...rest }) => ({
    ...rest,
    log: log === auditLogs.log ? auditLogs : securityEvents,
  }))
})

const counts: Record<string, number> = {}
afterAll(() => {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  process.stdout.write(`tamper matrix: ${total} mutations, seed ${SEED}: ${JSON.stringify(counts)}\n`)
})

/** A mutation, and what verification must say of it. */
interface Mutation {
  readonly kind: string
  readonly statements: readonly string[]
  /** Ids or positions that must be named. */
  readonly named: readonly string[]
}

/** Every column of every log comes first, each on a row of its own; then whatever chance brings. */
function mutationOf(n: number): Mutation {
  const sealed = logs.filter(({ log }) => entries.some((each) => each.log.log === log))
  const columns = sealed.flatMap((log) => Object.keys(log.columns).map((column) => ({ log, column })))
  const planned = columns[n]
  const entry = one(entries.filter((each) => planned === undefined || each.log === planned.log))
  const { log, id, position } = entry
  const another = one(entries.filter((each) => each.log === log && each.id !== id))
  const at = `log = '${log.log}' and position`
  const kinds: readonly (() => Mutation)[] = [
    () => changeOf(entry, planned?.column ?? one(Object.keys(log.columns))),
    () => changeOf(entry, planned?.column ?? one(Object.keys(log.columns))),
    () => changeOf(entry, planned?.column ?? one(Object.keys(log.columns))),
    () => ({
      kind: 'row deleted',
      statements: [`delete from ${table(log)} where id = '${id}'`],
      named: [id],
    }),
    () => ({
      kind: 'rows deleted',
      statements: [`delete from ${table(log)} where id in ('${id}', '${another.id}')`],
      named: [id, another.id],
    }),
    () => {
      const forged = `0199d3a0-0000-7000-8000-${String(n).padStart(12, '0')}`
      return {
        kind: 'row inserted below the frontier',
        statements: [`${copyOf(entry, forged)} where id = '${id}'`],
        named: [forged],
      }
    },
    () => ({
      kind: 'row doubled at another time',
      statements: [
        `insert into ${table(log)} select (jsonb_populate_record(r, jsonb_build_object('created_at', created_at - interval '1 microsecond'))).* from ${table(log)} r where id = '${id}'`,
      ],
      named: [id],
    }),
    () => ({
      kind: 'two rows exchanged',
      statements: [
        `create temp table pair on commit drop as select * from ${table(log)} where id in ('${id}', '${another.id}')`,
        `delete from ${table(log)} where id in ('${id}', '${another.id}')`,
        `update pair set id = case id when '${id}' then '${another.id}'::uuid else '${id}'::uuid end`,
        `insert into ${table(log)} select * from pair`,
      ],
      named: [id, another.id],
    }),
    () => ({
      kind: 'row and entry changed together',
      statements: [
        `update ${table(log)} set salt = '\\x00' where id = '${id}'`,
        `update akashi_audit.ledger_entries set entry_hash = sha256('forged') where ${at} = ${position}`,
      ],
      named: [position],
    }),
    () => ({
      kind: 'row and entry deleted together',
      statements: [
        `delete from ${table(log)} where id = '${id}'`,
        `delete from akashi_audit.ledger_entries where ${at} = ${position}`,
      ],
      named: [position],
    }),
    () => ({
      kind: 'entry deleted',
      statements: [`delete from akashi_audit.ledger_entries where ${at} = ${position}`],
      named: [position],
    }),
    () => ({
      kind: 'entry of another row',
      statements: [
        `update akashi_audit.ledger_entries set row_id = gen_random_uuid() where ${at} = ${position}`,
      ],
      named: [id],
    }),
    () => ({
      kind: 'entries exchanged',
      statements: [
        `update akashi_audit.ledger_entries e set row_id = o.row_id, created_at = o.created_at, entry_hash = o.entry_hash
         from akashi_audit.ledger_entries o where e.log = '${log.log}' and o.log = e.log
         and (e.position, o.position) in ((${position}, ${another.position}), (${another.position}, ${position}))`,
      ],
      named: [position, another.position],
    }),
    () => ({
      kind: 'tile changed',
      statements: [
        `update akashi_audit.ledger_tiles set hashes = set_byte(hashes, 5, (get_byte(hashes, 5) + 1) % 256) where log = '${log.log}' and level = 0 and tile = ${position}::bigint / 256`,
      ],
      named: [],
    }),
    () => ({
      kind: 'entry of another time',
      statements: [
        `update akashi_audit.ledger_entries set created_at = created_at ${one(['+', '-'])} interval '${one(['1 microsecond', '1 day', '3 years'])}' where ${at} = ${position}`,
      ],
      named: [id],
    }),
    () => ({
      kind: 'tile of any level changed',
      statements: [
        `update akashi_audit.ledger_tiles t set hashes = ${one([`set_byte(hashes, ${below(32)}, (get_byte(hashes, 0) + 1 + ${below(255)}) % 256)`, "hashes || sha256('x')", 'substring(hashes for 32) || hashes'])}
         from (select level, tile from akashi_audit.ledger_tiles where log = '${log.log}' order by level desc, tile offset ${below(2)} limit 1) which
         where t.log = '${log.log}' and t.level = which.level and t.tile = which.tile`,
      ],
      named: [],
    }),
    () => ({
      kind: 'tile deleted',
      statements: [
        `delete from akashi_audit.ledger_tiles where log = '${log.log}' and level = 0 and tile = ${position}::bigint / 256`,
      ],
      named: [],
    }),
    () => ({
      kind: 'head changed',
      statements: [
        `update akashi_audit.ledger_heads set ${one([
          "root = sha256('x')",
          'size = size - 1',
          'size = size + 1',
          "origin = 'elsewhere'",
          "note = replace(note, '=', 'A')",
          'note = null',
          'last_xid = (last_xid::text::bigint + 1)::text::xid8',
          "last_xid = '3'",
          'last_seq = last_seq + 1',
          'seq_floor = last_seq',
        ])} where log = '${log.log}'`,
      ],
      named: [],
    }),
    () => ({
      kind: 'tail cut off',
      statements: [
        `delete from ${table(log)} r using akashi_audit.ledger_entries e where e.log = '${log.log}' and e.row_id = r.id and e.position >= ${position}`,
        `delete from akashi_audit.ledger_entries where ${at} >= ${position}`,
        `update akashi_audit.ledger_heads set size = ${position} where log = '${log.log}'`,
      ],
      named: [],
    }),
  ]
  const [first = kinds[0]] = kinds
  const made = (planned === undefined ? one(kinds) : first)?.()
  if (made === undefined) throw new Error('there are kinds')
  return made
}

function changeOf({ log, id }: Entry, column: string): Mutation {
  return {
    kind: 'column changed',
    statements: [
      `with other as (select ${otherValue(log, column)} as value from ${table(log)} where id = '${id}')
       update ${table(log)} set "${column}" = ${required.has(column) || log.columns[column] === 'boolean' ? 'coalesce(value, value)' : 'value'} from other
       where id = '${id}' and value::text is distinct from "${column}"::text`,
    ],
    // A row under another id is gone under its own.
    named: [id],
  }
}

function copyOf({ log }: Entry, forged: string): string {
  const others = Object.keys(log.columns).filter((column) => column !== 'id')
  const list = others.map((column) => `"${column}"`).join(', ')
  return `insert into ${table(log)} (id, ${list}) select '${forged}', ${list} from ${table(log)}`
}

describe('every change that a superuser makes below the frontier', () => {
  it('is reported with the row', { timeout: TIMEOUT_MS }, async () => {
    for (let first = 0; first < MUTATIONS; first += MUTATIONS_AT_ONCE) await tamper(first)
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
    expect(total).toBeGreaterThan(MUTATIONS * 0.8)
  })

  async function tamper(first: number): Promise<void> {
    await asTamperer(async (session, look) => {
      for (let n = first; n < Math.min(first + MUTATIONS_AT_ONCE, MUTATIONS); n += 1) {
        const mutation = mutationOf(n)
        let changed = 0
        let refused = false
        const problems = await look(async () => {
          for (const statement of mutation.statements) {
            await session.query('savepoint statement')
            try {
              changed += (await session.query(statement)).rowCount
            } catch {
              // A value that the column itself refuses is no tampering.
              refused = true
              await session.query('rollback to savepoint statement')
            }
          }
        })
        if (refused || changed === 0) continue
        counts[mutation.kind] = (counts[mutation.kind] ?? 0) + 1
        const said = `${mutation.kind}: ${mutation.statements.join('; ')}`
        expect(problems.length, said).toBeGreaterThan(0)
        for (const name of mutation.named) {
          expect(
            problems.some(({ id, position }) => id === name || position === name),
            `${said} names ${name}: ${JSON.stringify(problems.slice(0, 3))}`,
          ).toBe(true)
        }
      }
    })
  }
})

/** With the log's own key a ledger can be made that fits any rows: what somebody else kept does not fit it. */
describe('a history rewritten with the key of the log', () => {
  async function rewrite(session: DirectSession, log: LogDefinition, change: string): Promise<void> {
    await session.query(`delete from akashi_audit.ledger_entries where log = '${log.log}'`)
    await session.query(`delete from akashi_audit.ledger_tiles where log = '${log.log}'`)
    await session.query(`delete from akashi_audit.ledger_heads where log = '${log.log}'`)
    await session.query(change)
    await seal(insideOf(session), tester, ledger.keyring, log)
  }

  const rewrites: readonly (readonly [string, (log: LogDefinition, entry: Entry) => string])[] = [
    ['a row is changed', (log, { id }) => `update ${table(log)} set trace_id = 'forged' where id = '${id}'`],
    ['a row is left out', (log, { id }) => `delete from ${table(log)} where id = '${id}'`],
    [
      'the latest rows are left out, as in an older data folder',
      (log, { id, position }) =>
        `delete from ${table(log)} where id in (select '${id}'::uuid union select row_id from (values ${entries
          .filter((each) => each.log === log && Number(each.position) >= Number(position))
          .map((each) => `('${each.id}'::uuid)`)
          .join(', ')}) as later (row_id))`,
    ],
    [
      'a row is put in',
      (_, entry) => `${copyOf(entry, '0199d3a0-0000-7000-8000-00000000cafe')} where id = '${entry.id}'`,
    ],
  ]

  it.each(rewrites)(
    'is found only by a head stored elsewhere: %s',
    { timeout: TIMEOUT_MS },
    async (kind, change) => {
      await asTamperer(async (session, look) => {
        for (let n = 0; n < (LONG ? 50 : 4); n += 1) {
          const entry = one(entries)
          let alone: Problem[] = []
          const problems = await look(async () => {
            await rewrite(session, entry.log, change(entry.log, entry))
            alone = (await problemsIn(session, nobody)).filter((problem) => problem.kind !== 'trigger')
          })
          expect(alone, 'fits in itself').toEqual([])
          expect(problems.length, `${entry.log.log} ${entry.position}`).toBeGreaterThan(0)
          for (const problem of problems) expect(problem.kind).toBe('checkpoint')
          counts[`rewritten: ${kind}`] = (counts[`rewritten: ${kind}`] ?? 0) + 1
        }
      })
    },
  )
})

describe('every change of the guards', () => {
  it('is reported with the table', { timeout: TIMEOUT_MS }, async () => {
    const triggers = await database.asSuperuser(async (session) => {
      const { rows } = await session.query<{ relid: string; name: string }>(
        `select tgrelid::regclass::text as relid, tgname as name from pg_trigger t
         where tgname in ('refuse_change', 'keep_tile', 'keep_head', 'keep_checkpoint', 'keep_loss') or tgname like 'akashi\\_audit\\_%'
         order by 1, 2`,
      )
      return rows.filter(
        ({ relid, name }) =>
          !/ingest_batches|remediation|detection_/.test(relid) &&
          // The guards of tables outside the trail are looked at with the catalog.
          !(name === 'refuse_change' && /access_review|compliance_reports/.test(relid)),
      )
    })
    await database.asSuperuser(async (session) => {
      await session.query('begin')
      await session.query(
        "create function nothing() returns trigger language plpgsql as 'begin return null; end'",
      )
      for (const { relid, name } of LONG ? triggers : triggers.filter(() => choose() < 0.25)) {
        const statement = one([
          `alter table ${relid} disable trigger ${name}`,
          `alter table ${relid} enable trigger ${name}`,
          `alter table ${relid} enable replica trigger ${name}`,
          `drop trigger ${name} on ${relid}`,
          `alter trigger ${name} on ${relid} rename to other`,
          `create or replace trigger ${name} after insert on ${relid} for each statement execute function nothing(); alter table ${relid} enable always trigger ${name}`,
        ])
        await session.query('savepoint mutation')
        await session.query(statement)
        const problems = await problemsIn(session, published)
        await session.query('rollback to savepoint mutation')
        const called = relid.includes('.') ? relid : `public.${relid}`
        expect(new Set(problems.map(({ kind, id }) => `${kind} ${id}`)), statement).toEqual(
          new Set([`trigger ${called}`]),
        )
        counts['guard'] = (counts['guard'] ?? 0) + 1
      }
      await session.query('rollback')
    })
  })

  it('is reported when a partition is replaced by another table', { timeout: TIMEOUT_MS }, async () => {
    await database.asSuperuser(async (session) => {
      const { rows } = await session.query<{ name: string; bound: string }>(
        `select c.oid::regclass::text as name, pg_get_expr(c.relpartbound, c.oid) as bound from pg_class c join pg_inherits i on i.inhrelid = c.oid
         where i.inhparent = 'akashi_audit.audit_logs'::regclass and exists (select from akashi_audit.audit_logs r where r.tableoid = c.oid)`,
      )
      const [partition] = rows
      const { id } = one(entries.filter(({ log }) => log === auditLogs))
      await session.query('begin')
      await session.query(`create table akashi_audit.swapped (like ${partition?.name} including all)`)
      await session.query(`insert into akashi_audit.swapped select * from ${partition?.name}`)
      await session.query(`update akashi_audit.swapped set user_agent = 'forged' where id = '${id}'`)
      await session.query(`alter table akashi_audit.audit_logs detach partition ${partition?.name}`)
      await session.query(
        `alter table akashi_audit.audit_logs attach partition akashi_audit.swapped ${partition?.bound}`,
      )
      const problems = await problemsIn(session, published)
      await session.query('rollback')
      expect(problems).toMatchObject([
        { kind: 'changed', id },
        { kind: 'trigger', id: 'akashi_audit.swapped' },
      ])
      counts['partition exchanged'] = 1
    })
  })
})
