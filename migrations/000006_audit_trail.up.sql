-- The audit trail: one row per change or action, written in the transaction that makes it.
set local role akashi_owner;

create sequence audit.audit_logs_seq;

-- UUID version 7 sorts by time, so its index grows at one end. PostgreSQL has a function for it from 18 on.
create function audit.uuid_v7() returns uuid language sql volatile parallel safe set search_path = '' as $$
  select encode(set_bit(set_bit(overlay(
    uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
    from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$$;

create table audit.audit_logs (
  id                  uuid not null default audit.uuid_v7(),
  created_at          timestamptz not null default clock_timestamp(),
  seq                 bigint not null default nextval('audit.audit_logs_seq'),
  xid                 xid8 not null default pg_current_xact_id(),
  salt                bytea not null default uuid_send(gen_random_uuid()),
  user_id             uuid,
  session_id          uuid,
  subject             text,
  ip_address          inet,
  user_agent          text,
  context_verified    boolean not null,
  db_user             text not null default session_user,
  db_address          inet default inet_client_addr(),
  application_name    text default nullif(current_setting('application_name'), ''),
  event_type          text not null default 'data_change',
  action              text not null,
  resource            text,
  resource_id         text,
  result              text not null default 'SUCCESS',
  error_code          text,
  error_message       text,
  schema_name         text,
  table_name          text,
  operation           text,
  record_id           text,
  data_subject        text,
  old_values          jsonb,
  new_values          jsonb,
  changed_fields      text[],
  detail              jsonb,
  api_endpoint        text,
  request_id          text,
  trace_id            text,
  correlation_id      text,
  application_version text,
  tenant_id           text,
  data_classification text not null default 'internal',
  compliance_context  jsonb,
  -- No CHECK constraints: PostgreSQL prepares them anew in every statement (15–20 µs for three), and only
  -- the definer functions below can insert.
  primary key (id, created_at)
) partition by range (created_at);
do $uuid$
begin
  if current_setting('server_version_num')::integer >= 180000 then
    alter table audit.audit_logs alter column id set default uuidv7();
  end if;
end
$uuid$;
comment on table audit.audit_logs is 'Every change and every recorded action. Append-only; sealed into the ledger audit_logs.';
comment on column audit.audit_logs.xid is 'The transaction; with seq it is the order in which the ledger takes rows.';
comment on column audit.audit_logs.salt is 'Random bytes, so that an entry hash cannot be guessed from the row.';
comment on column audit.audit_logs.context_verified is 'False: user_id to tenant_id are what the connection claimed, unsigned.';
comment on column audit.audit_logs.db_user is 'Who the server says it was, whatever the application said.';
comment on column audit.audit_logs.record_id is 'The primary key as text; a JSON array where it has several columns.';
comment on column audit.audit_logs.data_subject is 'Which person the row is about.';
comment on column audit.audit_logs.old_values is 'UPDATE: the changed columns as they were. DELETE: the whole row.';
comment on column audit.audit_logs.new_values is 'INSERT, UPDATE: the whole row as it is now.';

create index audit_logs_order_idx on audit.audit_logs (xid, seq);
create index audit_logs_record_idx on audit.audit_logs (record_id, table_name);

alter table audit.audit_logs enable row level security;
alter table audit.audit_logs force row level security;
create policy audit_logs_record on audit.audit_logs for insert to akashi_owner with check (true);
create policy audit_logs_self on audit.audit_logs for select to akashi_app
  using (user_id = (select auth.current_user_id()) and context_verified);
create policy audit_logs_staff on audit.audit_logs for select to akashi_worker, akashi_security_admin using (true);
grant select on audit.audit_logs to akashi_app, akashi_worker, akashi_security_admin;
select audit.guard('audit.audit_logs');

insert into lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
values ('audit', 'audit_logs', 'month', 3, '24 months', 'archive', '2555 days', true);
select lifecycle.apply_partitions();

-- Which tables are under audit, and how. Triggers are made from it; `verify` compares them.
create table audit.protected_tables (
  schema_name      text not null,
  table_name       text not null,
  classification   text not null default 'internal' check (classification in ('public', 'internal', 'confidential', 'restricted')),
  key_columns      text[] not null check (cardinality(key_columns) > 0),
  subject_column   text,
  ignored_columns  text[] not null default '{}',
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text,
  primary key (schema_name, table_name)
);
alter table audit.protected_tables enable row level security;
alter table audit.protected_tables force row level security;
create policy protected_tables_read on audit.protected_tables for select to akashi_app, akashi_worker, akashi_security_admin using (true);
create policy protected_tables_owner on audit.protected_tables to akashi_owner using (true) with check (true);
grant select on audit.protected_tables to akashi_app, akashi_worker, akashi_security_admin;
create trigger update_updated_at before update on audit.protected_tables
  for each row execute function auth.update_updated_at();

-- A key of several columns as text: a JSON array of their values in the key's order.
create function audit.composite_key(record jsonb, key_columns text[]) returns text
  language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return (select jsonb_agg(record -> key order by place) from unnest(key_columns) with ordinality as k (key, place));
end
$$;

-- One statement's changes, one row each. The trigger's arguments come from protected_tables:
-- 0 classification, 1 key columns, 2 subject column or '', 3 ignored columns.
-- The settings are pinned because to_jsonb and text output depend on them.
-- OLD and NEW are paired by their place: both transition tables are filled together, row by row.
create function audit.log_changes() returns trigger
  language plpgsql security definer
  set search_path = '' set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'iso_8601'
  set bytea_output = 'hex' set extra_float_digits = '1' set lc_monetary = 'C' as $$
declare
  verified       constant boolean := auth.context_verified();
  actor          constant uuid := case when verified then nullif(current_setting('app.current_user_id', true), '')::uuid
                                 else auth.try_uuid(nullif(current_setting('app.current_user_id', true), '')) end;
  session        constant uuid := case when verified then nullif(current_setting('app.current_session_id', true), '')::uuid
                                 else auth.try_uuid(nullif(current_setting('app.current_session_id', true), '')) end;
  actor_subject  constant text := nullif(current_setting('app.subject', true), '');
  client_ip      constant inet := case when verified then nullif(current_setting('app.client_ip', true), '')::inet
                                 else auth.try_inet(nullif(current_setting('app.client_ip', true), '')) end;
  agent          constant text := nullif(current_setting('app.user_agent', true), '');
  endpoint       constant text := nullif(current_setting('app.api_endpoint', true), '');
  request        constant text := nullif(current_setting('app.request_id', true), '');
  trace          constant text := nullif(current_setting('app.trace_id', true), '');
  correlation    constant text := nullif(current_setting('app.correlation_id', true), '');
  version        constant text := nullif(current_setting('app.application_version', true), '');
  tenant         constant text := nullif(current_setting('app.tenant_id', true), '');
  classification constant text := tg_argv[0];
  key_columns    constant text[] := tg_argv[1];
  key_column     constant text := case when cardinality(key_columns) = 1 then key_columns[1] end;
  subject_column constant text := nullif(tg_argv[2], '');
  ignored        constant text[] := tg_argv[3];
begin
  if tg_op = 'INSERT' then
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, new_values)
    select actor, session, actor_subject, client_ip, agent, verified, endpoint, request, trace, correlation, version, tenant,
      classification, tg_table_schema, tg_table_name,
      'insert', 'INSERT', coalesce(n ->> key_column, audit.composite_key(n, key_columns)), n ->> subject_column, n
    from (select to_jsonb(r) as n from new_rows r) rows;
  elsif tg_op = 'UPDATE' then
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, old_values, new_values, changed_fields, detail)
    select actor, session, actor_subject, client_ip, agent, verified, endpoint, request, trace, correlation, version, tenant,
      classification, tg_table_schema, tg_table_name,
      'update', 'UPDATE', coalesce(n ->> key_column, audit.composite_key(n, key_columns)), coalesce(n ->> subject_column, o ->> subject_column),
      diff.old_values, n, diff.fields,
      case when diff.fields && key_columns then jsonb_build_object('previous_record_id', coalesce(o ->> key_column, audit.composite_key(o, key_columns))) end
    from (select to_jsonb(r) as o, row_number() over () as place from old_rows r) before
    join (select to_jsonb(r) as n, row_number() over () as place from new_rows r) after using (place)
    cross join lateral (
      select array_agg(key order by key collate "C") as fields, jsonb_object_agg(key, o -> key) as old_values
      from jsonb_each(n) field
      where field.value is distinct from o -> key
    ) diff
    where not diff.fields <@ ignored;
  elsif tg_op = 'DELETE' then
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, old_values)
    select actor, session, actor_subject, client_ip, agent, verified, endpoint, request, trace, correlation, version, tenant,
      classification, tg_table_schema, tg_table_name,
      'delete', 'DELETE', coalesce(o ->> key_column, audit.composite_key(o, key_columns)), o ->> subject_column, o
    from (select to_jsonb(r) as o from old_rows r) rows;
  else
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation)
    values (actor, session, actor_subject, client_ip, agent, verified, endpoint, request, trace, correlation, version, tenant,
      classification, tg_table_schema, tg_table_name,
      'truncate', 'TRUNCATE');
  end if;
  return null;
end
$$;

-- The triggers of one table or partition, always firing, also under session_replication_role = replica.
create function audit.attach_triggers(target regclass, classification text, key_columns text[], subject_column text, ignored_columns text[])
  returns void language plpgsql set search_path = '' as $$
declare
  arguments constant text := format('(%L, %L, %L, %L)', classification, key_columns, coalesce(subject_column, ''), ignored_columns);
  event record;
begin
  for event in
    select * from (values
      ('insert',   'referencing new table as new_rows'),
      ('update',   'referencing old table as old_rows new table as new_rows'),
      ('delete',   'referencing old table as old_rows'),
      ('truncate', '')
    ) as events (name, referencing)
  loop
    execute format('create or replace trigger akashi_audit_%s after %s on %s %s for each statement execute function audit.log_changes%s',
      event.name, event.name, target, event.referencing, arguments);
    execute format('alter table %s enable always trigger akashi_audit_%s', target, event.name);
  end loop;
end
$$;

-- Puts a table under audit. Calling it again changes how, and repairs its triggers.
create function audit.protect(
  target regclass,
  classification text default 'internal',
  subject text default null,
  ignore text[] default '{}'
) returns void
  language plpgsql set search_path = '' as $$
declare
  kind "char";
  in_schema name;
  in_table name;
  keys text[];
  missing text[];
  part regclass;
begin
  select c.relkind, n.nspname, c.relname into kind, in_schema, in_table
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = target;
  if kind not in ('r', 'p') then
    raise exception '% is no table', target using errcode = 'wrong_object_type', hint = 'only tables can be put under audit';
  end if;
  if target in ('audit.audit_logs'::regclass, 'audit.protected_tables'::regclass)
     or in_schema in ('pg_catalog', 'information_schema') then
    raise exception '% cannot be put under audit', target using errcode = 'wrong_object_type',
      hint = 'the trail and the catalogs watch themselves by other means';
  end if;
  select array_agg(a.attname::text order by k.place) into keys
  from pg_catalog.pg_index i
  cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, place)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = target and i.indisprimary;
  if keys is null then
    raise exception '% has no primary key', target using errcode = 'invalid_table_definition',
      hint = 'give it a primary key first: without one a record cannot be followed';
  end if;
  select array_agg(wanted) into missing
  from unnest(ignore || case when subject is null then '{}'::text[] else array[subject] end) wanted
  where not exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = target and a.attname = wanted and a.attnum > 0 and not a.attisdropped);
  if missing is not null then
    raise exception '% has no column %', target, array_to_string(missing, ', ') using errcode = 'undefined_column';
  end if;
  insert into audit.protected_tables as p (schema_name, table_name, classification, key_columns, subject_column, ignored_columns)
  values (in_schema, in_table, protect.classification, keys, protect.subject, protect.ignore)
  on conflict (schema_name, table_name) do update
    set classification = excluded.classification, key_columns = excluded.key_columns,
        subject_column = excluded.subject_column, ignored_columns = excluded.ignored_columns;
  -- Statement triggers fire on the table that a statement names, so every partition has its own.
  for part in select relid from pg_catalog.pg_partition_tree(target) union select target loop
    perform audit.attach_triggers(part, classification, keys, subject, ignore);
  end loop;
end
$$;
comment on function audit.protect(regclass, text, text, text[]) is
  'Puts a table under audit: every change writes a row of audit.audit_logs in its own transaction. The caller must own the table.';

select audit.protect('lifecycle.settings');
select audit.protect('lifecycle.policies');
select audit.protect('auth.users', 'confidential', 'id', array['last_login_at', 'updated_at', 'last_modified_by']);
