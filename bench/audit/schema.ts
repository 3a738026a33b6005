/**
 * The tables that the benchmark writes to. Baselines are implemented here in SQL: a generic row trigger that writes the
 * row as jsonb under a uuid derived from the key, with the lookups, checks and indexes of supa_audit 0.3.1; a trigger
 * that chains each row to the hash of the previous one.
 */

/** Audited in no way, by Akashi, in the way of supa_audit, by a hash chain, and with a trigger that does nothing. */
export const tables = [
  'bench_plain',
  'bench_audited',
  'bench_row_jsonb',
  'bench_chain',
  'bench_idle_trigger',
] as const
export type Table = (typeof tables)[number]

export const schema = `
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

  create function idle_trigger() returns trigger language plpgsql as $$ begin return null; end $$;
  create trigger audit after insert on bench_idle_trigger referencing new table as new_rows
    for each statement execute function idle_trigger();

  -- The trail itself, without and with its indexes.
  create table bench_trail (like akashi_audit.audit_logs including defaults);
  create table bench_trail_indexed (like akashi_audit.audit_logs including defaults including indexes);

  select akashi_audit.protect('bench_audited');`
