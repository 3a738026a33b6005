-- How the trail is written: many rows of one statement in one pass, and what happens when it cannot be written.
set local role akashi_owner;

-- A statement takes one number of the sequence and numbers its rows from there: a number for each row would
-- cost as much as an index. `seq` stays what it was, ascending in the order in which writers reach the trail.
alter sequence audit.audit_logs_seq increment by 65536;

alter table audit.protected_tables
  add on_failure text not null default 'fail' check (on_failure in ('fail', 'record_loss'));
comment on column audit.protected_tables.on_failure is
  'When a change cannot be recorded: fail, and it is not made; record_loss, and it is made and counted in audit.losses.';

-- Changes that the trail does not have. The table has no partition, no index but its key and no trigger but its
-- guard, so that it can be written when the trail cannot.
create table audit.losses (
  id               uuid primary key default audit.uuid_v7(),
  created_at       timestamptz not null default clock_timestamp(),
  schema_name      text not null,
  table_name       text not null,
  operation        text not null,
  row_count        bigint,
  sqlstate         text not null,
  message          text not null,
  xid              xid8 not null default pg_current_xact_id(),
  claimed_user_id  text default nullif(current_setting('app.current_user_id', true), ''),
  request_id       text default nullif(current_setting('app.request_id', true), ''),
  db_user          text not null default session_user,
  db_address       inet default inet_client_addr(),
  application_name text default nullif(current_setting('application_name'), ''),
  reported_at      timestamptz,
  settled_at       timestamptz,
  settled_by       text,
  explanation      text,
  check ((settled_at is null) = (explanation is null) and (settled_at is null) = (settled_by is null))
);
comment on table audit.losses is
  'Statements on tables protected with on_failure => record_loss whose changes could not be recorded.';
comment on column audit.losses.row_count is 'Rows that the statement changed; null for TRUNCATE.';
comment on column audit.losses.claimed_user_id is 'What the connection said, unchecked.';
comment on column audit.losses.reported_at is 'When the loss itself was put into the trail and raised as an event.';
comment on column audit.losses.settled_at is 'When somebody explained it; until then verify, doctor and the metrics name it.';

alter table audit.losses enable row level security;
alter table audit.losses force row level security;
create policy losses_owner on audit.losses to akashi_owner using (true) with check (true);
create policy losses_read on audit.losses for select to akashi_worker, akashi_security_admin using (true);
grant select on audit.losses to akashi_worker, akashi_security_admin;

-- A loss is told once and explained once; nothing else of it changes.
create function audit.keep_loss() returns trigger language plpgsql set search_path = '' as $$
begin
  if (to_jsonb(old) - array['reported_at', 'settled_at', 'settled_by', 'explanation'])
     is distinct from (to_jsonb(new) - array['reported_at', 'settled_at', 'settled_by', 'explanation'])
     or (old.reported_at is not null and new.reported_at is distinct from old.reported_at)
     or (old.settled_at is not null and (new.settled_at, new.settled_by, new.explanation)
         is distinct from (old.settled_at, old.settled_by, old.explanation)) then
    raise exception 'a loss can be reported and settled, once each, and not be changed'
      using errcode = 'AK001', hint = 'the record is append-only';
  end if;
  return new;
end
$$;
create trigger keep_loss before update on audit.losses for each row execute function audit.keep_loss();
alter table audit.losses enable always trigger keep_loss;
create trigger refuse_change before delete or truncate on audit.losses
  for each statement execute function audit.refuse_change();
alter table audit.losses enable always trigger refuse_change;
select audit.exempt('audit.losses', 'append-only itself; each loss goes into the trail as soon as that can be written');

-- A protection names columns, and names can change. Recording by a stale one would lose keys, persons or secrecy.
create function audit.refuse_stale_protection(relation oid) returns text
  language plpgsql stable set search_path = '' as $$
begin
  raise exception 'columns that the audit of % names are not there any more', relation::regclass
    using errcode = 'AK003', hint = 'protect it again, in the transaction that renames or drops a column: akashi protect';
end
$$;

-- A key of several columns as text: a JSON array of their values in the key's order.
create or replace function audit.composite_key(record jsonb, key_columns text[]) returns text
  language plpgsql immutable parallel safe set search_path = '' as $$
begin
  if not record ?& key_columns then
    raise exception 'the key that the audit of this table names (%) is not its key any more', array_to_string(key_columns, ', ')
      using errcode = 'AK003', hint = 'protect it again, in the transaction that renames or drops a column: akashi protect';
  end if;
  return (select jsonb_agg(record -> key order by place) from unnest(key_columns) with ordinality as k (key, place));
end
$$;

-- The statement that records many rows at once: made from the catalog when it is needed, so that it is never
-- older than the table. Old and new row are compared column by column. Where a type's own equality is not that
-- of the values as the trail shows them (intervals, citext, collations), they are compared as JSON, which is how
-- the rows of small statements are compared.
-- Parameters: $1 audit.bulk_batch, $2 context, $3 to $5 classification, schema, table, $6 key columns,
-- $7 subject column, $8 ignored, $9 digested, $10 omitted columns, $11 the one key column, $12 columns to look for,
-- $13 the table.
create type audit.bulk_batch as (
  skip        integer,  -- rows that are recorded already
  id_prefix   bytea,    -- the first twelve bytes of every id: time, version and what is random in a UUID version 7
  first_seqs  bigint[], -- the first number of each block of 65,536 rows
  salts       bytea,    -- 16 bytes a row
  db_user     text,
  db_address  inet,
  application text
);

create function audit.bulk_statement(relation oid, operation text, redacted boolean) returns text
  language plpgsql stable set search_path = '' as $$
declare
  columns constant text := 'insert into audit.audit_logs (id, created_at, seq, xid, salt, db_user, db_address, application_name,
    user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id, trace_id, correlation_id,
    application_version, tenant_id, data_classification, schema_name, table_name, action, operation, record_id, data_subject';
  place constant text := 'row_number() over () - 1 as place';
  shared constant text := format($sql$
    select encode(($1).id_prefix || int4send(place::integer), 'hex')::uuid, clock_timestamp(),
           (($1).first_seqs)[1 + (place >> 16)] + (place & 65535), pg_current_xact_id(),
           substring(($1).salts from 16 * place::integer + 1 for 16), ($1).db_user, ($1).db_address, ($1).application,
           ($2).user_id, ($2).session_id, ($2).subject, ($2).ip_address, ($2).user_agent, ($2).verified, ($2).api_endpoint,
           ($2).request_id, ($2).trace_id, ($2).correlation_id, ($2).application_version, ($2).tenant_id, $3, $4, $5, %L, %L,
           case when $12 is not null and not row_values ?& $12 then audit.refuse_stale_protection($13)
                else coalesce(row_values ->> $11, audit.composite_key(row_values, $6)) end$sql$, lower(operation), operation);
  befores text;
  afters text;
  fields text;
  old_values text;
begin
  if operation <> 'UPDATE' then
    return format($sql$%s, %s)%s, row_values ->> $7, %s
      from (select %s, to_jsonb(r.*) as row_values from %s r) rows
      where place >= ($1).skip$sql$, columns,
      case operation when 'INSERT' then 'new_values' else 'old_values' end, shared,
      case when redacted then 'audit.redact(row_values, row_values ->> $7, $9, $10)' else 'row_values' end,
      place, case operation when 'INSERT' then 'new_rows' else 'old_rows' end);
  end if;
  select string_agg(format('r.%I as o%s', c.attname, c.attnum), ', '),
         string_agg(format('r.%I as n%s', c.attname, c.attnum), ', '),
         string_agg(format('case when %s then %L end', c.differs, c.attname), ', ' order by c.attname collate "C"),
         string_agg(format('case when %s then jsonb_build_object(%L, o%s) else ''{}'' end', c.differs, c.attname, c.attnum), ' || ')
  into befores, afters, fields, old_values
  from (
    select a.attname, a.attnum, format(case
      when a.atttypid in ('boolean'::regtype, 'smallint'::regtype, 'integer'::regtype, 'bigint'::regtype, 'numeric'::regtype,
                          'uuid'::regtype, 'date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
        then 'o%1$s is distinct from n%1$s'
      when a.atttypid in ('text'::regtype, 'varchar'::regtype) then 'o%1$s collate "C" is distinct from n%1$s collate "C"'
      else 'coalesce(to_jsonb(o%1$s), ''null'') is distinct from coalesce(to_jsonb(n%1$s), ''null'')' end, a.attnum) as differs
    from pg_catalog.pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
  ) c;
  return format($sql$%s, old_values, new_values, changed_fields, detail)%s,
      coalesce(row_values ->> $7, old_values ->> $7), %s, %s, fields,
      case when fields && $6 then jsonb_build_object('previous_record_id',
        coalesce((row_values || old_values) ->> $11, audit.composite_key(row_values || old_values, $6))) end
    from (
      select place, row_values, array_remove(array[%s], null) as fields, %s as old_values
      from (select %s, %s from old_rows r) before
      join (select %s, to_jsonb(r.*) as row_values, %s from new_rows r) after using (place)
      offset 0
    ) rows
    where place >= ($1).skip and not fields <@ $8$sql$, columns, shared,
    case when redacted then 'audit.redact(old_values, (row_values || old_values) ->> $7, $9, $10)' else 'old_values' end,
    case when redacted then 'audit.redact(row_values, row_values ->> $7, $9, $10)' else 'row_values' end,
    fields, old_values, place, befores, place, afters);
end
$$;

-- Random bytes for the salts of many rows: SHA-512 over 244 random bits and a counter costs a tenth of asking
-- the operating system for each row.
create function audit.random_salts(rows bigint) returns bytea
  language plpgsql volatile set search_path = '' as $$
declare
  seed constant bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
begin
  return (select string_agg(sha512(seed || int8send(n)), '') from generate_series(0, (rows - 1) / 4) n);
end
$$;

-- One statement's changes, one row each. The trigger's arguments come from protected_tables:
-- 0 classification, 1 key columns, 2 subject column or '', 3 ignored, 4 digested, 5 omitted columns.
-- The settings are pinned because to_jsonb and text output depend on them.
-- r.* and not r: a table may have a column of that name.
-- OLD and NEW are paired by their place: both transition tables are filled together, row by row. The plan of a
-- static statement is kept from its first use, which may have been for one row, and pairing thousands by a nested
-- loop takes minutes: it records the first 50 rows, and the others get a statement and a plan of their own.
-- There are two such functions of one text: the second keeps the loss when the first would fail.
do $functions$
declare
  settings constant text := $text$security definer
  set search_path = '' set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'iso_8601'
  set bytea_output = 'hex' set extra_float_digits = '1' set lc_monetary = 'C'$text$;
  work constant text := $text$declare
  bulk_rows      constant integer := 50;
  who            constant audit.request_context := audit.request_context();
  classification constant text := tg_argv[0];
  key_columns    constant text[] := tg_argv[1];
  key_column     constant text := case when cardinality(key_columns) = 1 then key_columns[1] end;
  subject_column constant text := nullif(tg_argv[2], '');
  ignored        constant text[] := tg_argv[3];
  digested       constant text[] := tg_argv[4];
  omitted        constant text[] := tg_argv[5];
  redacted       constant boolean := cardinality(digested) + cardinality(omitted) > 0;
  -- A stale key column shows as a key without a value; the others have to be looked for.
  named          constant text[] := case when redacted or subject_column is not null
    then array_remove(key_columns || digested || omitted || subject_column, null) end;
  done           bigint;
  rows           bigint;
  batch          audit.bulk_batch;
  joins          text;
begin
  if tg_op = 'INSERT' then
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, new_values)
    select who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'insert', 'INSERT',
      case when named is not null and not n ?& named then audit.refuse_stale_protection(tg_relid)
           else coalesce(n ->> key_column, audit.composite_key(n, key_columns)) end,
      n ->> subject_column, case when redacted then audit.redact(n, n ->> subject_column, digested, omitted) else n end
    from (select to_jsonb(r.*) as n from new_rows r limit 50) rows;
  elsif tg_op = 'UPDATE' then
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, old_values, new_values, changed_fields, detail)
    select who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'update', 'UPDATE',
      case when named is not null and not n ?& named then audit.refuse_stale_protection(tg_relid)
           else coalesce(n ->> key_column, audit.composite_key(n, key_columns)) end,
      coalesce(n ->> subject_column, o ->> subject_column),
      case when redacted then audit.redact(diff.old_values, o ->> subject_column, digested, omitted) else diff.old_values end,
      case when redacted then audit.redact(n, n ->> subject_column, digested, omitted) else n end,
      diff.fields,
      case when diff.fields && key_columns
        then jsonb_build_object('previous_record_id', coalesce(o ->> key_column, audit.composite_key(o, key_columns))) end
    from (select to_jsonb(r.*) as o, row_number() over () as place from old_rows r limit 50) before
    join (select to_jsonb(r.*) as n, row_number() over () as place from new_rows r limit 50) after using (place)
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
      'delete', 'DELETE',
      case when named is not null and not o ?& named then audit.refuse_stale_protection(tg_relid)
           else coalesce(o ->> key_column, audit.composite_key(o, key_columns)) end,
      o ->> subject_column, case when redacted then audit.redact(o, o ->> subject_column, digested, omitted) else o end
    from (select to_jsonb(r.*) as o from old_rows r limit 50) rows;
  else
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation)
    values (who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'truncate', 'TRUNCATE');
    return null;
  end if;
  get diagnostics done = row_count;
  if tg_op = 'UPDATE' then
    done := case when exists (select from old_rows offset bulk_rows) then bulk_rows else 0 end;
  end if;
  if done = bulk_rows then
    if tg_op = 'INSERT' then
      select count(*) into rows from new_rows;
    else
      select count(*) into rows from old_rows;
    end if;
    batch := (bulk_rows, substring(uuid_send(audit.uuid_v7()) for 12),
      array(select nextval('audit.audit_logs_seq') from generate_series(0, (rows - 1) / 65536)), audit.random_salts(rows),
      session_user, inet_client_addr(), nullif(current_setting('application_name'), ''));
    -- Hashing pairs the rows in one pass; sorting them would spill to disk, and compiling costs more than it saves.
    joins := current_setting('enable_mergejoin') || ',' || current_setting('enable_nestloop') || ',' || current_setting('jit');
    perform set_config('enable_mergejoin', 'off', true), set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true);
    execute audit.bulk_statement(tg_relid, tg_op, redacted) using batch, who, classification, tg_table_schema::text,
      tg_table_name::text, key_columns, subject_column, ignored, digested, omitted, key_column, named, tg_relid;
    perform set_config('enable_mergejoin', split_part(joins, ',', 1), true),
            set_config('enable_nestloop', split_part(joins, ',', 2), true), set_config('jit', split_part(joins, ',', 3), true);
  end if;
$text$;
  -- A conflict between transactions is no loss: the whole transaction is tried again. Where not even the loss can
  -- be written, the change fails.
  loss constant text := $text$exception
  when transaction_rollback then
    raise;
  when others then
    declare
      lost  bigint;
      state text;
      cause text;
    begin
      get stacked diagnostics state = returned_sqlstate, cause = message_text;
      if tg_op = 'INSERT' then
        select count(*) into lost from new_rows;
      elsif tg_op in ('UPDATE', 'DELETE') then
        select count(*) into lost from old_rows;
      end if;
      insert into audit.losses (schema_name, table_name, operation, row_count, sqlstate, message)
      values (tg_table_schema, tg_table_name, tg_op, lost, state, left(cause, 1000));
      raise warning '% of %.% was made and not recorded: %', tg_op, tg_table_schema, tg_table_name, cause
        using hint = 'see audit.losses and akashi doctor';
    end;
$text$;
begin
  execute format('create or replace function audit.log_changes() returns trigger language plpgsql %s as %L', settings,
    E'\n' || work || E'  return null;\nend\n');
  execute format('create function audit.log_changes_or_loss() returns trigger language plpgsql %s as %L', settings,
    E'\nbegin\n' || work || E'  return null;\nend;\n' || loss || E'  return null;\nend\n');
end
$functions$;

-- The triggers of one table or partition, always firing, also under session_replication_role = replica.
create or replace function audit.attach_triggers(target regclass, policy audit.protected_tables)
  returns void language plpgsql set search_path = '' as $$
declare
  call constant text := format('audit.%s(%L, %L, %L, %L, %L, %L)',
    case policy.on_failure when 'record_loss' then 'log_changes_or_loss' else 'log_changes' end, policy.classification,
    policy.key_columns, coalesce(policy.subject_column, ''), policy.ignored_columns, policy.digest_columns, policy.omitted_columns);
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
    execute format('create or replace trigger akashi_audit_%s after %s on %s %s for each statement execute function %s',
      event.name, event.name, target, event.referencing, call);
    execute format('alter table %s enable always trigger akashi_audit_%s', target, event.name);
  end loop;
end
$$;

create function audit.primary_key(target oid) returns text[]
  language sql stable set search_path = '' as $$
  select array_agg(a.attname::text order by k.place)
  from pg_catalog.pg_index i
  cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, place)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = target and i.indisprimary and k.place <= i.indnkeyatts
$$;

drop function audit.protect(regclass, text, text, jsonb, text[]);
-- Puts a table under audit. Calling it again changes how, and repairs its triggers.
--   columns: {"column": "plain" | "digest" | "omit"}; what is not named is plain.
--   ignore:  columns whose change alone writes nothing.
--   subject: the column that says which person a row is about.
--   on_failure: when a change cannot be recorded, 'fail' (it is not made) or 'record_loss' (it is made and counted).
create function audit.protect(
  target regclass,
  classification text default 'internal',
  subject text default null,
  columns jsonb default '{}',
  ignore text[] default '{}',
  on_failure text default 'fail'
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
  policy.key_columns := audit.primary_key(target);
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
  if on_failure is null or on_failure not in ('fail', 'record_loss') then
    raise exception 'on failure a change may fail or record_loss: %', coalesce(on_failure, 'null') using errcode = 'invalid_parameter_value';
  end if;
  policy.classification := protect.classification;
  policy.subject_column := protect.subject;
  policy.ignored_columns := protect.ignore;
  policy.digest_columns := array(select key from jsonb_each_text(columns) where value = 'digest' order by key);
  -- A column that is computed when it is read has no value in a trigger.
  policy.omitted_columns := array(
    select key from jsonb_each_text(columns) where value = 'omit'
    union select a.attname from pg_catalog.pg_attribute a where a.attrelid = target and a.attgenerated = 'v' and not a.attisdropped
    order by 1);
  policy.on_failure := protect.on_failure;
  delete from audit.exempt_tables e where (e.schema_name, e.table_name) = (policy.schema_name, policy.table_name);
  insert into audit.protected_tables as p (schema_name, table_name, classification, key_columns, subject_column,
    ignored_columns, digest_columns, omitted_columns, on_failure)
  values (policy.schema_name, policy.table_name, policy.classification, policy.key_columns, policy.subject_column,
    policy.ignored_columns, policy.digest_columns, policy.omitted_columns, policy.on_failure)
  on conflict (schema_name, table_name) do update
    set classification = excluded.classification, key_columns = excluded.key_columns,
        subject_column = excluded.subject_column, ignored_columns = excluded.ignored_columns,
        digest_columns = excluded.digest_columns, omitted_columns = excluded.omitted_columns,
        on_failure = excluded.on_failure;
  -- Statement triggers fire on the table that a statement names, so every partition has its own.
  for part in select relid from pg_catalog.pg_partition_tree(target) union select target loop
    perform audit.attach_triggers(part, policy);
  end loop;
end
$$;
comment on function audit.protect(regclass, text, text, jsonb, text[], text) is
  'Puts a table under audit: every change writes a row of audit.audit_logs in its own transaction. The caller must own the table.';

-- Ends the audit of a table that is not there any more, or not under that name.
create function audit.unprotect_missing(schema_name text, table_name text) returns void
  language plpgsql set search_path = '' as $$
begin
  if exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where (n.nspname, c.relname) = (unprotect_missing.schema_name, unprotect_missing.table_name)) then
    raise exception '%.% is there', schema_name, table_name using errcode = 'AK003', hint = 'use audit.unprotect';
  end if;
  delete from audit.protected_tables p
  where (p.schema_name, p.table_name) = (unprotect_missing.schema_name, unprotect_missing.table_name);
  if not found then
    raise exception '%.% is not under audit', schema_name, table_name using errcode = 'undefined_object';
  end if;
end
$$;
comment on function audit.unprotect_missing(text, text) is 'Forgets the protection of a table that was dropped or renamed; its trail stays.';

-- Triggers that record or guard and are not as they should be, for one log: the guards of its table and
-- of the ledger; for audit_logs also the triggers of every protected table and partition.
create or replace function audit.trigger_problems(log text) returns table ("table" text, problem text)
  language sql stable security definer set search_path = '' as $$
  with guarded as (
    select part.relid::oid as relid, null::text as name, 'refuse_change' as trigger_name,
           'audit.refuse_change'::regproc::oid as function, '' ::bytea as arguments
    from lifecycle.policies p
    cross join lateral pg_catalog.pg_partition_tree(to_regclass(format('%I.%I', p.schema_name, p.table_name))) part
    -- With the trail go the append-only tables that have no log of their own.
    where p.append_only and (p.table_name = trigger_problems.log
      or (trigger_problems.log = 'audit_logs' and p.table_name not in ('security_events', 'login_attempts')))
    union all
    select to_regclass(own.name), own.name, own.trigger_name, own.function::regproc, ''
    from (values ('audit.ledger_entries', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_checkpoints', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_epochs', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_cosignatures', 'refuse_change', 'audit.refuse_change'),
                 ('audit.retention_records', 'refuse_change', 'audit.refuse_change'),
                 ('audit.verifications', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_tiles', 'keep_tile', 'audit.keep_tile'),
                 ('audit.ledger_heads', 'keep_head', 'audit.keep_head'),
                 ('audit.losses', 'keep_loss', 'audit.keep_loss'),
                 ('audit.losses', 'refuse_change', 'audit.refuse_change')) as own (name, trigger_name, function)
  ), recorded as (
    select part.relid::oid, format('%I.%I', p.schema_name, p.table_name), 'akashi_audit_' || event,
           case p.on_failure when 'record_loss' then 'audit.log_changes_or_loss' else 'audit.log_changes' end::regproc,
           (select string_agg(convert_to(argument, 'UTF8') || '\x00'::bytea, ''::bytea order by place)
            from unnest(array[p.classification, p.key_columns::text, coalesce(p.subject_column, ''), p.ignored_columns::text,
                              p.digest_columns::text, p.omitted_columns::text]) with ordinality as a (argument, place))
    from audit.protected_tables p
    -- By the catalog: to_regclass refuses names in schemas that this function's owner may not use.
    left join lateral (
      select c.oid as named from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = p.schema_name and c.relname = p.table_name
    ) own on true
    cross join lateral (select relid from pg_catalog.pg_partition_tree(own.named::regclass) union select own.named) part
    cross join unnest(array['insert', 'update', 'delete', 'truncate']) event
    where log = 'audit_logs'
  ), expected as (
    select * from guarded union all select * from recorded
  )
  select coalesce(n.nspname || '.' || c.relname, e.name),
         case when c.oid is null then 'the table is gone'
              when t.oid is null then format('trigger %s is missing', e.trigger_name)
              when t.tgenabled = 'D' then format('trigger %s is disabled', e.trigger_name)
              when t.tgenabled <> 'A' then format('trigger %s does not fire in every session', e.trigger_name)
              else format('trigger %s is not the one that protect made', e.trigger_name) end
  from expected e
  left join pg_catalog.pg_class c on c.oid = e.relid
  left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_trigger t on t.tgrelid = e.relid and t.tgname = e.trigger_name and not t.tgisinternal
  where t.oid is null or t.tgenabled <> 'A' or t.tgfoid <> e.function or t.tgargs <> e.arguments
  union all
  select p.schema_name || '.' || p.table_name,
         case when stale.gone is not null then format('the protection names columns that are gone: %s', stale.gone)
              else format('its primary key is not (%s) any more', array_to_string(p.key_columns, ', ')) end
  from audit.protected_tables p
  join pg_catalog.pg_namespace n on n.nspname = p.schema_name
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  cross join lateral (
    select string_agg(name, ', ') as gone
    from unnest(p.key_columns || p.digest_columns || p.omitted_columns || p.subject_column) name
    where name is not null and not exists (
      select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = name and a.attnum > 0 and not a.attisdropped)
  ) stale
  where trigger_problems.log = 'audit_logs' and (stale.gone is not null or p.key_columns is distinct from audit.primary_key(c.oid))
  union all
  select schema_name || '.' || table_name,
         format('%s statements (%s rows) were made and not recorded, the last at %s: %s', count(*), coalesce(sum(row_count), 0),
                to_char(max(created_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), (array_agg(message order by created_at desc))[1])
  from audit.losses
  where trigger_problems.log = 'audit_logs' and settled_at is null
  group by schema_name, table_name
$$;

-- Statement triggers are not inherited: a partition that is made for a protected table gets its own.
-- Makes the partition that holds `at`. Answers null when the range is covered already.
create or replace function lifecycle.create_partition(parent regclass, at timestamptz) returns text
  language plpgsql security definer set search_path = '' set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  policy lifecycle.policies;
  protection audit.protected_tables;
  parent_schema text;
  parent_name text;
  child_name text;
  child text;
  lower_bound timestamptz;
  upper_bound timestamptz;
begin
  select n.nspname, c.relname into parent_schema, parent_name
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = parent;
  select * into policy from lifecycle.policies p where p.schema_name = parent_schema and p.table_name = parent_name;
  if not found then
    raise exception '%.% has no lifecycle policy', parent_schema, parent_name
      using errcode = 'undefined_object', hint = 'add a row to lifecycle.policies first';
  end if;
  lower_bound := lifecycle.partition_from(at, policy.interval);
  upper_bound := lifecycle.partition_to(at, policy.interval);
  -- One maker at a time per table: two would both find the gap and one of them fail.
  perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
  if exists (
    select from pg_catalog.pg_inherits i, lifecycle.partition_bounds(i.inhrelid::regclass) b
    where i.inhparent = parent and b.lower < upper_bound and b.upper > lower_bound
  ) then
    return null;
  end if;
  child_name := lifecycle.partition_name(parent_name, lower_bound, policy.interval);
  child := format('%I.%I', parent_schema, child_name);
  execute format('create table %s (like %s including defaults including constraints including generated including storage)',
    child, parent);
  -- The constraint lets ATTACH skip its scan and is dropped again as redundant.
  execute format('alter table %s add constraint bounds check (created_at >= %L and created_at < %L)', child, lower_bound, upper_bound);
  execute format('alter table %s enable row level security', child);
  execute format('alter table %s force row level security', child);
  execute format('revoke all on %s from public', child);
  if policy.append_only then
    perform audit.guard(child::regclass);
  end if;
  select * into protection from audit.protected_tables p where p.schema_name = parent_schema and p.table_name = parent_name;
  if found then
    perform audit.attach_triggers(child::regclass, protection);
  end if;
  execute format('alter table %s attach partition %s for values from (%L) to (%L)', parent, child, lower_bound, upper_bound);
  execute format('alter table %s drop constraint bounds', child);
  return child_name;
end
$$;

-- Puts each loss into the trail and raises it as an event, as soon as both can be written. Answers how many.
create function audit.report_losses() returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  loss audit.losses;
  reported integer := 0;
begin
  for loss in select * from audit.losses where reported_at is null order by created_at for update loop
    perform audit.record_action('audit_loss', 'lose', loss.schema_name || '.' || loss.table_name, loss.id::text, 'FAILURE',
      to_jsonb(loss) - array['reported_at', 'settled_at', 'settled_by', 'explanation'], error_code => loss.sqlstate,
      error_message => loss.message);
    insert into security.security_events (event_type, event_category, severity, source_service, description, action_performed,
      result, ocsf_class_uid, resource_type, resource_id, request_id, event_details)
    values ('audit_loss', 'integrity', 'critical', 'akashi', 'changes were made and not recorded', 'record', 'failure', 2004, 'table',
      left(loss.schema_name || '.' || loss.table_name, 255), loss.request_id,
      to_jsonb(loss) - array['reported_at', 'settled_at', 'settled_by', 'explanation']);
    update audit.losses set reported_at = clock_timestamp() where id = loss.id;
    reported := reported + 1;
  end loop;
  return reported;
end
$$;

-- Somebody found out what was lost and says so; the losses stay, and so does who said it.
create function audit.settle_losses(explanation text, until timestamptz default clock_timestamp()) returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  settled integer;
  by_whom constant text := coalesce(auth.current_user_id()::text, session_user);
begin
  if coalesce(explanation, '') = '' then
    raise exception 'a loss is settled by an explanation' using errcode = 'invalid_parameter_value';
  end if;
  update audit.losses l set settled_at = clock_timestamp(), settled_by = by_whom, explanation = settle_losses.explanation
  where l.settled_at is null and l.created_at <= until;
  get diagnostics settled = row_count;
  if settled > 0 then
    perform audit.record_action('audit_losses_settled', 'settle', 'audit.losses', null, 'SUCCESS',
      jsonb_build_object('losses', settled, 'until', until, 'explanation', explanation));
  end if;
  return settled;
end
$$;
grant execute on function audit.report_losses() to akashi_worker;
grant execute on function audit.settle_losses(text, timestamptz) to akashi_security_admin;

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('audit-losses', '*/5 * * * *', 'audit.losses', '1 minute',
   'put changes that could not be recorded into the trail as losses, and fail while any is not settled');
