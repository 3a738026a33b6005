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

-- Salts of digested values, one a person: without it nobody can tell what a digest was of, nor find it by
-- trying. Erasing a person removes theirs. The empty subject is for rows that are about nobody.
create table keys.digest_salts (
  data_subject text primary key,
  salt         bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
  created_at   timestamptz not null default now()
);
alter table keys.digest_salts enable row level security;
alter table keys.digest_salts force row level security;
create policy digest_salts_owner on keys.digest_salts to akashi_owner using (true) with check (true);

-- Which tables are under audit, and how. Triggers are made from it; `verify` compares them.
create table audit.protected_tables (
  schema_name      text not null,
  table_name       text not null,
  classification   text not null default 'internal' check (classification in ('public', 'internal', 'confidential', 'restricted')),
  key_columns      text[] not null check (cardinality(key_columns) > 0),
  subject_column   text,
  ignored_columns  text[] not null default '{}',
  digest_columns   text[] not null default '{}',
  omitted_columns  text[] not null default '{}',
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

create type audit.request_context as (
  verified boolean, user_id uuid, session_id uuid, subject text, ip_address inet, user_agent text, api_endpoint text,
  request_id text, trace_id text, correlation_id text, application_version text, tenant_id text
);

-- The context of this transaction: as signed, or as claimed when it is not. A claim that is no valid value
-- is no claim; only unsigned ones need the functions that forgive it.
create function audit.request_context() returns audit.request_context
  language plpgsql stable parallel safe security definer set search_path = '' as $$
declare
  who audit.request_context;
begin
  who.verified := auth.context_verified();
  if who.verified then
    who.user_id := nullif(current_setting('app.current_user_id', true), '');
    who.session_id := nullif(current_setting('app.current_session_id', true), '');
    who.ip_address := nullif(current_setting('app.client_ip', true), '');
  else
    who.user_id := auth.try_uuid(nullif(current_setting('app.current_user_id', true), ''));
    who.session_id := auth.try_uuid(nullif(current_setting('app.current_session_id', true), ''));
    who.ip_address := auth.try_inet(nullif(current_setting('app.client_ip', true), ''));
  end if;
  who.subject := nullif(current_setting('app.subject', true), '');
  who.user_agent := nullif(current_setting('app.user_agent', true), '');
  who.api_endpoint := nullif(current_setting('app.api_endpoint', true), '');
  who.request_id := nullif(current_setting('app.request_id', true), '');
  who.trace_id := nullif(current_setting('app.trace_id', true), '');
  who.correlation_id := nullif(current_setting('app.correlation_id', true), '');
  who.application_version := nullif(current_setting('app.application_version', true), '');
  who.tenant_id := nullif(current_setting('app.tenant_id', true), '');
  return who;
end
$$;

-- A row's values as the trail may keep them: omitted columns left out, digested ones replaced by
-- {"sha256": "<hex of SHA-256 over the person's salt and the value's JSON text>"}.
create function audit.redact(record jsonb, about text, digest_columns text[], omitted_columns text[]) returns jsonb
  language plpgsql volatile set search_path = '' as $$
declare
  result jsonb := record - omitted_columns;
  person constant text := coalesce(about, '');
  person_salt bytea;
  name text;
begin
  foreach name in array digest_columns loop
    if result -> name is not null and result -> name <> 'null' then
      if person_salt is null then
        insert into keys.digest_salts (data_subject) values (person) on conflict do nothing;
        select salt into person_salt from keys.digest_salts where data_subject = person;
      end if;
      result := jsonb_set(result, array[name], jsonb_build_object('sha256',
        encode(sha256(person_salt || convert_to((result -> name)::text, 'UTF8')), 'hex')));
    end if;
  end loop;
  return result;
end
$$;

-- One statement's changes, one row each. The trigger's arguments come from protected_tables:
-- 0 classification, 1 key columns, 2 subject column or '', 3 ignored, 4 digested, 5 omitted columns.
-- The settings are pinned because to_jsonb and text output depend on them.
-- r.* and not r: a table may have a column of that name.
-- OLD and NEW are paired by their place: both transition tables are filled together, row by row.
create function audit.log_changes() returns trigger
  language plpgsql security definer
  set search_path = '' set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'iso_8601'
  set bytea_output = 'hex' set extra_float_digits = '1' set lc_monetary = 'C' as $$
declare
  who            constant audit.request_context := audit.request_context();
  classification constant text := tg_argv[0];
  key_columns    constant text[] := tg_argv[1];
  key_column     constant text := case when cardinality(key_columns) = 1 then key_columns[1] end;
  subject_column constant text := nullif(tg_argv[2], '');
  ignored        constant text[] := tg_argv[3];
  digested       constant text[] := tg_argv[4];
  omitted        constant text[] := tg_argv[5];
  redacted       constant boolean := cardinality(digested) + cardinality(omitted) > 0;
begin
  if tg_op = 'INSERT' then
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, new_values)
    select who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'insert', 'INSERT', coalesce(n ->> key_column, audit.composite_key(n, key_columns)), n ->> subject_column,
      case when redacted then audit.redact(n, n ->> subject_column, digested, omitted) else n end
    from (select to_jsonb(r.*) as n from new_rows r) rows;
  elsif tg_op = 'UPDATE' then
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, old_values, new_values, changed_fields, detail)
    select who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'update', 'UPDATE', coalesce(n ->> key_column, audit.composite_key(n, key_columns)),
      coalesce(n ->> subject_column, o ->> subject_column),
      case when redacted then audit.redact(diff.old_values, o ->> subject_column, digested, omitted) else diff.old_values end,
      case when redacted then audit.redact(n, n ->> subject_column, digested, omitted) else n end,
      diff.fields,
      case when diff.fields && key_columns
        then jsonb_build_object('previous_record_id', coalesce(o ->> key_column, audit.composite_key(o, key_columns))) end
    from (select to_jsonb(r.*) as o, row_number() over () as place from old_rows r) before
    join (select to_jsonb(r.*) as n, row_number() over () as place from new_rows r) after using (place)
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
    select who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'delete', 'DELETE', coalesce(o ->> key_column, audit.composite_key(o, key_columns)), o ->> subject_column,
      case when redacted then audit.redact(o, o ->> subject_column, digested, omitted) else o end
    from (select to_jsonb(r.*) as o from old_rows r) rows;
  else
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation)
    values (who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'truncate', 'TRUNCATE');
  end if;
  return null;
end
$$;

-- The triggers of one table or partition, always firing, also under session_replication_role = replica.
create function audit.attach_triggers(target regclass, policy audit.protected_tables)
  returns void language plpgsql set search_path = '' as $$
declare
  arguments constant text := format('(%L, %L, %L, %L, %L, %L)', policy.classification, policy.key_columns,
    coalesce(policy.subject_column, ''), policy.ignored_columns, policy.digest_columns, policy.omitted_columns);
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
--   columns: {"column": "plain" | "digest" | "omit"}; what is not named is plain.
--   ignore:  columns whose change alone writes nothing.
--   subject: the column that says which person a row is about.
create function audit.protect(
  target regclass,
  classification text default 'internal',
  subject text default null,
  columns jsonb default '{}',
  ignore text[] default '{}'
) returns void
  language plpgsql set search_path = '' as $$
declare
  policy audit.protected_tables;
  kind "char";
  missing text;
  part regclass;
begin
  select c.relkind, n.nspname, c.relname into kind, policy.schema_name, policy.table_name
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = target;
  if kind is distinct from 'r' and kind is distinct from 'p' then
    raise exception '% is no table', target using errcode = 'wrong_object_type', hint = 'only tables can be put under audit';
  end if;
  if policy.schema_name in ('pg_catalog', 'information_schema')
     or (policy.schema_name = 'audit' and policy.table_name <> 'protected_tables') then
    raise exception '% cannot be put under audit', target using errcode = 'wrong_object_type',
      hint = 'the trail, the ledger and the catalogs watch themselves by other means';
  end if;
  select array_agg(a.attname::text order by k.place) into policy.key_columns
  from pg_catalog.pg_index i
  cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, place)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = target and i.indisprimary and k.place <= i.indnkeyatts;
  if policy.key_columns is null then
    raise exception '% has no primary key', target using errcode = 'invalid_table_definition',
      hint = 'give it a primary key first: without one a record cannot be followed';
  end if;
  select string_agg(wanted, ', ') into missing
  from (select unnest(ignore || subject) union select jsonb_object_keys(columns)) as named (wanted)
  where wanted is not null and not exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = target and a.attname = wanted and a.attnum > 0 and not a.attisdropped);
  if missing is not null then
    raise exception '% has no column %', target, missing using errcode = 'undefined_column';
  end if;
  select string_agg(format('%s is %s', key, value), ', ') into missing
  from jsonb_each_text(columns) where value not in ('plain', 'digest', 'omit');
  if missing is not null then
    raise exception 'columns may be plain, digest or omit: %', missing using errcode = 'invalid_parameter_value';
  end if;
  if policy.key_columns && array(select key from jsonb_each_text(columns) where value <> 'plain') then
    raise exception 'the key of % cannot be digested or omitted', target using errcode = 'invalid_parameter_value',
      hint = 'the trail finds a record by its key';
  end if;
  policy.classification := protect.classification;
  policy.subject_column := protect.subject;
  policy.ignored_columns := protect.ignore;
  policy.digest_columns := array(select key from jsonb_each_text(columns) where value = 'digest' order by key);
  policy.omitted_columns := array(select key from jsonb_each_text(columns) where value = 'omit' order by key);
  delete from audit.exempt_tables e where (e.schema_name, e.table_name) = (policy.schema_name, policy.table_name);
  insert into audit.protected_tables as p (schema_name, table_name, classification, key_columns, subject_column,
    ignored_columns, digest_columns, omitted_columns)
  values (policy.schema_name, policy.table_name, policy.classification, policy.key_columns, policy.subject_column,
    policy.ignored_columns, policy.digest_columns, policy.omitted_columns)
  on conflict (schema_name, table_name) do update
    set classification = excluded.classification, key_columns = excluded.key_columns,
        subject_column = excluded.subject_column, ignored_columns = excluded.ignored_columns,
        digest_columns = excluded.digest_columns, omitted_columns = excluded.omitted_columns;
  -- Statement triggers fire on the table that a statement names, so every partition has its own.
  for part in select relid from pg_catalog.pg_partition_tree(target) union select target loop
    perform audit.attach_triggers(part, policy);
  end loop;
end
$$;
comment on function audit.protect(regclass, text, text, jsonb, text[]) is
  'Puts a table under audit: every change writes a row of audit.audit_logs in its own transaction. The caller must own the table.';

-- Ends the audit of a table; what was recorded stays, and so does the record that it ended.
create function audit.unprotect(target regclass) returns void
  language plpgsql set search_path = '' as $$
declare
  part regclass;
  event text;
begin
  delete from audit.protected_tables p using pg_catalog.pg_class c, pg_catalog.pg_namespace n
  where c.oid = target and n.oid = c.relnamespace and (p.schema_name, p.table_name) = (n.nspname, c.relname);
  if not found then
    raise exception '% is not under audit', target using errcode = 'undefined_object';
  end if;
  for part in select relid from pg_catalog.pg_partition_tree(target) union select target loop
    foreach event in array array['insert', 'update', 'delete', 'truncate'] loop
      execute format('drop trigger if exists akashi_audit_%s on %s', event, part);
    end loop;
  end loop;
end
$$;
comment on function audit.unprotect(regclass) is 'Removes the triggers of audit.protect and keeps the trail.';

-- Tables that need no audit, each with the reason; whatever is neither here nor protected is a gap.
create table audit.exempt_tables (
  schema_name      text not null,
  table_name       text not null,
  reason           text not null check (reason <> ''),
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text,
  primary key (schema_name, table_name)
);
alter table audit.exempt_tables enable row level security;
alter table audit.exempt_tables force row level security;
create policy exempt_tables_read on audit.exempt_tables for select to akashi_app, akashi_worker, akashi_security_admin using (true);
create policy exempt_tables_owner on audit.exempt_tables to akashi_owner using (true) with check (true);
grant select on audit.exempt_tables to akashi_app, akashi_worker, akashi_security_admin;
create trigger update_updated_at before update on audit.exempt_tables
  for each row execute function auth.update_updated_at();

create function audit.exempt(target regclass, reason text) returns void
  language plpgsql set search_path = '' as $$
begin
  insert into audit.exempt_tables as e (schema_name, table_name, reason)
  select n.nspname, c.relname, exempt.reason
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = target
  on conflict (schema_name, table_name) do update set reason = excluded.reason;
end
$$;
comment on function audit.exempt(regclass, text) is 'Says why a table needs no audit.';

-- Every table of the application's and of Akashi's schemas: protected, exempt, or a gap. Partitions stand
-- for their parents.
create view audit.coverage with (security_invoker = true) as
  select n.nspname as schema_name, c.relname as table_name,
         case when p.table_name is not null then 'protected' when e.table_name is not null then 'exempt' else 'gap' end as state,
         p.classification, e.reason
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join audit.protected_tables p on (p.schema_name, p.table_name) = (n.nspname, c.relname)
  left join audit.exempt_tables e on (e.schema_name, e.table_name) = (n.nspname, c.relname)
  where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
    and n.nspname not in ('pg_catalog', 'information_schema', 'archive', 'graphile_worker') and n.nspname not like 'pg\_%';
grant select on audit.coverage to akashi_app, akashi_worker, akashi_security_admin;

-- An application action that is no change of a row: a login, an export, a refusal. Written in the caller's
-- transaction; answers the id of the row.
create function audit.record_action(
  event_type text,
  action text,
  resource text default null,
  resource_id text default null,
  result text default 'SUCCESS',
  detail jsonb default null,
  data_classification text default 'internal',
  data_subject text default null,
  error_code text default null,
  error_message text default null,
  compliance_context jsonb default null
) returns uuid
  language plpgsql security definer set search_path = '' as $$
declare
  who constant audit.request_context := audit.request_context();
  new_id constant uuid := audit.uuid_v7();
begin
  if event_type is null or event_type !~ '^[a-z][a-z0-9_]{0,99}$' or event_type = 'data_change' then
    raise exception '% is no event type', coalesce(event_type, 'null') using errcode = 'invalid_parameter_value',
      hint = 'use lowercase letters, digits and underscores; data_change is for the triggers';
  end if;
  if action is null or action = '' or length(action) > 100 then
    raise exception 'an action has 1 to 100 characters' using errcode = 'invalid_parameter_value';
  end if;
  if data_classification not in ('public', 'internal', 'confidential', 'restricted') then
    raise exception '% is no classification', data_classification using errcode = 'invalid_parameter_value',
      hint = 'use public, internal, confidential or restricted';
  end if;
  insert into audit.audit_logs (id, user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint,
    request_id, trace_id, correlation_id, application_version, tenant_id, event_type, action, resource, resource_id,
    result, detail, data_classification, data_subject, error_code, error_message, compliance_context)
  values (new_id, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint,
    who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, event_type, action, resource,
    resource_id, result, detail, data_classification, data_subject, error_code, error_message, compliance_context);
  return new_id;
end
$$;
comment on function audit.record_action is 'Records an action in the trail, in the caller''s transaction; answers the row''s id.';

-- A read of confidential or restricted data, which no trigger sees.
create function audit.record_access(resource text, resource_ids text[], reason text default null,
  data_classification text default 'confidential') returns uuid
  language sql set search_path = '' as $$
  select audit.record_action('data_access', 'read', resource, case when cardinality(resource_ids) = 1 then resource_ids[1] end,
    'SUCCESS', jsonb_strip_nulls(jsonb_build_object('records', to_jsonb(resource_ids), 'reason', reason)), data_classification)
$$;
comment on function audit.record_access is 'Records that somebody read confidential data.';
grant execute on function audit.record_action, audit.record_access to akashi_app, akashi_worker, akashi_security_admin;

select audit.protect('audit.protected_tables');
select audit.protect('lifecycle.settings');
select audit.protect('lifecycle.policies');
select audit.protect('auth.users', 'confidential', 'id', '{}', array['last_login_at', 'updated_at', 'last_modified_by']);
select audit.exempt('audit.audit_logs', 'it is the trail'),
       audit.exempt('audit.exempt_tables', 'changed by migrations and administrators; each row says who and when'),
       audit.exempt('auth.context_keys', 'holds secrets; keys are recorded by id in the key service'),
       audit.exempt('keys.digest_salts', 'holds secrets and is written by the trail itself'),
       audit.exempt('lifecycle.schema_migrations', 'written by the migration runner, one row each, with a checksum');
