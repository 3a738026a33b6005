-- The audit trail: one row per change or action, written in the same transaction; the rows of one statement are
-- written at once. When the trail cannot be written, the change fails or is counted as a loss, depending on the
-- protection of its table.
set local role akashi_owner;

-- Refuses changes and removals of rows. Statement triggers fire only for the table that a statement names, so every
-- partition has its own, also after it is detached.
create function akashi_audit.refuse_change() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  raise exception 'rows of %.% cannot be changed or removed: % refused', tg_table_schema, tg_table_name, lower(tg_op)
    using errcode = 'AK001',
          hint = 'the record is append-only; retention removes whole partitions, with a signed record';
end
$$;

create function akashi_audit.guard(target regclass) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('create or replace trigger refuse_change before update or delete or truncate on %s
    for each statement execute function akashi_audit.refuse_change()', target);
  execute format('alter table %s enable always trigger refuse_change', target);
end
$$;
comment on function akashi_audit.guard(regclass) is 'Makes a table append-only: UPDATE, DELETE and TRUNCATE are refused, also for its owner.';

-- A statement takes one value of the sequence and numbers its rows from there: one value per row would cost as much as
-- an index. `seq` ascends in the order in which writers reach the trail.
create sequence akashi_audit.audit_logs_seq increment by 65536;

-- Where the rows of a statement begin among the 65,536 numbers that it takes, by trigger depth: changes made by a row
-- trigger are recorded before the change that fired it, which gets the lower numbers.
create function akashi_audit.seq_offset(trigger_depth integer) returns integer
  language sql immutable parallel safe
  return 65536 - (65536 >> least(trigger_depth, 15));

-- UUID version 7 sorts by time, so new keys are added at the end of the index. PostgreSQL has a built-in function
-- since 18.
create function akashi_audit.uuid_v7() returns uuid language sql volatile parallel safe set search_path = pg_catalog, pg_temp as $$
  select encode(set_bit(set_bit(overlay(
    uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
    from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$$;
grant execute on function akashi_audit.uuid_v7() to akashi_worker;

create table akashi_audit.audit_logs (
  id                  uuid not null default akashi_audit.uuid_v7(),
  created_at          timestamptz not null default clock_timestamp(),
  seq                 bigint not null default nextval('akashi_audit.audit_logs_seq')
                        + akashi_audit.seq_offset(greatest(pg_trigger_depth() - 1, 0)),
  xid                 xid8 not null default pg_current_xact_id(),
  salt                bytea not null default uuid_send(gen_random_uuid()),
  user_id             text,
  session_id          text,
  subject             text,
  ip_address          inet,
  user_agent          text,
  context_verified    boolean not null,
  signed_by           text,
  db_user             text not null default session_user,
  db_system_user      text,
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
  trigger_depth       smallint default nullif(greatest(pg_trigger_depth() - 1, 0), 0)::smallint,
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
  -- No CHECK constraints: PostgreSQL prepares them in every statement (15–20 µs for three), and only the definer
  -- functions below can insert.
  primary key (id, created_at)
) partition by range (created_at);
do $uuid$
begin
  if current_setting('server_version_num')::integer >= 180000 then
    alter table akashi_audit.audit_logs alter column id set default uuidv7();
  end if;
end
$uuid$;

-- Also called by every migration run: a database that was created on an older version lacks the column's default.
create function akashi_audit.use_system_user() returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('server_version_num')::integer >= 160000 and not exists (
    select from pg_attribute a where a.attrelid = 'akashi_audit.audit_logs'::regclass and a.attname = 'db_system_user' and a.atthasdef) then
    alter table akashi_audit.audit_logs alter column db_system_user set default system_user;
  end if;
end
$$;
comment on function akashi_audit.use_system_user() is 'Makes the trail record system_user where the server has it (PostgreSQL 16 and newer).';
select akashi_audit.use_system_user();

comment on table akashi_audit.audit_logs is 'Every change and every recorded action. Append-only; sealed into the ledger audit_logs.';
comment on column akashi_audit.audit_logs.xid is 'The transaction; with seq it is the order in which the ledger takes rows.';
comment on column akashi_audit.audit_logs.salt is 'Random bytes, so that an entry hash cannot be guessed from the row.';
comment on column akashi_audit.audit_logs.subject is 'Who acted where no user did: system:<job>, service:<name>, operator:<account> or anonymous:<reason>.';
comment on column akashi_audit.audit_logs.context_verified is 'False: user_id to tenant_id are what the connection claimed, unsigned.';
comment on column akashi_audit.audit_logs.user_id is 'The user id in the application that signed the context; any text. Users of akashi have uuids.';
comment on column akashi_audit.audit_logs.signed_by is 'The application whose key signed the context; null where context_verified is false.';
comment on column akashi_audit.audit_logs.db_user is 'The login according to the server, independent of the application.';
comment on column akashi_audit.audit_logs.db_system_user is
  'How the connection authenticated and as whom (system_user), which SET SESSION AUTHORIZATION does not change; null before PostgreSQL 16 and without authentication.';
comment on column akashi_audit.audit_logs.trigger_depth is
  'How many triggers the statement was nested in; null for none. A trigger''s statement is recorded before the statement that fired it.';
comment on column akashi_audit.audit_logs.record_id is
  'The primary key as text; a JSON array where it has several columns; sha256: and the hex of its SHA-256 where it is longer than 2,000 bytes.';
comment on column akashi_audit.audit_logs.data_subject is 'The person that the row is about.';
comment on column akashi_audit.audit_logs.old_values is 'UPDATE: the previous values of the changed columns. DELETE: the whole row.';
comment on column akashi_audit.audit_logs.new_values is 'INSERT, UPDATE: the whole new row.';

create index audit_logs_order_idx on akashi_audit.audit_logs (xid, seq);
create index audit_logs_record_idx on akashi_audit.audit_logs (record_id, table_name);

alter table akashi_audit.audit_logs enable row level security, force row level security;
create policy audit_logs_record on akashi_audit.audit_logs for insert to akashi_owner with check (true);
-- A statement must find what the triggers that it fired recorded in the same transaction.
create policy audit_logs_own_transaction on akashi_audit.audit_logs for select to akashi_owner
  using (xid = (select pg_current_xact_id_if_assigned()));
create policy audit_logs_self on akashi_audit.audit_logs for select to akashi_client
  using (user_id = (select akashi_auth.context_user()) and signed_by = (select akashi_auth.context_application()));
create policy audit_logs_staff on akashi_audit.audit_logs for select to akashi_worker, akashi_security_admin using (true);
-- For counting rows about a person.
create policy audit_logs_policy on akashi_audit.audit_logs for select to akashi_policy using (true);
grant select on akashi_audit.audit_logs to akashi_client, akashi_worker, akashi_security_admin, akashi_policy;
select akashi_audit.guard('akashi_audit.audit_logs');

create view akashi_audit.recorded_actions with (security_invoker = true) as
  select id, created_at, event_type, action, resource, resource_id, result, detail, user_id, db_user
  from akashi_audit.audit_logs where event_type <> 'data_change';
comment on view akashi_audit.recorded_actions is 'The rows written by record_action().';
grant select on akashi_audit.recorded_actions to akashi_worker, akashi_security_admin;

grant create on schema akashi_audit to akashi_policy;
reset role;
set local role akashi_policy;
create function akashi_audit.count_about(data_subject text) returns bigint
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select count(*) from akashi_audit.audit_logs a where a.data_subject = count_about.data_subject
$$;
comment on function akashi_audit.count_about(text) is 'Number of rows of the trail in PostgreSQL that are about a person. Reads the whole trail.';
reset role;
revoke create on schema akashi_audit from akashi_policy;
grant execute on function akashi_audit.count_about(text) to akashi_owner, akashi_app, akashi_worker, akashi_security_admin;
set local role akashi_owner;

create table akashi_keys.digest_salts (
  data_subject text primary key,
  salt         bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
  created_at   timestamptz not null default now()
);
comment on table akashi_keys.digest_salts is
  'Salts of digested values, one per person: without the salt, the value of a digest cannot be found even by guessing. Erasing a person deletes their salt. The empty subject is for rows without a data subject.';
alter table akashi_keys.digest_salts enable row level security, force row level security;
create policy digest_salts_owner on akashi_keys.digest_salts to akashi_owner using (true) with check (true);

-- Returns the number of salts.
create function akashi_audit.erase_salt(data_subject text) returns integer
  language sql volatile set search_path = pg_catalog, pg_temp as $$
  -- Waits for transactions that are creating a salt of this person.
  lock table akashi_keys.digest_salts in share mode;
  with erased as (delete from akashi_keys.digest_salts s where s.data_subject = erase_salt.data_subject returning 1)
  select count(*)::integer from erased
$$;
comment on function akashi_audit.erase_salt(text) is 'Deletes the salt of a person, so that their digests reveal nothing: the second half of an erasure.';

-- Which of these persons have a salt: a transaction with a snapshot from before an erasure may create one after it.
create function akashi_audit.salted(persons text[]) returns setof text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select s.data_subject from akashi_keys.digest_salts s where s.data_subject = any (persons)
$$;

create table akashi_audit.protected_tables (
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
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  on_failure       text not null default 'fail' check (on_failure in ('fail', 'record_loss')),
  replica_identity jsonb not null default '{}',
  baseline_at      timestamptz,
  require_context  boolean not null default false,
  context_exempt   text[] not null default '{}',
  history_readers  text[] not null default '{}',
  primary key (schema_name, table_name),
  check (require_context or context_exempt = '{}')
);
comment on table akashi_audit.protected_tables is
  'Which tables are under audit, and how. Their triggers are generated from it; `verify` compares them.';
comment on column akashi_audit.protected_tables.on_failure is
  'When a change cannot be recorded: fail (the change fails) or record_loss (it succeeds and is counted in akashi_audit.losses).';
comment on column akashi_audit.protected_tables.replica_identity is
  'Relations whose replica identity the protection set to FULL, each with its former one (pg_class.relreplident); unprotect restores it.';
comment on column akashi_audit.protected_tables.baseline_at is
  'Since when the trail has a version of every row: the table was empty when it was protected, or a baseline was recorded; null if rows may be older than the protection.';
comment on column akashi_audit.protected_tables.require_context is
  'Changes without a signed request context are refused, except those of the logins in context_exempt.';
comment on column akashi_audit.protected_tables.history_readers is
  'Logins that may read the whole history of the table in the trail, including changes made by others.';
alter table akashi_audit.protected_tables enable row level security, force row level security;
create policy protected_tables_read on akashi_audit.protected_tables for select to akashi_app, akashi_worker, akashi_security_admin using (true);
create policy protected_tables_owner on akashi_audit.protected_tables to akashi_owner using (true) with check (true);
grant select on akashi_audit.protected_tables to akashi_app, akashi_worker, akashi_security_admin;
create trigger update_updated_at before update on akashi_audit.protected_tables
  for each row execute function akashi_auth.update_updated_at();

-- The tables, with their partitions, whose history the login may read.
create function akashi_audit.history_tables() returns table (schema_name text, table_name text)
  language sql stable security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select n.nspname::text, c.relname::text
  from akashi_audit.protected_tables p
  join pg_catalog.pg_namespace pn on pn.nspname = p.schema_name
  join pg_catalog.pg_class pc on pc.relnamespace = pn.oid and pc.relname = p.table_name
  cross join lateral (select pc.oid as relid union select relid from pg_catalog.pg_partition_tree(pc.oid::regclass)) part
  join pg_catalog.pg_class c on c.oid = part.relid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where session_user = any (p.history_readers)
$$;
comment on function akashi_audit.history_tables() is 'Tables and partitions whose history the login may read: akashi protect --history.';
grant execute on function akashi_audit.history_tables() to akashi_client;
create policy audit_logs_history on akashi_audit.audit_logs for select to akashi_client
  using ((schema_name, table_name) in (select t.schema_name, t.table_name from akashi_audit.history_tables() t));

create function akashi_audit.withheld_columns(schema_name text, table_name text) returns text[]
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce((select p.digest_columns || p.omitted_columns from akashi_audit.protected_tables p
                   where (p.schema_name, p.table_name) = (withheld_columns.schema_name, withheld_columns.table_name)), '{}')
$$;
comment on function akashi_audit.withheld_columns(text, text) is 'Columns of a table whose values are not in the trail.';

-- What the write-ahead log delivers to the cross-check: the protected tables, and the trail itself. Of partitioned tables the
-- partitions are sent, since a TRUNCATE of one would not be sent under the name of the root.
-- CREATE on the database is needed for this statement alone.
reset role;
do $publication$
begin
  execute format('grant create on database %I to akashi_owner', current_database());
  set local role akashi_owner;
  create publication akashi_crosscheck with (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
  reset role;
  execute format('revoke create on database %I from akashi_owner', current_database());
end
$publication$;
set local role akashi_owner;

-- Called again by every run of the migrations, as use_system_user(): from 18 on a published table refuses UPDATE when its
-- replica identity has a generated column that is not sent.
create function akashi_audit.publish_generated_columns() returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('server_version_num')::integer >= 180000 and not exists (
    select from pg_publication p where p.pubname = 'akashi_crosscheck' and to_jsonb(p) ->> 'pubgencols' = 's') then
    alter publication akashi_crosscheck set (publish_generated_columns = stored);
  end if;
end
$$;
comment on function akashi_audit.publish_generated_columns() is 'Lets the cross-check see generated columns where the server can send them (PostgreSQL 18 and newer).';
select akashi_audit.publish_generated_columns();
alter publication akashi_crosscheck add table only akashi_audit.audit_logs;

create table akashi_audit.exempt_tables (
  schema_name      text not null,
  table_name       text not null,
  reason           text not null check (reason <> ''),
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  primary key (schema_name, table_name)
);
comment on table akashi_audit.exempt_tables is
  'Tables that need no audit, each with the reason; every other table must be protected, or is a gap.';
alter table akashi_audit.exempt_tables enable row level security, force row level security;
create policy exempt_tables_read on akashi_audit.exempt_tables for select to akashi_app, akashi_worker, akashi_security_admin using (true);
create policy exempt_tables_owner on akashi_audit.exempt_tables to akashi_owner using (true) with check (true);
grant select on akashi_audit.exempt_tables to akashi_app, akashi_worker, akashi_security_admin;
create trigger update_updated_at before update on akashi_audit.exempt_tables
  for each row execute function akashi_auth.update_updated_at();

-- Changes that are missing from the trail. The table has no partitions, no index besides its key and no trigger
-- besides its guard, so that it can be written when the trail cannot.
create table akashi_audit.losses (
  id               uuid primary key default akashi_audit.uuid_v7(),
  created_at       timestamptz not null default clock_timestamp(),
  schema_name      text not null,
  table_name       text not null,
  operation        text not null,
  row_count        bigint,
  sqlstate         text not null,
  message          text not null,
  xid              xid8 not null default pg_current_xact_id(),
  claimed_user_id  text default nullif(left(current_setting('app.current_user_id', true), 255), ''),
  request_id       text default nullif(left(current_setting('app.request_id', true), 128), ''),
  db_user          text not null default session_user,
  db_address       inet default inet_client_addr(),
  application_name text default nullif(current_setting('application_name'), ''),
  reported_at      timestamptz,
  settled_at       timestamptz,
  settled_by       text,
  explanation      text,
  check ((settled_at is null) = (explanation is null) and (settled_at is null) = (settled_by is null))
);
comment on table akashi_audit.losses is
  'Statements on tables protected with on_failure => record_loss whose changes could not be recorded.';
comment on column akashi_audit.losses.row_count is 'Rows that the statement changed; null for TRUNCATE.';
comment on column akashi_audit.losses.claimed_user_id is 'The user id that the connection claimed, unverified.';
comment on column akashi_audit.losses.reported_at is 'When the loss itself was recorded in the trail and raised as an event.';
comment on column akashi_audit.losses.settled_at is 'When it was settled; until then verify, doctor and the metrics report it.';

alter table akashi_audit.losses enable row level security, force row level security;
create policy losses_owner on akashi_audit.losses to akashi_owner using (true) with check (true);
create policy losses_read on akashi_audit.losses for select to akashi_worker, akashi_security_admin using (true);
grant select on akashi_audit.losses to akashi_worker, akashi_security_admin;

-- A loss is reported once and explained once; nothing else in it changes.
create function akashi_audit.keep_loss() returns trigger language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if (to_jsonb(old) - array['reported_at', 'settled_at', 'settled_by', 'explanation'])
     is distinct from (to_jsonb(new) - array['reported_at', 'settled_at', 'settled_by', 'explanation'])
     or (old.reported_at is not null and new.reported_at is distinct from old.reported_at)
     or (old.settled_at is not null and (new.settled_at, new.settled_by, new.explanation)
         is distinct from (old.settled_at, old.settled_by, old.explanation)) then
    raise exception 'a loss can be reported once and settled once, but not changed'
      using errcode = 'AK001', hint = 'the record is append-only';
  end if;
  return new;
end
$$;
create trigger keep_loss before update on akashi_audit.losses for each row execute function akashi_audit.keep_loss();
alter table akashi_audit.losses enable always trigger keep_loss;
create trigger refuse_change before delete or truncate on akashi_audit.losses
  for each statement execute function akashi_audit.refuse_change();
alter table akashi_audit.losses enable always trigger refuse_change;

create type akashi_audit.request_context as (
  verified boolean, signed_by text, user_id text, session_id text, subject text, ip_address inet, user_agent text, api_endpoint text,
  request_id text, trace_id text, correlation_id text, application_version text, tenant_id text
);

-- What the app.* settings say, which is a claim unless an application signed it. Fields that describe the request are
-- truncated, so that nobody can create a row that is too large for an index. The lengths are those of
-- src/postgres/context.ts.
create function akashi_audit.claimed_context(signed_by text) returns akashi_audit.request_context
  language sql stable parallel restricted
  return row(
    signed_by is not null, signed_by,
    nullif(current_setting('app.current_user_id', true), ''),
    nullif(current_setting('app.current_session_id', true), ''),
    nullif(current_setting('app.subject', true), ''),
    -- Akashi signs the address of its socket; what others sign or claim may not be an address.
    case when signed_by = 'akashi' then nullif(current_setting('app.client_ip', true), '')::inet
         else akashi_auth.try_inet(nullif(current_setting('app.client_ip', true), '')) end,
    nullif(left(current_setting('app.user_agent', true), 512), ''),
    nullif(left(current_setting('app.api_endpoint', true), 512), ''),
    nullif(left(current_setting('app.request_id', true), 128), ''),
    nullif(left(current_setting('app.trace_id', true), 128), ''),
    nullif(left(current_setting('app.correlation_id', true), 128), ''),
    nullif(left(current_setting('app.application_version', true), 128), ''),
    nullif(current_setting('app.tenant_id', true), ''))::akashi_audit.request_context;

-- The context of this transaction: as signed, otherwise as claimed. An invalid claim is ignored.
create function akashi_audit.request_context() returns akashi_audit.request_context
  language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
declare
  signed_by constant text := case when current_setting('app.context_receipt', true) <> '' then akashi_auth.context_application() end;
  who akashi_audit.request_context := akashi_audit.claimed_context(signed_by);
  claimed constant akashi_audit.request_context := who;
begin
  if octet_length(concat(who.user_id, who.session_id, who.subject, who.tenant_id)) > 255
     or concat(who.user_id, who.session_id, who.subject, who.tenant_id) ~ '[\x01-\x1f\x7f]' then
    who.user_id := akashi_auth.try_name(who.user_id);
    who.session_id := akashi_auth.try_name(who.session_id);
    who.subject := akashi_auth.try_name(who.subject);
    who.tenant_id := akashi_auth.try_name(who.tenant_id);
    -- A truncated name would be another name.
    if who.verified and who is distinct from claimed then
      raise exception 'a name in the signed context is too long or contains control characters'
        using errcode = 'invalid_parameter_value',
              hint = 'user, session, subject and tenant have at most 255 characters each and no control characters';
    end if;
  end if;
  return who;
end
$$;

-- Protections contain column names, which can change. A stale name would lose keys, subjects or secrecy.
create function akashi_audit.refuse_stale_protection(relation oid) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'columns in the protection of % no longer exist', relation::regclass
    using errcode = 'AK003', hint = 'protect it again, in the transaction that renames or drops a column: akashi protect';
end
$$;

-- The key of a record as text: a JSON array of values, in the order of the key, if it has several columns. A key that
-- is too long for an index is replaced by its digest; the value is in the row's values.
create function akashi_audit.record_key(record jsonb, key_columns text[]) returns text
  language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  max_octets constant integer := 2000;
  key text;
begin
  if not record ?& key_columns then
    raise exception 'the key in the protection of this table (%) is no longer its key', array_to_string(key_columns, ', ')
      using errcode = 'AK003', hint = 'protect it again, in the transaction that renames or drops a column: akashi protect';
  end if;
  key := case when cardinality(key_columns) = 1 then record ->> key_columns[1]
    else (select jsonb_agg(record -> name order by place) from unnest(key_columns) with ordinality as k (name, place))::text end;
  return case when octet_length(key) > max_octets then 'sha256:' || encode(sha256(convert_to(key, 'UTF8')), 'hex') else key end;
end
$$;
grant execute on function akashi_audit.record_key(jsonb, text[]) to akashi_security_admin;

-- The columns that make a row too long to be sealed. The JSON of a row is printed, encoded and hashed in one piece,
-- and PostgreSQL limits text to 1 GB. 2 KiB of jsonb print as at most 26 MB (1e131071 takes twelve bytes), so shorter
-- rows are not measured.
create function akashi_audit.long_columns(record jsonb) returns text[]
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(key) filter (where total > 33554432 and octets > 16384), '{}')
  from (select key, octets, sum(octets) over () as total
        from (select key, octet_length(value::text) as octets from jsonb_each(record)) measured) measured
$$;

-- A row's values as the trail may store them: without omitted columns; digest columns and values that are too long are
-- replaced by {"sha256": "<hex of SHA-256 over the person's salt and the value's JSON text>"}. For an erased person
-- the salt is discarded at once.
create function akashi_audit.redact(record jsonb, about text, digest_columns text[], omitted_columns text[]) returns jsonb
  language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  result jsonb := record - omitted_columns;
  person constant text := coalesce(about, '');
  person_salt bytea;
  name text;
begin
  if pg_column_size(result) > 2048 then
    digest_columns := digest_columns || akashi_audit.long_columns(result - digest_columns);
  end if;
  foreach name in array digest_columns loop
    if result -> name is not null and result -> name <> 'null' then
      if person_salt is null then
        person_salt := akashi_audit.digest_salt(person);
      end if;
      result := jsonb_set(result, array[name], jsonb_build_object('sha256',
        encode(sha256(person_salt || convert_to((result -> name)::text, 'UTF8')), 'hex')));
    end if;
  end loop;
  return result;
end
$$;

-- Called once per row and person: for an erased person every call returns another salt.
create function akashi_audit.digest_salt(about text) returns bytea
  language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  -- uuids are stored in one spelling, which an erasure searches for.
  person constant text := case when about ~ '^[{]?[0-9A-Fa-f-]{32,36}[}]?$' then coalesce(akashi_auth.try_uuid(about)::text, about) else about end;
  found_salt bytea;
begin
  select salt into found_salt from akashi_keys.digest_salts where data_subject = person;
  if found then
    return found_salt;
  end if;
  if akashi_keys.is_erased(akashi_auth.try_uuid(person)) then
    return uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
  end if;
  insert into akashi_keys.digest_salts (data_subject) values (person) on conflict do nothing;
  select salt into found_salt from akashi_keys.digest_salts where data_subject = person;
  return found_salt;
end
$$;

-- Conversion to JSON uses the cast from a type to json if there is one, which is code of the type's owner. It runs
-- here, as a role without any rights.
grant create on schema akashi_audit to akashi_nobody;
grant usage on schema akashi_audit to akashi_nobody;
reset role;
set local role akashi_nobody;
create function akashi_audit.row_json(value anyelement) returns jsonb
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return to_jsonb(value);
end
$$;
grant execute on function akashi_audit.row_json(anyelement) to akashi_owner;
reset role;
revoke all on schema akashi_audit from akashi_nobody;
set local role akashi_owner;

-- Whether values of a column may be converted with the rights of the owner: true for built-in types, for which only a
-- superuser can create a cast. In an isolated transaction the catalog may be older than the table.
create function akashi_audit.is_plain(type oid) returns boolean
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select type < 16384 and current_setting('transaction_isolation') = 'read committed'
$$;

-- Whether a type is json or contains json. jsonb does not preserve the text of json and cannot hold all of its values,
-- so such columns are recorded as text.
create function akashi_audit.holds_json(type oid) returns boolean
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive parts (oid) as (
    select holds_json.type
    union
    select part.oid
    from parts p join pg_catalog.pg_type t on t.oid = p.oid
    cross join lateral (
      select t.typbasetype where t.typtype = 'd'
      union all
      select t.typelem where t.typelem <> 0 and t.typlen = -1
      union all
      select a.atttypid from pg_catalog.pg_attribute a
      where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) part (oid)
  )
  select exists (select from parts where oid = 'json'::regtype)
$$;

-- A row with the alias r as jsonb. Columns with json are converted to text by concat(), which uses the output function
-- of the type and not a cast, which other users may define.
create function akashi_audit.row_values(relation oid) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select case when bool_or(c.as_text)
    then format('(select %s(k.*) from (select %s) k)', case when bool_and(c.plain) then 'to_jsonb' else 'akashi_audit.row_json' end, string_agg(format(case when c.as_text
      then 'case when r.%1$I is not null then concat(r.%1$I) end as %1$I' else 'r.%1$I' end, c.attname), ', ' order by c.attnum))
    when bool_and(c.plain) then 'to_jsonb(r.*)' else 'akashi_audit.row_json(r.*)' end
  from (
    select a.attname, a.attnum, akashi_audit.holds_json(a.atttypid) as as_text, akashi_audit.is_plain(a.atttypid) as plain
    from pg_catalog.pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
  ) c
$$;

-- Where to number the rows of a statement whose triggers changed records of the same table: before the first of their
-- rows that follows it. This is decided by values, because triggers before and after a change are recorded alike. Null
-- when there is none.
create function akashi_audit.seq_of_consequence(relation oid, operation text, schema_name text, table_name text,
  key_columns text[], hidden text[]) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return format($sql$
    select min(t.seq)
    from (select %s as row_values from %s r) rows
    join akashi_audit.audit_logs t on t.record_id = akashi_audit.record_key(row_values, %L)
    where t.xid = pg_current_xact_id() and t.schema_name = %L and t.table_name = %L
      and t.trigger_depth >= pg_trigger_depth()
      -- Triggers of earlier statements were recorded before those statements, so their numbers do not help.
      and t.created_at > coalesce((select max(e.created_at) from akashi_audit.audit_logs e
                                   where e.xid = pg_current_xact_id() and coalesce(e.trigger_depth, 0) < pg_trigger_depth()), '-infinity')
      and case when %L then t.operation = 'INSERT'
               else coalesce(t.new_values, '{}') || coalesce(t.old_values, '{}') - %L::text[] = row_values - %7$L::text[]
                    and t.operation <> 'INSERT' end$sql$,
    akashi_audit.row_values(relation), case operation when 'DELETE' then 'old_rows' else 'new_rows' end,
    key_columns, schema_name, table_name, operation = 'DELETE', hidden);
end
$$;

-- Types of a table's columns, including nested ones, for which a user who is not a superuser has created a cast to
-- json; null when there are none.
create function akashi_audit.json_casts(relation oid) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive reached (type) as (
    select atttypid from pg_attribute where attrelid = relation and attnum > 0 and not attisdropped
    union
    select inner_type from reached
    join pg_type t on t.oid = reached.type
    cross join lateral (
      select t.typelem union all select t.typbasetype
      union all select a.atttypid from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) inner_types (inner_type)
    where inner_type <> 0
  )
  select string_agg(format_type(c.castsource, null), ', ')
  from reached join pg_cast c on c.castsource = reached.type and c.casttarget = 'json'::regtype
  join pg_proc p on p.oid = c.castfunc join pg_roles owner on owner.oid = p.proowner
  where not owner.rolsuper
$$;

-- Refuses a cast created after the table was protected, since the recorded value would be its result. The types are
-- examined only if any such cast exists.
create function akashi_audit.refuse_json_casts(relation oid) returns boolean
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  casts text;
begin
  if exists (select from pg_cast where casttarget = 'json'::regtype and castsource >= 16384) then
    casts := akashi_audit.json_casts(relation);
    if casts is not null then
      raise exception '% has columns of types with a cast to json: %', relation::regclass, casts using errcode = 'AK003',
        hint = 'drop the cast: otherwise it would decide what the trail records';
    end if;
  end if;
  return true;
end
$$;

-- The statement that records many rows at once, generated from the catalog on use so that it matches the table. Old
-- and new row are compared column by column as the trail shows them: 1.0 is not 1.00, and intervals, citext and other
-- types have their own equality. Parameters: $1 akashi_audit.bulk_batch, $2 context, $3 to $5 classification, schema,
-- table, $6 key columns, $7 subject column, $8 ignored, $9 digested, $10 omitted columns, $11 the only key column, $12
-- columns to search for, $13 the table.
create type akashi_audit.bulk_batch as (
  skip        integer,  -- rows that are recorded already
  id_prefix   bytea,    -- the first twelve bytes of every id: time, version and what is random in a UUID version 7
  first_seqs  bigint[], -- the first number of each block of 65,536 rows
  salts       bytea,    -- 16 bytes a row
  db_user     text,
  db_address  inet,
  application text
);

create function akashi_audit.bulk_statement(relation oid, operation text, redacted boolean) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  columns constant text := 'insert into akashi_audit.audit_logs (id, created_at, seq, xid, salt, db_user, db_address, application_name,
    user_id, session_id, subject, ip_address, user_agent, context_verified, signed_by, api_endpoint, request_id, trace_id, correlation_id,
    application_version, tenant_id, data_classification, schema_name, table_name, action, operation, record_id, data_subject';
  place constant text := 'row_number() over () - 1 as place';
  shared constant text := format($sql$
    select encode(($1).id_prefix || int4send(place::integer), 'hex')::uuid, clock_timestamp(),
           (($1).first_seqs)[1 + (place >> 16)] + (place & 65535), pg_current_xact_id(),
           substring(($1).salts from 16 * place::integer + 1 for 16), ($1).db_user, ($1).db_address, ($1).application,
           ($2).user_id, ($2).session_id, ($2).subject, ($2).ip_address, ($2).user_agent, ($2).verified, ($2).signed_by, ($2).api_endpoint,
           ($2).request_id, ($2).trace_id, ($2).correlation_id, ($2).application_version, ($2).tenant_id, $3, $4, $5, %L, %L,
           case when $12 is not null and not row_values ?& $12 then akashi_audit.refuse_stale_protection($13)
                else case when octet_length(row_values ->> $11) <= 2000 then row_values ->> $11
                          else akashi_audit.record_key(row_values, $6) end end$sql$, lower(operation), operation);
  -- What the trail stores of %1$s, a part of the row %2$s.
  kept constant text := case when redacted then 'akashi_audit.redact(%1$s, (%2$s) ->> $7, $9, $10)' else
    'case when pg_column_size(%1$s) > 2048 then akashi_audit.redact(%1$s, (%2$s) ->> $7, $9, $10) else %1$s end' end;
  befores text;
  afters text;
  fields text;
  old_values text;
  row_json constant text := akashi_audit.row_values(relation);
begin
  if operation <> 'UPDATE' then
    return format($sql$%s, %s)%s, row_values ->> $7, %s
      from (select %s, %s as row_values from %s r) rows
      where place >= ($1).skip%s$sql$, columns,
      case operation when 'INSERT' then 'new_values' else 'old_values' end, shared,
      format(kept, 'row_values', 'row_values'), place, row_json, case operation when 'INSERT' then 'new_rows' else 'old_rows' end,
      -- Rows that a MERGE moved are among those that it inserted, and recorded already.
      case when operation = 'INSERT' and current_setting('akashi.merged', true) <> '' then format($moved$
        and not exists (select from akashi_audit.audit_logs t where t.xid = pg_current_xact_id() and t.seq >= %s and t.operation = 'INSERT'
                        and (t.schema_name, t.table_name) = ($4, $5) and t.record_id = akashi_audit.record_key(row_values, $6))$moved$,
        current_setting('akashi.merged')::bigint) end);
  end if;
  select string_agg(format('%s as o%s', c.given, c.attnum), ', '),
         string_agg(format('%s as n%s', c.given, c.attnum), ', '),
         string_agg(format('case when %s then %L end', c.differs, c.attname), ', ' order by c.attname collate "C"),
         string_agg(format('case when %s then jsonb_build_object(%L, o%s) else ''{}'' end', c.differs, c.attname, c.attnum), ' || ')
  into befores, afters, fields, old_values
  from (
    select a.attname, a.attnum,
      format(case when t.as_text then 'case when r.%1$I is not null then concat(r.%1$I) end'
                  when t.plain then 'r.%1$I' else 'akashi_audit.row_json(r.%1$I)' end, a.attname) as given,
      format(case
        when not t.plain and not t.as_text then 'coalesce(o%1$s, ''null'')::text is distinct from coalesce(n%1$s, ''null'')::text'
        when a.atttypid in ('boolean'::regtype, 'smallint'::regtype, 'integer'::regtype, 'bigint'::regtype,
                            'uuid'::regtype, 'date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
          then 'o%1$s is distinct from n%1$s'
        when t.as_text or a.atttypid in ('text'::regtype, 'varchar'::regtype)
          then 'o%1$s collate "C" is distinct from n%1$s collate "C"'
        when a.atttypid = 'numeric'::regtype then 'o%1$s::text is distinct from n%1$s::text'
        else 'coalesce(to_jsonb(o%1$s), ''null'')::text is distinct from coalesce(to_jsonb(n%1$s), ''null'')::text' end,
        a.attnum) as differs
    from pg_catalog.pg_attribute a
    cross join lateral (select akashi_audit.holds_json(a.atttypid) as as_text, akashi_audit.is_plain(a.atttypid) as plain) t
    where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
  ) c;
  return format($sql$%s, old_values, new_values, changed_fields, detail)%s,
      coalesce(row_values ->> $7, old_values ->> $7), %s, %s, fields,
      case when fields && $6 then jsonb_build_object('previous_record_id', akashi_audit.record_key(row_values || old_values, $6)) end
    from (
      select place, row_values, array_remove(array[%s], null) as fields, %s as old_values
      from (select %s, %s from old_rows r) before
      join (select %s, %s as row_values, %s from new_rows r) after using (place)
      offset 0
    ) rows
    where place >= ($1).skip and not fields <@ $8$sql$, columns, shared,
    format(kept, 'old_values', 'row_values || old_values'), format(kept, 'row_values', 'row_values'),
    fields, old_values, place, befores, place, row_json, afters);
end
$$;

-- Random bytes for the salts of many rows: SHA-512 over 244 random bits and a counter costs a tenth of reading random
-- bytes from the operating system for each row.
create function akashi_audit.random_salts(rows bigint) returns bytea
  language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  seed constant bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
begin
  return (select string_agg(sha512(seed || int8send(n)), '') from generate_series(0, (rows - 1) / 4) n);
end
$$;

-- Fails for a change without a signed context, unless one of these logins makes it.
create function akashi_audit.refuse_unsigned(relation oid, exempt text[]) returns void
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if not akashi_auth.context_verified() and session_user::text <> all (exempt) then
    raise exception 'changes of % need a signed request context', relation::regclass using errcode = 'AK005',
      hint = 'make them inside withActor() (docs/use-from-your-app.md), or exempt the login: akashi protect --require-context --context-exempt';
  end if;
end
$$;

-- Rows that move from one partition to another, until the statement's trigger reads them. A MERGE that moves a row
-- passes it neither to the trigger for updated rows nor, without such actions, to those for deleted and inserted rows;
-- and if a trigger of the other partition refuses a row, the updated rows do not form pairs. Empty between statements,
-- and unlogged.
create unlogged table akashi_audit.moving_rows (
  number    bigint generated always as identity primary key,
  xid       xid8 not null default pg_current_xact_id(),
  depth     integer not null,
  at        timestamptz not null default clock_timestamp(),
  removed   jsonb,
  added     jsonb
);
comment on table akashi_audit.moving_rows is 'Rows that move between partitions during a statement.';
alter table akashi_audit.moving_rows enable row level security, force row level security;
create policy moving_rows_owner on akashi_audit.moving_rows to akashi_owner using (true) with check (true);

-- Runs before an update of the columns that determine the partition of a row: remembers the row, so that the triggers
-- for deleted and inserted rows of partitions, which fire for a move, recognise it.
create function akashi_audit.note_moving() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  perform set_config('akashi.moving', old.ctid::text, true), set_config('akashi.nested_changes', pg_current_xact_id()::text, true);
  return new;
end
$$;

create function akashi_audit.keep_moved() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = on set timezone = 'UTC' set datestyle = 'ISO, YMD'
  set intervalstyle = 'iso_8601' set bytea_output = 'hex' set extra_float_digits = '1' set lc_monetary = 'C' as $$
declare
  moved jsonb;
begin
  execute format('select %s from (select ($1).*) r', akashi_audit.row_values(tg_relid))
    into moved using case when tg_op = 'DELETE' then old else new end;
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  insert into akashi_audit.moving_rows (depth, removed, added)
  values (pg_trigger_depth(), case when tg_op = 'DELETE' then moved end, case when tg_op = 'INSERT' then moved end);
  return null;
end
$$;

-- One row of the trail for each value of a source, all deleted or all inserted; used for small numbers of rows.
-- Parameters: $1 context, $2 to $4 classification, schema, table, $5 key columns, $6 subject column, $7 digested, $8 omitted columns.
create function akashi_audit.row_statement(source text, operation text) returns text
  language sql immutable set search_path = pg_catalog, pg_temp as $$
  select format($sql$insert into akashi_audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, signed_by,
      api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name, action,
      operation, record_id, data_subject, %1$s)
    select ($1).user_id, ($1).session_id, ($1).subject, ($1).ip_address, ($1).user_agent, ($1).verified, ($1).signed_by, ($1).api_endpoint,
      ($1).request_id, ($1).trace_id, ($1).correlation_id, ($1).application_version, ($1).tenant_id, $2, $3, $4, %2$L, %3$L,
      akashi_audit.record_key(v, $5), v ->> $6, akashi_audit.redact(v, v ->> $6, $7, $8)
    from (%4$s) source (v)$sql$,
    case operation when 'INSERT' then 'new_values' else 'old_values' end, lower(operation), operation, source)
$$;

-- Which rows of a statement that moved rows have to be recorded as deleted and inserted: for a MERGE the moved ones (if
-- the trigger for deleted rows did not see them), for an UPDATE that lost rows all of them. `kind` is empty for any
-- other UPDATE.
create function akashi_audit.moved_sources(relation oid, was_updated boolean, lost_rows boolean,
  out kind text, out removed text, out added text)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select case when not was_updated then 'MERGE' when lost_rows then 'UPDATE' else '' end,
    case when was_updated then format('select %s from old_rows r', akashi_audit.row_values(relation))
      else $sql$select m.removed from akashi_audit.moving_rows m
        where m.xid = pg_current_xact_id() and m.depth = pg_trigger_depth() and m.removed is not null and not exists (
          select from akashi_audit.audit_logs t where t.xid = pg_current_xact_id() and t.operation = 'DELETE' and t.created_at >= m.at
            and (t.schema_name, t.table_name) = ($3, $4) and t.record_id = akashi_audit.record_key(m.removed, $5))$sql$ end,
    case when was_updated then format('select %s from new_rows r', akashi_audit.row_values(relation))
      else $sql$select m.added from akashi_audit.moving_rows m
        where m.xid = pg_current_xact_id() and m.depth = pg_trigger_depth() and m.added is not null and exists (
          select from akashi_audit.moving_rows o where o.number = (
            select max(p.number) from akashi_audit.moving_rows p where p.xid = m.xid and p.depth = m.depth and p.number < m.number)
            and o.removed is not null)$sql$ end
$$;

-- Whether columns of a type that is not built in are recorded as their text. Fails if a cast that was created after the
-- table was protected would decide what is recorded.
create function akashi_audit.is_recorded_as_text(type oid, relation oid) returns boolean
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  compound constant boolean := (select t.typtype in ('c', 'd') or t.typelem <> 0 from pg_type t where t.oid = type);
begin
  if compound or exists (select from pg_cast c where c.castsource = type and c.casttarget = 'json'::regtype) then
    perform akashi_audit.refuse_json_casts(relation);
  end if;
  return compound and akashi_audit.holds_json(type);
end
$$;

-- The arguments of the triggers of a protected table:
-- 0 classification, 1 the key column, and nothing else if the key is one column and no column is treated specially; or
-- 0 classification, 1 key columns, 2 subject column or '', 3 ignored, 4 digested, 5 omitted columns,
-- 6 where a signed context is required: the logins that need none.
create function akashi_audit.trigger_arguments(policy akashi_audit.protected_tables) returns text[]
  language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case
    when cardinality(policy.key_columns) = 1 and policy.subject_column is null and not policy.require_context
         and cardinality(policy.ignored_columns || policy.digest_columns || policy.omitted_columns) = 0
      then array[policy.classification, policy.key_columns[1]]
    else array[policy.classification, policy.key_columns::text, coalesce(policy.subject_column, ''), policy.ignored_columns::text,
               policy.digest_columns::text, policy.omitted_columns::text]
         || case when policy.require_context then array[policy.context_exempt::text] end end
$$;

-- One statement's changes, one row each. Tables with columns that hold json use the statement that is generated from
-- the catalog for every row; whether a table has such columns is checked in the recording statement, which then records
-- nothing. The settings are pinned because to_jsonb and text output depend on them; the path is pinned again behind
-- whatever ran as nobody, which may have changed it, and with it what every name means. r.* and not r: a table may have
-- a column of that name. OLD and NEW are paired by their place: both transition tables are filled together, row by row.
-- The plan of a static statement is kept from its first use, which may have been for one row, and pairing thousands by
-- a nested loop takes minutes: it records the first 50 rows, and the others get a statement and a plan of their own.
-- Each expression of a function is prepared once a transaction, and each of a statement every time: a statement of one
-- row outside of triggers runs few of them. There are two such functions of one text: the second keeps the loss when
-- the first would fail.
do $functions$
declare
  settings constant text := $text$security definer
  set search_path = pg_catalog, pg_temp set row_security = on set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'iso_8601'
  set bytea_output = 'hex' set extra_float_digits = '1' set lc_monetary = 'C'$text$;
  -- Columns of every row, and their values.
  columns constant text := $text$insert into akashi_audit.audit_logs (seq, trigger_depth, user_id, session_id, subject, ip_address, user_agent, context_verified,
      signed_by, api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation$text$;
  shared constant text := $text$nextval('akashi_audit.audit_logs_seq') + seq_offset, depth, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified,
      who.signed_by, who.api_endpoint, who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, tg_argv[0], tg_table_schema, tg_table_name,
      $text$;
  work text := $text$declare
  bulk_rows      integer := 50;
  who            constant akashi_audit.request_context := akashi_audit.request_context();
  depth          smallint;
  seq_offset     integer := 0;
  consequence    bigint;
  key_column     text;
  key_columns    text[];
  subject_column text;
  ignored        text[] := '{}';
  digested       text[] := '{}';
  omitted        text[] := '{}';
  redacted       boolean := false;
  named          text[];
  done           bigint;
  rows           bigint;
  batch          akashi_audit.bulk_batch;
  joins          text;
  moved          jsonb;
  was_updated    boolean;
  moving         record;
begin
  if tg_nargs = 2 then
    key_column := tg_argv[1];
    key_columns := array[key_column];
  else
    key_columns := tg_argv[1];
    key_column := case when cardinality(key_columns) = 1 then key_columns[1] end;
    subject_column := nullif(tg_argv[2], '');
    ignored := tg_argv[3];
    digested := tg_argv[4];
    omitted := tg_argv[5];
    if tg_nargs > 6 then
      perform akashi_audit.refuse_unsigned(tg_relid, tg_argv[6]::text[]);
    end if;
    redacted := cardinality(digested) + cardinality(omitted) > 0;
    -- A stale key column shows as a key without a value; the others have to be searched for.
    named := case when redacted or subject_column is not null
      then array_remove(key_columns || digested || omitted || subject_column, null) end;
  end if;
  if pg_trigger_depth() > 1 or current_setting('akashi.nested_changes', true) <> '' then
    if pg_trigger_depth() > 1 then
      depth := pg_trigger_depth() - 1;
      seq_offset := akashi_audit.seq_offset(depth);
      -- For the statement that fired the trigger, which may have to be numbered before this one.
      perform set_config('akashi.nested_changes', pg_current_xact_id()::text, true);
    end if;
    if tg_op = 'UPDATE' and current_setting('akashi.moving', true) <> '' then
      perform set_config('akashi.moving', '', true), set_config('akashi.merged', '', true);
      select m.removed into moved from akashi_audit.moving_rows m
      where m.xid = pg_current_xact_id() and m.depth = pg_trigger_depth() and m.removed is not null order by m.number limit 1;
      if moved is not null then
        execute format('select exists (select from old_rows r where %s = $1)', akashi_audit.row_values(tg_relid)) into was_updated using moved;
        perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        moving := akashi_audit.moved_sources(tg_relid, was_updated,
          (select count(*) from old_rows) <> (select count(*) from new_rows));
        if moving.kind <> '' then
          rows := nextval('akashi_audit.audit_logs_seq');
          execute akashi_audit.row_statement(moving.removed, 'DELETE')
            using who, tg_argv[0], tg_table_schema::text, tg_table_name::text, key_columns, subject_column, digested, omitted;
          execute akashi_audit.row_statement(moving.added, 'INSERT')
            using who, tg_argv[0], tg_table_schema::text, tg_table_name::text, key_columns, subject_column, digested, omitted;
          perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
          -- The trigger for inserted rows of the same MERGE comes after this one.
          perform set_config('akashi.merged', case moving.kind when 'MERGE' then rows::text else '' end, true);
        end if;
        delete from akashi_audit.moving_rows m where m.xid = pg_current_xact_id() and m.depth = pg_trigger_depth();
        if moving.kind = 'UPDATE' then
          return null;
        end if;
      end if;
    elsif tg_op <> 'INSERT' and current_setting('akashi.merged', true) <> '' then
      perform set_config('akashi.merged', '', true);
    end if;
    if tg_op <> 'TRUNCATE' and current_setting('akashi.nested_changes', true) = pg_current_xact_id_if_assigned()::text then
      execute akashi_audit.seq_of_consequence(tg_relid, tg_op, tg_table_schema, tg_table_name, key_columns, digested || omitted)
        into consequence;
      perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    end if;
  end if;
  if consequence is not null or tg_op = 'INSERT' and current_setting('akashi.merged', true) <> '' then
    bulk_rows := 0;
  elsif tg_op = 'INSERT' then
    COLUMNS, record_id, data_subject, new_values)
    select SHARED'insert', 'INSERT', KEY(n), n ->> subject_column, KEPT(n, n)
    from (select akashi_audit.row_json(r.*) as n from new_rows r where PLAIN limit 50) rows;
  elsif tg_op = 'UPDATE' then
    COLUMNS, record_id, data_subject, old_values, new_values, changed_fields, detail)
    select SHARED'update', 'UPDATE', KEY(n), coalesce(n ->> subject_column, o ->> subject_column), KEPT(diff.old_values, o), KEPT(n, n),
      diff.fields,
      case when diff.fields && key_columns
        then jsonb_build_object('previous_record_id', akashi_audit.record_key(o, key_columns)) end
    from (select akashi_audit.row_json(r.*) as o, row_number() over () as place from old_rows r limit 50) before
    join (select akashi_audit.row_json(r.*) as n, row_number() over () as place from new_rows r limit 50) after using (place)
    cross join lateral (
      select array_agg(key order by key collate "C") as fields, jsonb_object_agg(key, o -> key) as old_values
      from jsonb_each(n) field
      where field.value::text is distinct from (o -> key)::text
    ) diff
    where PLAIN and not diff.fields <@ ignored;
  elsif tg_op = 'DELETE' then
    COLUMNS, record_id, data_subject, old_values)
    select SHARED'delete', 'DELETE', KEY(o), o ->> subject_column, KEPT(o, o)
    from (select akashi_audit.row_json(r.*) as o from old_rows r where PLAIN limit 50) rows;
  else
    -- The new file: by it the cross-check knows that what follows was no rewrite.
    COLUMNS, detail)
    values (SHARED'truncate', 'TRUNCATE', jsonb_build_object('file', pg_relation_filenode(tg_relid)::bigint));
    return null;
  end if;
  get diagnostics done = row_count;
  -- No name is resolved before the path is pinned again.
  if done operator(pg_catalog.>) 0 and done operator(pg_catalog.<) bulk_rows and tg_op operator(pg_catalog.<>) 'UPDATE' then
    return null;
  end if;
  joins := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  -- An UPDATE may record fewer rows than it changed.
  if bulk_rows > 0 and tg_op = 'UPDATE' then
    if exists (select from old_rows offset 50) then
      done := case when done = 0 and not PLAIN then 0 else 50 end;
    elsif done > 0 then
      return null;
    end if;
  end if;
  if bulk_rows = 0 or done = 0 and not PLAIN then
    bulk_rows := 0;
    done := 0;
  end if;
  if done = bulk_rows then
    if tg_op = 'INSERT' then
      select count(*) into rows from new_rows;
    else
      select count(*) into rows from old_rows;
    end if;
    if rows = 0 then
      return null;
    end if;
    -- Taken before rows are numbered, as by every INSERT: a new epoch of the ledger begins between its holders.
    lock table only akashi_audit.audit_logs in row exclusive mode;
    batch := (bulk_rows, substring(uuid_send(akashi_audit.uuid_v7()) for 12),
      case when consequence is not null and rows <= 65536 >> coalesce(depth, 0) + 1
           then array[(consequence >> 16 << 16) + seq_offset]
           else array(select nextval('akashi_audit.audit_logs_seq') + case when rows <= 65536 >> coalesce(depth, 0) + 1 then seq_offset else 0 end
                      from generate_series(0, (rows - 1) / 65536)) end, akashi_audit.random_salts(rows),
      session_user, inet_client_addr(), nullif(current_setting('application_name'), ''));
    -- Hashing pairs the rows in one pass. Sorting would spill to disk, and compiling costs more than it saves.
    joins := current_setting('enable_mergejoin') || ',' || current_setting('enable_nestloop') || ',' || current_setting('jit');
    perform set_config('enable_mergejoin', 'off', true), set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true);
    execute akashi_audit.bulk_statement(tg_relid, tg_op, redacted) using batch, who, tg_argv[0], tg_table_schema::text,
      tg_table_name::text, key_columns, subject_column, ignored, digested, omitted, key_column, named, tg_relid;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    if tg_op = 'INSERT' then
      perform set_config('akashi.merged', '', true);
    end if;
    perform set_config('enable_mergejoin', split_part(joins, ',', 1), true),
            set_config('enable_nestloop', split_part(joins, ',', 2), true), set_config('jit', split_part(joins, ',', 3), true);
  end if;
$text$;
  -- A serialisation conflict is not a loss: the whole transaction is repeated. Neither is a change that is refused
  -- because it has no context. If the loss cannot be recorded either, the change fails.
  loss constant text := $text$exception
  when transaction_rollback or sqlstate 'AK005' then
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
      insert into akashi_audit.losses (schema_name, table_name, operation, row_count, sqlstate, message)
      values (tg_table_schema, tg_table_name, tg_op, lost, state, left(cause, 1000));
      raise warning '% of %.% was made but not recorded: %', tg_op, tg_table_schema, tg_table_name, cause
        using hint = 'see akashi_audit.losses and akashi doctor';
    end;
$text$;
begin
  work := replace(replace(work, 'COLUMNS', columns), 'SHARED', shared);
  work := replace(work, 'PLAIN', $text$not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid)))$text$);
  work := regexp_replace(work, 'KEY\(([no])\)', $text$case
      when named is not null and not \1 ?& named then akashi_audit.refuse_stale_protection(tg_relid)
      when octet_length(\1 ->> key_column) <= 2000 then \1 ->> key_column
      else akashi_audit.record_key(\1, key_columns) end$text$, 'g');
  work := regexp_replace(work, 'KEPT\(([a-z_.]+), ([no])\)', $text$case when redacted or pg_column_size(\1) > 2048
      then akashi_audit.redact(\1, \2 ->> subject_column, digested, omitted) else \1 end$text$, 'g');
  execute format('create function akashi_audit.log_changes() returns trigger language plpgsql %s as %L', settings,
    E'\n' || work || E'  return null;\nend\n');
  execute format('create function akashi_audit.log_changes_or_loss() returns trigger language plpgsql %s as %L', settings,
    E'\nbegin\n' || work || E'  return null;\nend;\n' || loss || E'  return null;\nend\n');
end
$functions$;

-- Authorised changes of the catalog. An object that was changed and reverted keeps the id of the transaction that wrote
-- its catalog row, and verification reports transactions that are not recorded here.
create table akashi_audit.catalog_records (
  number bigint generated always as identity primary key,
  row    jsonb not null
);
comment on table akashi_audit.catalog_records is
  'Transactions that changed the catalog of the record, in order. Append-only; `row` is the sealed row of the trail, kept as long as the database exists.';
alter table akashi_audit.catalog_records enable row level security, force row level security;
create policy catalog_records_owner on akashi_audit.catalog_records to akashi_owner using (true) with check (true);
create policy catalog_records_read on akashi_audit.catalog_records for select to akashi_worker, akashi_security_admin using (true);
grant select on akashi_audit.catalog_records to akashi_worker, akashi_security_admin;
select akashi_audit.guard('akashi_audit.catalog_records');

-- Transactions that wrote the catalog rows of a relation and of its columns, constraints, triggers, rules and
-- policies; 32 bits each.
create function akashi_audit.catalog_transactions(relation oid) returns text[]
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select array_agg(distinct written order by written) from (
    select c.xmin::text from pg_class c where c.oid = relation
    union all select a.xmin::text from pg_attribute a where a.attrelid = relation and a.attnum > 0
    union all select k.xmin::text from pg_constraint k where k.conrelid = relation
    union all select t.xmin::text from pg_trigger t where t.tgrelid = relation
    union all select r.xmin::text from pg_rewrite r where r.ev_class = relation
    union all select p.xmin::text from pg_policy p where p.polrelid = relation
    union all select p.xmin::text from pg_publication_rel p join pg_publication b on b.oid = p.prpubid
              where b.pubname = 'akashi_crosscheck' and p.prrelid = relation
  ) rows (written)
$$;

create function akashi_audit.keep_catalog_record(action text, detail jsonb) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  recorded constant uuid := akashi_audit.record_action('catalog_recorded', action, detail => keep_catalog_record.detail);
begin
  -- With the time, only one partition is searched.
  insert into akashi_audit.catalog_records (row)
  select to_jsonb(a) from akashi_audit.audit_logs a where a.id = recorded and a.created_at >= now() - interval '1 minute';
end
$$;

-- Whether a row that the caller sees was written by its own transaction or one of its subtransactions: rows of other
-- transactions in progress are not visible. Not by pg_locks, which does not show subtransactions that ended and which a
-- superuser can replace.
create function akashi_audit.is_own_transaction(written xid) returns boolean
  language sql volatile set search_path = pg_catalog, pg_temp as $$
  select case when age(written)::bigint <= age(pg_current_xact_id()::xid)
    then pg_xact_status((pg_current_xact_id()::text::bigint - age(written)::bigint + age(pg_current_xact_id()::xid))::text::xid8) = 'in progress'
    else false end
$$;

-- Transactions that were recorded for a relation, whatever schema it was in. A later record of the whole catalog
-- replaces earlier ones.
create function akashi_audit.recorded_transactions(relation_name text) returns text[]
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with records as (select r.number, r.row -> 'detail' as detail from akashi_audit.catalog_records r)
  select coalesce(array_agg(distinct t.written), '{}') from records r
  cross join lateral (
    select jsonb_array_elements_text(r.detail -> 'transactions')
    union all select jsonb_array_elements_text(r.detail -> 'added')
    union all select jsonb_array_elements_text(own.value) from jsonb_each(r.detail -> 'relations') own
              where right(own.key, length(relation_name) + 1) = '.' || relation_name
  ) t (written)
  where r.number >= (select max(w.number) from records w where w.detail ? 'transactions')
$$;

-- Records that the caller's transaction changed these relations; called after the change. Unrecorded changes by others
-- stay unrecorded, so that verification reports them.
create function akashi_audit.record_relations(action text, relations regclass[]) returns void
  language sql set search_path = pg_catalog, pg_temp as $$
  select akashi_audit.keep_catalog_record(action, jsonb_build_object('relations',
    jsonb_object_agg(n.nspname || '.' || c.relname, array(
      select t.written from unnest(akashi_audit.catalog_transactions(c.oid)) t (written)
      where akashi_audit.is_own_transaction(t.written::xid) or t.written = any (akashi_audit.recorded_transactions(c.relname)) order by 1))))
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = any (relations)
$$;

-- Unrecorded transactions that wrote the recording triggers of a table. Protecting it again would overwrite the traces.
create function akashi_audit.alert_unrecorded_triggers(relations regclass[]) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  unrecorded jsonb;
begin
  select jsonb_agg(jsonb_build_object('table', c.oid::regclass::text, 'trigger', t.tgname, 'transaction', t.xmin::text))
  into unrecorded
  from pg_trigger t join pg_class c on c.oid = t.tgrelid
  where t.tgrelid = any (relations) and t.tgname ^@ 'akashi_audit_' and not t.tgisinternal
    and not akashi_audit.is_own_transaction(t.xmin) and t.xmin::text <> all (akashi_audit.recorded_transactions(c.relname));
  if unrecorded is not null and exists (select from akashi_audit.catalog_records c where c.row -> 'detail' ? 'transactions') then
    perform akashi_security.record_event(event_type => 'catalog_recorded', event_category => 'integrity', severity => 'critical',
      source_service => 'akashi', action_performed => 'protect', result => 'success', ocsf_class_uid => 2004,
      event_details => jsonb_build_object('reason', 'triggers that were changed without a record were replaced', 'unrecorded', unrecorded));
  end if;
end
$$;

-- The triggers of one table or partition. They always fire, also with session_replication_role = replica.
create function akashi_audit.attach_triggers(target regclass, policy akashi_audit.protected_tables)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  call constant text := format('akashi_audit.%s(%s)', case policy.on_failure when 'record_loss' then 'log_changes_or_loss' else 'log_changes' end,
    (select string_agg(quote_literal(argument), ', ' order by place)
     from unnest(akashi_audit.trigger_arguments(policy)) with ordinality as a (argument, place)));
  event record;
  changed text;
  name text;
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
  -- A partition whose rows may move to another under a protected table.
  select string_agg(distinct case when k.attnum = 0 or a.atttypid >= 16384
           then 'old.* operator(pg_catalog.*<>) new.*' else format('old.%1$I is distinct from new.%1$I', a.attname) end, ' or ')
  into changed
  from pg_partition_ancestors(target) p
  join pg_partitioned_table t on t.partrelid = p.relid
  cross join lateral unnest(t.partattrs::smallint[]) k (attnum)
  left join pg_attribute a on a.attrelid = t.partrelid and a.attnum = k.attnum
  where exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where c.oid = any (array(select x.relid from pg_partition_ancestors(p.relid) x union select p.relid)) and (n.nspname, c.relname) = (policy.schema_name, policy.table_name));
  if (select c.relkind = 'r' and c.relispartition from pg_class c where c.oid = target) and changed is not null then
    execute format('create or replace trigger akashi_audit_moving before update on %s for each row when (%s)
      execute function akashi_audit.note_moving()', target, changed);
    execute format('create or replace trigger akashi_audit_moved_out after delete on %s for each row
      when (old.ctid::text = current_setting(''akashi.moving'', true)) execute function akashi_audit.keep_moved()', target);
    execute format('create or replace trigger akashi_audit_moved_in after insert on %s for each row
      when (current_setting(''akashi.moving'', true) <> '''') execute function akashi_audit.keep_moved()', target);
    foreach name in array array['moving', 'moved_out', 'moved_in'] loop
      execute format('alter table %s enable always trigger akashi_audit_%s', target, name);
    end loop;
  end if;
end
$$;

-- A partition of a protected table is recorded like its parent.
create function akashi_audit.protect_partition(part regclass, schema_name text, table_name text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  policy akashi_audit.protected_tables;
begin
  select * into policy from akashi_audit.protected_tables p
  where (p.schema_name, p.table_name) = (protect_partition.schema_name, protect_partition.table_name);
  if found then
    perform akashi_audit.attach_triggers(part, policy);
    if policy.replica_identity <> '{}' then
      execute format('alter table %s replica identity full', part);
    end if;
  end if;
end
$$;

create function akashi_audit.primary_key(target oid) returns text[]
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select array_agg(a.attname::text order by k.place)
  from pg_catalog.pg_index i
  cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, place)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = target and i.indisprimary and k.place <= i.indnkeyatts
$$;

-- Whether the write-ahead log identifies updated and deleted rows by a key. A deferrable key does not count, and with
-- neither a key nor FULL a published table refuses every UPDATE.
create function akashi_audit.has_replica_identity(relation oid) returns boolean
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select case c.relreplident
    when 'f' then true
    when 'd' then exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate and i.indisvalid)
    when 'i' then exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident and i.indisvalid)
    else false end
  from pg_class c where c.oid = relation
$$;

-- Delivers the changes of a table to the cross-check. A table whose rows the trail does not keep completely, or that
-- has no usable key, gets the replica identity FULL: without the old row it could not be determined whether an UPDATE
-- changed anything. A caller without the necessary rights can still protect the table; the cross-check then reports it.
create function akashi_audit.publish(target regclass, hidden boolean) returns jsonb
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  part record;
  identities jsonb := '{}';
  -- A virtual column is never sent, and cannot be part of a replica identity.
  computed constant boolean := exists (select from pg_attribute a where a.attrelid = target and a.attgenerated = 'v' and not a.attisdropped);
begin
  if computed and exists (
    select from (select relid::oid as oid from pg_partition_tree(target) union select target) t join pg_class c using (oid)
    where c.relkind = 'r' and (c.relreplident = 'f' or not akashi_audit.has_replica_identity(c.oid))) then
    raise warning 'the cross-check does not see %: it has a virtual column and no key that identifies its rows', target;
    return identities;
  end if;
  for part in
    select c.oid::regclass as name, format('%I.%I', n.nspname, c.relname) as key, c.relreplident::text as identity
    from (select relid::oid as oid from pg_partition_tree(target) union select target) t
    join pg_class c using (oid) join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relreplident <> 'f' and (hidden or not akashi_audit.has_replica_identity(c.oid)) and not computed
  loop
    execute format('alter table %s replica identity full', part.name);
    identities := identities || jsonb_build_object(part.key, part.identity);
  end loop;
  if not exists (select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
                 where p.pubname = 'akashi_crosscheck' and r.prrelid = target) then
    begin
      execute format('alter publication akashi_crosscheck add table only %s', target);
    exception when insufficient_privilege or invalid_parameter_value or undefined_object then
      raise warning 'the cross-check does not see %: %', target, sqlerrm;
    end;
  end if;
  return identities;
end
$$;

-- The reverse, with the replica identities that the relations had.
create function akashi_audit.unpublish(target regclass, identities jsonb) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  part record;
begin
  if exists (select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
             where p.pubname = 'akashi_crosscheck' and r.prrelid = target) then
    execute format('alter publication akashi_crosscheck drop table only %s', target);
  end if;
  for part in
    select c.oid::regclass as name, i.value as identity
    from jsonb_each_text(identities) i
    join pg_namespace n on true join pg_class c on c.relnamespace = n.oid and format('%I.%I', n.nspname, c.relname) = i.key
    where c.relreplident = 'f'
  loop
    execute format('alter table %s replica identity %s', part.name, case part.identity when 'n' then 'nothing' else 'default' end);
  end loop;
end
$$;

-- What the write-ahead log does not carry leaves traces in the catalog: the files of a table and its partitions, by which
-- transaction each partition was attached (while it is not, its changes are not published), the names of enum values, and which column has which name: columns can exchange names, or be dropped and added again with
-- another default, and no file changes. Kept as they were when the table was last known to hold what the trail says.
create table akashi_audit.crosscheck_traces (
  schema_name text not null,
  table_name  text not null,
  traces      jsonb not null,
  seen_at     timestamptz not null default clock_timestamp(),
  primary key (schema_name, table_name)
);
comment on table akashi_audit.crosscheck_traces is
  'For each protected table, the parts of the catalog that change when its rows change in ways that the write-ahead log does not contain.';
alter table akashi_audit.crosscheck_traces enable row level security, force row level security;
create policy crosscheck_traces_read on akashi_audit.crosscheck_traces for select to akashi_worker, akashi_security_admin using (true);
create policy crosscheck_traces_owner on akashi_audit.crosscheck_traces to akashi_owner using (true) with check (true);
grant select on akashi_audit.crosscheck_traces to akashi_worker, akashi_security_admin;

create function akashi_audit.table_traces(target oid) returns jsonb
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with parts as (
    select c.oid, c.relfilenode, n.nspname || '.' || c.relname as name
    from (select relid::oid as oid from pg_partition_tree(target::regclass) union select target) t
    join pg_class c using (oid) join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r'
  ), enums as (
    select distinct t.oid
    from pg_attribute a join pg_type u on u.oid = a.atttypid
    join pg_type t on t.oid in (u.oid, u.typbasetype, u.typelem) and t.typtype = 'e'
    where a.attrelid = target and a.attnum > 0 and not a.attisdropped
  )
  select jsonb_build_object(
    'files', (select coalesce(jsonb_object_agg(p.oid::text, jsonb_build_object('name', p.name, 'file', p.relfilenode::bigint)), '{}') from parts p),
    'attached', (select coalesce(jsonb_object_agg(i.inhrelid::text, i.xmin::text), '{}')
                 from pg_partition_tree(target::regclass) t join pg_inherits i on i.inhrelid = t.relid::oid and t.relid::oid <> target),
    'labels', (select coalesce(jsonb_object_agg(e.oid::text, e.enumlabel), '{}') from enums join pg_enum e on e.enumtypid = enums.oid),
    'columns', (select coalesce(jsonb_object_agg(a.attname, jsonb_build_array(a.attnum, a.atttypid::bigint, md5(a.attmissingval::text))), '{}')
                from pg_attribute a where a.attrelid = target and a.attnum > 0 and not a.attisdropped))
$$;

-- Names of columns that are gone are kept with those of today: whoever uses one again is noticed. Returns a digest.
create function akashi_audit.keep_traces(target oid) returns text
  language sql set search_path = pg_catalog, pg_temp as $$
  insert into akashi_audit.crosscheck_traces as t (schema_name, table_name, traces)
  select n.nspname, c.relname, akashi_audit.table_traces(target)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = target
  on conflict (schema_name, table_name) do update
  set traces = jsonb_set(excluded.traces, '{columns}', coalesce(t.traces -> 'columns', '{}') || (excluded.traces -> 'columns')), seen_at = clock_timestamp()
  returning md5(traces::text)
$$;

-- Puts a table under audit. Calling it again changes the protection, and repairs its triggers.
--   columns: {"column": "plain" | "digest" | "omit"}; what is not named is plain.
--   ignore:  columns whose change alone writes nothing.
--   subject: the column that says which person a row is about.
--   on_failure: when a change cannot be recorded, 'fail' (it is not made) or 'record_loss' (it is made and counted).
--   require_context: refuse changes without a signed request context; context_exempt: logins that need none.
--   history_readers: logins that may read the whole history of the table.
create function akashi_audit.protect(
  target regclass,
  classification text default 'internal',
  subject text default null,
  columns jsonb default '{}',
  ignore text[] default '{}',
  on_failure text default 'fail',
  require_context boolean default false,
  context_exempt text[] default '{}',
  history_readers text[] default '{}'
) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  policy akashi_audit.protected_tables;
  kind "char";
  missing text;
  part regclass;
begin
  select c.relkind, n.nspname, c.relname into kind, policy.schema_name, policy.table_name
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = target;
  if kind is distinct from 'r' and kind is distinct from 'p' then
    raise exception '% is not a table', target using errcode = 'wrong_object_type', hint = 'only tables can be protected';
  end if;
  if policy.schema_name in ('pg_catalog', 'information_schema')
     or (policy.schema_name = 'akashi_audit' and policy.table_name <> 'protected_tables') then
    raise exception '% cannot be put under audit', target using errcode = 'wrong_object_type',
      hint = 'the trail, the ledger and the catalogs are protected by other means';
  end if;
  perform akashi_audit.refuse_json_casts(target);
  policy.key_columns := akashi_audit.primary_key(target);
  if policy.key_columns is null then
    raise exception '% has no primary key', target using errcode = 'invalid_table_definition',
      hint = 'add a primary key first: without one a record cannot be followed';
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
    raise exception 'a column must be plain, digest or omit: %', missing using errcode = 'invalid_parameter_value';
  end if;
  if policy.key_columns && array(select key from jsonb_each_text(columns) where value <> 'plain') then
    raise exception 'the key of % cannot be digested or omitted', target using errcode = 'invalid_parameter_value',
      hint = 'the trail finds a record by its key';
  end if;
  if on_failure is null or on_failure not in ('fail', 'record_loss') then
    raise exception 'on_failure must be fail or record_loss: %', coalesce(on_failure, 'null') using errcode = 'invalid_parameter_value';
  end if;
  select string_agg(format('%I', login), ', ') into missing
  from unnest(protect.context_exempt || protect.history_readers) as named (login)
  where not exists (select from pg_catalog.pg_roles r where r.rolname = login and r.rolcanlogin);
  if missing is not null then
    raise exception 'there is no login %', missing using errcode = 'undefined_object';
  end if;
  if protect.context_exempt <> '{}' and not protect.require_context then
    raise exception 'logins cannot be exempt from a context that is not required' using errcode = 'invalid_parameter_value',
      hint = 'require the context too';
  end if;
  policy.require_context := protect.require_context;
  policy.context_exempt := protect.context_exempt;
  policy.history_readers := protect.history_readers;
  policy.classification := protect.classification;
  policy.subject_column := protect.subject;
  policy.ignored_columns := protect.ignore;
  policy.digest_columns := array(select key from jsonb_each_text(columns) where value = 'digest' order by key);
  -- A virtual generated column has no value in a trigger.
  policy.omitted_columns := array(
    select key from jsonb_each_text(columns) where value = 'omit'
    union select a.attname from pg_catalog.pg_attribute a where a.attrelid = target and a.attgenerated = 'v' and not a.attisdropped
    order by 1);
  policy.on_failure := protect.on_failure;
  policy.replica_identity := akashi_audit.publish(target, policy.digest_columns <> '{}' or exists (
    select from jsonb_each_text(columns) where value = 'omit'));
  if not exists (select from (select relid from pg_catalog.pg_partition_tree(target) union select target) t where pg_relation_size(t.relid) > 0) then
    policy.baseline_at := clock_timestamp();
  end if;
  delete from akashi_audit.exempt_tables e where (e.schema_name, e.table_name) = (policy.schema_name, policy.table_name);
  insert into akashi_audit.protected_tables as p (schema_name, table_name, classification, key_columns, subject_column,
    ignored_columns, digest_columns, omitted_columns, on_failure, replica_identity, baseline_at, require_context, context_exempt, history_readers)
  values (policy.schema_name, policy.table_name, policy.classification, policy.key_columns, policy.subject_column,
    policy.ignored_columns, policy.digest_columns, policy.omitted_columns, policy.on_failure, policy.replica_identity, policy.baseline_at,
    policy.require_context, policy.context_exempt, policy.history_readers)
  on conflict (schema_name, table_name) do update
    set classification = excluded.classification, key_columns = excluded.key_columns,
        subject_column = excluded.subject_column, ignored_columns = excluded.ignored_columns,
        digest_columns = excluded.digest_columns, omitted_columns = excluded.omitted_columns,
        on_failure = excluded.on_failure, replica_identity = excluded.replica_identity || p.replica_identity,
        require_context = excluded.require_context, context_exempt = excluded.context_exempt, history_readers = excluded.history_readers;
  perform akashi_audit.alert_unrecorded_triggers(array(select relid from pg_catalog.pg_partition_tree(target) union select target));
  -- Statement triggers fire for the table that a statement names, so every partition has its own.
  for part in select relid from pg_catalog.pg_partition_tree(target) union select target loop
    perform akashi_audit.attach_triggers(part, policy);
  end loop;
  -- A table that was protected before keeps its traces: the cross-check reports what they show.
  if not exists (select from akashi_audit.crosscheck_traces t where (t.schema_name, t.table_name) = (policy.schema_name, policy.table_name)) then
    perform akashi_audit.keep_traces(target);
  end if;
  perform akashi_audit.record_relations('protect', array(select relid from pg_catalog.pg_partition_tree(target) union select target));
end
$$;
comment on function akashi_audit.protect(regclass, text, text, jsonb, text[], text, boolean, text[], text[]) is
  'Puts a table under audit: every change writes a row of akashi_audit.audit_logs in its own transaction. The caller must own the table.';

-- Records some rows of a table as they are, so that the trail has a version of them: the next ones in the order of the key
-- after `last`, which are the texts of a key. Returns the key of the last one; null when there are no more.
-- Each row is locked meanwhile: a concurrent change waits, and is recorded after it.
create function akashi_audit.record_baseline(part regclass, target regclass, last text[], rows integer) returns text[]
  language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'iso_8601'
  set bytea_output = 'hex' set extra_float_digits = '1' set lc_monetary = 'C' as $$
declare
  policy akashi_audit.protected_tables;
  keys text;
  types text;
  last_key jsonb;
  ends text[];
begin
  select p.* into strict policy from akashi_audit.protected_tables p
  join pg_class c on c.oid = target join pg_namespace n on n.oid = c.relnamespace where (p.schema_name, p.table_name) = (n.nspname, c.relname);
  -- The last key is converted back by the input functions of the columns' types, without casts and checks of their
  -- owners.
  select string_agg(format('r.%I', k.name), ', ' order by k.place), string_agg(format('%I %s', 'k' || k.place, k.type), ', ' order by k.place),
         jsonb_object_agg('k' || k.place, case when k.type in ('json', 'jsonb') then last[k.place]::jsonb else to_jsonb(last[k.place]) end)
  into keys, types, last_key
  from (
    select k.name, k.place, format_type(base.type, null) as type
    from unnest(policy.key_columns) with ordinality k (name, place) join pg_attribute a on a.attrelid = part and a.attname = k.name
    cross join lateral (
      with recursive inner_types (type, domain) as (
        select t.oid, t.typtype = 'd' from pg_type t where t.oid = a.atttypid
        union all
        select t.oid, t.typtype = 'd' from inner_types i join pg_type d on d.oid = i.type join pg_type t on t.oid = d.typbasetype where i.domain
      )
      select i.type from inner_types i where not i.domain
    ) base
  ) k;
  execute format($sql$
    with read as (
      select %1$s as row_values, array[%2$s] as key, row_number() over () as place
      from (select * from only %3$s r where $4 or (%4$s) > (select * from jsonb_to_record($3) as k (%5$s)) order by %4$s limit $2 for share) r
    ), recorded as (
      insert into akashi_audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, signed_by, api_endpoint,
        request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name, event_type, action,
        operation, record_id, data_subject, new_values)
      select who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.signed_by, who.api_endpoint,
        who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, ($1).classification, ($1).schema_name,
        ($1).table_name, 'data_baseline', 'baseline', 'BASELINE', akashi_audit.record_key(row_values, ($1).key_columns),
        row_values ->> ($1).subject_column,
        akashi_audit.redact(row_values, row_values ->> ($1).subject_column, ($1).digest_columns, ($1).omitted_columns)
      from read cross join akashi_audit.request_context() who
    )
    select key from read order by place desc limit 1$sql$,
    akashi_audit.row_values(part), (select string_agg(format('concat(r.%I)', name), ', ' order by place) from unnest(policy.key_columns) with ordinality k (name, place)),
    part, keys, types) using policy, rows, last_key, last is null into ends;
  return ends;
end
$$;
comment on function akashi_audit.record_baseline(regclass, regclass, text[], integer) is
  'Records the current rows of a protected table (event_type data_baseline), so that they can be compared with the trail later.';

-- Ends the audit of a table; what was recorded stays, and the end is recorded too.
create function akashi_audit.unprotect(target regclass) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  part regclass;
  event text;
  identities jsonb;
begin
  delete from akashi_audit.protected_tables p using pg_catalog.pg_class c, pg_catalog.pg_namespace n
  where c.oid = target and n.oid = c.relnamespace and (p.schema_name, p.table_name) = (n.nspname, c.relname)
  returning p.replica_identity into identities;
  if not found then
    raise exception '% is not under audit', target using errcode = 'undefined_object';
  end if;
  perform akashi_audit.unpublish(target, identities);
  delete from akashi_audit.crosscheck_traces t using pg_catalog.pg_class c, pg_catalog.pg_namespace n
  where c.oid = target and n.oid = c.relnamespace and (t.schema_name, t.table_name) = (n.nspname, c.relname);
  for part in select relid from pg_catalog.pg_partition_tree(target) union select target loop
    foreach event in array array['insert', 'update', 'delete', 'truncate', 'moving', 'moved_out', 'moved_in'] loop
      execute format('drop trigger if exists akashi_audit_%s on %s', event, part);
    end loop;
  end loop;
end
$$;
comment on function akashi_audit.unprotect(regclass) is 'Removes the triggers of akashi_audit.protect and keeps the trail.';

-- Ends the audit of a table that was dropped or renamed.
create function akashi_audit.unprotect_missing(schema_name text, table_name text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where (n.nspname, c.relname) = (unprotect_missing.schema_name, unprotect_missing.table_name)) then
    raise exception 'table %.% still exists', schema_name, table_name using errcode = 'AK003', hint = 'use akashi_audit.unprotect';
  end if;
  delete from akashi_audit.protected_tables p
  where (p.schema_name, p.table_name) = (unprotect_missing.schema_name, unprotect_missing.table_name);
  if not found then
    raise exception '%.% is not under audit', schema_name, table_name using errcode = 'undefined_object';
  end if;
  delete from akashi_audit.crosscheck_traces t
  where (t.schema_name, t.table_name) = (unprotect_missing.schema_name, unprotect_missing.table_name);
end
$$;
comment on function akashi_audit.unprotect_missing(text, text) is 'Removes the protection of a table that was dropped or renamed; its trail stays.';

create function akashi_audit.exempt(target regclass, reason text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into akashi_audit.exempt_tables as e (schema_name, table_name, reason)
  select n.nspname, c.relname, exempt.reason
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = target
  on conflict (schema_name, table_name) do update set reason = excluded.reason;
end
$$;
comment on function akashi_audit.exempt(regclass, text) is 'Exempts a table from audit, with the reason.';

create view akashi_audit.coverage with (security_invoker = true) as
  select n.nspname as schema_name, c.relname as table_name,
         case when p.table_name is not null then 'protected' when e.table_name is not null then 'exempt' else 'gap' end as state,
         p.classification, e.reason
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join akashi_audit.protected_tables p on (p.schema_name, p.table_name) = (n.nspname, c.relname)
  left join akashi_audit.exempt_tables e on (e.schema_name, e.table_name) = (n.nspname, c.relname)
  where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
    and n.nspname not in ('pg_catalog', 'information_schema', 'akashi_archive', 'akashi_jobs') and n.nspname not like 'pg\_%';
comment on view akashi_audit.coverage is
  'Every table in the schemas of the application and of Akashi: protected, exempt, or a gap. Partitions are covered by their parents.';
grant select on akashi_audit.coverage to akashi_app, akashi_worker, akashi_security_admin;

-- An application action other than a change of a row: a login, an export, a refusal. Written in the caller's
-- transaction; returns the row's id.
create function akashi_audit.record_action(
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
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  who constant akashi_audit.request_context := akashi_audit.request_context();
  new_id constant uuid := akashi_audit.uuid_v7();
begin
  if event_type is null or event_type !~ '^[a-z][a-z0-9_]{0,99}$' or event_type = 'data_change' then
    raise exception '% is not a valid event type', coalesce(event_type, 'null') using errcode = 'invalid_parameter_value',
      hint = 'use lowercase letters, digits and underscores; data_change is for the triggers';
  end if;
  if action is null or action = '' or length(action) > 100 then
    raise exception 'an action must have 1 to 100 characters' using errcode = 'invalid_parameter_value';
  end if;
  -- Sealing prints the whole row in one piece.
  if octet_length(concat(resource, resource_id, result, detail, data_subject, error_code, error_message, compliance_context)) > 1048576 then
    raise exception 'an action can have at most 1 MiB of text' using errcode = 'program_limit_exceeded';
  end if;
  if data_classification not in ('public', 'internal', 'confidential', 'restricted') then
    raise exception '% is not a classification', data_classification using errcode = 'invalid_parameter_value',
      hint = 'use public, internal, confidential or restricted';
  end if;
  insert into akashi_audit.audit_logs (id, user_id, session_id, subject, ip_address, user_agent, context_verified, signed_by, api_endpoint,
    request_id, trace_id, correlation_id, application_version, tenant_id, event_type, action, resource, resource_id,
    result, detail, data_classification, data_subject, error_code, error_message, compliance_context)
  values (new_id, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.signed_by, who.api_endpoint,
    who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, event_type, action, resource,
    resource_id, result, detail, data_classification, data_subject, error_code, error_message, compliance_context);
  return new_id;
end
$$;
comment on function akashi_audit.record_action is 'Records an action in the audit trail, in the caller''s transaction; returns the row''s id.';

-- A read of confidential or restricted data, which triggers do not see.
create function akashi_audit.record_access(resource text, resource_ids text[], reason text default null,
  data_classification text default 'confidential', asked jsonb default null) returns uuid
  language sql set search_path = pg_catalog, pg_temp as $$
  select akashi_audit.record_action('data_access', 'read', resource, case when cardinality(resource_ids) = 1 then resource_ids[1] end,
    'SUCCESS', jsonb_strip_nulls(jsonb_build_object('records', to_jsonb(resource_ids), 'reason', reason, 'asked', asked)), data_classification)
$$;
comment on function akashi_audit.record_access is 'Records that confidential data was read: asked is the query, resource_ids are the returned records.';
grant execute on function akashi_audit.record_action, akashi_audit.record_access to akashi_client, akashi_worker, akashi_security_admin;
grant execute on function akashi_audit.record_action to akashi_restorer;

-- Records losses in the trail and raises an event for each, as soon as both can be written. Returns how many.
create function akashi_audit.report_losses() returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  loss akashi_audit.losses;
  reported integer := 0;
begin
  for loss in select * from akashi_audit.losses where reported_at is null order by created_at for update loop
    perform akashi_audit.record_action('audit_loss', 'lose', loss.schema_name || '.' || loss.table_name, loss.id::text, 'FAILURE',
      to_jsonb(loss) - array['reported_at', 'settled_at', 'settled_by', 'explanation'], error_code => loss.sqlstate,
      error_message => loss.message);
    perform akashi_security.record_event(event_type => 'audit_loss', event_category => 'integrity', severity => 'critical',
      source_service => 'akashi', description => 'changes were made but not recorded', resource_type => 'table',
      resource_id => left(loss.schema_name || '.' || loss.table_name, 255), action_performed => 'record', result => 'failure',
      ocsf_class_uid => 2004, event_details => to_jsonb(loss) - array['reported_at', 'settled_at', 'settled_by', 'explanation']);
    update akashi_audit.losses set reported_at = clock_timestamp() where id = loss.id;
    reported := reported + 1;
  end loop;
  return reported;
end
$$;

-- Records the explanation of losses and its author. The losses stay.
create function akashi_audit.settle_losses(explanation text, until timestamptz default clock_timestamp()) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  settled integer;
  by_whom constant text := coalesce(akashi_auth.current_user_id()::text, session_user);
begin
  if coalesce(explanation, '') = '' then
    raise exception 'settling losses requires an explanation' using errcode = 'invalid_parameter_value', hint = 'say what happened';
  end if;
  update akashi_audit.losses l set settled_at = clock_timestamp(), settled_by = by_whom, explanation = settle_losses.explanation
  where l.settled_at is null and l.created_at <= until;
  get diagnostics settled = row_count;
  if settled > 0 then
    perform akashi_audit.record_action('audit_losses_settled', 'settle', 'akashi_audit.losses', null, 'SUCCESS',
      jsonb_build_object('losses', settled, 'until', until, 'explanation', explanation));
  end if;
  return settled;
end
$$;
grant execute on function akashi_audit.report_losses() to akashi_worker;
grant execute on function akashi_audit.settle_losses(text, timestamptz) to akashi_security_admin;

-- The last day of the trail by hour, table, operation and classification.
create view akashi_audit.v_security_audit_summary with (security_invoker = true) as
  select date_trunc('hour', created_at) as audit_hour,
         table_name,
         operation,
         data_classification,
         count(*) as operation_count,
         count(distinct user_id) as unique_users,
         count(distinct ip_address) as unique_ips,
         array_agg(distinct user_id) filter (where user_id is not null) as affected_users
  from akashi_audit.audit_logs
  where created_at >= now() - interval '24 hours'
  group by date_trunc('hour', created_at), table_name, operation, data_classification
  order by audit_hour desc;
comment on view akashi_audit.v_security_audit_summary is
  'Audit rows of the last 24 hours; actions have neither table nor operation. Row-level security restricts the rows.';
comment on column akashi_audit.v_security_audit_summary.affected_users is 'akashi_auth.users.id (cognito_user_id in the source).';
grant select on akashi_audit.v_security_audit_summary to akashi_app, akashi_worker, akashi_security_admin;

-- Unusual activity in the trail at present, by user. Detection rules find the same at any time and store it.
create function akashi_audit.detect_audit_anomalies()
  returns table (anomaly_type text, severity text, description text, affected_user text, event_count bigint, time_window text)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with recent as materialized (
    select a.user_id, a.created_at, a.operation, a.data_classification,
           a.created_at at time zone (akashi_lifecycle.setting('organisation.time_zone') #>> '{}') as local_time
    from akashi_audit.audit_logs a
    where a.created_at > now() - interval '1 hour' and a.user_id is not null
  )
  select 'bulk_operations', 'high', 'User performed excessive operations in short time', r.user_id, count(*), '5 minutes'
  from recent r where r.created_at > now() - interval '5 minutes'
  group by r.user_id having count(*) > 100
  union all
  select 'sensitive_data_access', 'critical', 'Unusual access to confidential data', r.user_id, count(*), '1 hour'
  from recent r where r.data_classification = 'confidential'
  group by r.user_id having count(*) > 10
  union all
  select 'off_hours_access', 'medium', 'Access during non-business hours', r.user_id, count(*), '1 hour'
  from recent r
  where r.operation in ('UPDATE', 'DELETE')
    and (extract(hour from r.local_time) < 8 or extract(hour from r.local_time) > 20 or extract(isodow from r.local_time) >= 6
         or akashi_lifecycle.setting('organisation.holidays') ? to_char(r.local_time, 'YYYY-MM-DD'))
  group by r.user_id having count(*) > 5
$$;
comment on function akashi_audit.detect_audit_anomalies() is
  'Users with more than 100 operations in 5 minutes, 10 accesses to confidential data in 1 hour, or 5 changes in 1 hour outside 8 to 20 of the organisation''s time, at weekends and on holidays. Row-level security restricts the rows.';
grant execute on function akashi_audit.detect_audit_anomalies() to akashi_worker, akashi_security_admin;

-- Auditors see who did what to which record, but no values, which may be personal.
create policy audit_logs_auditor on akashi_audit.audit_logs for select to akashi_reader using (true);
grant select (id, created_at, event_type, action, resource, resource_id, result, error_code, schema_name, table_name, operation,
  record_id, changed_fields, user_id, session_id, ip_address, context_verified, application_version, api_endpoint, request_id,
  trace_id, correlation_id, tenant_id, data_classification, compliance_context) on akashi_audit.audit_logs to akashi_reader;
create view akashi_audit.v_audit_logs_masked with (security_invoker = true) as
  select a.id, a.created_at, a.event_type, a.action, a.resource, a.resource_id, a.result, a.error_code, a.schema_name, a.table_name,
         a.operation, a.record_id, a.changed_fields, a.user_id, a.session_id, a.user_id::text as cognito_user_id, a.ip_address,
         a.context_verified, a.application_version, a.api_endpoint, a.request_id, a.trace_id, a.correlation_id, a.tenant_id,
         a.compliance_context, a.data_classification,
         (select extract(day from r.total_retention)::integer from akashi_lifecycle.retention r
          where (r.schema_name, r.table_name) = ('akashi_audit', 'audit_logs')) as retention_period,
         case when a.created_at >= now() - (select r.hot_retention from akashi_lifecycle.retention r
                                            where (r.schema_name, r.table_name) = ('akashi_audit', 'audit_logs'))
              then 'active' else 'due' end as archive_status
  from akashi_audit.audit_logs a;
comment on view akashi_audit.v_audit_logs_masked is
  'The trail for the auditor, under the names of the sources: without values, details, user agents and subjects.';
comment on column akashi_audit.v_audit_logs_masked.cognito_user_id is
  'akashi_auth.users.id: the subject of the identity provider is personal and stays encrypted with the user.';
comment on column akashi_audit.v_audit_logs_masked.retention_period is 'Days, from the policy of the table.';
comment on column akashi_audit.v_audit_logs_masked.archive_status is
  'active: within its hot retention; due: its partition is about to be archived. Archived rows are no longer here.';
grant select on akashi_audit.v_audit_logs_masked to akashi_reader, akashi_worker, akashi_security_admin;

-- Indexes for rare searches would slow down every write on the open partition, so they are created when a partition
-- closes. Closed partitions are not written (created_at is the server's clock), so a plain CREATE INDEX blocks neither
-- writers nor readers.
create function akashi_audit.index_closed_partition(as_of timestamptz default now()) returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '100ms' as $$
declare
  -- A transaction that began before midnight may still write rows of the previous day.
  settling constant interval := '1 hour';
  part record;
begin
  for part in
    select n.nspname, c.relname, wanted.suffix, wanted.definition
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
    cross join (values
      ('user',    '(user_id, created_at) where user_id is not null'),
      ('trace',   '(trace_id) where trace_id is not null'),
      ('request', '(request_id) where request_id is not null'),
      ('address', '(ip_address, created_at) where ip_address is not null'),
      ('resource', '(resource, resource_id, created_at) where resource is not null'),
      ('table',   '(table_name, schema_name, created_at) where table_name is not null')
    ) as wanted (suffix, definition)
    where i.inhparent = 'akashi_audit.audit_logs'::regclass and b.upper <= as_of - settling
      and not exists (
        select from pg_catalog.pg_class x
        where x.relnamespace = c.relnamespace and x.relname = c.relname || '_closed_' || wanted.suffix)
    order by b.lower, wanted.suffix limit 1
  loop
    execute format('create index %I on %I.%I %s', part.relname || '_closed_' || part.suffix, part.nspname, part.relname, part.definition);
    return part.relname || '_closed_' || part.suffix;
  end loop;
  return null;
end
$$;
comment on function akashi_audit.index_closed_partition(timestamptz) is
  'Creates one missing index of a closed partition of the audit trail and returns its name; null when none is missing.';
grant execute on function akashi_audit.index_closed_partition(timestamptz) to akashi_worker;

-- Partitions need the tables and functions above; from here on changes can be recorded.
insert into akashi_lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
values ('akashi_audit', 'audit_logs', 'month', 3, '24 months', 'archive', '2555 days', true);
select akashi_lifecycle.apply_partitions();

select akashi_audit.protect('akashi_audit.protected_tables');
select akashi_audit.protect('akashi_lifecycle.settings');
select akashi_audit.protect('akashi_lifecycle.policies');
select akashi_audit.protect('akashi_lifecycle.shortenings');
select akashi_audit.exempt('akashi_audit.audit_logs', 'it is the trail'),
       akashi_audit.exempt('akashi_audit.exempt_tables', 'changed by migrations and administrators; each row says who and when'),
       akashi_audit.exempt('akashi_audit.crosscheck_traces', 'what the cross-check last saw of the catalog'),
       akashi_audit.exempt('akashi_audit.losses', 'append-only itself; each loss is recorded in the trail as soon as possible'),
       akashi_audit.exempt('akashi_auth.context_keys', 'holds secrets; keys are recorded by id in the key service'),
       akashi_audit.exempt('akashi_keys.digest_salts', 'holds secrets and is written by the trail itself'),
       akashi_audit.exempt('akashi_lifecycle.schema_migrations', 'written by the migration runner, one row each, with a checksum');

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
create function akashi_audit.coverage_evidence(since timestamptz, until timestamptz,
  out protected bigint, out exempt bigint, out uncovered bigint, out losses bigint, out unsettled_losses bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select count(*) filter (where c.state = 'protected'), count(*) filter (where c.state = 'exempt'), count(*) filter (where c.state = 'gap'),
         (select count(*) from akashi_audit.losses l where l.created_at >= since and l.created_at < until),
         (select count(*) from akashi_audit.losses l where l.settled_at is null)
  from akashi_audit.coverage c
$$;
grant execute on function akashi_audit.coverage_evidence(timestamptz, timestamptz) to akashi_security_admin;
