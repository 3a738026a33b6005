import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  auditLogs,
  openEpoch,
  openEpochsWhereNeeded,
  type Problem,
  publishCheckpoints,
  publishedNotes,
  readHead,
  recordRetention,
  seal,
  serveWitness,
  trustWitness,
  verifierKeys,
  verify,
  type WitnessServer,
  witnessAddress,
  witnessHeads,
  witnessKey,
} from '../../src/audit/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import type { DirectSession } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insideOf, tamperWith, withoutGuards } from '../support/tamper.ts'

const TIMEOUT_MS = 300_000
/** Mutations of one transaction: while it is open it holds the frontier of every test beside. */
const MUTATIONS_AT_ONCE = 15

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)

let folder = ''
let store: ObjectStore
let witness: WitnessServer
let begun = 0n

const published = (log: string, from: bigint) => publishedNotes(store, log, from)

/** A log of two epochs, whose first tile is full, with retired rows, published and cosigned. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-tamper-'))
  store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  await database.asSuperuser((session) =>
    session.query(`create table shop (id int primary key); select akashi_audit.protect('shop');
      select akashi_lifecycle.create_partitions('akashi_audit.audit_logs', '2019-03-01', '2019-03-02')`),
  )
  await database.asSuperuser((session) =>
    session.query(`insert into akashi_audit.audit_logs (created_at, action, context_verified)
      select '2019-03-05'::timestamptz + make_interval(mins => i), 'old', true from generate_series(1, 10) i;
      insert into shop select generate_series(1, 300)`),
  )
  await ledger.seal()
  const head = await worker.transaction(tester, (session) => readHead(session, auditLogs.log))
  witness = await serveWitness({
    folder: join(folder, 'witness'),
    key: await witnessKey(ledger.keyring, 'witness.example/w1'),
    logs: [...(await verifierKeys(ledger.keyring)(head?.origin ?? ''))],
    port: 0,
  })
  const trusted = await trustWitness(database.open('owner'), tester, witness.url, witness.verifierKey)
  await publishCheckpoints(worker, tester, store)
  await witnessHeads(worker, tester, [witnessAddress(trusted)])
  await recordRetention(worker, tester, ledger.keyring, {
    log: auditLogs,
    partition: 'akashi_audit.audit_logs_2019_03',
    from: new Date('2019-03-01'),
    to: new Date('2019-04-01'),
    policy: 'audit_logs: 2555 days',
  })
  await tamperWith(database, (session) =>
    session.query("delete from akashi_audit.audit_logs where action = 'old'"),
  )
  const [opened] = await openEpoch(worker, tester, ledger.keyring, store, 'restored')
  begun = opened?.size ?? 0n
  await database.asSuperuser((session) => session.query('insert into shop select generate_series(301, 320)'))
  await ledger.seal()
  await publishCheckpoints(worker, tester, store)
  expect(await ledger.problems({ published })).toEqual([])
}, TIMEOUT_MS)

afterAll(async () => {
  await witness?.close()
  await rm(folder, { recursive: true, force: true })
})

/** What is found in the middle of a superuser's transaction beyond the guards that are off in it. */
async function foundAfter(
  mutations: readonly Mutation[],
  judge: (name: string, problems: Problem[]) => void,
): Promise<void> {
  for (let first = 0; first < mutations.length; first += MUTATIONS_AT_ONCE) {
    await foundInside(mutations.slice(first, first + MUTATIONS_AT_ONCE), judge)
  }
}

type Mutation = readonly [string, (session: DirectSession) => Promise<unknown>]

async function foundInside(
  mutations: readonly Mutation[],
  judge: (name: string, problems: Problem[]) => void,
): Promise<void> {
  await database.asSuperuser(async (session) => {
    await session.query('begin')
    await withoutGuards(session)
    const look = async () =>
      (
        await verify(insideOf(session), tester, {
          verifierKeys: verifierKeys(ledger.keyring),
          published,
          // The guards that are off leave traces in it; it has tests of its own.
          catalog: false,
        })
      ).logs.flatMap((log) => log.problems)
    const noise = new Set((await look()).map((problem) => JSON.stringify(problem)))
    for (const [name, mutate] of mutations) {
      await session.query('savepoint mutation')
      await mutate(session)
      judge(
        name,
        (await look()).filter((problem) => !noise.has(JSON.stringify(problem))),
      )
      await session.query('rollback to savepoint mutation')
    }
    await session.query('rollback')
  })
}

const BY_DESIGN = 'tells, and decides nothing'

/** Each column of each table of the ledger: other values, and which row. What is BY_DESIGN no verification looks at. */
const tables: Readonly<
  Record<string, { readonly where: string; readonly columns: Readonly<Record<string, string | string[]>> }>
> = {
  ledger_heads: {
    where: "log = 'audit_logs'",
    columns: {
      log: "'elsewhere'",
      epoch: ['epoch + 1', 'epoch - 1'],
      origin: "origin || 'x'",
      size: ['size + 1', 'size - 1'],
      root: "sha256('x')",
      note: ['null', "replace(note, '=', 'A')", "replace(note, 'a', 'b')"],
      last_xid: [
        '(last_xid::text::bigint + 1)::text::xid8',
        '(last_xid::text::bigint - 1)::text::xid8',
        "'9999999999'",
        "'0'",
      ],
      last_seq: ['last_seq + 1', 'last_seq - 1', '0'],
      // A floor that parts the same rows is the same floor.
      seq_floor: ['seq_floor + 1', 'seq_floor - 65536', '0'],
      system_identifier: BY_DESIGN,
      timeline: BY_DESIGN,
      sealed_at: BY_DESIGN,
    },
  },
  ledger_entries: {
    where: "log = 'audit_logs' and position = 17",
    columns: {
      log: ["'elsewhere'", "'login_attempts'"],
      position: ['position + 100000', '1000'],
      row_id: 'gen_random_uuid()',
      created_at: ["created_at + interval '1 microsecond'", "created_at - interval '1 month'"],
      entry_hash: ["sha256('x')", 'set_byte(entry_hash, 31, 255 - get_byte(entry_hash, 31))'],
    },
  },
  'ledger_tiles of level 0': {
    where: "log = 'audit_logs' and level = 0 and tile = 0",
    columns: {
      log: "'elsewhere'",
      level: '2',
      tile: '7',
      hashes: ['set_byte(hashes, 5, 255 - get_byte(hashes, 5))', 'substring(hashes for 32)'],
    },
  },
  'ledger_tiles not full': {
    where: "log = 'audit_logs' and level = 0 and octet_length(hashes) < 8192",
    columns: { hashes: ["hashes || sha256('x')", 'substring(hashes for octet_length(hashes) - 32)'] },
  },
  'ledger_tiles of level 1': {
    where: "log = 'audit_logs' and level = 1 and tile = 0",
    columns: {
      log: "'elsewhere'",
      level: '2',
      tile: '3',
      hashes: ['set_byte(hashes, 5, 255 - get_byte(hashes, 5))', "hashes || sha256('x')"],
    },
  },
  ledger_checkpoints: {
    where: "log = 'audit_logs' and epoch = 2",
    columns: {
      log: ["'elsewhere'", "'security_events'"],
      epoch: ['1', '3'],
      size: ['size + 1', 'size - 1'],
      root: "sha256('x')",
      note: ["replace(note, '=', 'A')", "replace(note, 'a', 'b')", "''"],
      published_at: BY_DESIGN,
      xid: BY_DESIGN,
    },
  },
  ledger_cosignatures: {
    where: "log = 'audit_logs' and epoch = 1",
    columns: {
      log: ["'elsewhere'", "'security_events'"],
      epoch: ['2', '3'],
      size: ['size + 1', 'size - 1'],
      witness: "'witness.example/w2'",
      note: [
        "regexp_replace(note, '\\n[^\\n]*\\n$', E'\\n')",
        "replace(note, '=', 'A')",
        "replace(note, 'a', 'b')",
      ],
      cosigned_at: ["cosigned_at + interval '1 second'", "cosigned_at - interval '1 microsecond'"],
    },
  },
  ledger_epochs: {
    where: "log = 'audit_logs' and epoch = 2",
    columns: {
      log: ["'elsewhere'", "'login_attempts'"],
      epoch: '3',
      origin: "origin || 'x'",
      cause: "'moved'",
      reason: "reason || ' '",
      previous_origin: "previous_origin || 'x'",
      previous_size: 'previous_size + 1',
      previous_root: "sha256('x')",
      common_size: 'common_size - 1',
      given_up: "'{elsewhere}'",
      size: 'size + 1',
      root: "sha256('x')",
      retention_digest: "sha256('x')",
      note: ["replace(note, '=', 'A')", "replace(note, 'a', 'b')"],
      opened_at: BY_DESIGN,
    },
  },
  retention_records: {
    where: "log = 'audit_logs'",
    columns: {
      id: BY_DESIGN,
      log: ["'elsewhere'", "'security_events'"],
      partition_name: "'akashi_audit.other'",
      lower_bound: "lower_bound - interval '1 day'",
      upper_bound: "upper_bound + interval '1 day'",
      first_position: 'first_position + 1',
      last_position: 'last_position + 1',
      row_count: 'row_count - 1',
      digest: "sha256('x')",
      policy: "policy || ' '",
      note: ["replace(note, '=', 'A')", "replace(note, 'a', 'b')"],
      retired_at: BY_DESIGN,
    },
  },
  witnesses: {
    where: 'true',
    columns: { verifier_key: "replace(verifier_key, '+', '+0')" },
  },
}

const tableOf = (name: string) => `akashi_audit.${name.split(' ')[0]}`

const another: Readonly<Record<string, string>> = {
  uuid: 'gen_random_uuid()',
  bigint: '1',
  integer: '7',
  'timestamp with time zone': "'2020-01-01Z'",
  // A later transaction: more rows may then have been inserted before the checkpoint.
  xid8: 'pg_current_xact_id()',
}

describe('each column of each table of the ledger', () => {
  it('is in the list', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ table: string; columns: string[] }>(
        `select table_name as table, array_agg(column_name::text) as columns from information_schema.columns
         where table_schema = 'akashi_audit' and (table_name in ('retention_records')
           or table_name ~ '^ledger_' and table_name <> 'ledger_scrubs') group by 1`,
      ),
    )
    expect(rows.length).toBeGreaterThan(6)
    for (const { table, columns } of rows) {
      const listed = Object.entries(tables)
        .filter(([name]) => tableOf(name) === `akashi_audit.${table}`)
        .flatMap(([, { columns: own }]) => Object.keys(own))
      expect(new Set(listed), table).toEqual(new Set(columns))
    }
  })

  it('is found changed', { timeout: TIMEOUT_MS }, async () => {
    const mutations = Object.entries(tables).flatMap(([name, { where, columns }]) =>
      Object.entries(columns).flatMap(([column, values]) =>
        (Array.isArray(values) ? values : [values])
          .filter((value) => value !== BY_DESIGN)
          .map((value) => `update ${tableOf(name)} set ${column} = ${value} where ${where}`),
      ),
    )
    const missed: string[] = []
    await foundAfter(
      mutations.map((statement) => [
        statement,
        async (session) => expect((await session.query(statement)).rowCount, statement).toBe(1),
      ]),
      (statement, problems) => {
        if (problems.length === 0) missed.push(statement)
      },
    )
    expect(missed).toEqual([])
  })

  it('is nothing that verification looks at where it decides nothing', { timeout: TIMEOUT_MS }, async () => {
    const informative = Object.entries(tables).flatMap(([name, { where, columns }]) =>
      Object.entries(columns).flatMap(([column, value]) =>
        value === BY_DESIGN ? [{ table: tableOf(name), column, where }] : [],
      ),
    )
    await foundAfter(
      informative.map(({ table, column, where }) => [
        `${table}.${column}`,
        async (session) => {
          const { rows } = await session.query<{ type: string }>(
            'select format_type(atttypid, null) as type from pg_attribute where attrelid = $1::regclass and attname = $2',
            [table, column],
          )
          await session.query(
            `update ${table} set ${column} = ${another[rows[0]?.type ?? '']} where ${where}`,
          )
        },
      ]),
      (name, problems) => expect(problems, name).toEqual([]),
    )
  })
})

describe('whole rows of the ledger', () => {
  const removed = [
    'akashi_audit.ledger_heads',
    'akashi_audit.ledger_entries',
    'akashi_audit.ledger_tiles',
    'akashi_audit.ledger_epochs',
    'akashi_audit.retention_records',
  ]
  it('are missed when they are gone', { timeout: TIMEOUT_MS }, async () => {
    await foundAfter(
      removed.map((table) => [
        table,
        (session) => session.query(`delete from ${table} where log = 'audit_logs'`),
      ]),
      (table, problems) => expect(problems.length, table).toBeGreaterThan(0),
    )
    await foundAfter(
      Object.entries(tables)
        .filter(([name]) => name.startsWith('ledger_tiles'))
        .map(([name, { where }]) => [
          name,
          (session) => session.query(`delete from ${tableOf(name)} where ${where}`),
        ]),
      (name, problems) => expect(problems.length, name).toBeGreaterThan(0),
    )
  })

  it('are copies where the store or the witness has the original', { timeout: TIMEOUT_MS }, async () => {
    await foundAfter(
      ['akashi_audit.ledger_checkpoints', 'akashi_audit.ledger_cosignatures'].map((table) => [
        table,
        (session) => session.query(`delete from ${table}`),
      ]),
      (table, problems) => expect(problems, table).toEqual([]),
    )
  })

  it('are found when they are forged', { timeout: TIMEOUT_MS }, async () => {
    const forged = {
      'a tile beyond the end':
        "insert into akashi_audit.ledger_tiles values ('audit_logs', 0, 9, sha256('x'))",
      'a tile of a level that there is not':
        "insert into akashi_audit.ledger_tiles values ('audit_logs', 3, 0, sha256('x'))",
      'a head of another log':
        "insert into akashi_audit.ledger_heads (log, origin, root) values ('elsewhere', 'x', sha256('x'))",
      'an entry beyond the end':
        "insert into akashi_audit.ledger_entries values ('audit_logs', 100000, gen_random_uuid(), now(), sha256('x'))",
      'a kept checkpoint':
        "insert into akashi_audit.ledger_checkpoints select log, epoch, size + 1, sha256('x'), note from akashi_audit.ledger_checkpoints where log = 'audit_logs' and epoch = 1",
      'a retention record':
        "insert into akashi_audit.retention_records (log, partition_name, lower_bound, upper_bound, first_position, last_position, row_count, digest, policy, note) select log, 'akashi_audit.other', lower_bound, upper_bound, first_position + 1, last_position, row_count, digest, policy, note from akashi_audit.retention_records",
    }
    await foundAfter(
      Object.entries(forged).map(([name, statement]) => [name, (session) => session.query(statement)]),
      (name, problems) => expect(problems.length, name).toBeGreaterThan(0),
    )
  })

  it('name a retired row by its bounds alone', { timeout: TIMEOUT_MS }, async () => {
    const retime = (by: string) => (session: DirectSession) =>
      session.query(
        `update akashi_audit.ledger_entries set created_at = created_at + interval '${by}' where log = 'audit_logs'
         and position = (select first_position from akashi_audit.retention_records)`,
      )
    await foundAfter([['within', retime('1 second')]], (_, problems) => expect(problems).toEqual([]))
    await foundAfter([['out of them', retime('1 year')]], (_, problems) =>
      expect(problems.length).toBeGreaterThan(0),
    )
  })
})

describe('a frontier that was put back', () => {
  it('has rows sealed twice, which is found', { timeout: TIMEOUT_MS }, async () => {
    await foundAfter(
      [
        [
          'put back',
          async (session) => {
            const { size = 0n } = (await readHead(session, 'audit_logs')) ?? {}
            await session.query(
              "update akashi_audit.ledger_heads set last_xid = '0', last_seq = 0 where log = 'audit_logs'",
            )
            await seal(insideOf(session), tester, ledger.keyring, auditLogs)
            expect((await readHead(session, 'audit_logs'))?.size).toBe(size + 20n)
          },
        ],
      ],
      (_, problems) =>
        expect(problems.filter(({ detail }) => /has two entries/.test(detail))).toHaveLength(20),
    )
  })
})

describe('what was published', () => {
  it.each(['checkpoints', 'epochs'])(
    'is missed or found changed: %s',
    { timeout: TIMEOUT_MS },
    async (place) => {
      const keys: string[] = []
      for await (const { key } of store.list(`${place}/`)) if (key.includes('/audit_logs')) keys.push(key)
      expect(keys.length).toBeGreaterThan(0)
      for (const key of keys) {
        const note = await buffer(await store.get(key))
        await store.delete(key)
        expect(
          (await ledger.problems({ published })).map(({ kind }) => kind),
          `${key} gone`,
        ).toContain('checkpoint')
        await store.put(key, Buffer.from(note.toString().replace(/a/g, 'b')))
        if (place === 'checkpoints') {
          expect((await ledger.problems({ published })).length, key).toBeGreaterThan(0)
        } else {
          await expect(publishCheckpoints(worker, tester, store)).rejects.toMatchObject({ code: 'integrity' })
        }
        await store.put(key, note)
      }
      expect(await ledger.problems({ published })).toEqual([])
    },
  )
})

describe('a head that claims another cluster', () => {
  it('is answered by the sealer and by a new epoch, not by verification', {
    timeout: TIMEOUT_MS,
  }, async () => {
    expect(begun).toBeGreaterThan(0n)
    await tamperWith(database, (session) =>
      session.query("update akashi_audit.ledger_heads set system_identifier = 1 where log = 'audit_logs'"),
    )
    await expect(seal(worker, tester, ledger.keyring, auditLogs)).rejects.toMatchObject({ code: 'conflict' })
    expect((await openEpochsWhereNeeded(worker, tester, ledger.keyring, store)).opened).toMatchObject([
      { log: 'audit_logs', cause: 'moved' },
    ])
    expect(await ledger.problems({ published })).toEqual([])
  })
})
