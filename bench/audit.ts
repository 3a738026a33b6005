/**
 * Cost of an audited and sealed write: 32 clients insert single rows into a table with a primary key and one
 * index. Baselines, implemented below in SQL: no audit; a generic row trigger that writes the row as jsonb under
 * a uuid derived from the key, with the lookups, checks and indexes of supa_audit 0.3.1; a trigger that chains
 * each row to the hash of the previous one.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { logs, seal } from '../src/audit/index.ts'
import { type Actor, type Database, person } from '../src/postgres/index.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'
import {
  atLeast,
  type Benchmark,
  type BenchmarkOptions,
  bencher,
  figure,
  interleave,
  median,
  ratio,
} from './harness.ts'
import { LeanClient, message } from './lean-client.ts'

const CLIENTS = 32
const SECONDS_PER_TURN = 4
/** Time between write and commit of an application, in milliseconds. */
const THINK_MS = 5
/** Interval of the sealer, as in the server, in milliseconds. */
const SEAL_EVERY_MS = 250

const contextSettings = [
  ...[
    'current_user_id',
    'current_session_id',
    'subject',
    'client_ip',
    'user_agent',
    'request_id',
    'trace_id',
  ],
  ...['correlation_id', 'api_endpoint', 'application_version', 'tenant_id'],
  ...['context_expires', 'context_key', 'context_signature'],
].map((name) => `app.${name}`)

const tables = ['bench_plain', 'bench_audited', 'bench_row_jsonb', 'bench_chain'] as const

const schema = `
  ${tables
    .map(
      (table) => `
  create table ${table} (id bigint generated always as identity primary key, customer integer not null,
    amount numeric(12,2) not null, note text, created_at timestamptz not null default now());
  create index on ${table} (customer);
  grant insert on ${table} to akashi_app;`,
    )
    .join('\n')}

  create type row_jsonb_operation as enum ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE');
  create table row_jsonb_version (id bigserial primary key, record_id uuid, old_record_id uuid, op row_jsonb_operation not null,
    ts timestamptz not null default now(), table_oid oid not null, table_schema name not null, table_name name not null,
    record jsonb, old_record jsonb,
    check (coalesce(record_id, old_record_id) is not null or op = 'TRUNCATE'),
    check ((op in ('INSERT', 'UPDATE')) = (record_id is not null)), check ((op in ('INSERT', 'UPDATE')) = (record is not null)),
    check ((op in ('UPDATE', 'DELETE')) = (old_record_id is not null)), check ((op in ('UPDATE', 'DELETE')) = (old_record is not null)));
  create index on row_jsonb_version (record_id) where record_id is not null;
  create index on row_jsonb_version (old_record_id) where old_record_id is not null;
  create index on row_jsonb_version using brin (ts);
  create index on row_jsonb_version (table_oid);
  create extension "uuid-ossp";
  create function row_jsonb_key(relation oid) returns text[] stable security definer set search_path = '' language sql as $$
    select coalesce(array_agg(a.attname::text order by a.attnum), array[]::text[]) from pg_index i
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey) where i.indrelid = relation and i.indisprimary $$;
  create function row_jsonb_id(relation oid, columns text[], record jsonb) returns uuid stable language sql as $$
    select case when record is null then null when columns = array[]::text[] then uuid_generate_v4()
      else (select uuid_generate_v5('fd62bc3d-8d6e-43c2-919c-802ba3762271',
              (jsonb_build_array(to_jsonb(relation)) || jsonb_agg(record ->> name))::text) from unnest(columns) c (name)) end $$;
  create function row_jsonb() returns trigger language plpgsql security definer as $$
  declare
    columns text[] := row_jsonb_key(tg_relid);
    record jsonb := to_jsonb(new);
    record_id uuid := row_jsonb_id(tg_relid, columns, record);
    old_record jsonb := to_jsonb(old);
    old_record_id uuid := row_jsonb_id(tg_relid, columns, old_record);
  begin
    insert into row_jsonb_version (record_id, old_record_id, op, table_oid, table_schema, table_name, record, old_record)
    select record_id, old_record_id, tg_op::row_jsonb_operation, tg_relid, tg_table_schema, tg_table_name, record, old_record;
    return coalesce(new, old);
  end $$;
  create trigger audit after insert or update or delete on bench_row_jsonb for each row execute function row_jsonb();

  create table chain_log (id bigint generated always as identity primary key, record jsonb, previous_hash bytea, hash bytea);
  create function chain() returns trigger language plpgsql security definer set search_path = '' as $$
  declare previous bytea;
  begin
    perform pg_advisory_xact_lock(42);
    select hash into previous from public.chain_log order by id desc limit 1;
    insert into public.chain_log (record, previous_hash, hash)
    values (to_jsonb(new), previous, sha256(coalesce(previous, '') || convert_to(to_jsonb(new)::text, 'UTF8')));
    return new;
  end $$;
  create trigger audit after insert on bench_chain for each row execute function chain();

  select akashi_audit.protect('bench_audited');`

const actor: Actor = person(
  {
    userId: '0199d3a0-0000-7000-8000-000000000001',
    sessionId: '0199d3a0-0000-7000-8000-000000000002',
    tenantId: 'tenant-1',
  },
  {
    clientIp: '203.0.113.7',
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36',
    requestId: 'a1b2c3d4-0000-4000-8000-000000000003',
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    apiEndpoint: 'POST /v1/orders',
    applicationVersion: '1.2.3',
  },
)

/** The message that the driver sends at the start of a transaction, with a freshly signed context. */
async function beginMessage(database: Database, who: Actor): Promise<Buffer> {
  const settings = await database.transaction(who, async (session) => {
    const { rows } = await session.query<{ name: string; value: string }>(
      `select name, coalesce(current_setting(name, true), '') as value from unnest($1::text[]) name`,
      [contextSettings],
    )
    return rows
  })
  const pinned =
    "set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO, YMD', true), set_config('intervalstyle', 'iso_8601', true), " +
    "set_config('bytea_output', 'hex', true), set_config('idle_in_transaction_session_timeout', '60000', true)"
  return message(
    { text: 'begin isolation level read committed read write' },
    {
      text: `select (extract(epoch from now()) * 1000)::float8 as server_time, ${pinned}, ${settings
        .map(({ name }, i) => `set_config('${name}', $${i + 1}, true)`)
        .join(', ')}, set_config('statement_timeout', '30000', true)`,
      values: settings.map(({ value }) => value),
    },
    { text: 'select akashi_auth.accept_context()' },
  )
}

/** Transactions per second of all clients in one turn. */
async function turn(
  clients: readonly LeanClient[],
  database: Database,
  table: (typeof tables)[number],
  who: Actor,
  thinkMs = 0,
): Promise<number> {
  const begin = await beginMessage(database, who)
  const commit = message({ text: 'commit' })
  const end = performance.now() + SECONDS_PER_TURN * 1000
  let done = 0
  const begun = performance.now()
  await Promise.all(
    clients.map(async (client, i) => {
      const insert = message({
        text: `insert into public.${table} (customer, amount, note) values ($1, $2, $3)`,
        values: [String(i), '12.50', 'two boxes of green tea'],
      })
      while (performance.now() < end) {
        await client.send(begin)
        await client.send(insert)
        if (thinkMs > 0) await sleep(thinkMs)
        await client.send(commit)
        done += 1
      }
    }),
  )
  return (done * 1000) / (performance.now() - begun)
}

async function sealWhile<T>(cluster: BenchCluster, work: () => Promise<T>): Promise<T> {
  let running = true
  const sealing = (async () => {
    while (running) {
      for (const log of logs) await seal(cluster.worker, bencher, cluster.keyring, log)
      await sleep(SEAL_EVERY_MS)
    }
  })()
  try {
    return await work()
  } finally {
    running = false
    await sealing
  }
}

export const audit: Benchmark = {
  name: 'audit',
  description: `single-row inserts, ${CLIENTS} clients, audited and sealed ÷ unaudited or audited otherwise`,
  async run(options: BenchmarkOptions) {
    const cluster = await benchCluster()
    try {
      await cluster.asAdministrator((session) => session.query(schema))
      const signed = cluster.application(1)
      const bare = cluster.connections.open('app', { poolSize: 1 })
      const clients: LeanClient[] = []
      try {
        for (let i = 0; i < CLIENTS; i += 1) {
          clients.push(await LeanClient.open(cluster.connections.directUrl('app')))
        }
        const figures = await interleave(
          {
            'unaudited, context': () => turn(clients, signed, 'bench_plain', actor),
            'audited, context': () => sealWhile(cluster, () => turn(clients, signed, 'bench_audited', actor)),
            'row trigger, jsonb': () => turn(clients, signed, 'bench_row_jsonb', actor),
            'hash chain': () => turn(clients, signed, 'bench_chain', actor),
            'audited, think': () =>
              sealWhile(cluster, () => turn(clients, signed, 'bench_audited', actor, THINK_MS)),
            'hash chain, think': () => turn(clients, signed, 'bench_chain', actor, THINK_MS),
            unaudited: () => turn(clients, bare, 'bench_plain', bencher),
            audited: () => sealWhile(cluster, () => turn(clients, bare, 'bench_audited', bencher)),
          },
          options,
        )
        return [
          atLeast(
            'audited and sealed ÷ unaudited, both with context',
            ratio(figures['audited, context'], figures['unaudited, context']),
            '×',
            0.6,
          ),
          atLeast(
            'audited and sealed ÷ unaudited, both without context',
            ratio(figures.audited, figures.unaudited),
            '×',
            0.5,
          ),
          atLeast(
            'audited and sealed ÷ supa_audit',
            ratio(figures['audited, context'], figures['row trigger, jsonb']),
            '×',
            2,
          ),
          atLeast(
            'audited and sealed ÷ hash chain in a trigger',
            ratio(figures['audited, context'], figures['hash chain']),
            '×',
            5,
          ),
          figure(
            `the same with ${THINK_MS} ms between write and commit`,
            ratio(figures['audited, think'], figures['hash chain, think']),
            '×',
          ),
          figure('audited and sealed writes', median(figures['audited, context']), 'transactions/s'),
        ]
      } finally {
        for (const client of clients) client.close()
        await bare.close()
      }
    } finally {
      await cluster.close()
    }
  },
}
