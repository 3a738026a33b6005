-- What the migrations build, written by scripts/schema-dump.ts for review in diffs. Never run it.

-- Roles

create role akashi_app login;
grant akashi_client to akashi_app;

create role akashi_backup login replication;

create role akashi_client nologin;

create role akashi_nobody nologin;

create role akashi_owner nologin;
grant pg_read_all_stats to akashi_owner;

create role akashi_policy nologin;

create role akashi_reader login;

create role akashi_restorer nologin;

create role akashi_security_admin login;

create role akashi_server login noinherit;
grant akashi_app to akashi_server;
grant akashi_backup to akashi_server;
grant akashi_security_admin to akashi_server;
grant akashi_worker to akashi_server;

create role akashi_worker login;

-- Schemas

create schema akashi_archive authorization akashi_owner;
comment on schema akashi_archive is 'Detached partitions that are about to be dropped.';
grant usage on schema akashi_archive to akashi_reader;
grant usage on schema akashi_archive to akashi_security_admin;
grant usage on schema akashi_archive to akashi_worker;

create schema akashi_audit authorization akashi_owner;
comment on schema akashi_audit is 'The audit trail and its ledger.';
grant usage on schema akashi_audit to akashi_app;
grant usage on schema akashi_audit to akashi_client;
grant usage on schema akashi_audit to akashi_policy;
grant usage on schema akashi_audit to akashi_reader;
grant usage on schema akashi_audit to akashi_restorer;
grant usage on schema akashi_audit to akashi_security_admin;
grant usage on schema akashi_audit to akashi_worker;

create schema akashi_auth authorization akashi_owner;
comment on schema akashi_auth is 'Users, sessions, roles and permissions, and the signed request context.';
grant usage on schema akashi_auth to akashi_app;
grant usage on schema akashi_auth to akashi_client;
grant usage on schema akashi_auth to akashi_policy;
grant usage on schema akashi_auth to akashi_reader;
grant usage on schema akashi_auth to akashi_restorer;
grant usage on schema akashi_auth to akashi_security_admin;
grant usage on schema akashi_auth to akashi_worker;

create schema akashi_chat authorization akashi_owner;
comment on schema akashi_chat is 'The chat application: rooms, messages, files, notifications.';
grant usage on schema akashi_chat to akashi_app;
grant usage on schema akashi_chat to akashi_policy;
grant usage on schema akashi_chat to akashi_security_admin;
grant usage on schema akashi_chat to akashi_worker;

create schema akashi_keys authorization akashi_owner;
comment on schema akashi_keys is 'Ids of keys that are kept outside the database.';
grant usage on schema akashi_keys to akashi_app;
grant usage on schema akashi_keys to akashi_policy;
grant usage on schema akashi_keys to akashi_security_admin;
grant usage on schema akashi_keys to akashi_worker;

create schema akashi_lifecycle authorization akashi_owner;
comment on schema akashi_lifecycle is 'Settings, partition and retention policies, jobs, migrations.';
grant usage on schema akashi_lifecycle to akashi_app;
grant usage on schema akashi_lifecycle to akashi_reader;
grant usage on schema akashi_lifecycle to akashi_security_admin;
grant usage on schema akashi_lifecycle to akashi_worker;

create schema akashi_security authorization akashi_owner;
comment on schema akashi_security is 'Security events of every service, and what was done about them.';
grant usage on schema akashi_security to akashi_app;
grant usage on schema akashi_security to akashi_client;
grant usage on schema akashi_security to akashi_reader;
grant usage on schema akashi_security to akashi_security_admin;
grant usage on schema akashi_security to akashi_worker;

-- Default privileges

alter default privileges for role akashi_nobody grant execute on functions to akashi_nobody;

alter default privileges for role akashi_owner grant execute on functions to akashi_owner;

alter default privileges for role akashi_policy grant execute on functions to akashi_policy;

-- Types

create type akashi_audit.bulk_batch as (skip integer, id_prefix bytea, first_seqs bigint[], salts bytea, db_user text, db_address inet, application text);
alter type akashi_audit.bulk_batch owner to akashi_owner;

create type akashi_audit.request_context as (verified boolean, signed_by text, user_id text, session_id text, subject text, ip_address inet, user_agent text, api_endpoint text, request_id text, trace_id text, correlation_id text, application_version text, tenant_id text);
alter type akashi_audit.request_context owner to akashi_owner;

create type akashi_lifecycle.partition_action as (schema_name text, table_name text, partition_name text, action text, lower timestamp with time zone, upper timestamp with time zone, message text);
alter type akashi_lifecycle.partition_action owner to akashi_owner;

-- Sequences

create sequence akashi_audit.audit_logs_seq as bigint increment 65536 minvalue 1 maxvalue 9223372036854775807 start 1 cache 1;
alter sequence akashi_audit.audit_logs_seq owner to akashi_owner;

create sequence akashi_auth.login_attempts_seq as bigint increment 1 minvalue 1 maxvalue 9223372036854775807 start 1 cache 1;
alter sequence akashi_auth.login_attempts_seq owner to akashi_owner;

create sequence akashi_security.security_events_seq as bigint increment 1 minvalue 1 maxvalue 9223372036854775807 start 1 cache 1;
alter sequence akashi_security.security_events_seq owner to akashi_owner;
grant usage on sequence akashi_security.security_events_seq to akashi_worker;

-- Tables

create table akashi_audit.audit_logs (
  id uuid default uuidv7() not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  seq bigint default (nextval('akashi_audit.audit_logs_seq'::regclass) + akashi_audit.seq_offset(GREATEST((pg_trigger_depth() - 1), 0))) not null,
  xid xid8 default pg_current_xact_id() not null,
  salt bytea default uuid_send(gen_random_uuid()) not null,
  user_id text,
  session_id text,
  subject text,
  ip_address inet,
  user_agent text,
  context_verified boolean not null,
  signed_by text,
  db_user text default SESSION_USER not null,
  db_system_user text default SYSTEM_USER,
  db_address inet default inet_client_addr(),
  application_name text default NULLIF(current_setting('application_name'::text), ''::text),
  event_type text default 'data_change'::text not null,
  action text not null,
  resource text,
  resource_id text,
  result text default 'SUCCESS'::text not null,
  error_code text,
  error_message text,
  schema_name text,
  table_name text,
  operation text,
  trigger_depth smallint default (NULLIF(GREATEST((pg_trigger_depth() - 1), 0), 0))::smallint,
  record_id text,
  data_subject text,
  old_values jsonb,
  new_values jsonb,
  changed_fields text[],
  detail jsonb,
  api_endpoint text,
  request_id text,
  trace_id text,
  correlation_id text,
  application_version text,
  tenant_id text,
  data_classification text default 'internal'::text not null,
  compliance_context jsonb,
  constraint audit_logs_pkey PRIMARY KEY (id, created_at)
) partition by RANGE (created_at);
alter table akashi_audit.audit_logs owner to akashi_owner;
comment on table akashi_audit.audit_logs is 'Every change and every recorded action. Append-only; sealed into the ledger audit_logs.';
comment on column akashi_audit.audit_logs.xid is 'The transaction; with seq it is the order in which the ledger takes rows.';
comment on column akashi_audit.audit_logs.salt is 'Random bytes, so that an entry hash cannot be guessed from the row.';
comment on column akashi_audit.audit_logs.user_id is 'The user id in the application that signed the context; any text. Users of akashi have uuids.';
comment on column akashi_audit.audit_logs.subject is 'Who acted where no user did: system:<job>, service:<name>, operator:<account> or anonymous:<reason>.';
comment on column akashi_audit.audit_logs.context_verified is 'False: user_id to tenant_id are what the connection claimed, unsigned.';
comment on column akashi_audit.audit_logs.signed_by is 'The application whose key signed the context; null where context_verified is false.';
comment on column akashi_audit.audit_logs.db_user is 'The login according to the server, independent of the application.';
comment on column akashi_audit.audit_logs.db_system_user is 'How the connection authenticated and as whom (system_user), which SET SESSION AUTHORIZATION does not change; null before PostgreSQL 16 and without authentication.';
comment on column akashi_audit.audit_logs.trigger_depth is 'How many triggers the statement was nested in; null for none. A trigger''s statement is recorded before the statement that fired it.';
comment on column akashi_audit.audit_logs.record_id is 'The primary key as text; a JSON array where it has several columns; sha256: and the hex of its SHA-256 where it is longer than 2,000 bytes.';
comment on column akashi_audit.audit_logs.data_subject is 'The person that the row is about.';
comment on column akashi_audit.audit_logs.old_values is 'UPDATE: the previous values of the changed columns. DELETE: the whole row.';
comment on column akashi_audit.audit_logs.new_values is 'INSERT, UPDATE: the whole new row.';
CREATE INDEX audit_logs_order_idx ON ONLY akashi_audit.audit_logs USING btree (xid, seq);
CREATE INDEX audit_logs_record_idx ON ONLY akashi_audit.audit_logs USING btree (record_id, table_name);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_audit.audit_logs FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.audit_logs enable always trigger refuse_change;
alter table akashi_audit.audit_logs enable row level security;
alter table akashi_audit.audit_logs force row level security;
create policy audit_logs_auditor on akashi_audit.audit_logs for select to akashi_reader using (true);
create policy audit_logs_history on akashi_audit.audit_logs for select to akashi_client using (((schema_name, table_name) IN ( SELECT t.schema_name,
    t.table_name
   FROM akashi_audit.history_tables() t(schema_name, table_name))));
create policy audit_logs_own_transaction on akashi_audit.audit_logs for select to akashi_owner using ((xid = ( SELECT pg_current_xact_id_if_assigned() AS pg_current_xact_id_if_assigned)));
create policy audit_logs_policy on akashi_audit.audit_logs for select to akashi_policy using (true);
create policy audit_logs_record on akashi_audit.audit_logs for insert to akashi_owner with check (true);
create policy audit_logs_self on akashi_audit.audit_logs for select to akashi_client using (((user_id = ( SELECT akashi_auth.context_user() AS context_user)) AND (signed_by = ( SELECT akashi_auth.context_application() AS context_application))));
create policy audit_logs_staff on akashi_audit.audit_logs for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_audit.audit_logs to akashi_client;
grant select on akashi_audit.audit_logs to akashi_policy;
grant select on akashi_audit.audit_logs to akashi_security_admin;
grant select on akashi_audit.audit_logs to akashi_worker;
grant select (id) on akashi_audit.audit_logs to akashi_reader;
grant select (created_at) on akashi_audit.audit_logs to akashi_reader;
grant select (user_id) on akashi_audit.audit_logs to akashi_reader;
grant select (session_id) on akashi_audit.audit_logs to akashi_reader;
grant select (ip_address) on akashi_audit.audit_logs to akashi_reader;
grant select (context_verified) on akashi_audit.audit_logs to akashi_reader;
grant select (event_type) on akashi_audit.audit_logs to akashi_reader;
grant select (action) on akashi_audit.audit_logs to akashi_reader;
grant select (resource) on akashi_audit.audit_logs to akashi_reader;
grant select (resource_id) on akashi_audit.audit_logs to akashi_reader;
grant select (result) on akashi_audit.audit_logs to akashi_reader;
grant select (error_code) on akashi_audit.audit_logs to akashi_reader;
grant select (schema_name) on akashi_audit.audit_logs to akashi_reader;
grant select (table_name) on akashi_audit.audit_logs to akashi_reader;
grant select (operation) on akashi_audit.audit_logs to akashi_reader;
grant select (record_id) on akashi_audit.audit_logs to akashi_reader;
grant select (changed_fields) on akashi_audit.audit_logs to akashi_reader;
grant select (api_endpoint) on akashi_audit.audit_logs to akashi_reader;
grant select (request_id) on akashi_audit.audit_logs to akashi_reader;
grant select (trace_id) on akashi_audit.audit_logs to akashi_reader;
grant select (correlation_id) on akashi_audit.audit_logs to akashi_reader;
grant select (application_version) on akashi_audit.audit_logs to akashi_reader;
grant select (tenant_id) on akashi_audit.audit_logs to akashi_reader;
grant select (data_classification) on akashi_audit.audit_logs to akashi_reader;
grant select (compliance_context) on akashi_audit.audit_logs to akashi_reader;

create table akashi_audit.catalog_records (
  number bigint generated always as identity not null,
  "row" jsonb not null,
  constraint catalog_records_pkey PRIMARY KEY (number)
);
alter table akashi_audit.catalog_records owner to akashi_owner;
comment on table akashi_audit.catalog_records is 'Transactions that changed the catalog of the record, in order. Append-only; `row` is the sealed row of the trail, kept as long as the database exists.';
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_audit.catalog_records FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.catalog_records enable always trigger refuse_change;
alter table akashi_audit.catalog_records enable row level security;
alter table akashi_audit.catalog_records force row level security;
create policy catalog_records_owner on akashi_audit.catalog_records for all to akashi_owner using (true) with check (true);
create policy catalog_records_read on akashi_audit.catalog_records for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_audit.catalog_records to akashi_security_admin;
grant select on akashi_audit.catalog_records to akashi_worker;

create table akashi_audit.crosscheck_discrepancies (
  id uuid default akashi_audit.uuid_v7() not null,
  found_at timestamp with time zone default clock_timestamp() not null,
  kind text not null,
  place text not null,
  xid bigint,
  commit_lsn pg_lsn,
  committed_at timestamp with time zone,
  schema_name text,
  table_name text,
  operation text,
  record_id text,
  login text,
  detail text not null,
  settled_at timestamp with time zone,
  settled_by text,
  explanation text,
  constraint crosscheck_discrepancies_check CHECK ((((settled_at IS NULL) = (explanation IS NULL)) AND ((settled_at IS NULL) = (settled_by IS NULL)))),
  constraint crosscheck_discrepancies_kind_check CHECK ((kind = ANY (ARRAY['unrecorded'::text, 'unmatched'::text, 'different'::text, 'trail_changed'::text, 'state'::text, 'unwatched'::text]))),
  constraint crosscheck_discrepancies_pkey PRIMARY KEY (id),
  constraint crosscheck_discrepancies_place_key UNIQUE (place)
);
alter table akashi_audit.crosscheck_discrepancies owner to akashi_owner;
comment on table akashi_audit.crosscheck_discrepancies is 'Where the trail and the tables or the write-ahead log disagree.';
comment on column akashi_audit.crosscheck_discrepancies.kind is 'unrecorded: a change without an audit row; unmatched: an audit row without a change; different: their values differ; trail_changed: the trail itself was changed; state: the content of a table differs from the trail; unwatched: changes of a table could not be read.';
comment on column akashi_audit.crosscheck_discrepancies.place is 'Identifies a discrepancy, so that it is stored once: the position in the log and a number, or the table and what differs in it.';
comment on column akashi_audit.crosscheck_discrepancies.xid is 'The id of the transaction: 32 bits, as in the write-ahead log.';
comment on column akashi_audit.crosscheck_discrepancies.login is 'The login that ran the transaction, if the trail names it; the write-ahead log does not.';
CREATE INDEX crosscheck_discrepancies_open_idx ON akashi_audit.crosscheck_discrepancies USING btree (found_at) WHERE (settled_at IS NULL);
CREATE TRIGGER keep_crosscheck BEFORE UPDATE ON akashi_audit.crosscheck_discrepancies FOR EACH ROW EXECUTE FUNCTION akashi_audit.keep_crosscheck();
alter table akashi_audit.crosscheck_discrepancies enable always trigger keep_crosscheck;
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON akashi_audit.crosscheck_discrepancies FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.crosscheck_discrepancies enable always trigger refuse_change;
alter table akashi_audit.crosscheck_discrepancies enable row level security;
alter table akashi_audit.crosscheck_discrepancies force row level security;
create policy crosscheck_discrepancies_owner on akashi_audit.crosscheck_discrepancies for all to akashi_owner using (true) with check (true);
create policy crosscheck_discrepancies_read on akashi_audit.crosscheck_discrepancies for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_audit.crosscheck_discrepancies to akashi_security_admin;
grant select on akashi_audit.crosscheck_discrepancies to akashi_worker;

create table akashi_audit.crosscheck_gaps (
  id uuid default akashi_audit.uuid_v7() not null,
  started_at timestamp with time zone default clock_timestamp() not null,
  ended_at timestamp with time zone,
  cause text not null,
  start_lsn pg_lsn,
  end_lsn pg_lsn,
  detail text not null,
  settled_at timestamp with time zone,
  settled_by text,
  explanation text,
  constraint crosscheck_gaps_cause_check CHECK ((cause = ANY (ARRAY['off'::text, 'no_logical_wal'::text, 'slot_lost'::text, 'wal_given_up'::text, 'moved'::text, 'too_large'::text, 'publication_altered'::text, 'state_altered'::text]))),
  constraint crosscheck_gaps_check CHECK (((ended_at IS NULL) OR (ended_at >= started_at))),
  constraint crosscheck_gaps_check1 CHECK ((((settled_at IS NULL) = (explanation IS NULL)) AND ((settled_at IS NULL) = (settled_by IS NULL)))),
  constraint crosscheck_gaps_pkey PRIMARY KEY (id)
);
alter table akashi_audit.crosscheck_gaps owner to akashi_owner;
comment on table akashi_audit.crosscheck_gaps is 'Ranges of the write-ahead log that were not compared with the trail.';
comment on column akashi_audit.crosscheck_gaps.ended_at is 'Null while it lasts.';
comment on column akashi_audit.crosscheck_gaps.cause is 'off: switched off; no_logical_wal: the server has no logical WAL or lets no login read it; slot_lost: the slot was dropped or invalidated; wal_given_up: too much WAL waited; moved: another cluster or timeline; too_large: one transaction had more changes than are kept; publication_altered: the publication was dropped or altered, and repaired; state_altered: somebody else changed or removed what the cross-check keeps of its progress.';
CREATE UNIQUE INDEX crosscheck_gaps_open_idx ON akashi_audit.crosscheck_gaps USING btree (((ended_at IS NULL))) WHERE (ended_at IS NULL);
CREATE TRIGGER keep_crosscheck BEFORE UPDATE ON akashi_audit.crosscheck_gaps FOR EACH ROW EXECUTE FUNCTION akashi_audit.keep_crosscheck();
alter table akashi_audit.crosscheck_gaps enable always trigger keep_crosscheck;
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON akashi_audit.crosscheck_gaps FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.crosscheck_gaps enable always trigger refuse_change;
alter table akashi_audit.crosscheck_gaps enable row level security;
alter table akashi_audit.crosscheck_gaps force row level security;
create policy crosscheck_gaps_owner on akashi_audit.crosscheck_gaps for all to akashi_owner using (true) with check (true);
create policy crosscheck_gaps_read on akashi_audit.crosscheck_gaps for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_audit.crosscheck_gaps to akashi_security_admin;
grant select on akashi_audit.crosscheck_gaps to akashi_worker;

create table akashi_audit.crosscheck_state (
  one_row boolean default true not null,
  slot_name text not null,
  system_identifier bigint not null,
  timeline integer not null,
  compared_lsn pg_lsn not null,
  compared_at timestamp with time zone default clock_timestamp() not null,
  sealed_lsn pg_lsn not null,
  latest_commit bigint default 0 not null,
  protections jsonb not null,
  traces jsonb not null,
  note text not null,
  transactions bigint default 0 not null,
  changes bigint default 0 not null,
  constraint crosscheck_state_one_row_check CHECK (one_row),
  constraint crosscheck_state_pkey PRIMARY KEY (one_row)
);
alter table akashi_audit.crosscheck_state owner to akashi_owner;
comment on table akashi_audit.crosscheck_state is 'How far the write-ahead log is compared with the trail.';
comment on column akashi_audit.crosscheck_state.compared_lsn is 'The end of the last compared transaction. Later ones changed no protected table, or are not complete yet.';
comment on column akashi_audit.crosscheck_state.sealed_lsn is 'Up to here a sealed row of the trail (crosscheck_compared) records that the log was compared.';
comment on column akashi_audit.crosscheck_state.latest_commit is 'The latest commit up to compared_lsn, in microseconds since 1970: whoever has a replication origin dates their own.';
comment on column akashi_audit.crosscheck_state.protections is 'The protected tables as of compared_lsn, by which later changes are judged.';
comment on column akashi_audit.crosscheck_state.traces is 'Digests of akashi_audit.crosscheck_traces as the cross-check left them.';
comment on column akashi_audit.crosscheck_state.note is 'Signs the row, with a key that is not in the database: who changes it cannot have ranges left out.';
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON akashi_audit.crosscheck_state FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.crosscheck_state enable always trigger refuse_change;
alter table akashi_audit.crosscheck_state enable row level security;
alter table akashi_audit.crosscheck_state force row level security;
create policy crosscheck_state_owner on akashi_audit.crosscheck_state for all to akashi_owner using (true) with check (true);
create policy crosscheck_state_read on akashi_audit.crosscheck_state for select to akashi_security_admin using (true);
create policy crosscheck_state_worker on akashi_audit.crosscheck_state for all to akashi_worker using (true) with check (true);
grant select on akashi_audit.crosscheck_state to akashi_security_admin;
grant insert, select, update on akashi_audit.crosscheck_state to akashi_worker;

create table akashi_audit.crosscheck_traces (
  schema_name text not null,
  table_name text not null,
  traces jsonb not null,
  seen_at timestamp with time zone default clock_timestamp() not null,
  constraint crosscheck_traces_pkey PRIMARY KEY (schema_name, table_name)
);
alter table akashi_audit.crosscheck_traces owner to akashi_owner;
comment on table akashi_audit.crosscheck_traces is 'For each protected table, the parts of the catalog that change when its rows change in ways that the write-ahead log does not contain.';
alter table akashi_audit.crosscheck_traces enable row level security;
alter table akashi_audit.crosscheck_traces force row level security;
create policy crosscheck_traces_owner on akashi_audit.crosscheck_traces for all to akashi_owner using (true) with check (true);
create policy crosscheck_traces_read on akashi_audit.crosscheck_traces for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_audit.crosscheck_traces to akashi_security_admin;
grant select on akashi_audit.crosscheck_traces to akashi_worker;

create table akashi_audit.exempt_tables (
  schema_name text not null,
  table_name text not null,
  reason text not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint exempt_tables_pkey PRIMARY KEY (schema_name, table_name),
  constraint exempt_tables_reason_check CHECK ((reason <> ''::text))
);
alter table akashi_audit.exempt_tables owner to akashi_owner;
comment on table akashi_audit.exempt_tables is 'Tables that need no audit, each with the reason; every other table must be protected, or is a gap.';
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_audit.exempt_tables FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_audit.exempt_tables enable row level security;
alter table akashi_audit.exempt_tables force row level security;
create policy exempt_tables_owner on akashi_audit.exempt_tables for all to akashi_owner using (true) with check (true);
create policy exempt_tables_read on akashi_audit.exempt_tables for select to akashi_app, akashi_security_admin, akashi_worker using (true);
grant select on akashi_audit.exempt_tables to akashi_app;
grant select on akashi_audit.exempt_tables to akashi_security_admin;
grant select on akashi_audit.exempt_tables to akashi_worker;

create table akashi_audit.ledger_checkpoints (
  log text not null,
  epoch integer not null,
  size bigint not null,
  root bytea not null,
  note text not null,
  published_at timestamp with time zone default now() not null,
  xid xid8 default pg_current_xact_id() not null,
  constraint ledger_checkpoints_pkey PRIMARY KEY (log, epoch, size),
  constraint ledger_checkpoints_root_check CHECK ((octet_length(root) = 32))
);
alter table akashi_audit.ledger_checkpoints owner to akashi_owner;
comment on table akashi_audit.ledger_checkpoints is 'Checkpoints that were published: signed notes that outlive any later head.';
comment on column akashi_audit.ledger_checkpoints.xid is 'The transaction that stored it: rows of later transactions are not older than published_at.';
CREATE TRIGGER keep_checkpoint BEFORE DELETE ON akashi_audit.ledger_checkpoints FOR EACH ROW EXECUTE FUNCTION akashi_audit.keep_checkpoint();
alter table akashi_audit.ledger_checkpoints enable always trigger keep_checkpoint;
CREATE TRIGGER refuse_change BEFORE UPDATE OR TRUNCATE ON akashi_audit.ledger_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.ledger_checkpoints enable always trigger refuse_change;
alter table akashi_audit.ledger_checkpoints enable row level security;
alter table akashi_audit.ledger_checkpoints force row level security;
create policy ledger_checkpoints_owner on akashi_audit.ledger_checkpoints for all to akashi_owner using (true) with check (true);
create policy ledger_checkpoints_read on akashi_audit.ledger_checkpoints for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_checkpoints_worker on akashi_audit.ledger_checkpoints for all to akashi_worker using (true) with check (true);
grant select on akashi_audit.ledger_checkpoints to akashi_app;
grant select on akashi_audit.ledger_checkpoints to akashi_reader;
grant select on akashi_audit.ledger_checkpoints to akashi_security_admin;
grant delete, insert, select on akashi_audit.ledger_checkpoints to akashi_worker;

create table akashi_audit.ledger_cosignatures (
  log text not null,
  epoch integer not null,
  size bigint not null,
  witness text not null,
  note text not null,
  cosigned_at timestamp with time zone not null,
  constraint ledger_cosignatures_pkey PRIMARY KEY (log, epoch, size, witness),
  constraint ledger_cosignatures_size_check CHECK ((size >= 0))
);
alter table akashi_audit.ledger_cosignatures owner to akashi_owner;
comment on table akashi_audit.ledger_cosignatures is 'Cosignatures of witnesses on published checkpoints.';
comment on column akashi_audit.ledger_cosignatures.note is 'The checkpoint with the signature lines of the log and of this witness.';
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_audit.ledger_cosignatures FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.ledger_cosignatures enable always trigger refuse_change;
alter table akashi_audit.ledger_cosignatures enable row level security;
alter table akashi_audit.ledger_cosignatures force row level security;
create policy ledger_cosignatures_owner on akashi_audit.ledger_cosignatures for all to akashi_owner using (true) with check (true);
create policy ledger_cosignatures_read on akashi_audit.ledger_cosignatures for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_cosignatures_worker on akashi_audit.ledger_cosignatures for all to akashi_worker using (true) with check (true);
grant select on akashi_audit.ledger_cosignatures to akashi_app;
grant select on akashi_audit.ledger_cosignatures to akashi_reader;
grant select on akashi_audit.ledger_cosignatures to akashi_security_admin;
grant insert, select on akashi_audit.ledger_cosignatures to akashi_worker;

create table akashi_audit.ledger_entries (
  log text not null,
  "position" bigint not null,
  row_id uuid not null,
  created_at timestamp with time zone not null,
  entry_hash bytea not null,
  constraint ledger_entries_entry_hash_check CHECK ((octet_length(entry_hash) = 32)),
  constraint ledger_entries_pkey PRIMARY KEY (log, "position"),
  constraint ledger_entries_position_check CHECK (("position" >= 0))
);
alter table akashi_audit.ledger_entries owner to akashi_owner;
comment on table akashi_audit.ledger_entries is 'One row for each sealed row of a log, at its position in the tree. Append-only.';
CREATE INDEX ledger_entries_created_at_idx ON akashi_audit.ledger_entries USING brin (created_at) WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX ledger_entries_row_idx ON akashi_audit.ledger_entries USING btree (row_id);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_audit.ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.ledger_entries enable always trigger refuse_change;
alter table akashi_audit.ledger_entries enable row level security;
alter table akashi_audit.ledger_entries force row level security;
create policy ledger_entries_owner on akashi_audit.ledger_entries for all to akashi_owner using (true) with check (true);
create policy ledger_entries_read on akashi_audit.ledger_entries for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_entries_worker on akashi_audit.ledger_entries for all to akashi_worker using (true) with check (true);
grant select on akashi_audit.ledger_entries to akashi_app;
grant select on akashi_audit.ledger_entries to akashi_reader;
grant select on akashi_audit.ledger_entries to akashi_security_admin;
grant insert, select on akashi_audit.ledger_entries to akashi_worker;

create table akashi_audit.ledger_epochs (
  log text not null,
  epoch integer not null,
  origin text not null,
  cause text not null,
  reason text not null,
  previous_origin text not null,
  previous_size bigint not null,
  previous_root bytea not null,
  common_size bigint not null,
  given_up text[] not null,
  size bigint not null,
  root bytea not null,
  retention_digest bytea not null,
  note text not null,
  opened_at timestamp with time zone default now() not null,
  constraint ledger_epochs_cause_check CHECK ((cause = ANY (ARRAY['ordered'::text, 'conflict'::text, 'older'::text, 'moved'::text, 'rekeyed'::text]))),
  constraint ledger_epochs_check CHECK ((size >= common_size)),
  constraint ledger_epochs_common_size_check CHECK ((common_size >= 0)),
  constraint ledger_epochs_epoch_check CHECK ((epoch > 1)),
  constraint ledger_epochs_origin_key UNIQUE (origin),
  constraint ledger_epochs_pkey PRIMARY KEY (log, epoch),
  constraint ledger_epochs_previous_root_check CHECK ((octet_length(previous_root) = 32)),
  constraint ledger_epochs_previous_size_check CHECK ((previous_size >= 0)),
  constraint ledger_epochs_retention_digest_check CHECK ((octet_length(retention_digest) = 32)),
  constraint ledger_epochs_root_check CHECK ((octet_length(root) = 32))
);
alter table akashi_audit.ledger_epochs owner to akashi_owner;
comment on table akashi_audit.ledger_epochs is 'Epochs: after a restore, or when the database does not continue what it published, a log continues under a new name that is linked to the old head by a signed note.';
comment on column akashi_audit.ledger_epochs.cause is 'ordered: by an administrator or a restore; conflict: a different checkpoint of the same size was published; older: more was published than the database has; moved: another cluster or timeline; rekeyed: the signing key was replaced.';
comment on column akashi_audit.ledger_epochs.common_size is 'Entries that the published old history and this one share; later entries of the old one are abandoned.';
comment on column akashi_audit.ledger_epochs.given_up is 'Origins of epochs published by a database that no longer exists; this database was copied before them.';
comment on column akashi_audit.ledger_epochs.retention_digest is 'Digest of the retention records that existed when the epoch began: SHA-256 over the SHA-256 of each note, in ascending order.';
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_audit.ledger_epochs FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.ledger_epochs enable always trigger refuse_change;
alter table akashi_audit.ledger_epochs enable row level security;
alter table akashi_audit.ledger_epochs force row level security;
create policy ledger_epochs_owner on akashi_audit.ledger_epochs for all to akashi_owner using (true) with check (true);
create policy ledger_epochs_read on akashi_audit.ledger_epochs for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_epochs_worker on akashi_audit.ledger_epochs for all to akashi_worker using (true) with check (true);
grant select on akashi_audit.ledger_epochs to akashi_app;
grant select on akashi_audit.ledger_epochs to akashi_reader;
grant select on akashi_audit.ledger_epochs to akashi_security_admin;
grant insert, select on akashi_audit.ledger_epochs to akashi_worker;

create table akashi_audit.ledger_heads (
  log text not null,
  epoch integer default 1 not null,
  origin text not null,
  size bigint default 0 not null,
  root bytea not null,
  note text,
  last_xid xid8 default '0'::xid8 not null,
  last_seq bigint default 0 not null,
  sealed_at timestamp with time zone,
  seq_floor bigint default 0 not null,
  system_identifier bigint,
  timeline integer,
  constraint ledger_heads_epoch_check CHECK ((epoch > 0)),
  constraint ledger_heads_log_check CHECK ((log ~ '^[a-z_]+$'::text)),
  constraint ledger_heads_pkey PRIMARY KEY (log),
  constraint ledger_heads_root_check CHECK ((octet_length(root) = 32)),
  constraint ledger_heads_size_check CHECK ((size >= 0))
);
alter table akashi_audit.ledger_heads owner to akashi_owner;
comment on table akashi_audit.ledger_heads is 'The head of each log: how far it is sealed, and the signed checkpoint of that size.';
comment on column akashi_audit.ledger_heads.last_xid is 'The frontier: every row at or before (last_xid, last_seq) is in the tree.';
comment on column akashi_audit.ledger_heads.seq_floor is 'Rows up to this seq were written before the epoch: all of them that had to be sealed are in the tree, whatever their xid.';
comment on column akashi_audit.ledger_heads.system_identifier is 'The cluster that the epoch was opened in; in another one its xids mean nothing.';
CREATE TRIGGER keep_head BEFORE UPDATE ON akashi_audit.ledger_heads FOR EACH ROW EXECUTE FUNCTION akashi_audit.keep_head();
alter table akashi_audit.ledger_heads enable always trigger keep_head;
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON akashi_audit.ledger_heads FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.ledger_heads enable always trigger refuse_change;
alter table akashi_audit.ledger_heads enable row level security;
alter table akashi_audit.ledger_heads force row level security;
create policy ledger_heads_owner on akashi_audit.ledger_heads for all to akashi_owner using (true) with check (true);
create policy ledger_heads_read on akashi_audit.ledger_heads for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_heads_worker on akashi_audit.ledger_heads for all to akashi_worker using (true) with check (true);
grant select on akashi_audit.ledger_heads to akashi_app;
grant select on akashi_audit.ledger_heads to akashi_reader;
grant select on akashi_audit.ledger_heads to akashi_security_admin;
grant insert, select, update on akashi_audit.ledger_heads to akashi_worker;

create table akashi_audit.ledger_scrubs (
  log text not null,
  unit text not null,
  checked_at timestamp with time zone not null,
  constraint ledger_scrubs_pkey PRIMARY KEY (log, unit),
  constraint ledger_scrubs_unit_check CHECK ((unit ~ '^(slice|object)/'::text))
);
alter table akashi_audit.ledger_scrubs owner to akashi_owner;
comment on table akashi_audit.ledger_scrubs is 'When each part of a log was last hashed: slices of positions, and objects of the archive.';
comment on column akashi_audit.ledger_scrubs.unit is 'slice/<n, twelve digits>: positions n·65536 to n·65536 + 65535; object/<name>: an archived object.';
alter table akashi_audit.ledger_scrubs enable row level security;
alter table akashi_audit.ledger_scrubs force row level security;
create policy ledger_scrubs_owner on akashi_audit.ledger_scrubs for all to akashi_owner using (true) with check (true);
create policy ledger_scrubs_read on akashi_audit.ledger_scrubs for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_scrubs_worker on akashi_audit.ledger_scrubs for all to akashi_worker using (true) with check (true);
grant select on akashi_audit.ledger_scrubs to akashi_app;
grant select on akashi_audit.ledger_scrubs to akashi_reader;
grant select on akashi_audit.ledger_scrubs to akashi_security_admin;
grant delete, insert, select, update on akashi_audit.ledger_scrubs to akashi_worker;

create table akashi_audit.ledger_tiles (
  log text not null,
  level smallint not null,
  tile bigint not null,
  hashes bytea not null,
  constraint ledger_tiles_hashes_check CHECK (((octet_length(hashes) >= 32) AND (octet_length(hashes) <= 8192) AND ((octet_length(hashes) % 32) = 0))),
  constraint ledger_tiles_level_check CHECK (((level >= 0) AND (level <= 7))),
  constraint ledger_tiles_pkey PRIMARY KEY (log, level, tile),
  constraint ledger_tiles_tile_check CHECK ((tile >= 0))
);
alter table akashi_audit.ledger_tiles owner to akashi_owner;
comment on table akashi_audit.ledger_tiles is 'Merkle tree hashes in tiles of 256 (C2SP tlog-tiles): level 0 holds leaf hashes, level 1 the roots of full level-0 tiles, and so on. Only the last tile of a level still grows.';
CREATE TRIGGER keep_tile BEFORE UPDATE ON akashi_audit.ledger_tiles FOR EACH ROW EXECUTE FUNCTION akashi_audit.keep_tile();
alter table akashi_audit.ledger_tiles enable always trigger keep_tile;
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON akashi_audit.ledger_tiles FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.ledger_tiles enable always trigger refuse_change;
alter table akashi_audit.ledger_tiles enable row level security;
alter table akashi_audit.ledger_tiles force row level security;
create policy ledger_tiles_owner on akashi_audit.ledger_tiles for all to akashi_owner using (true) with check (true);
create policy ledger_tiles_read on akashi_audit.ledger_tiles for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_tiles_worker on akashi_audit.ledger_tiles for all to akashi_worker using (true) with check (true);
grant select on akashi_audit.ledger_tiles to akashi_app;
grant select on akashi_audit.ledger_tiles to akashi_reader;
grant select on akashi_audit.ledger_tiles to akashi_security_admin;
grant insert, select, update on akashi_audit.ledger_tiles to akashi_worker;

create table akashi_audit.losses (
  id uuid default akashi_audit.uuid_v7() not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  schema_name text not null,
  table_name text not null,
  operation text not null,
  row_count bigint,
  sqlstate text not null,
  message text not null,
  xid xid8 default pg_current_xact_id() not null,
  claimed_user_id text default NULLIF("left"(current_setting('app.current_user_id'::text, true), 255), ''::text),
  request_id text default NULLIF("left"(current_setting('app.request_id'::text, true), 128), ''::text),
  db_user text default SESSION_USER not null,
  db_address inet default inet_client_addr(),
  application_name text default NULLIF(current_setting('application_name'::text), ''::text),
  reported_at timestamp with time zone,
  settled_at timestamp with time zone,
  settled_by text,
  explanation text,
  constraint losses_check CHECK ((((settled_at IS NULL) = (explanation IS NULL)) AND ((settled_at IS NULL) = (settled_by IS NULL)))),
  constraint losses_pkey PRIMARY KEY (id)
);
alter table akashi_audit.losses owner to akashi_owner;
comment on table akashi_audit.losses is 'Statements on tables protected with on_failure => record_loss whose changes could not be recorded.';
comment on column akashi_audit.losses.row_count is 'Rows that the statement changed; null for TRUNCATE.';
comment on column akashi_audit.losses.claimed_user_id is 'The user id that the connection claimed, unverified.';
comment on column akashi_audit.losses.reported_at is 'When the loss itself was recorded in the trail and raised as an event.';
comment on column akashi_audit.losses.settled_at is 'When it was settled; until then verify, doctor and the metrics report it.';
CREATE TRIGGER keep_loss BEFORE UPDATE ON akashi_audit.losses FOR EACH ROW EXECUTE FUNCTION akashi_audit.keep_loss();
alter table akashi_audit.losses enable always trigger keep_loss;
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON akashi_audit.losses FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.losses enable always trigger refuse_change;
alter table akashi_audit.losses enable row level security;
alter table akashi_audit.losses force row level security;
create policy losses_owner on akashi_audit.losses for all to akashi_owner using (true) with check (true);
create policy losses_read on akashi_audit.losses for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_audit.losses to akashi_security_admin;
grant select on akashi_audit.losses to akashi_worker;

create unlogged table akashi_audit.moving_rows (
  number bigint generated always as identity not null,
  xid xid8 default pg_current_xact_id() not null,
  depth integer not null,
  at timestamp with time zone default clock_timestamp() not null,
  removed jsonb,
  added jsonb,
  constraint moving_rows_pkey PRIMARY KEY (number)
);
alter table akashi_audit.moving_rows owner to akashi_owner;
comment on table akashi_audit.moving_rows is 'Rows that move between partitions during a statement.';
alter table akashi_audit.moving_rows enable row level security;
alter table akashi_audit.moving_rows force row level security;
create policy moving_rows_owner on akashi_audit.moving_rows for all to akashi_owner using (true) with check (true);

create table akashi_audit.protected_tables (
  schema_name text not null,
  table_name text not null,
  classification text default 'internal'::text not null,
  key_columns text[] not null,
  subject_column text,
  ignored_columns text[] default '{}'::text[] not null,
  digest_columns text[] default '{}'::text[] not null,
  omitted_columns text[] default '{}'::text[] not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  on_failure text default 'fail'::text not null,
  replica_identity jsonb default '{}'::jsonb not null,
  baseline_at timestamp with time zone,
  require_context boolean default false not null,
  context_exempt text[] default '{}'::text[] not null,
  history_readers text[] default '{}'::text[] not null,
  constraint protected_tables_check CHECK ((require_context OR (context_exempt = '{}'::text[]))),
  constraint protected_tables_classification_check CHECK ((classification = ANY (ARRAY['public'::text, 'internal'::text, 'confidential'::text, 'restricted'::text]))),
  constraint protected_tables_key_columns_check CHECK ((cardinality(key_columns) > 0)),
  constraint protected_tables_on_failure_check CHECK ((on_failure = ANY (ARRAY['fail'::text, 'record_loss'::text]))),
  constraint protected_tables_pkey PRIMARY KEY (schema_name, table_name)
);
alter table akashi_audit.protected_tables owner to akashi_owner;
comment on table akashi_audit.protected_tables is 'Which tables are under audit, and how. Their triggers are generated from it; `verify` compares them.';
comment on column akashi_audit.protected_tables.on_failure is 'When a change cannot be recorded: fail (the change fails) or record_loss (it succeeds and is counted in akashi_audit.losses).';
comment on column akashi_audit.protected_tables.replica_identity is 'Relations whose replica identity the protection set to FULL, each with its former one (pg_class.relreplident); unprotect restores it.';
comment on column akashi_audit.protected_tables.baseline_at is 'Since when the trail has a version of every row: the table was empty when it was protected, or a baseline was recorded; null if rows may be older than the protection.';
comment on column akashi_audit.protected_tables.require_context is 'Changes without a signed request context are refused, except those of the logins in context_exempt.';
comment on column akashi_audit.protected_tables.history_readers is 'Logins that may read the whole history of the table in the trail, including changes made by others.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_audit.protected_tables REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_audit.protected_tables enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_audit.protected_tables REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_audit.protected_tables enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_audit.protected_tables FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_audit.protected_tables enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_audit.protected_tables REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_audit.protected_tables enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_audit.protected_tables FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_audit.protected_tables enable row level security;
alter table akashi_audit.protected_tables force row level security;
create policy protected_tables_owner on akashi_audit.protected_tables for all to akashi_owner using (true) with check (true);
create policy protected_tables_read on akashi_audit.protected_tables for select to akashi_app, akashi_security_admin, akashi_worker using (true);
grant select on akashi_audit.protected_tables to akashi_app;
grant select on akashi_audit.protected_tables to akashi_security_admin;
grant select on akashi_audit.protected_tables to akashi_worker;

create table akashi_audit.retention_records (
  id uuid default akashi_audit.uuid_v7() not null,
  log text not null,
  partition_name text not null,
  lower_bound timestamp with time zone not null,
  upper_bound timestamp with time zone not null,
  first_position bigint not null,
  last_position bigint not null,
  row_count bigint not null,
  digest bytea not null,
  policy text not null,
  note text not null,
  retired_at timestamp with time zone default now() not null,
  constraint retention_records_check CHECK ((lower_bound < upper_bound)),
  constraint retention_records_check1 CHECK (((first_position >= 0) AND (first_position <= last_position))),
  constraint retention_records_digest_check CHECK ((octet_length(digest) = 32)),
  constraint retention_records_pkey PRIMARY KEY (id),
  constraint retention_records_row_count_check CHECK ((row_count > 0))
);
alter table akashi_audit.retention_records owner to akashi_owner;
comment on table akashi_audit.retention_records is 'Signed records of rows in a time range that a policy removed. Their entries stay in the tree.';
comment on column akashi_audit.retention_records.digest is 'SHA-256 over position (8 bytes, most significant first) and entry hash of each retired entry, in ascending position.';
CREATE UNIQUE INDEX retention_records_first_idx ON akashi_audit.retention_records USING btree (log, partition_name, first_position);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_audit.retention_records FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.retention_records enable always trigger refuse_change;
alter table akashi_audit.retention_records enable row level security;
alter table akashi_audit.retention_records force row level security;
create policy retention_records_owner on akashi_audit.retention_records for all to akashi_owner using (true) with check (true);
create policy retention_records_read on akashi_audit.retention_records for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy retention_records_worker on akashi_audit.retention_records for all to akashi_worker using (true) with check (true);
grant select on akashi_audit.retention_records to akashi_app;
grant select on akashi_audit.retention_records to akashi_reader;
grant select on akashi_audit.retention_records to akashi_security_admin;
grant select on akashi_audit.retention_records to akashi_worker;

create table akashi_audit.standing_alarms (
  kind text not null,
  subject text not null,
  detail text not null,
  raised_at timestamp with time zone default now() not null,
  constraint standing_alarms_pkey PRIMARY KEY (kind, subject, detail)
);
alter table akashi_audit.standing_alarms owner to akashi_owner;
comment on table akashi_audit.standing_alarms is 'Alarms in effect: a security event is raised when one begins, and none while it lasts.';
alter table akashi_audit.standing_alarms enable row level security;
alter table akashi_audit.standing_alarms force row level security;
create policy standing_alarms_owner on akashi_audit.standing_alarms for all to akashi_owner using (true) with check (true);
create policy standing_alarms_read on akashi_audit.standing_alarms for select to akashi_app, akashi_security_admin, akashi_worker using (true);
grant select on akashi_audit.standing_alarms to akashi_app;
grant select on akashi_audit.standing_alarms to akashi_security_admin;
grant select on akashi_audit.standing_alarms to akashi_worker;

create table akashi_audit.verifications (
  id uuid default akashi_audit.uuid_v7() not null,
  started_at timestamp with time zone not null,
  finished_at timestamp with time zone default clock_timestamp() not null,
  ok boolean not null,
  report jsonb not null,
  mode text default 'full'::text not null,
  constraint verifications_mode_check CHECK ((mode = ANY (ARRAY['full'::text, 'incremental'::text, 'scrub'::text]))),
  constraint verifications_pkey PRIMARY KEY (id)
);
alter table akashi_audit.verifications owner to akashi_owner;
comment on table akashi_audit.verifications is 'The result of each verification; one with problems also raises an alarm.';
CREATE INDEX verifications_finished_at_idx ON akashi_audit.verifications USING btree (finished_at DESC);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_audit.verifications FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_audit.verifications enable always trigger refuse_change;
alter table akashi_audit.verifications enable row level security;
alter table akashi_audit.verifications force row level security;
create policy verifications_read on akashi_audit.verifications for select to akashi_app, akashi_security_admin, akashi_worker using (true);
create policy verifications_worker on akashi_audit.verifications for insert to akashi_worker with check (true);
grant select on akashi_audit.verifications to akashi_app;
grant select on akashi_audit.verifications to akashi_security_admin;
grant insert, select on akashi_audit.verifications to akashi_worker;

create table akashi_audit.verified_heads (
  log text not null,
  epoch integer not null,
  size bigint not null,
  note text not null,
  last_xid xid8 not null,
  last_seq bigint not null,
  verified_at timestamp with time zone not null,
  scrub_xid xid8 default '0'::xid8 not null,
  scrub_seq bigint default 0 not null,
  constraint verified_heads_pkey PRIMARY KEY (log),
  constraint verified_heads_size_check CHECK ((size >= 0))
);
alter table akashi_audit.verified_heads owner to akashi_owner;
comment on table akashi_audit.verified_heads is 'Up to where each log was verified without problems; an incremental verification continues from there. The signed note attests the log''s size and root.';
alter table akashi_audit.verified_heads enable row level security;
alter table akashi_audit.verified_heads force row level security;
create policy verified_heads_owner on akashi_audit.verified_heads for all to akashi_owner using (true) with check (true);
create policy verified_heads_read on akashi_audit.verified_heads for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy verified_heads_worker on akashi_audit.verified_heads for all to akashi_worker using (true) with check (true);
grant select on akashi_audit.verified_heads to akashi_app;
grant select on akashi_audit.verified_heads to akashi_reader;
grant select on akashi_audit.verified_heads to akashi_security_admin;
grant insert, select, update on akashi_audit.verified_heads to akashi_worker;

create table akashi_audit.witnesses (
  name text not null,
  url text not null,
  verifier_key text not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint witnesses_name_check CHECK ((name <> ''::text)),
  constraint witnesses_pkey PRIMARY KEY (name),
  constraint witnesses_url_check CHECK ((url ~ '^https?://'::text)),
  constraint witnesses_verifier_key_key UNIQUE (verifier_key)
);
alter table akashi_audit.witnesses owner to akashi_owner;
comment on table akashi_audit.witnesses is 'Witnesses (C2SP tlog-witness) that are asked to cosign every published head.';
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_audit.witnesses FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_audit.witnesses enable row level security;
alter table akashi_audit.witnesses force row level security;
create policy witnesses_owner on akashi_audit.witnesses for all to akashi_owner using (true) with check (true);
create policy witnesses_read on akashi_audit.witnesses for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_audit.witnesses to akashi_security_admin;
grant select on akashi_audit.witnesses to akashi_worker;

create table akashi_auth.access_review_decisions (
  item_id uuid not null,
  decision text not null,
  reason text not null,
  decided_at timestamp with time zone not null,
  decided_by uuid not null,
  gave_it boolean not null,
  seen jsonb not null,
  constraint access_review_decisions_decision_check CHECK ((decision = ANY (ARRAY['keep'::text, 'revoke'::text]))),
  constraint access_review_decisions_item_id_fkey FOREIGN KEY (item_id) REFERENCES akashi_auth.access_review_items(id),
  constraint access_review_decisions_pkey PRIMARY KEY (item_id),
  constraint access_review_decisions_reason_check CHECK (((reason ~ '\S'::text) AND (reason !~ '[\x01-\x1f\x7f]'::text) AND (length(reason) <= 1000))),
  constraint access_review_decisions_seen_check CHECK ((jsonb_typeof(seen) = 'object'::text))
);
alter table akashi_auth.access_review_decisions owner to akashi_owner;
comment on table akashi_auth.access_review_decisions is 'The decision of a person about a right, recorded in the trail and sealed.';
comment on column akashi_auth.access_review_decisions.gave_it is 'Whether this person had granted the right.';
comment on column akashi_auth.access_review_decisions.seen is 'The right as it was then: since, expires_at, last_used_at, given_by.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.access_review_decisions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{item_id}', 'decided_by', '{}', '{}', '{}');
alter table akashi_auth.access_review_decisions enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.access_review_decisions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{item_id}', 'decided_by', '{}', '{}', '{}');
alter table akashi_auth.access_review_decisions enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.access_review_decisions FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{item_id}', 'decided_by', '{}', '{}', '{}');
alter table akashi_auth.access_review_decisions enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.access_review_decisions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{item_id}', 'decided_by', '{}', '{}', '{}');
alter table akashi_auth.access_review_decisions enable always trigger akashi_audit_update;
CREATE TRIGGER check_access_decision BEFORE INSERT ON akashi_auth.access_review_decisions FOR EACH ROW EXECUTE FUNCTION akashi_auth.check_access_decision();
alter table akashi_auth.access_review_decisions enable always trigger check_access_decision;
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_auth.access_review_decisions FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_auth.access_review_decisions enable always trigger refuse_change;
alter table akashi_auth.access_review_decisions enable row level security;
alter table akashi_auth.access_review_decisions force row level security;
create policy access_review_decisions_owner on akashi_auth.access_review_decisions for all to akashi_owner using (true) with check (true);

create table akashi_auth.access_review_items (
  id uuid default gen_random_uuid() not null,
  review_id uuid not null,
  kind text not null,
  right_id uuid not null,
  user_id uuid,
  account_id uuid,
  title text not null,
  tier text not null,
  granted_at timestamp with time zone not null,
  constraint access_review_items_kind_check CHECK ((kind = ANY (ARRAY['user_role'::text, 'service_role'::text, 'api_key'::text]))),
  constraint access_review_items_pkey PRIMARY KEY (id),
  constraint access_review_items_review_id_fkey FOREIGN KEY (review_id) REFERENCES akashi_auth.access_reviews(id),
  constraint access_review_items_review_id_right_id_key UNIQUE (review_id, right_id),
  constraint access_review_items_tier_check CHECK ((tier = ANY (ARRAY['system'::text, 'business'::text, 'service'::text])))
);
alter table akashi_auth.access_review_items owner to akashi_owner;
comment on table akashi_auth.access_review_items is 'The rights that a review is about. No foreign keys to people: the record outlives the account.';
comment on column akashi_auth.access_review_items.right_id is 'The id in user_roles, service_account_roles or api_keys.';
comment on column akashi_auth.access_review_items.user_id is 'Who holds it; null for a service account.';
comment on column akashi_auth.access_review_items.title is 'The role, or the prefix of the key.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.access_review_items REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.access_review_items enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.access_review_items REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.access_review_items enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.access_review_items FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.access_review_items enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.access_review_items REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.access_review_items enable always trigger akashi_audit_update;
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_auth.access_review_items FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_auth.access_review_items enable always trigger refuse_change;
alter table akashi_auth.access_review_items enable row level security;
alter table akashi_auth.access_review_items force row level security;
create policy access_review_items_owner on akashi_auth.access_review_items for all to akashi_owner using (true) with check (true);

create table akashi_auth.access_reviews (
  id uuid default gen_random_uuid() not null,
  opened_at timestamp with time zone default clock_timestamp() not null,
  opened_by text not null,
  due_at timestamp with time zone not null,
  constraint access_reviews_check CHECK ((due_at > opened_at)),
  constraint access_reviews_pkey PRIMARY KEY (id)
);
alter table akashi_auth.access_reviews owner to akashi_owner;
comment on table akashi_auth.access_reviews is 'Reviews of who holds which role and key.';
comment on column akashi_auth.access_reviews.opened_by is 'Who opened it: the id of a user, system:…, operator:… or a login.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.access_reviews REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.access_reviews enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.access_reviews REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.access_reviews enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.access_reviews FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.access_reviews enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.access_reviews REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.access_reviews enable always trigger akashi_audit_update;
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_auth.access_reviews FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_auth.access_reviews enable always trigger refuse_change;
alter table akashi_auth.access_reviews enable row level security;
alter table akashi_auth.access_reviews force row level security;
create policy access_reviews_owner on akashi_auth.access_reviews for all to akashi_owner using (true) with check (true);

create table akashi_auth.api_keys (
  id uuid default gen_random_uuid() not null,
  name character varying(255) not null,
  key_hash character varying(255) not null,
  key_prefix character varying(10) not null,
  service_name character varying(255) not null,
  tier character varying(20) not null,
  permissions jsonb default '[]'::jsonb not null,
  user_id uuid,
  service_account_id uuid,
  replaces uuid,
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  is_active boolean default true not null,
  revoked_at timestamp with time zone,
  created_by uuid,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  last_modified_by text,
  constraint api_keys_created_by_fkey FOREIGN KEY (created_by) REFERENCES akashi_auth.users(id) ON DELETE SET NULL,
  constraint api_keys_key_hash_check CHECK (((key_hash)::text ~ '^[0-9a-f]{64}$'::text)),
  constraint api_keys_key_hash_key UNIQUE (key_hash),
  constraint api_keys_key_prefix_check CHECK (((key_prefix)::text ~ '^[0-9A-Za-z]{10}$'::text)),
  constraint api_keys_name_check CHECK (((name)::text <> ''::text)),
  constraint api_keys_owner_check CHECK ((num_nonnulls(user_id, service_account_id) = 1)),
  constraint api_keys_permissions_check CHECK ((jsonb_typeof(permissions) = 'array'::text)),
  constraint api_keys_pkey PRIMARY KEY (id),
  constraint api_keys_replaces_fkey FOREIGN KEY (replaces) REFERENCES akashi_auth.api_keys(id) ON DELETE SET NULL,
  constraint api_keys_revoked_check CHECK ((is_active = (revoked_at IS NULL))),
  constraint api_keys_service_account_id_fkey FOREIGN KEY (service_account_id) REFERENCES akashi_auth.service_accounts(id) ON DELETE CASCADE,
  constraint api_keys_service_name_check CHECK (((service_name)::text <> ''::text)),
  constraint api_keys_tier_check CHECK (((tier)::text = ANY ((ARRAY['system'::character varying, 'business'::character varying, 'service'::character varying])::text[]))),
  constraint api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_auth.api_keys owner to akashi_owner;
comment on table akashi_auth.api_keys is 'Keys of users and service accounts, by their hash: the key itself is shown once.';
comment on column akashi_auth.api_keys.key_hash is 'SHA-256 of the whole key, in hex; the key itself is shown once and not stored.';
comment on column akashi_auth.api_keys.key_prefix is 'The ten characters after akashi_: identifies the key; not a secret.';
comment on column akashi_auth.api_keys.permissions is 'Scopes as resource:action; at each use, only those count that the owner still has.';
comment on column akashi_auth.api_keys.replaces is 'The key that this one replaces after a rotation.';
comment on column akashi_auth.api_keys.last_used_at is 'Written in batches, so up to a minute late.';
CREATE INDEX api_keys_created_by_idx ON akashi_auth.api_keys USING btree (created_by) WHERE (created_by IS NOT NULL);
CREATE INDEX api_keys_expires_at_idx ON akashi_auth.api_keys USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE INDEX api_keys_key_prefix_idx ON akashi_auth.api_keys USING btree (key_prefix);
CREATE INDEX api_keys_replaces_idx ON akashi_auth.api_keys USING btree (replaces) WHERE (replaces IS NOT NULL);
CREATE INDEX api_keys_service_account_id_idx ON akashi_auth.api_keys USING btree (service_account_id) WHERE (service_account_id IS NOT NULL);
CREATE INDEX api_keys_service_name_idx ON akashi_auth.api_keys USING btree (service_name);
CREATE INDEX api_keys_user_id_idx ON akashi_auth.api_keys USING btree (user_id) WHERE (user_id IS NOT NULL);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.api_keys REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{last_used_at,updated_at,last_modified_by}', '{}', '{key_hash}');
alter table akashi_auth.api_keys enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.api_keys REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{last_used_at,updated_at,last_modified_by}', '{}', '{key_hash}');
alter table akashi_auth.api_keys enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.api_keys FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{last_used_at,updated_at,last_modified_by}', '{}', '{key_hash}');
alter table akashi_auth.api_keys enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.api_keys REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{last_used_at,updated_at,last_modified_by}', '{}', '{key_hash}');
alter table akashi_auth.api_keys enable always trigger akashi_audit_update;
CREATE TRIGGER keep_tier BEFORE UPDATE ON akashi_auth.api_keys FOR EACH ROW EXECUTE FUNCTION akashi_auth.keep_tier();
alter table akashi_auth.api_keys enable always trigger keep_tier;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.api_keys FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.api_keys enable row level security;
alter table akashi_auth.api_keys force row level security;
create policy api_keys_app on akashi_auth.api_keys for select to akashi_app using (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) OR ( SELECT akashi_auth.has_permission('api_keys:read'::text) AS has_permission)));
create policy api_keys_owner on akashi_auth.api_keys for all to akashi_owner using (true) with check (true);
create policy api_keys_policy on akashi_auth.api_keys for select to akashi_policy using (true);
create policy api_keys_staff on akashi_auth.api_keys for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.api_keys to akashi_policy;
grant select (id) on akashi_auth.api_keys to akashi_app;
grant select (id) on akashi_auth.api_keys to akashi_security_admin;
grant select (id) on akashi_auth.api_keys to akashi_worker;
grant select (name) on akashi_auth.api_keys to akashi_app;
grant select (name) on akashi_auth.api_keys to akashi_security_admin;
grant select (name) on akashi_auth.api_keys to akashi_worker;
grant select (key_prefix) on akashi_auth.api_keys to akashi_app;
grant select (key_prefix) on akashi_auth.api_keys to akashi_security_admin;
grant select (key_prefix) on akashi_auth.api_keys to akashi_worker;
grant select (service_name) on akashi_auth.api_keys to akashi_app;
grant select (service_name) on akashi_auth.api_keys to akashi_security_admin;
grant select (service_name) on akashi_auth.api_keys to akashi_worker;
grant select (tier) on akashi_auth.api_keys to akashi_app;
grant select (tier) on akashi_auth.api_keys to akashi_security_admin;
grant select (tier) on akashi_auth.api_keys to akashi_worker;
grant select (permissions) on akashi_auth.api_keys to akashi_app;
grant select (permissions) on akashi_auth.api_keys to akashi_security_admin;
grant select (permissions) on akashi_auth.api_keys to akashi_worker;
grant select (user_id) on akashi_auth.api_keys to akashi_app;
grant select (user_id) on akashi_auth.api_keys to akashi_security_admin;
grant select (user_id) on akashi_auth.api_keys to akashi_worker;
grant select (service_account_id) on akashi_auth.api_keys to akashi_app;
grant select (service_account_id) on akashi_auth.api_keys to akashi_security_admin;
grant select (service_account_id) on akashi_auth.api_keys to akashi_worker;
grant select (replaces) on akashi_auth.api_keys to akashi_app;
grant select (replaces) on akashi_auth.api_keys to akashi_security_admin;
grant select (replaces) on akashi_auth.api_keys to akashi_worker;
grant select (expires_at) on akashi_auth.api_keys to akashi_app;
grant select (expires_at) on akashi_auth.api_keys to akashi_security_admin;
grant select (expires_at) on akashi_auth.api_keys to akashi_worker;
grant select (last_used_at) on akashi_auth.api_keys to akashi_app;
grant select (last_used_at) on akashi_auth.api_keys to akashi_security_admin;
grant select (last_used_at) on akashi_auth.api_keys to akashi_worker;
grant select (is_active) on akashi_auth.api_keys to akashi_app;
grant select (is_active) on akashi_auth.api_keys to akashi_security_admin;
grant select (is_active) on akashi_auth.api_keys to akashi_worker;
grant select (revoked_at) on akashi_auth.api_keys to akashi_app;
grant select (revoked_at) on akashi_auth.api_keys to akashi_security_admin;
grant select (revoked_at) on akashi_auth.api_keys to akashi_worker;
grant select (created_by) on akashi_auth.api_keys to akashi_app;
grant select (created_by) on akashi_auth.api_keys to akashi_security_admin;
grant select (created_by) on akashi_auth.api_keys to akashi_worker;
grant select (created_at) on akashi_auth.api_keys to akashi_app;
grant select (created_at) on akashi_auth.api_keys to akashi_security_admin;
grant select (created_at) on akashi_auth.api_keys to akashi_worker;
grant select (updated_at) on akashi_auth.api_keys to akashi_app;
grant select (updated_at) on akashi_auth.api_keys to akashi_security_admin;
grant select (updated_at) on akashi_auth.api_keys to akashi_worker;
grant select (last_modified_by) on akashi_auth.api_keys to akashi_app;
grant select (last_modified_by) on akashi_auth.api_keys to akashi_security_admin;
grant select (last_modified_by) on akashi_auth.api_keys to akashi_worker;

create table akashi_auth.approval_confirmations (
  approval_id uuid not null,
  user_id uuid not null,
  confirmed_at timestamp with time zone default clock_timestamp() not null,
  constraint approval_confirmations_approval_id_fkey FOREIGN KEY (approval_id) REFERENCES akashi_auth.approvals(id) ON DELETE CASCADE,
  constraint approval_confirmations_pkey PRIMARY KEY (approval_id, user_id)
);
alter table akashi_auth.approval_confirmations owner to akashi_owner;
comment on table akashi_auth.approval_confirmations is 'Who approved a request. No foreign key to the person: the record outlives the account.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.approval_confirmations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{approval_id,user_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.approval_confirmations enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.approval_confirmations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{approval_id,user_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.approval_confirmations enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.approval_confirmations FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{approval_id,user_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.approval_confirmations enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.approval_confirmations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{approval_id,user_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.approval_confirmations enable always trigger akashi_audit_update;
alter table akashi_auth.approval_confirmations enable row level security;
alter table akashi_auth.approval_confirmations force row level security;
create policy approval_confirmations_app on akashi_auth.approval_confirmations for select to akashi_app using (( SELECT akashi_auth.has_permission('approvals:read'::text) AS has_permission));
create policy approval_confirmations_owner on akashi_auth.approval_confirmations for all to akashi_owner using (true) with check (true);
create policy approval_confirmations_staff on akashi_auth.approval_confirmations for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.approval_confirmations to akashi_app;
grant select on akashi_auth.approval_confirmations to akashi_security_admin;
grant select on akashi_auth.approval_confirmations to akashi_worker;

create table akashi_auth.approvals (
  id uuid default gen_random_uuid() not null,
  action text not null,
  target text default ''::text not null,
  detail jsonb default '{}'::jsonb not null,
  reason text not null,
  requested_by text not null,
  requested_at timestamp with time zone default clock_timestamp() not null,
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone,
  used_by text,
  withdrawn_at timestamp with time zone,
  withdrawn_by text,
  constraint approvals_action_check CHECK ((action = ANY (ARRAY['release_hold'::text, 'shorten_retention'::text, 'retire_rows'::text, 'prune_backups'::text, 'erase_person'::text, 'lower_approval'::text]))),
  constraint approvals_check CHECK (((used_at IS NULL) OR (withdrawn_at IS NULL))),
  constraint approvals_detail_check CHECK ((jsonb_typeof(detail) = 'object'::text)),
  constraint approvals_pkey PRIMARY KEY (id),
  constraint approvals_reason_check CHECK (((reason ~ '\S'::text) AND (reason !~ '[\x01-\x1f\x7f]'::text) AND (length(reason) <= 1000))),
  constraint approvals_target_check CHECK ((length(target) <= 255))
);
alter table akashi_auth.approvals owner to akashi_owner;
comment on table akashi_auth.approvals is 'Requests to approve an irreversible operation.';
comment on column akashi_auth.approvals.target is 'schema.table, the id of a user, or empty.';
comment on column akashi_auth.approvals.detail is 'For shorten_retention: total and at_expiry, as in a policy; empty for all others.';
comment on column akashi_auth.approvals.requested_by is 'The requester: the id of a user, service:NAME, operator:NAME, or a database login.';
comment on column akashi_auth.approvals.used_at is 'When the operation was carried out. Null for deletions of rows and backups, which continue until the approval expires.';
CREATE INDEX approvals_open_idx ON akashi_auth.approvals USING btree (action, target) WHERE ((used_at IS NULL) AND (withdrawn_at IS NULL));
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.approvals REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', 'id');
alter table akashi_auth.approvals enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.approvals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', 'id');
alter table akashi_auth.approvals enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.approvals FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', 'id');
alter table akashi_auth.approvals enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.approvals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', 'id');
alter table akashi_auth.approvals enable always trigger akashi_audit_update;
alter table akashi_auth.approvals enable row level security;
alter table akashi_auth.approvals force row level security;
create policy approvals_app on akashi_auth.approvals for select to akashi_app using (( SELECT akashi_auth.has_permission('approvals:read'::text) AS has_permission));
create policy approvals_owner on akashi_auth.approvals for all to akashi_owner using (true) with check (true);
create policy approvals_staff on akashi_auth.approvals for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.approvals to akashi_app;
grant select on akashi_auth.approvals to akashi_security_admin;
grant select on akashi_auth.approvals to akashi_worker;

create table akashi_auth.context_keys (
  id text not null,
  inner_key bytea not null,
  outer_key bytea not null,
  application text not null,
  login text,
  created_at timestamp with time zone default now() not null,
  expires_at timestamp with time zone,
  constraint context_keys_application_check CHECK ((application ~ '^[a-z][a-z0-9_-]{0,62}$'::text)),
  constraint context_keys_check CHECK (((application = 'akashi'::text) = (login IS NULL))),
  constraint context_keys_inner_key_check CHECK ((octet_length(inner_key) = 64)),
  constraint context_keys_login_check CHECK ((login <> ''::text)),
  constraint context_keys_outer_key_check CHECK ((octet_length(outer_key) = 64)),
  constraint context_keys_pkey PRIMARY KEY (id)
);
alter table akashi_auth.context_keys owner to akashi_owner;
comment on table akashi_auth.context_keys is 'Keys that verify a request context, as the two padded blocks of HMAC-SHA256 (RFC 2104), since the check runs in every audited statement.';
comment on column akashi_auth.context_keys.application is 'The application whose users the key signs for. Only users of akashi have permissions; the trail records the name in signed_by.';
comment on column akashi_auth.context_keys.login is 'The only login whose contexts the key verifies; null for the keys of akashi itself.';
comment on column akashi_auth.context_keys.expires_at is 'When a replaced key stops verifying new contexts; null for a key in use.';
alter table akashi_auth.context_keys enable row level security;
alter table akashi_auth.context_keys force row level security;
create policy context_keys_owner on akashi_auth.context_keys for all to akashi_owner using (true) with check (true);
create policy context_keys_verify on akashi_auth.context_keys for select to akashi_policy using (true);
grant select on akashi_auth.context_keys to akashi_policy;

create table akashi_auth.local_credentials (
  user_id uuid not null,
  password_hash text not null,
  must_change boolean default false not null,
  expires_at timestamp with time zone,
  changed_at timestamp with time zone default now() not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint local_credentials_password_hash_check CHECK ((password_hash ~ '^\$(argon2id|2[aby])\$'::text)),
  constraint local_credentials_pkey PRIMARY KEY (user_id),
  constraint local_credentials_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_auth.local_credentials owner to akashi_owner;
comment on table akashi_auth.local_credentials is 'The password of a local account, in its own table so that reading a user never reads it.';
comment on column akashi_auth.local_credentials.password_hash is 'argon2id in PHC form; bcrypt only until the next login.';
comment on column akashi_auth.local_credentials.expires_at is 'Expiry of a one-time password; null for a password that the person chose.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.local_credentials REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{user_id}', 'user_id', '{}', '{}', '{password_hash}');
alter table akashi_auth.local_credentials enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.local_credentials REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{user_id}', 'user_id', '{}', '{}', '{password_hash}');
alter table akashi_auth.local_credentials enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.local_credentials FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{user_id}', 'user_id', '{}', '{}', '{password_hash}');
alter table akashi_auth.local_credentials enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.local_credentials REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{user_id}', 'user_id', '{}', '{}', '{password_hash}');
alter table akashi_auth.local_credentials enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.local_credentials FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.local_credentials enable row level security;
alter table akashi_auth.local_credentials force row level security;
create policy local_credentials_owner on akashi_auth.local_credentials for all to akashi_owner using (true) with check (true);
create policy local_credentials_policy on akashi_auth.local_credentials for select to akashi_policy using (true);
create policy local_credentials_self on akashi_auth.local_credentials for select to akashi_app using ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy local_credentials_staff on akashi_auth.local_credentials for select to akashi_security_admin using (true);
grant select on akashi_auth.local_credentials to akashi_policy;
grant select (user_id) on akashi_auth.local_credentials to akashi_app;
grant select (user_id) on akashi_auth.local_credentials to akashi_security_admin;
grant select (must_change) on akashi_auth.local_credentials to akashi_app;
grant select (must_change) on akashi_auth.local_credentials to akashi_security_admin;
grant select (expires_at) on akashi_auth.local_credentials to akashi_app;
grant select (expires_at) on akashi_auth.local_credentials to akashi_security_admin;
grant select (changed_at) on akashi_auth.local_credentials to akashi_app;
grant select (changed_at) on akashi_auth.local_credentials to akashi_security_admin;
grant select (created_at) on akashi_auth.local_credentials to akashi_app;
grant select (created_at) on akashi_auth.local_credentials to akashi_security_admin;
grant select (updated_at) on akashi_auth.local_credentials to akashi_app;
grant select (updated_at) on akashi_auth.local_credentials to akashi_security_admin;

create table akashi_auth.login_attempts (
  id uuid default uuidv7() not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  seq bigint default nextval('akashi_auth.login_attempts_seq'::regclass) not null,
  xid xid8 default pg_current_xact_id() not null,
  salt bytea default uuid_send(gen_random_uuid()) not null,
  user_id uuid,
  issuer character varying(255),
  identifier_hash bytea,
  method character varying(20) not null,
  result character varying(20) not null,
  failure_reason character varying(50),
  counted boolean default true not null,
  ip_address inet,
  user_agent text,
  session_id uuid,
  request_id text,
  trace_id text,
  tenant_id text,
  constraint login_attempts_finite CHECK (isfinite(created_at)),
  constraint login_attempts_method_check CHECK (((method)::text = ANY ((ARRAY['password'::character varying, 'totp'::character varying, 'recovery_code'::character varying, 'passkey'::character varying, 'oidc'::character varying, 'bearer'::character varying])::text[]))),
  constraint login_attempts_pkey PRIMARY KEY (id, created_at),
  constraint login_attempts_result_check CHECK (((result)::text = ANY ((ARRAY['success'::character varying, 'partial'::character varying, 'failure'::character varying, 'denied'::character varying])::text[])))
) partition by RANGE (created_at);
alter table akashi_auth.login_attempts owner to akashi_owner;
comment on table akashi_auth.login_attempts is 'Append-only; sealed into the ledger login_attempts; kept 6 months.';
comment on column akashi_auth.login_attempts.identifier_hash is 'Keyed digest of the name that was typed, because it may be personal, or a password typed in the wrong field.';
comment on column akashi_auth.login_attempts.result is 'partial: the credential was correct but did not complete a sign-in: a second factor follows, or it was a step-up in a session. denied: refused before the credentials were checked, e.g. locked or not allowed by policy.';
comment on column akashi_auth.login_attempts.counted is 'Whether it counts towards a lockout; attempts denied by policy never do.';
CREATE INDEX login_attempts_identifier_idx ON ONLY akashi_auth.login_attempts USING btree (identifier_hash, created_at DESC) WHERE (identifier_hash IS NOT NULL);
CREATE INDEX login_attempts_ip_idx ON ONLY akashi_auth.login_attempts USING btree (ip_address, created_at DESC);
CREATE INDEX login_attempts_order_idx ON ONLY akashi_auth.login_attempts USING btree (xid, seq);
CREATE INDEX login_attempts_user_idx ON ONLY akashi_auth.login_attempts USING btree (user_id, created_at DESC) WHERE (user_id IS NOT NULL);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_auth.login_attempts FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_auth.login_attempts enable always trigger refuse_change;
alter table akashi_auth.login_attempts enable row level security;
alter table akashi_auth.login_attempts force row level security;
create policy login_attempts_app on akashi_auth.login_attempts for select to akashi_app using (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) OR ( SELECT akashi_auth.has_permission('audit_logs:read'::text) AS has_permission)));
create policy login_attempts_owner on akashi_auth.login_attempts for all to akashi_owner using (true) with check (true);
create policy login_attempts_policy on akashi_auth.login_attempts for select to akashi_policy using (true);
create policy login_attempts_staff on akashi_auth.login_attempts for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.login_attempts to akashi_app;
grant select on akashi_auth.login_attempts to akashi_policy;
grant select on akashi_auth.login_attempts to akashi_security_admin;
grant select on akashi_auth.login_attempts to akashi_worker;

create table akashi_auth.login_throttles (
  key bytea not null,
  failures integer default 0 not null,
  window_started timestamp with time zone default clock_timestamp() not null,
  locked_until timestamp with time zone,
  announced boolean default false not null,
  expires_at timestamp with time zone not null,
  constraint login_throttles_failures_check CHECK ((failures >= 0)),
  constraint login_throttles_key_check CHECK ((octet_length(key) = 32)),
  constraint login_throttles_pkey PRIMARY KEY (key)
);
alter table akashi_auth.login_throttles owner to akashi_owner;
comment on table akashi_auth.login_throttles is 'Short-lived counters; the record of each attempt is akashi_auth.login_attempts.';
comment on column akashi_auth.login_throttles.key is 'SHA-256 of the counted account or address.';
comment on column akashi_auth.login_throttles.announced is 'The event account_locked was recorded for this lock.';
CREATE INDEX login_throttles_expires_idx ON akashi_auth.login_throttles USING btree (expires_at);
alter table akashi_auth.login_throttles enable row level security;
alter table akashi_auth.login_throttles force row level security;
create policy login_throttles_owner on akashi_auth.login_throttles for all to akashi_owner using (true) with check (true);

create table akashi_auth.mfa_factors (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  factor_type character varying(20) default 'totp'::character varying not null,
  label character varying(100),
  secret bytea not null,
  last_used_step bigint default '-1'::integer not null,
  confirmed_at timestamp with time zone,
  last_used_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint mfa_factors_pkey PRIMARY KEY (id),
  constraint mfa_factors_secret_check CHECK ((octet_length(secret) > 0)),
  constraint mfa_factors_type_check CHECK (((factor_type)::text = 'totp'::text)),
  constraint mfa_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_auth.mfa_factors owner to akashi_owner;
comment on table akashi_auth.mfa_factors is 'Second factors of a user, with secrets encrypted under the person''s key.';
comment on column akashi_auth.mfa_factors.secret is 'Ciphertext under the person''s key, bound to table, column and row.';
comment on column akashi_auth.mfa_factors.last_used_step is 'Time step of the last accepted code; it only increases, so no code works twice.';
comment on column akashi_auth.mfa_factors.confirmed_at is 'When a code was first confirmed; before that the factor is not valid.';
CREATE INDEX mfa_factors_user_idx ON akashi_auth.mfa_factors USING btree (user_id);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.mfa_factors REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{last_used_step,last_used_at,updated_at,last_modified_by}', '{}', '{secret}');
alter table akashi_auth.mfa_factors enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.mfa_factors REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{last_used_step,last_used_at,updated_at,last_modified_by}', '{}', '{secret}');
alter table akashi_auth.mfa_factors enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.mfa_factors FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{last_used_step,last_used_at,updated_at,last_modified_by}', '{}', '{secret}');
alter table akashi_auth.mfa_factors enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.mfa_factors REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{last_used_step,last_used_at,updated_at,last_modified_by}', '{}', '{secret}');
alter table akashi_auth.mfa_factors enable always trigger akashi_audit_update;
CREATE TRIGGER keep_step BEFORE UPDATE ON akashi_auth.mfa_factors FOR EACH ROW EXECUTE FUNCTION akashi_auth.keep_step();
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.mfa_factors FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.mfa_factors enable row level security;
alter table akashi_auth.mfa_factors force row level security;
create policy mfa_factors_owner on akashi_auth.mfa_factors for all to akashi_owner using (true) with check (true);
create policy mfa_factors_policy on akashi_auth.mfa_factors for select to akashi_policy using (true);
create policy mfa_factors_self on akashi_auth.mfa_factors for all to akashi_app using ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id))) with check ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy mfa_factors_staff on akashi_auth.mfa_factors for select to akashi_security_admin using (true);
grant delete, insert, select on akashi_auth.mfa_factors to akashi_app;
grant select on akashi_auth.mfa_factors to akashi_policy;
grant select (id) on akashi_auth.mfa_factors to akashi_security_admin;
grant select (user_id) on akashi_auth.mfa_factors to akashi_security_admin;
grant select (factor_type) on akashi_auth.mfa_factors to akashi_security_admin;
grant update (label) on akashi_auth.mfa_factors to akashi_app;
grant select (label) on akashi_auth.mfa_factors to akashi_security_admin;
grant update (last_used_step) on akashi_auth.mfa_factors to akashi_app;
grant update (confirmed_at) on akashi_auth.mfa_factors to akashi_app;
grant select (confirmed_at) on akashi_auth.mfa_factors to akashi_security_admin;
grant update (last_used_at) on akashi_auth.mfa_factors to akashi_app;
grant select (last_used_at) on akashi_auth.mfa_factors to akashi_security_admin;
grant select (created_at) on akashi_auth.mfa_factors to akashi_security_admin;
grant select (updated_at) on akashi_auth.mfa_factors to akashi_security_admin;

create table akashi_auth.passkeys (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  credential_id bytea not null,
  public_key bytea not null,
  sign_count bigint default 0 not null,
  label character varying(100),
  backed_up boolean not null,
  last_used_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint passkeys_credential_id_check CHECK (((octet_length(credential_id) >= 1) AND (octet_length(credential_id) <= 1023))),
  constraint passkeys_credential_id_key UNIQUE (credential_id),
  constraint passkeys_pkey PRIMARY KEY (id),
  constraint passkeys_public_key_check CHECK (((octet_length(public_key) >= 1) AND (octet_length(public_key) <= 4096))),
  constraint passkeys_sign_count_check CHECK ((sign_count >= 0)),
  constraint passkeys_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_auth.passkeys owner to akashi_owner;
comment on table akashi_auth.passkeys is 'WebAuthn credentials of a user: a second factor, and for local accounts a way to sign in alone.';
comment on column akashi_auth.passkeys.credential_id is 'The id given by the authenticator.';
comment on column akashi_auth.passkeys.public_key is 'COSE key.';
comment on column akashi_auth.passkeys.sign_count is 'Signature counter of the authenticator; 0 if it has none. It only increases.';
comment on column akashi_auth.passkeys.backed_up is 'Whether it is synced to other devices of its owner.';
CREATE INDEX passkeys_user_idx ON akashi_auth.passkeys USING btree (user_id);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.passkeys REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{sign_count,last_used_at,updated_at,last_modified_by}', '{}', '{credential_id,public_key}');
alter table akashi_auth.passkeys enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.passkeys REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{sign_count,last_used_at,updated_at,last_modified_by}', '{}', '{credential_id,public_key}');
alter table akashi_auth.passkeys enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.passkeys FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{sign_count,last_used_at,updated_at,last_modified_by}', '{}', '{credential_id,public_key}');
alter table akashi_auth.passkeys enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.passkeys REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{sign_count,last_used_at,updated_at,last_modified_by}', '{}', '{credential_id,public_key}');
alter table akashi_auth.passkeys enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.passkeys FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.passkeys enable row level security;
alter table akashi_auth.passkeys force row level security;
create policy passkeys_owner on akashi_auth.passkeys for all to akashi_owner using (true) with check (true);
create policy passkeys_self on akashi_auth.passkeys for all to akashi_app using ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id))) with check ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy passkeys_staff on akashi_auth.passkeys for select to akashi_security_admin using (true);
grant delete, insert, select on akashi_auth.passkeys to akashi_app;
grant select (id) on akashi_auth.passkeys to akashi_security_admin;
grant select (user_id) on akashi_auth.passkeys to akashi_security_admin;
grant select (label) on akashi_auth.passkeys to akashi_security_admin;
grant select (backed_up) on akashi_auth.passkeys to akashi_security_admin;
grant select (last_used_at) on akashi_auth.passkeys to akashi_security_admin;
grant select (created_at) on akashi_auth.passkeys to akashi_security_admin;
grant select (updated_at) on akashi_auth.passkeys to akashi_security_admin;

create table akashi_auth.password_history (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  password_hash text not null,
  created_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  constraint password_history_password_hash_check CHECK ((password_hash ~ '^\$(argon2id|2[aby])\$'::text)),
  constraint password_history_pkey PRIMARY KEY (id),
  constraint password_history_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_auth.password_history owner to akashi_owner;
comment on table akashi_auth.password_history is 'Former passwords, so that policy can refuse their reuse.';
CREATE INDEX password_history_user_idx ON akashi_auth.password_history USING btree (user_id, created_at DESC);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.password_history REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{}', '{}', '{password_hash}');
alter table akashi_auth.password_history enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.password_history REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{}', '{}', '{password_hash}');
alter table akashi_auth.password_history enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.password_history FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{}', '{}', '{password_hash}');
alter table akashi_auth.password_history enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.password_history REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{}', '{}', '{password_hash}');
alter table akashi_auth.password_history enable always trigger akashi_audit_update;
alter table akashi_auth.password_history enable row level security;
alter table akashi_auth.password_history force row level security;
create policy password_history_owner on akashi_auth.password_history for all to akashi_owner using (true) with check (true);
create policy password_history_policy on akashi_auth.password_history for select to akashi_policy using (true);
grant select on akashi_auth.password_history to akashi_policy;

create table akashi_auth.permissions (
  id uuid default gen_random_uuid() not null,
  resource character varying(255) not null,
  action character varying(50) not null,
  description text,
  tier character varying(20) default 'system'::character varying not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint permissions_action_check CHECK (((action)::text = ANY ((ARRAY['read'::character varying, 'write'::character varying, 'delete'::character varying, 'admin'::character varying])::text[]))),
  constraint permissions_pkey PRIMARY KEY (id),
  constraint permissions_resource_action_key UNIQUE (resource, action),
  constraint permissions_resource_check CHECK (((resource)::text ~ '^[a-z][a-z0-9_]*$'::text)),
  constraint permissions_tier_check CHECK (((tier)::text = ANY ((ARRAY['system'::character varying, 'business'::character varying, 'service'::character varying])::text[])))
);
alter table akashi_auth.permissions owner to akashi_owner;
comment on table akashi_auth.permissions is 'Written resource:action; the action admin includes read, write and delete of its resource.';
comment on column akashi_auth.permissions.tier is 'The lowest tier of a role that may hold it.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.permissions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.permissions enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.permissions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.permissions enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.permissions FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.permissions enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.permissions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.permissions enable always trigger akashi_audit_update;
CREATE TRIGGER keep_tier BEFORE UPDATE ON akashi_auth.permissions FOR EACH ROW EXECUTE FUNCTION akashi_auth.keep_tier();
alter table akashi_auth.permissions enable always trigger keep_tier;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.permissions FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.permissions enable row level security;
alter table akashi_auth.permissions force row level security;
create policy permissions_owner on akashi_auth.permissions for all to akashi_owner using (true) with check (true);
create policy permissions_policy on akashi_auth.permissions for select to akashi_policy using (true);
create policy permissions_signed_in on akashi_auth.permissions for select to akashi_app using (((( SELECT akashi_auth.current_user_id() AS current_user_id) IS NOT NULL) OR (( SELECT akashi_auth.current_session_id() AS current_session_id) IS NOT NULL)));
create policy permissions_staff on akashi_auth.permissions for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.permissions to akashi_app;
grant select on akashi_auth.permissions to akashi_policy;
grant select on akashi_auth.permissions to akashi_reader;
grant select on akashi_auth.permissions to akashi_security_admin;
grant select on akashi_auth.permissions to akashi_worker;

create table akashi_auth.privacy_consents (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  purpose character varying(100) not null,
  decision character varying(20) not null,
  document_version character varying(50) not null,
  regulation character varying(20) not null,
  ip_address inet,
  user_agent text,
  created_at timestamp with time zone default clock_timestamp() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  constraint privacy_consents_decision_check CHECK (((decision)::text = ANY ((ARRAY['granted'::character varying, 'withdrawn'::character varying])::text[]))),
  constraint privacy_consents_document_version_check CHECK (((document_version)::text <> ''::text)),
  constraint privacy_consents_pkey PRIMARY KEY (id),
  constraint privacy_consents_purpose_check CHECK (((purpose)::text ~ '^[a-z][a-z0-9_]*$'::text)),
  constraint privacy_consents_regulation_check CHECK (((regulation)::text = ANY ((ARRAY['gdpr'::character varying, 'appi'::character varying, 'other'::character varying])::text[]))),
  constraint privacy_consents_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_auth.privacy_consents owner to akashi_owner;
comment on table akashi_auth.privacy_consents is 'Each row is one decision and is never changed.';
comment on column akashi_auth.privacy_consents.document_version is 'Version of the text that was agreed to.';
comment on column akashi_auth.privacy_consents.regulation is 'gdpr, or appi: Japan''s act on the protection of personal information.';
CREATE INDEX privacy_consents_user_idx ON akashi_auth.privacy_consents USING btree (user_id, purpose, created_at DESC);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.privacy_consents REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{}', '{ip_address}', '{user_agent}');
alter table akashi_auth.privacy_consents enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.privacy_consents REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{}', '{ip_address}', '{user_agent}');
alter table akashi_auth.privacy_consents enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.privacy_consents FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{}', '{ip_address}', '{user_agent}');
alter table akashi_auth.privacy_consents enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.privacy_consents REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{}', '{ip_address}', '{user_agent}');
alter table akashi_auth.privacy_consents enable always trigger akashi_audit_update;
alter table akashi_auth.privacy_consents enable row level security;
alter table akashi_auth.privacy_consents force row level security;
create policy privacy_consents_decide on akashi_auth.privacy_consents for insert to akashi_app with check ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy privacy_consents_owner on akashi_auth.privacy_consents for all to akashi_owner using (true) with check (true);
create policy privacy_consents_policy on akashi_auth.privacy_consents for select to akashi_policy using (true);
create policy privacy_consents_self on akashi_auth.privacy_consents for select to akashi_app using (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) OR ( SELECT akashi_auth.has_permission('users:read'::text) AS has_permission)));
create policy privacy_consents_staff on akashi_auth.privacy_consents for select to akashi_security_admin, akashi_worker using (true);
grant insert, select on akashi_auth.privacy_consents to akashi_app;
grant select on akashi_auth.privacy_consents to akashi_policy;
grant select on akashi_auth.privacy_consents to akashi_security_admin;
grant select on akashi_auth.privacy_consents to akashi_worker;

create table akashi_auth.recovery_codes (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  code_hash bytea not null,
  used_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  constraint recovery_codes_code_hash_check CHECK ((octet_length(code_hash) = 32)),
  constraint recovery_codes_code_hash_key UNIQUE (code_hash),
  constraint recovery_codes_pkey PRIMARY KEY (id),
  constraint recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_auth.recovery_codes owner to akashi_owner;
comment on table akashi_auth.recovery_codes is 'Single-use codes instead of a second factor, as SHA-256 of random codes.';
CREATE INDEX recovery_codes_user_idx ON akashi_auth.recovery_codes USING btree (user_id);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.recovery_codes REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{}', '{}', '{code_hash}');
alter table akashi_auth.recovery_codes enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.recovery_codes REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{}', '{}', '{code_hash}');
alter table akashi_auth.recovery_codes enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.recovery_codes FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{}', '{}', '{code_hash}');
alter table akashi_auth.recovery_codes enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.recovery_codes REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{id}', 'user_id', '{}', '{}', '{code_hash}');
alter table akashi_auth.recovery_codes enable always trigger akashi_audit_update;
alter table akashi_auth.recovery_codes enable row level security;
alter table akashi_auth.recovery_codes force row level security;
create policy recovery_codes_owner on akashi_auth.recovery_codes for all to akashi_owner using (true) with check (true);
create policy recovery_codes_policy on akashi_auth.recovery_codes for select to akashi_policy using (true);
create policy recovery_codes_self_make on akashi_auth.recovery_codes for insert to akashi_app with check (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) AND (used_at IS NULL)));
create policy recovery_codes_self_read on akashi_auth.recovery_codes for select to akashi_app using ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy recovery_codes_self_remove on akashi_auth.recovery_codes for delete to akashi_app using ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy recovery_codes_self_use on akashi_auth.recovery_codes for update to akashi_app using (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) AND (used_at IS NULL))) with check (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) AND (used_at IS NOT NULL)));
grant delete, insert, select on akashi_auth.recovery_codes to akashi_app;
grant select on akashi_auth.recovery_codes to akashi_policy;
grant update (used_at) on akashi_auth.recovery_codes to akashi_app;

create table akashi_auth.role_permissions (
  id uuid default gen_random_uuid() not null,
  role_id uuid not null,
  permission_id uuid not null,
  granted_at timestamp with time zone default now() not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint role_permissions_permission_id_fkey FOREIGN KEY (permission_id) REFERENCES akashi_auth.permissions(id) ON DELETE CASCADE,
  constraint role_permissions_pkey PRIMARY KEY (id),
  constraint role_permissions_role_id_fkey FOREIGN KEY (role_id) REFERENCES akashi_auth.roles(id) ON DELETE CASCADE,
  constraint role_permissions_role_id_permission_id_key UNIQUE (role_id, permission_id)
);
alter table akashi_auth.role_permissions owner to akashi_owner;
comment on table akashi_auth.role_permissions is 'Which permissions a role has.';
CREATE INDEX role_permissions_permission_id_idx ON akashi_auth.role_permissions USING btree (permission_id, role_id);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.role_permissions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.role_permissions enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.role_permissions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.role_permissions enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.role_permissions FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.role_permissions enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.role_permissions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.role_permissions enable always trigger akashi_audit_update;
CREATE TRIGGER check_role_permission BEFORE INSERT OR UPDATE ON akashi_auth.role_permissions FOR EACH ROW EXECUTE FUNCTION akashi_auth.check_role_permission();
alter table akashi_auth.role_permissions enable always trigger check_role_permission;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.role_permissions FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.role_permissions enable row level security;
alter table akashi_auth.role_permissions force row level security;
create policy role_permissions_owner on akashi_auth.role_permissions for all to akashi_owner using (true) with check (true);
create policy role_permissions_policy on akashi_auth.role_permissions for select to akashi_policy using (true);
create policy role_permissions_signed_in on akashi_auth.role_permissions for select to akashi_app using (((( SELECT akashi_auth.current_user_id() AS current_user_id) IS NOT NULL) OR (( SELECT akashi_auth.current_session_id() AS current_session_id) IS NOT NULL)));
create policy role_permissions_staff on akashi_auth.role_permissions for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.role_permissions to akashi_app;
grant select on akashi_auth.role_permissions to akashi_policy;
grant select on akashi_auth.role_permissions to akashi_reader;
grant select on akashi_auth.role_permissions to akashi_security_admin;
grant select on akashi_auth.role_permissions to akashi_worker;

create table akashi_auth.roles (
  id uuid default gen_random_uuid() not null,
  name character varying(100) not null,
  description text,
  tier character varying(20) not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint roles_name_check CHECK (((name)::text ~ '^[a-z][a-z0-9_]*$'::text)),
  constraint roles_name_key UNIQUE (name),
  constraint roles_pkey PRIMARY KEY (id),
  constraint roles_tier_check CHECK (((tier)::text = ANY ((ARRAY['system'::character varying, 'business'::character varying, 'service'::character varying])::text[])))
);
alter table akashi_auth.roles owner to akashi_owner;
comment on table akashi_auth.roles is 'Roles that users and service accounts may hold; the seeded ones are system roles.';
CREATE INDEX roles_tier_idx ON akashi_auth.roles USING btree (tier);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.roles REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.roles enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.roles REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.roles enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.roles FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.roles enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.roles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.roles enable always trigger akashi_audit_update;
CREATE TRIGGER keep_tier BEFORE UPDATE ON akashi_auth.roles FOR EACH ROW EXECUTE FUNCTION akashi_auth.keep_tier();
alter table akashi_auth.roles enable always trigger keep_tier;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.roles FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.roles enable row level security;
alter table akashi_auth.roles force row level security;
create policy roles_owner on akashi_auth.roles for all to akashi_owner using (true) with check (true);
create policy roles_policy on akashi_auth.roles for select to akashi_policy using (true);
create policy roles_signed_in on akashi_auth.roles for select to akashi_app using (((( SELECT akashi_auth.current_user_id() AS current_user_id) IS NOT NULL) OR (( SELECT akashi_auth.current_session_id() AS current_session_id) IS NOT NULL)));
create policy roles_staff on akashi_auth.roles for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.roles to akashi_app;
grant select on akashi_auth.roles to akashi_policy;
grant select on akashi_auth.roles to akashi_reader;
grant select on akashi_auth.roles to akashi_security_admin;
grant select on akashi_auth.roles to akashi_worker;

create table akashi_auth.security_policies (
  key text not null,
  category text generated always as (split_part(key, '.'::text, 1)) stored not null,
  value jsonb not null,
  default_value jsonb not null,
  value_type text not null,
  minimum bigint,
  maximum bigint,
  allowed text[],
  unit text,
  description text not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint security_policies_default_check CHECK (akashi_auth.policy_value_fits(default_value, value_type, minimum, maximum, allowed)),
  constraint security_policies_key_check CHECK ((key ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$'::text)),
  constraint security_policies_pkey PRIMARY KEY (key),
  constraint security_policies_value_check CHECK (akashi_auth.policy_value_fits(value, value_type, minimum, maximum, allowed)),
  constraint security_policies_value_type_check CHECK ((value_type = ANY (ARRAY['boolean'::text, 'integer'::text, 'text'::text, 'text[]'::text])))
);
alter table akashi_auth.security_policies owner to akashi_owner;
comment on table akashi_auth.security_policies is 'One row per rule; the defaults follow OWASP ASVS 5.0.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.security_policies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'key');
alter table akashi_auth.security_policies enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.security_policies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'key');
alter table akashi_auth.security_policies enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.security_policies FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'key');
alter table akashi_auth.security_policies enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.security_policies REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'key');
alter table akashi_auth.security_policies enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.security_policies FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.security_policies enable row level security;
alter table akashi_auth.security_policies force row level security;
create policy security_policies_owner on akashi_auth.security_policies for all to akashi_owner using (true) with check (true);
create policy security_policies_policy on akashi_auth.security_policies for select to akashi_policy using (true);
create policy security_policies_read on akashi_auth.security_policies for select to akashi_app, akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.security_policies to akashi_app;
grant select on akashi_auth.security_policies to akashi_policy;
grant select on akashi_auth.security_policies to akashi_reader;
grant select on akashi_auth.security_policies to akashi_security_admin;
grant select on akashi_auth.security_policies to akashi_worker;

create table akashi_auth.service_account_roles (
  id uuid default gen_random_uuid() not null,
  service_account_id uuid not null,
  role_id uuid not null,
  assigned_by uuid,
  assigned_at timestamp with time zone default now() not null,
  expires_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint service_account_roles_assigned_by_fkey FOREIGN KEY (assigned_by) REFERENCES akashi_auth.users(id) ON DELETE SET NULL,
  constraint service_account_roles_pkey PRIMARY KEY (id),
  constraint service_account_roles_role_id_fkey FOREIGN KEY (role_id) REFERENCES akashi_auth.roles(id) ON DELETE CASCADE,
  constraint service_account_roles_service_account_id_fkey FOREIGN KEY (service_account_id) REFERENCES akashi_auth.service_accounts(id) ON DELETE CASCADE,
  constraint service_account_roles_service_account_id_role_id_key UNIQUE (service_account_id, role_id)
);
alter table akashi_auth.service_account_roles owner to akashi_owner;
comment on table akashi_auth.service_account_roles is 'Roles of service accounts.';
CREATE INDEX service_account_roles_assigned_by_idx ON akashi_auth.service_account_roles USING btree (assigned_by) WHERE (assigned_by IS NOT NULL);
CREATE INDEX service_account_roles_role_id_idx ON akashi_auth.service_account_roles USING btree (role_id);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.service_account_roles REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.service_account_roles enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.service_account_roles REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.service_account_roles enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.service_account_roles FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.service_account_roles enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.service_account_roles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.service_account_roles enable always trigger akashi_audit_update;
CREATE TRIGGER check_service_role BEFORE INSERT OR UPDATE ON akashi_auth.service_account_roles FOR EACH ROW EXECUTE FUNCTION akashi_auth.check_service_role();
alter table akashi_auth.service_account_roles enable always trigger check_service_role;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.service_account_roles FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.service_account_roles enable row level security;
alter table akashi_auth.service_account_roles force row level security;
create policy service_account_roles_app on akashi_auth.service_account_roles for select to akashi_app using (( SELECT akashi_auth.has_permission('api_keys:read'::text) AS has_permission));
create policy service_account_roles_owner on akashi_auth.service_account_roles for all to akashi_owner using (true) with check (true);
create policy service_account_roles_policy on akashi_auth.service_account_roles for select to akashi_policy using (true);
create policy service_account_roles_staff on akashi_auth.service_account_roles for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.service_account_roles to akashi_app;
grant select on akashi_auth.service_account_roles to akashi_policy;
grant select on akashi_auth.service_account_roles to akashi_security_admin;
grant select on akashi_auth.service_account_roles to akashi_worker;

create table akashi_auth.service_accounts (
  id uuid default gen_random_uuid() not null,
  name character varying(255) not null,
  description text,
  tier character varying(20) default 'service'::character varying not null,
  is_active boolean default true not null,
  tenant_id character varying(255),
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint service_accounts_name_check CHECK (((name)::text ~ '^[a-z][a-z0-9_.-]*$'::text)),
  constraint service_accounts_name_key UNIQUE (name),
  constraint service_accounts_pkey PRIMARY KEY (id),
  constraint service_accounts_tier_check CHECK (((tier)::text = ANY ((ARRAY['system'::character varying, 'business'::character varying, 'service'::character varying])::text[])))
);
alter table akashi_auth.service_accounts owner to akashi_owner;
comment on table akashi_auth.service_accounts is 'Accounts of programs, with API keys only: no password and no sessions.';
comment on column akashi_auth.service_accounts.tier is 'The highest tier of the roles that it may have.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.service_accounts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.service_accounts enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.service_accounts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.service_accounts enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.service_accounts FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.service_accounts enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.service_accounts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_auth.service_accounts enable always trigger akashi_audit_update;
CREATE TRIGGER keep_tier BEFORE UPDATE ON akashi_auth.service_accounts FOR EACH ROW EXECUTE FUNCTION akashi_auth.keep_tier();
alter table akashi_auth.service_accounts enable always trigger keep_tier;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.service_accounts FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.service_accounts enable row level security;
alter table akashi_auth.service_accounts force row level security;
create policy service_accounts_app on akashi_auth.service_accounts for select to akashi_app using (( SELECT akashi_auth.has_permission('api_keys:read'::text) AS has_permission));
create policy service_accounts_owner on akashi_auth.service_accounts for all to akashi_owner using (true) with check (true);
create policy service_accounts_policy on akashi_auth.service_accounts for select to akashi_policy using (true);
create policy service_accounts_staff on akashi_auth.service_accounts for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.service_accounts to akashi_app;
grant select on akashi_auth.service_accounts to akashi_policy;
grant select on akashi_auth.service_accounts to akashi_security_admin;
grant select on akashi_auth.service_accounts to akashi_worker;

create table akashi_auth.user_roles (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  role_id uuid not null,
  assigned_by uuid,
  assigned_at timestamp with time zone default now() not null,
  expires_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint user_roles_assigned_by_fkey FOREIGN KEY (assigned_by) REFERENCES akashi_auth.users(id) ON DELETE SET NULL,
  constraint user_roles_pkey PRIMARY KEY (id),
  constraint user_roles_role_id_fkey FOREIGN KEY (role_id) REFERENCES akashi_auth.roles(id) ON DELETE CASCADE,
  constraint user_roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE,
  constraint user_roles_user_id_role_id_key UNIQUE (user_id, role_id)
);
alter table akashi_auth.user_roles owner to akashi_owner;
comment on table akashi_auth.user_roles is 'Roles of users, optionally with an expiry.';
comment on column akashi_auth.user_roles.expires_at is 'Null means no expiry; an expired role has no effect.';
CREATE INDEX user_roles_assigned_by_idx ON akashi_auth.user_roles USING btree (assigned_by) WHERE (assigned_by IS NOT NULL);
CREATE INDEX user_roles_role_id_idx ON akashi_auth.user_roles USING btree (role_id);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.user_roles REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.user_roles enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.user_roles REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.user_roles enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.user_roles FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.user_roles enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.user_roles REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_auth.user_roles enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.user_roles FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.user_roles enable row level security;
alter table akashi_auth.user_roles force row level security;
create policy user_roles_app on akashi_auth.user_roles for select to akashi_app using (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) OR ( SELECT akashi_auth.has_permission('roles:read'::text) AS has_permission)));
create policy user_roles_owner on akashi_auth.user_roles for all to akashi_owner using (true) with check (true);
create policy user_roles_policy on akashi_auth.user_roles for select to akashi_policy using (true);
create policy user_roles_staff on akashi_auth.user_roles for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.user_roles to akashi_app;
grant select on akashi_auth.user_roles to akashi_policy;
grant select on akashi_auth.user_roles to akashi_security_admin;
grant select on akashi_auth.user_roles to akashi_worker;

create table akashi_auth.user_sessions (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  room_id uuid,
  session_token_hash bytea not null,
  device_type character varying(50),
  user_agent text,
  ip_address inet,
  status character varying(20) default 'online'::character varying not null,
  last_activity timestamp with time zone default now() not null,
  expires_at timestamp with time zone not null,
  security_validated boolean default false not null,
  authentication_methods text[] default '{}'::text[] not null,
  authenticated_at timestamp with time zone default now() not null,
  revoked_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint user_sessions_pkey PRIMARY KEY (id),
  constraint user_sessions_session_token_hash_check CHECK ((octet_length(session_token_hash) = 32)),
  constraint user_sessions_session_token_hash_key UNIQUE (session_token_hash),
  constraint user_sessions_status_check CHECK (((status)::text = ANY ((ARRAY['online'::character varying, 'away'::character varying, 'offline'::character varying])::text[]))),
  constraint user_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_auth.user_sessions owner to akashi_owner;
comment on table akashi_auth.user_sessions is 'Sessions of signed-in users, by the hash of their token, with their presence.';
comment on column akashi_auth.user_sessions.room_id is 'The room on the screen; written by chat, no foreign key.';
comment on column akashi_auth.user_sessions.session_token_hash is 'SHA-256 of the token; the token itself is not stored.';
comment on column akashi_auth.user_sessions.expires_at is 'The absolute end; the idle limit counts from last_activity.';
comment on column akashi_auth.user_sessions.security_validated is 'Whether a second factor was used in this session.';
comment on column akashi_auth.user_sessions.authentication_methods is 'How the user authenticated, by the names of RFC 8176: pwd, otp, …';
comment on column akashi_auth.user_sessions.authenticated_at is 'When credentials were last given; a step-up renews it.';
CREATE INDEX user_sessions_activity_idx ON akashi_auth.user_sessions USING btree (last_activity);
CREATE INDEX user_sessions_expires_idx ON akashi_auth.user_sessions USING btree (expires_at);
CREATE INDEX user_sessions_room_idx ON akashi_auth.user_sessions USING btree (room_id, status);
CREATE INDEX user_sessions_user_idx ON akashi_auth.user_sessions USING btree (user_id, status);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.user_sessions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{status,room_id,last_activity,updated_at,last_modified_by}', '{}', '{session_token_hash}');
alter table akashi_auth.user_sessions enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.user_sessions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{status,room_id,last_activity,updated_at,last_modified_by}', '{}', '{session_token_hash}');
alter table akashi_auth.user_sessions enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.user_sessions FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{status,room_id,last_activity,updated_at,last_modified_by}', '{}', '{session_token_hash}');
alter table akashi_auth.user_sessions enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.user_sessions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'user_id', '{status,room_id,last_activity,updated_at,last_modified_by}', '{}', '{session_token_hash}');
alter table akashi_auth.user_sessions enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.user_sessions FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_auth.user_sessions enable row level security;
alter table akashi_auth.user_sessions force row level security;
create policy user_sessions_begin on akashi_auth.user_sessions for insert to akashi_app with check ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy user_sessions_change on akashi_auth.user_sessions for update to akashi_app using (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) AND (revoked_at IS NULL))) with check ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy user_sessions_expired on akashi_auth.user_sessions for delete to akashi_worker using ((expires_at < ( SELECT now() AS now)));
create policy user_sessions_owner on akashi_auth.user_sessions for all to akashi_owner using (true) with check (true);
create policy user_sessions_policy on akashi_auth.user_sessions for select to akashi_policy using (true);
create policy user_sessions_self on akashi_auth.user_sessions for select to akashi_app using (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) OR ( SELECT akashi_auth.has_permission('sessions:read'::text) AS has_permission)));
create policy user_sessions_staff on akashi_auth.user_sessions for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.user_sessions to akashi_policy;
grant delete on akashi_auth.user_sessions to akashi_worker;
grant insert, select (id) on akashi_auth.user_sessions to akashi_app;
grant select (id) on akashi_auth.user_sessions to akashi_security_admin;
grant select (id) on akashi_auth.user_sessions to akashi_worker;
grant insert, select (user_id) on akashi_auth.user_sessions to akashi_app;
grant select (user_id) on akashi_auth.user_sessions to akashi_security_admin;
grant select (user_id) on akashi_auth.user_sessions to akashi_worker;
grant select, update (room_id) on akashi_auth.user_sessions to akashi_app;
grant select (room_id) on akashi_auth.user_sessions to akashi_security_admin;
grant select (room_id) on akashi_auth.user_sessions to akashi_worker;
grant insert (session_token_hash) on akashi_auth.user_sessions to akashi_app;
grant insert, select (device_type) on akashi_auth.user_sessions to akashi_app;
grant select (device_type) on akashi_auth.user_sessions to akashi_security_admin;
grant select (device_type) on akashi_auth.user_sessions to akashi_worker;
grant insert, select (user_agent) on akashi_auth.user_sessions to akashi_app;
grant select (user_agent) on akashi_auth.user_sessions to akashi_security_admin;
grant select (user_agent) on akashi_auth.user_sessions to akashi_worker;
grant insert, select (ip_address) on akashi_auth.user_sessions to akashi_app;
grant select (ip_address) on akashi_auth.user_sessions to akashi_security_admin;
grant select (ip_address) on akashi_auth.user_sessions to akashi_worker;
grant insert, select, update (status) on akashi_auth.user_sessions to akashi_app;
grant select (status) on akashi_auth.user_sessions to akashi_security_admin;
grant select (status) on akashi_auth.user_sessions to akashi_worker;
grant select, update (last_activity) on akashi_auth.user_sessions to akashi_app;
grant select (last_activity) on akashi_auth.user_sessions to akashi_security_admin;
grant select (last_activity) on akashi_auth.user_sessions to akashi_worker;
grant insert, select (expires_at) on akashi_auth.user_sessions to akashi_app;
grant select (expires_at) on akashi_auth.user_sessions to akashi_security_admin;
grant select (expires_at) on akashi_auth.user_sessions to akashi_worker;
grant insert, select, update (security_validated) on akashi_auth.user_sessions to akashi_app;
grant select (security_validated) on akashi_auth.user_sessions to akashi_security_admin;
grant select (security_validated) on akashi_auth.user_sessions to akashi_worker;
grant insert, select, update (authentication_methods) on akashi_auth.user_sessions to akashi_app;
grant select (authentication_methods) on akashi_auth.user_sessions to akashi_security_admin;
grant select (authentication_methods) on akashi_auth.user_sessions to akashi_worker;
grant insert, select, update (authenticated_at) on akashi_auth.user_sessions to akashi_app;
grant select (authenticated_at) on akashi_auth.user_sessions to akashi_security_admin;
grant select (authenticated_at) on akashi_auth.user_sessions to akashi_worker;
grant select, update (revoked_at) on akashi_auth.user_sessions to akashi_app;
grant select (revoked_at) on akashi_auth.user_sessions to akashi_security_admin;
grant select (revoked_at) on akashi_auth.user_sessions to akashi_worker;
grant select (created_at) on akashi_auth.user_sessions to akashi_app;
grant select (created_at) on akashi_auth.user_sessions to akashi_security_admin;
grant select (created_at) on akashi_auth.user_sessions to akashi_worker;
grant select (updated_at) on akashi_auth.user_sessions to akashi_app;
grant select (updated_at) on akashi_auth.user_sessions to akashi_security_admin;
grant select (updated_at) on akashi_auth.user_sessions to akashi_worker;
grant select (created_by) on akashi_auth.user_sessions to akashi_app;
grant select (created_by) on akashi_auth.user_sessions to akashi_security_admin;
grant select (created_by) on akashi_auth.user_sessions to akashi_worker;
grant select (last_modified_by) on akashi_auth.user_sessions to akashi_app;
grant select (last_modified_by) on akashi_auth.user_sessions to akashi_security_admin;
grant select (last_modified_by) on akashi_auth.user_sessions to akashi_worker;

create table akashi_auth.users (
  id uuid default gen_random_uuid() not null,
  issuer character varying(255) default 'local'::character varying not null,
  subject character varying(255),
  username character varying(50) not null,
  display_name character varying(100),
  email character varying(255),
  avatar_url text,
  last_login_at timestamp with time zone,
  account_status character varying(20) default 'active'::character varying not null,
  is_active boolean generated always as (((account_status)::text = 'active'::text)) stored not null,
  is_deleted boolean generated always as (((account_status)::text = 'deleted'::text)) stored not null,
  tenant_id character varying(255),
  security_classification character varying(50) default 'internal'::character varying not null,
  data_residency character varying(50) default (akashi_lifecycle.setting('organisation.data_residency'::text) #>> '{}'::text[]) not null,
  compliance_tags jsonb default '{}'::jsonb not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  subject_encrypted bytea,
  subject_index bytea,
  email_encrypted bytea,
  email_index bytea,
  email_masked character varying(255),
  legal_hold text,
  credentials_replaced_at timestamp with time zone,
  constraint users_account_status_check CHECK (((account_status)::text = ANY ((ARRAY['active'::character varying, 'inactive'::character varying, 'suspended'::character varying, 'deleted'::character varying])::text[]))),
  constraint users_avatar_url_check CHECK ((length(avatar_url) <= 2048)),
  constraint users_compliance_tags_check CHECK ((jsonb_typeof(compliance_tags) = 'object'::text)),
  constraint users_display_name_check CHECK (((display_name)::text <> ''::text)),
  constraint users_email_check CHECK (((email)::text ~ '^[^\s@"(),:;<>\[\\\]]{1,64}@[^\s@"(),:;<>\[\\\]]+\.[^\s@"(),:;<>\[\\\].]{2,}$'::text)),
  constraint users_email_form_check CHECK ((((email IS NULL) OR (email_index IS NULL)) AND ((email_encrypted IS NULL) = (email_index IS NULL)) AND ((email_masked IS NULL) = (email_index IS NULL)) AND ((email IS NOT NULL) OR (email_index IS NOT NULL) OR ((account_status)::text = 'deleted'::text)))),
  constraint users_index_length_check CHECK (((octet_length(subject_index) = 32) AND (octet_length(email_index) = 32))),
  constraint users_issuer_check CHECK (((issuer)::text <> ''::text)),
  constraint users_issuer_email_key UNIQUE (issuer, email),
  constraint users_issuer_subject_key UNIQUE (issuer, subject),
  constraint users_legal_hold_check CHECK ((legal_hold <> ''::text)),
  constraint users_pkey PRIMARY KEY (id),
  constraint users_security_classification_check CHECK (((security_classification)::text = ANY ((ARRAY['public'::character varying, 'internal'::character varying, 'confidential'::character varying, 'restricted'::character varying])::text[]))),
  constraint users_subject_check CHECK (((subject)::text <> ''::text)),
  constraint users_subject_form_check CHECK ((((subject IS NULL) OR (subject_index IS NULL)) AND ((subject_encrypted IS NULL) = (subject_index IS NULL)) AND ((subject IS NOT NULL) OR (subject_index IS NOT NULL) OR ((account_status)::text = 'deleted'::text)))),
  constraint users_username_check CHECK (akashi_auth.username_fits((username)::text, (account_status)::text)),
  constraint users_username_key UNIQUE (username)
);
alter table akashi_auth.users owner to akashi_owner;
comment on table akashi_auth.users is 'One row per person and identity provider; local accounts have the issuer local.';
comment on column akashi_auth.users.subject is 'Plain only until it is encrypted; then null.';
comment on column akashi_auth.users.display_name is 'Null means the username.';
comment on column akashi_auth.users.email is 'Plain only until it is encrypted; then null.';
comment on column akashi_auth.users.tenant_id is 'A label for filters, grouping and retention; to isolate tenants, use one database for each.';
comment on column akashi_auth.users.subject_encrypted is 'AES-256-GCM under the person''s key, bound to table, column and row.';
comment on column akashi_auth.users.subject_index is 'Blind index of the subject: HMAC-SHA-256. Unique with the issuer.';
comment on column akashi_auth.users.email_encrypted is 'AES-256-GCM under the person''s key, bound to table, column and row.';
comment on column akashi_auth.users.email_index is 'Blind index of the e-mail in lowercase: HMAC-SHA-256. Unique with the issuer.';
comment on column akashi_auth.users.email_masked is 'Such as t***@example.com: what readers without keys see.';
comment on column akashi_auth.users.legal_hold is 'Why the person may not be erased at present; null if nothing prevents it.';
comment on column akashi_auth.users.credentials_replaced_at is 'When somebody else last gave the person a password, or removed their second factors.';
CREATE INDEX users_account_status_idx ON akashi_auth.users USING btree (account_status);
CREATE INDEX users_compliance_tags_idx ON akashi_auth.users USING gin (compliance_tags);
CREATE INDEX users_created_at_idx ON akashi_auth.users USING btree (created_at);
CREATE UNIQUE INDEX users_issuer_email_index_key ON akashi_auth.users USING btree (issuer, email_index);
CREATE UNIQUE INDEX users_issuer_subject_index_key ON akashi_auth.users USING btree (issuer, subject_index);
CREATE INDEX users_last_login_at_idx ON akashi_auth.users USING btree (last_login_at);
CREATE INDEX users_last_modified_by_idx ON akashi_auth.users USING btree (last_modified_by, updated_at);
CREATE INDEX users_names_idx ON akashi_auth.users USING gin (akashi_auth.ngrams(akashi_auth.fold_text((((username)::text || '
'::text) || (COALESCE(display_name, ''::character varying))::text)))) WHERE is_active;
CREATE INDEX users_plain_idx ON akashi_auth.users USING btree (id) WHERE ((subject IS NOT NULL) OR (email IS NOT NULL));
CREATE INDEX users_security_classification_idx ON akashi_auth.users USING btree (security_classification);
CREATE UNIQUE INDEX users_username_key_idx ON akashi_auth.users USING btree (akashi_auth.username_key((username)::text));
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_auth.users REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'id', '{updated_at,last_modified_by}', '{avatar_url,display_name,email,subject,username}', '{email_index,email_masked,subject_index}');
alter table akashi_auth.users enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_auth.users REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'id', '{updated_at,last_modified_by}', '{avatar_url,display_name,email,subject,username}', '{email_index,email_masked,subject_index}');
alter table akashi_auth.users enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_auth.users FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'id', '{updated_at,last_modified_by}', '{avatar_url,display_name,email,subject,username}', '{email_index,email_masked,subject_index}');
alter table akashi_auth.users enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_auth.users REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'id', '{updated_at,last_modified_by}', '{avatar_url,display_name,email,subject,username}', '{email_index,email_masked,subject_index}');
alter table akashi_auth.users enable always trigger akashi_audit_update;
CREATE TRIGGER keep_last_administrator BEFORE UPDATE ON akashi_auth.users FOR EACH ROW WHEN ((((old.account_status)::text = 'active'::text) AND ((new.account_status)::text <> 'active'::text))) EXECUTE FUNCTION akashi_auth.keep_last_administrator();
alter table akashi_auth.users enable always trigger keep_last_administrator;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_auth.users FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
CREATE TRIGGER users_security_event_trigger AFTER UPDATE ON akashi_auth.users FOR EACH ROW WHEN ((((old.security_classification)::text IS DISTINCT FROM (new.security_classification)::text) OR ((old.account_status)::text IS DISTINCT FROM (new.account_status)::text))) EXECUTE FUNCTION akashi_security.log_security_event();
alter table akashi_auth.users enable always trigger users_security_event_trigger;
alter table akashi_auth.users enable row level security;
alter table akashi_auth.users force row level security;
create policy users_app_read on akashi_auth.users for select to akashi_app using (( SELECT akashi_auth.has_permission('users:read'::text) AS has_permission));
create policy users_convert on akashi_auth.users for update to akashi_worker using (true) with check (true);
create policy users_owner on akashi_auth.users for all to akashi_owner using (true) with check (true);
create policy users_policy_read on akashi_auth.users for select to akashi_policy using (true);
create policy users_self_read on akashi_auth.users for select to akashi_app using ((id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy users_self_update on akashi_auth.users for update to akashi_app using ((id = ( SELECT akashi_auth.current_user_id() AS current_user_id))) with check ((id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy users_staff_read on akashi_auth.users for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_auth.users to akashi_app;
grant select on akashi_auth.users to akashi_policy;
grant select on akashi_auth.users to akashi_security_admin;
grant select on akashi_auth.users to akashi_worker;
grant update (subject) on akashi_auth.users to akashi_worker;
grant update (display_name) on akashi_auth.users to akashi_app;
grant update (email) on akashi_auth.users to akashi_worker;
grant update (avatar_url) on akashi_auth.users to akashi_app;
grant update (subject_encrypted) on akashi_auth.users to akashi_worker;
grant update (subject_index) on akashi_auth.users to akashi_worker;
grant update (email_encrypted) on akashi_auth.users to akashi_worker;
grant update (email_index) on akashi_auth.users to akashi_worker;
grant update (email_masked) on akashi_auth.users to akashi_worker;

create table akashi_chat.avatars (
  user_id uuid not null,
  id uuid default gen_random_uuid() not null,
  content bytea not null,
  created_at timestamp with time zone default now() not null,
  constraint avatars_content_check CHECK (((octet_length(content) >= 1) AND (octet_length(content) <= 131072))),
  constraint avatars_id_key UNIQUE (id),
  constraint avatars_pkey PRIMARY KEY (user_id),
  constraint avatars_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_chat.avatars owner to akashi_owner;
comment on table akashi_chat.avatars is 'The picture of each person who has one: WebP, square. Every picture has a new id, so that caches never show an earlier one.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.avatars REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id}', 'user_id', '{}', '{}', '{content}');
alter table akashi_chat.avatars enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.avatars REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id}', 'user_id', '{}', '{}', '{content}');
alter table akashi_chat.avatars enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.avatars FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id}', 'user_id', '{}', '{}', '{content}');
alter table akashi_chat.avatars enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.avatars REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id}', 'user_id', '{}', '{}', '{content}');
alter table akashi_chat.avatars enable always trigger akashi_audit_update;
alter table akashi_chat.avatars enable row level security;
alter table akashi_chat.avatars force row level security;
create policy avatars_owner on akashi_chat.avatars for all to akashi_owner using (true) with check (true);
create policy avatars_shown on akashi_chat.avatars for select to akashi_app using ((( SELECT akashi_auth.current_user_id() AS current_user_id) IS NOT NULL));
grant select on akashi_chat.avatars to akashi_app;

create table akashi_chat.favourite_rooms (
  user_id uuid not null,
  room_id uuid not null,
  created_at timestamp with time zone default now() not null,
  constraint favourite_rooms_pkey PRIMARY KEY (user_id, room_id),
  constraint favourite_rooms_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE,
  constraint favourite_rooms_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_chat.favourite_rooms owner to akashi_owner;
comment on table akashi_chat.favourite_rooms is 'Rooms at the top of a person''s list.';
alter table akashi_chat.favourite_rooms enable row level security;
alter table akashi_chat.favourite_rooms force row level security;
create policy favourite_rooms_mine on akashi_chat.favourite_rooms for select to akashi_app using ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy favourite_rooms_owner on akashi_chat.favourite_rooms for all to akashi_owner using (true) with check (true);
grant select on akashi_chat.favourite_rooms to akashi_app;

create table akashi_chat.file_uploads (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  room_id uuid not null,
  message_id uuid,
  original_name character varying(255) not null,
  file_name character varying(255) not null,
  file_size bigint not null,
  mime_type character varying(100) not null,
  file_path text not null,
  thumbnail_path text,
  sha256 text,
  width integer,
  height integer,
  received_at timestamp with time zone,
  upload_status character varying(20) default 'processing'::character varying not null,
  virus_scanned boolean default false not null,
  failure_reason character varying(100),
  is_deleted boolean default false not null,
  removed_at timestamp with time zone,
  security_classification character varying(50) default 'internal'::character varying not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint file_uploads_check CHECK ((((upload_status)::text <> 'completed'::text) OR virus_scanned)),
  constraint file_uploads_check1 CHECK ((((upload_status)::text = 'failed'::text) = (failure_reason IS NOT NULL))),
  constraint file_uploads_height_check CHECK ((height > 0)),
  constraint file_uploads_original_name_check CHECK (((original_name)::text <> ''::text)),
  constraint file_uploads_pkey PRIMARY KEY (id),
  constraint file_uploads_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE,
  constraint file_uploads_security_classification_check CHECK (((security_classification)::text = ANY ((ARRAY['public'::character varying, 'internal'::character varying, 'confidential'::character varying, 'restricted'::character varying])::text[]))),
  constraint file_uploads_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
  constraint file_uploads_size_check CHECK (((file_size >= 1) AND (file_size <= 104857600))),
  constraint file_uploads_upload_status_check CHECK (((upload_status)::text = ANY ((ARRAY['processing'::character varying, 'completed'::character varying, 'failed'::character varying])::text[]))),
  constraint file_uploads_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE,
  constraint file_uploads_width_check CHECK ((width > 0))
);
alter table akashi_chat.file_uploads owner to akashi_owner;
comment on table akashi_chat.file_uploads is 'Files of rooms; the bytes are in the object store under file_path. A file is completed only after it was scanned.';
comment on column akashi_chat.file_uploads.message_id is 'The message that it was sent with; without one only its uploader sees it.';
comment on column akashi_chat.file_uploads.file_name is 'The name under which it is stored; original_name is only displayed.';
comment on column akashi_chat.file_uploads.received_at is 'When all bytes were stored; from then on it is waiting to be scanned.';
comment on column akashi_chat.file_uploads.removed_at is 'When the bytes of a deleted file were removed from the object store.';
CREATE INDEX file_uploads_created_idx ON akashi_chat.file_uploads USING btree (created_at);
CREATE INDEX file_uploads_deleted_idx ON akashi_chat.file_uploads USING btree (updated_at) WHERE (is_deleted AND (removed_at IS NULL));
CREATE INDEX file_uploads_mime_idx ON akashi_chat.file_uploads USING btree (mime_type);
CREATE INDEX file_uploads_room_idx ON akashi_chat.file_uploads USING btree (room_id, created_at DESC, id DESC) WHERE (message_id IS NOT NULL);
CREATE INDEX file_uploads_status_idx ON akashi_chat.file_uploads USING btree (upload_status, created_at);
CREATE INDEX file_uploads_user_idx ON akashi_chat.file_uploads USING btree (user_id, created_at DESC);
CREATE INDEX file_uploads_waiting_idx ON akashi_chat.file_uploads USING btree (received_at) WHERE ((upload_status)::text = 'processing'::text);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.file_uploads REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{original_name}', '{}');
alter table akashi_chat.file_uploads enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.file_uploads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{original_name}', '{}');
alter table akashi_chat.file_uploads enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.file_uploads FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{original_name}', '{}');
alter table akashi_chat.file_uploads enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.file_uploads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{original_name}', '{}');
alter table akashi_chat.file_uploads enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_chat.file_uploads FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_chat.file_uploads enable row level security;
alter table akashi_chat.file_uploads force row level security;
create policy file_uploads_owner on akashi_chat.file_uploads for all to akashi_owner using (true) with check (true);
create policy file_uploads_shown on akashi_chat.file_uploads for select to akashi_app using (((NOT is_deleted) AND ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) OR ((message_id IS NOT NULL) AND ((upload_status)::text = 'completed'::text) AND (room_id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[]))))));
create policy file_uploads_staff on akashi_chat.file_uploads for select to akashi_security_admin using (true);
create policy file_uploads_worker on akashi_chat.file_uploads for select to akashi_worker using (true);
grant select on akashi_chat.file_uploads to akashi_app;
grant select on akashi_chat.file_uploads to akashi_security_admin;
grant select on akashi_chat.file_uploads to akashi_worker;

create table akashi_chat.message_edits (
  id uuid default gen_random_uuid() not null,
  message_id uuid not null,
  room_id uuid not null,
  edited_by uuid,
  kind character varying(10) not null,
  previous_content text not null,
  content_encrypted boolean default false not null,
  created_at timestamp with time zone default now() not null,
  constraint message_edits_check CHECK (((NOT content_encrypted) OR ((length(previous_content) >= 84) AND (previous_content ~ '^room1\.[0-9a-f-]{36}\.[A-Za-z0-9+/]+={0,2}$'::text)))),
  constraint message_edits_edited_by_fkey FOREIGN KEY (edited_by) REFERENCES akashi_auth.users(id) ON DELETE SET NULL,
  constraint message_edits_kind_check CHECK (((kind)::text = ANY ((ARRAY['edit'::character varying, 'delete'::character varying])::text[]))),
  constraint message_edits_pkey PRIMARY KEY (id),
  constraint message_edits_room_id_content_encrypted_fkey FOREIGN KEY (room_id, content_encrypted) REFERENCES akashi_chat.rooms(id, is_encrypted) ON DELETE CASCADE
);
alter table akashi_chat.message_edits owner to akashi_owner;
comment on table akashi_chat.message_edits is 'Earlier texts of messages. Members see them until the message is deleted; from then on only a security administrator does, with a reason.';
comment on column akashi_chat.message_edits.kind is 'edit: visible to members; delete: the message was deleted by or after it.';
CREATE INDEX message_edits_message_idx ON akashi_chat.message_edits USING btree (message_id, created_at);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.message_edits REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'edited_by', '{}', '{previous_content}', '{}');
alter table akashi_chat.message_edits enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.message_edits REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'edited_by', '{}', '{previous_content}', '{}');
alter table akashi_chat.message_edits enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.message_edits FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'edited_by', '{}', '{previous_content}', '{}');
alter table akashi_chat.message_edits enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.message_edits REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', 'edited_by', '{}', '{previous_content}', '{}');
alter table akashi_chat.message_edits enable always trigger akashi_audit_update;
alter table akashi_chat.message_edits enable row level security;
alter table akashi_chat.message_edits force row level security;
create policy message_edits_of_my_rooms on akashi_chat.message_edits for select to akashi_app using ((((kind)::text = 'edit'::text) AND (room_id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[]))));
create policy message_edits_owner on akashi_chat.message_edits for all to akashi_owner using (true) with check (true);
grant select on akashi_chat.message_edits to akashi_app;

create table akashi_chat.message_reactions (
  id uuid default gen_random_uuid() not null,
  message_id uuid not null,
  room_id uuid not null,
  user_id uuid not null,
  emoji character varying(32) not null,
  created_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  constraint message_reactions_emoji_check CHECK (((emoji)::text <> ''::text)),
  constraint message_reactions_message_id_user_id_emoji_key UNIQUE (message_id, user_id, emoji),
  constraint message_reactions_pkey PRIMARY KEY (id),
  constraint message_reactions_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE,
  constraint message_reactions_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_chat.message_reactions owner to akashi_owner;
comment on table akashi_chat.message_reactions is 'Who reacted to a message, once with each emoji.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.message_reactions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_chat.message_reactions enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.message_reactions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_chat.message_reactions enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.message_reactions FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_chat.message_reactions enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.message_reactions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table akashi_chat.message_reactions enable always trigger akashi_audit_update;
alter table akashi_chat.message_reactions enable row level security;
alter table akashi_chat.message_reactions force row level security;
create policy message_reactions_of_my_rooms on akashi_chat.message_reactions for select to akashi_app using ((room_id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[])));
create policy message_reactions_owner on akashi_chat.message_reactions for all to akashi_owner using (true) with check (true);
grant select on akashi_chat.message_reactions to akashi_app;

create table akashi_chat.messages (
  id uuid not null,
  room_id uuid not null,
  user_id uuid,
  sequence bigint not null,
  content text not null,
  message_type character varying(20) default 'text'::character varying not null,
  file_upload_id uuid,
  reply_to_id uuid,
  mentioned_user_ids uuid[] default '{}'::uuid[] not null,
  client_id uuid,
  is_edited boolean default false not null,
  is_deleted boolean default false not null,
  security_classification character varying(50) default 'internal'::character varying not null,
  content_encrypted boolean default false not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint messages_content_check CHECK ((is_deleted OR content_encrypted OR ((length(content) <= 4000) AND ((length(content) >= 1) OR ((message_type)::text = ANY ((ARRAY['image'::character varying, 'file'::character varying])::text[])))))),
  constraint messages_file_upload_id_fkey FOREIGN KEY (file_upload_id) REFERENCES akashi_chat.file_uploads(id) ON DELETE SET NULL,
  constraint messages_message_type_check CHECK (((message_type)::text = ANY ((ARRAY['text'::character varying, 'image'::character varying, 'file'::character varying, 'system'::character varying])::text[]))),
  constraint messages_pkey PRIMARY KEY (id, created_at),
  constraint messages_room_fkey FOREIGN KEY (room_id, content_encrypted) REFERENCES akashi_chat.rooms(id, is_encrypted) ON DELETE CASCADE,
  constraint messages_sealed_check CHECK (((NOT content_encrypted) OR (is_deleted AND (content = ''::text)) OR ((client_id IS NOT NULL) AND ((length(content) >= 84) AND (length(content) <= 21500)) AND (content ~ (('^room1\.'::text || (client_id)::text) || '\.[A-Za-z0-9+/]+={0,2}$'::text))))),
  constraint messages_security_classification_check CHECK (((security_classification)::text = ANY ((ARRAY['public'::character varying, 'internal'::character varying, 'confidential'::character varying, 'restricted'::character varying])::text[]))),
  constraint messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE SET NULL
) partition by RANGE (created_at);
alter table akashi_chat.messages owner to akashi_owner;
comment on table akashi_chat.messages is 'Messages; a deleted message keeps its place without its text.';
comment on column akashi_chat.messages.content is 'Empty if deleted; otherwise 1 to 4,000 characters, or none with a file. In an encrypted room the ciphertext, in base64.';
comment on column akashi_chat.messages.client_id is 'Chosen by the client: sending it again returns the same message.';
comment on column akashi_chat.messages.content_encrypted is 'Whether the room is encrypted.';
CREATE INDEX messages_client_idx ON ONLY akashi_chat.messages USING btree (client_id) WHERE (client_id IS NOT NULL);
CREATE INDEX messages_created_idx ON ONLY akashi_chat.messages USING btree (created_at DESC);
CREATE INDEX messages_file_idx ON ONLY akashi_chat.messages USING btree (file_upload_id) WHERE (file_upload_id IS NOT NULL);
CREATE INDEX messages_grams_idx ON ONLY akashi_chat.messages USING gin (akashi_auth.ngrams(akashi_auth.fold_text(content))) WHERE ((NOT is_deleted) AND ((message_type)::text <> 'system'::text) AND (NOT content_encrypted));
CREATE INDEX messages_reply_idx ON ONLY akashi_chat.messages USING btree (reply_to_id) WHERE (reply_to_id IS NOT NULL);
CREATE INDEX messages_room_created_idx ON ONLY akashi_chat.messages USING btree (room_id, created_at DESC);
CREATE INDEX messages_user_idx ON ONLY akashi_chat.messages USING btree (user_id, created_at DESC);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.messages REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id,created_at}', 'user_id', '{updated_at,last_modified_by}', '{content}', '{}');
alter table akashi_chat.messages enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.messages REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id,created_at}', 'user_id', '{updated_at,last_modified_by}', '{content}', '{}');
alter table akashi_chat.messages enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.messages FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id,created_at}', 'user_id', '{updated_at,last_modified_by}', '{content}', '{}');
alter table akashi_chat.messages enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.messages REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id,created_at}', 'user_id', '{updated_at,last_modified_by}', '{content}', '{}');
alter table akashi_chat.messages enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_chat.messages FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_chat.messages enable row level security;
alter table akashi_chat.messages force row level security;
create policy messages_of_my_rooms on akashi_chat.messages for select to akashi_app using ((room_id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[])));
create policy messages_owner on akashi_chat.messages for all to akashi_owner using (true) with check (true);
grant select on akashi_chat.messages to akashi_app;

create table akashi_chat.notifications (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  notification_type character varying(20) not null,
  room_id uuid not null,
  message_id uuid,
  actor_id uuid,
  delivery_status character varying(20) default 'pending'::character varying not null,
  delivered_at timestamp with time zone,
  read_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint notifications_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES akashi_auth.users(id) ON DELETE SET NULL,
  constraint notifications_delivery_status_check CHECK (((delivery_status)::text = ANY ((ARRAY['pending'::character varying, 'delivered'::character varying, 'failed'::character varying])::text[]))),
  constraint notifications_notification_type_check CHECK (((notification_type)::text = ANY ((ARRAY['mention'::character varying, 'reply'::character varying, 'message'::character varying, 'invitation'::character varying])::text[]))),
  constraint notifications_pkey PRIMARY KEY (id),
  constraint notifications_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE,
  constraint notifications_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_chat.notifications owner to akashi_owner;
comment on table akashi_chat.notifications is 'Announces that there is something to read, without its text: the message is read under its own policy.';
comment on column akashi_chat.notifications.delivery_status is 'pending until a client of the reader has fetched it; failed is reserved for deliveries through an external service.';
CREATE INDEX notifications_pending_idx ON akashi_chat.notifications USING btree (created_at) WHERE ((delivery_status)::text = 'pending'::text);
CREATE INDEX notifications_user_idx ON akashi_chat.notifications USING btree (user_id, created_at DESC);
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_chat.notifications FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_chat.notifications enable row level security;
alter table akashi_chat.notifications force row level security;
create policy notifications_deliver on akashi_chat.notifications for update to akashi_worker using (true) with check (true);
create policy notifications_mine on akashi_chat.notifications for select to akashi_app using ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy notifications_owner on akashi_chat.notifications for all to akashi_owner using (true) with check (true);
create policy notifications_read on akashi_chat.notifications for update to akashi_app using ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id))) with check ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy notifications_worker on akashi_chat.notifications for select to akashi_worker using (true);
grant select on akashi_chat.notifications to akashi_app;
grant select on akashi_chat.notifications to akashi_worker;
grant update (delivery_status) on akashi_chat.notifications to akashi_app;
grant update (delivery_status) on akashi_chat.notifications to akashi_worker;
grant update (delivered_at) on akashi_chat.notifications to akashi_app;
grant update (delivered_at) on akashi_chat.notifications to akashi_worker;
grant update (read_at) on akashi_chat.notifications to akashi_app;

create table akashi_chat.pinned_messages (
  room_id uuid not null,
  message_id uuid not null,
  pinned_by uuid,
  created_at timestamp with time zone default now() not null,
  constraint pinned_messages_pinned_by_fkey FOREIGN KEY (pinned_by) REFERENCES akashi_auth.users(id) ON DELETE SET NULL,
  constraint pinned_messages_pkey PRIMARY KEY (room_id, message_id),
  constraint pinned_messages_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE
);
alter table akashi_chat.pinned_messages owner to akashi_owner;
comment on table akashi_chat.pinned_messages is 'Messages pinned to a room by its members.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.pinned_messages REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{room_id,message_id}', 'pinned_by', '{}', '{}', '{}');
alter table akashi_chat.pinned_messages enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.pinned_messages REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{room_id,message_id}', 'pinned_by', '{}', '{}', '{}');
alter table akashi_chat.pinned_messages enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.pinned_messages FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{room_id,message_id}', 'pinned_by', '{}', '{}', '{}');
alter table akashi_chat.pinned_messages enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.pinned_messages REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{room_id,message_id}', 'pinned_by', '{}', '{}', '{}');
alter table akashi_chat.pinned_messages enable always trigger akashi_audit_update;
alter table akashi_chat.pinned_messages enable row level security;
alter table akashi_chat.pinned_messages force row level security;
create policy pinned_messages_of_my_rooms on akashi_chat.pinned_messages for select to akashi_app using ((room_id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[])));
create policy pinned_messages_owner on akashi_chat.pinned_messages for all to akashi_owner using (true) with check (true);
grant select on akashi_chat.pinned_messages to akashi_app;

create table akashi_chat.read_positions (
  room_id uuid not null,
  user_id uuid not null,
  message_id uuid not null,
  read_to timestamp with time zone not null,
  constraint read_positions_pkey PRIMARY KEY (user_id, room_id),
  constraint read_positions_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE,
  constraint read_positions_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
) with (fillfactor=70);
alter table akashi_chat.read_positions owner to akashi_owner;
comment on table akashi_chat.read_positions is 'How far each person has read each room.';
comment on column akashi_chat.read_positions.read_to is 'created_at of the last message read; later ones are unread.';
alter table akashi_chat.read_positions enable row level security;
alter table akashi_chat.read_positions force row level security;
create policy read_positions_mine on akashi_chat.read_positions for select to akashi_app using ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy read_positions_owner on akashi_chat.read_positions for all to akashi_owner using (true) with check (true);
grant select on akashi_chat.read_positions to akashi_app;

create table akashi_chat.room_events (
  room_id uuid not null,
  sequence bigint not null,
  event_type character varying(30) not null,
  message_id uuid,
  user_id uuid,
  detail jsonb default '{}'::jsonb not null,
  created_at timestamp with time zone default now() not null,
  constraint room_events_event_type_check CHECK (((event_type)::text = ANY ((ARRAY['message_created'::character varying, 'message_edited'::character varying, 'message_deleted'::character varying, 'reaction_added'::character varying, 'reaction_removed'::character varying, 'member_joined'::character varying, 'member_left'::character varying, 'member_changed'::character varying, 'room_changed'::character varying, 'room_deleted'::character varying])::text[]))),
  constraint room_events_pkey PRIMARY KEY (room_id, sequence),
  constraint room_events_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE
);
alter table akashi_chat.room_events owner to akashi_owner;
comment on table akashi_chat.room_events is 'The events of a room, in order: a client that lost its connection requests everything after its last sequence. Messages themselves are looked up; for older events the client reloads the history.';
comment on column akashi_chat.room_events.user_id is 'The person it is about: the member, or the person who reacted.';
CREATE INDEX room_events_created_at_idx ON akashi_chat.room_events USING brin (created_at);
alter table akashi_chat.room_events enable row level security;
alter table akashi_chat.room_events force row level security;
create policy room_events_of_mine on akashi_chat.room_events for select to akashi_app using ((room_id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[])));
create policy room_events_owner on akashi_chat.room_events for all to akashi_owner using (true) with check (true);
create policy room_events_worker on akashi_chat.room_events for select to akashi_worker using (true);
grant select on akashi_chat.room_events to akashi_app;
grant select on akashi_chat.room_events to akashi_worker;

create table akashi_chat.room_invitations (
  id uuid default gen_random_uuid() not null,
  room_id uuid not null,
  invited_user_id uuid not null,
  invited_by uuid,
  status character varying(20) default 'pending'::character varying not null,
  expires_at timestamp with time zone not null,
  responded_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint room_invitations_check CHECK ((((status)::text = 'pending'::text) = (responded_at IS NULL))),
  constraint room_invitations_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES akashi_auth.users(id) ON DELETE SET NULL,
  constraint room_invitations_invited_user_id_fkey FOREIGN KEY (invited_user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE,
  constraint room_invitations_pkey PRIMARY KEY (id),
  constraint room_invitations_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE,
  constraint room_invitations_status_check CHECK (((status)::text = ANY ((ARRAY['pending'::character varying, 'accepted'::character varying, 'declined'::character varying, 'revoked'::character varying])::text[])))
);
alter table akashi_chat.room_invitations owner to akashi_owner;
comment on table akashi_chat.room_invitations is 'Invitations. Each can be accepted or declined once, before expires_at.';
CREATE UNIQUE INDEX room_invitations_pending_idx ON akashi_chat.room_invitations USING btree (room_id, invited_user_id) WHERE ((status)::text = 'pending'::text);
CREATE INDEX room_invitations_user_idx ON akashi_chat.room_invitations USING btree (invited_user_id, status);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.room_invitations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'invited_user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.room_invitations enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.room_invitations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'invited_user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.room_invitations enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.room_invitations FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'invited_user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.room_invitations enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.room_invitations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'invited_user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.room_invitations enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_chat.room_invitations FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_chat.room_invitations enable row level security;
alter table akashi_chat.room_invitations force row level security;
create policy room_invitations_mine on akashi_chat.room_invitations for select to akashi_app using (((invited_user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) OR (room_id = ANY (( SELECT akashi_chat.my_managed_rooms() AS my_managed_rooms)::uuid[]))));
create policy room_invitations_owner on akashi_chat.room_invitations for all to akashi_owner using (true) with check (true);
create policy room_invitations_policy_read on akashi_chat.room_invitations for select to akashi_policy using (true);
create policy room_invitations_staff on akashi_chat.room_invitations for select to akashi_security_admin using (true);
grant select on akashi_chat.room_invitations to akashi_app;
grant select on akashi_chat.room_invitations to akashi_policy;
grant select on akashi_chat.room_invitations to akashi_security_admin;

create table akashi_chat.room_keys (
  room_id uuid not null,
  user_id uuid not null,
  is_encrypted boolean default true not null,
  wrapped bytea not null,
  created_at timestamp with time zone default now() not null,
  constraint room_keys_is_encrypted_check CHECK (is_encrypted),
  constraint room_keys_pkey PRIMARY KEY (room_id, user_id),
  constraint room_keys_room_id_is_encrypted_fkey FOREIGN KEY (room_id, is_encrypted) REFERENCES akashi_chat.rooms(id, is_encrypted) ON DELETE CASCADE,
  constraint room_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE,
  constraint room_keys_wrapped_check CHECK ((octet_length(wrapped) = 88))
);
alter table akashi_chat.room_keys owner to akashi_owner;
comment on table akashi_chat.room_keys is 'The key of an encrypted room, a copy for each member and invited person. Decrypting it requires the keys of the room and of the person, which are in the keyring.';
CREATE INDEX room_keys_user_idx ON akashi_chat.room_keys USING btree (user_id);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.room_keys REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{room_id,user_id}', 'user_id', '{}', '{}', '{wrapped}');
alter table akashi_chat.room_keys enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.room_keys REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{room_id,user_id}', 'user_id', '{}', '{}', '{wrapped}');
alter table akashi_chat.room_keys enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.room_keys FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{room_id,user_id}', 'user_id', '{}', '{}', '{wrapped}');
alter table akashi_chat.room_keys enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.room_keys REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('restricted', '{room_id,user_id}', 'user_id', '{}', '{}', '{wrapped}');
alter table akashi_chat.room_keys enable always trigger akashi_audit_update;
alter table akashi_chat.room_keys enable row level security;
alter table akashi_chat.room_keys force row level security;
create policy room_keys_mine on akashi_chat.room_keys for select to akashi_app using (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) AND (room_id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[]))));
create policy room_keys_owner on akashi_chat.room_keys for all to akashi_owner using (true) with check (true);
grant select on akashi_chat.room_keys to akashi_app;

create table akashi_chat.room_members (
  id uuid default gen_random_uuid() not null,
  room_id uuid not null,
  user_id uuid not null,
  role character varying(20) default 'member'::character varying not null,
  notification_level character varying(20) default 'mentions'::character varying not null,
  joined_at timestamp with time zone default now() not null,
  left_at timestamp with time zone,
  removed_at timestamp with time zone,
  banned_at timestamp with time zone,
  is_active boolean default true not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint room_members_check CHECK ((is_active = (left_at IS NULL))),
  constraint room_members_check1 CHECK (((removed_at IS NULL) OR (NOT is_active))),
  constraint room_members_check2 CHECK (((banned_at IS NULL) OR (NOT is_active))),
  constraint room_members_notification_level_check CHECK (((notification_level)::text = ANY ((ARRAY['all'::character varying, 'mentions'::character varying, 'none'::character varying])::text[]))),
  constraint room_members_pkey PRIMARY KEY (id),
  constraint room_members_role_check CHECK (((role)::text = ANY ((ARRAY['owner'::character varying, 'admin'::character varying, 'member'::character varying])::text[]))),
  constraint room_members_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE,
  constraint room_members_room_id_user_id_key UNIQUE (room_id, user_id),
  constraint room_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_chat.room_members owner to akashi_owner;
comment on table akashi_chat.room_members is 'Who is or was in a room, with their role.';
comment on column akashi_chat.room_members.removed_at is 'When somebody else removed the person, who can return only by a new invitation.';
comment on column akashi_chat.room_members.banned_at is 'Since when the person is banned, and cannot be invited until the ban is lifted.';
CREATE INDEX room_members_role_idx ON akashi_chat.room_members USING btree (room_id, role);
CREATE INDEX room_members_room_idx ON akashi_chat.room_members USING btree (room_id, is_active);
CREATE INDEX room_members_user_idx ON akashi_chat.room_members USING btree (user_id, is_active);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.room_members REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.room_members enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.room_members REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.room_members enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.room_members FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.room_members enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.room_members REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.room_members enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_chat.room_members FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_chat.room_members enable row level security;
alter table akashi_chat.room_members force row level security;
create policy room_members_of_mine on akashi_chat.room_members for select to akashi_app using (((room_id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[])) OR (user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id))));
create policy room_members_owner on akashi_chat.room_members for all to akashi_owner using (true) with check (true);
create policy room_members_policy_read on akashi_chat.room_members for select to akashi_policy using (true);
create policy room_members_staff on akashi_chat.room_members for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_chat.room_members to akashi_app;
grant select on akashi_chat.room_members to akashi_policy;
grant select on akashi_chat.room_members to akashi_security_admin;
grant select on akashi_chat.room_members to akashi_worker;

create table akashi_chat.room_sequences (
  room_id uuid not null,
  last_sequence bigint default 0 not null,
  last_message_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  constraint room_sequences_pkey PRIMARY KEY (room_id),
  constraint room_sequences_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE
) with (fillfactor=50);
alter table akashi_chat.room_sequences owner to akashi_owner;
comment on table akashi_chat.room_sequences is 'The row that is locked to order the events of a room. Separate from akashi_chat.rooms, so that a message writes no audit row for the room.';
alter table akashi_chat.room_sequences enable row level security;
alter table akashi_chat.room_sequences force row level security;
create policy room_sequences_of_mine on akashi_chat.room_sequences for select to akashi_app using ((room_id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[])));
create policy room_sequences_owner on akashi_chat.room_sequences for all to akashi_owner using (true) with check (true);
create policy room_sequences_worker on akashi_chat.room_sequences for select to akashi_worker using (true);
grant select on akashi_chat.room_sequences to akashi_app;
grant select on akashi_chat.room_sequences to akashi_worker;

create table akashi_chat.rooms (
  id uuid default gen_random_uuid() not null,
  name character varying(100) not null,
  description text,
  room_type character varying(20) default 'public'::character varying not null,
  max_members integer default 100 not null,
  direct_key text,
  created_by uuid,
  is_encrypted boolean default false not null,
  key_destroyed_at timestamp with time zone,
  is_active boolean default true not null,
  is_deleted boolean default false not null,
  security_classification character varying(50) default 'internal'::character varying not null,
  compliance_tags jsonb default '{}'::jsonb not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  last_modified_by character varying(255),
  constraint rooms_check CHECK ((((room_type)::text = ANY ((ARRAY['direct'::character varying, 'group'::character varying])::text[])) = (direct_key IS NOT NULL))),
  constraint rooms_check1 CHECK (((NOT is_encrypted) OR ((room_type)::text = 'private'::text))),
  constraint rooms_check2 CHECK (((key_destroyed_at IS NULL) OR (is_encrypted AND is_deleted))),
  constraint rooms_compliance_tags_check CHECK ((jsonb_typeof(compliance_tags) = 'object'::text)),
  constraint rooms_created_by_fkey FOREIGN KEY (created_by) REFERENCES akashi_auth.users(id) ON DELETE SET NULL,
  constraint rooms_description_check CHECK (((length(description) >= 1) AND (length(description) <= 2000))),
  constraint rooms_direct_key_key UNIQUE (direct_key),
  constraint rooms_id_is_encrypted_key UNIQUE (id, is_encrypted),
  constraint rooms_max_members_check CHECK (((max_members >= 1) AND (max_members <= 1000))),
  constraint rooms_name_check CHECK (((length((name)::text) >= 1) AND (length((name)::text) <= 100))),
  constraint rooms_pkey PRIMARY KEY (id),
  constraint rooms_room_type_check CHECK (((room_type)::text = ANY ((ARRAY['public'::character varying, 'private'::character varying, 'direct'::character varying, 'group'::character varying])::text[]))),
  constraint rooms_security_classification_check CHECK (((security_classification)::text = ANY ((ARRAY['public'::character varying, 'internal'::character varying, 'confidential'::character varying, 'restricted'::character varying])::text[])))
);
alter table akashi_chat.rooms owner to akashi_owner;
comment on table akashi_chat.rooms is 'A conversation: public (anybody signed in may join), private (by invitation), direct (two people) or group (three to eight people, always the same).';
comment on column akashi_chat.rooms.direct_key is 'The user ids of a direct room or group in order: one room for the same people.';
comment on column akashi_chat.rooms.is_encrypted is 'Its messages are stored as ciphertext under a key of the room; decided when the room is created.';
comment on column akashi_chat.rooms.key_destroyed_at is 'When the key of a deleted encrypted room was destroyed in the keyring.';
comment on column akashi_chat.rooms.is_active is 'False: archived; it can be read but no longer written to.';
CREATE INDEX rooms_created_at_idx ON akashi_chat.rooms USING btree (created_at);
CREATE INDEX rooms_created_by_idx ON akashi_chat.rooms USING btree (created_by);
CREATE INDEX rooms_names_idx ON akashi_chat.rooms USING gin (akashi_auth.ngrams(akashi_auth.fold_text((((name)::text || '
'::text) || COALESCE(description, ''::text))))) WHERE (((room_type)::text = 'public'::text) AND is_active AND (NOT is_deleted));
CREATE INDEX rooms_type_idx ON akashi_chat.rooms USING btree (room_type, is_active, is_deleted);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.rooms REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.rooms enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.rooms REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.rooms enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.rooms FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.rooms enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.rooms REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.rooms enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_chat.rooms FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_chat.rooms enable row level security;
alter table akashi_chat.rooms force row level security;
create policy rooms_owner on akashi_chat.rooms for all to akashi_owner using (true) with check (true);
create policy rooms_policy_read on akashi_chat.rooms for select to akashi_policy using (true);
create policy rooms_staff on akashi_chat.rooms for select to akashi_security_admin, akashi_worker using (true);
create policy rooms_visible on akashi_chat.rooms for select to akashi_app using (((NOT is_deleted) AND ((id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[])) OR (id = ANY (( SELECT akashi_chat.my_invited_rooms() AS my_invited_rooms)::uuid[])) OR (((room_type)::text = 'public'::text) AND (( SELECT akashi_auth.current_user_id() AS current_user_id) IS NOT NULL) AND ( SELECT akashi_auth.key_permits('rooms:read'::text) AS key_permits)) OR (((room_type)::text <> ALL (ARRAY['direct'::text, 'group'::text])) AND ( SELECT akashi_auth.has_permission('rooms:admin'::text) AS has_permission)))));
grant select on akashi_chat.rooms to akashi_app;
grant select on akashi_chat.rooms to akashi_policy;
grant select on akashi_chat.rooms to akashi_security_admin;
grant select on akashi_chat.rooms to akashi_worker;

create table akashi_chat.saved_messages (
  user_id uuid not null,
  message_id uuid not null,
  room_id uuid not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint saved_messages_pkey PRIMARY KEY (user_id, message_id),
  constraint saved_messages_room_id_fkey FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE,
  constraint saved_messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_chat.saved_messages owner to akashi_owner;
comment on table akashi_chat.saved_messages is 'Messages that a person saved for later. Shown only while the person is a member of the room.';
CREATE INDEX saved_messages_newest_idx ON akashi_chat.saved_messages USING btree (user_id, created_at DESC, message_id);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.saved_messages REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id,message_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_chat.saved_messages enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.saved_messages REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id,message_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_chat.saved_messages enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.saved_messages FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id,message_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_chat.saved_messages enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.saved_messages REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id,message_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_chat.saved_messages enable always trigger akashi_audit_update;
alter table akashi_chat.saved_messages enable row level security;
alter table akashi_chat.saved_messages force row level security;
create policy saved_messages_mine on akashi_chat.saved_messages for select to akashi_app using (((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) AND (room_id = ANY (( SELECT akashi_chat.my_rooms() AS my_rooms)::uuid[]))));
create policy saved_messages_owner on akashi_chat.saved_messages for all to akashi_owner using (true) with check (true);
grant select on akashi_chat.saved_messages to akashi_app;

create table akashi_chat.user_preferences (
  user_id uuid not null,
  locale character varying(10),
  time_zone character varying(64) default (akashi_lifecycle.setting('organisation.time_zone'::text) #>> '{}'::text[]) not null,
  theme character varying(10) default 'auto'::character varying not null,
  show_presence boolean default true not null,
  direct_messages character varying(20) default 'everyone'::character varying not null,
  notify_mentions boolean default true not null,
  notify_replies boolean default true not null,
  notify_invitations boolean default true not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint user_preferences_direct_messages_check CHECK (((direct_messages)::text = ANY ((ARRAY['everyone'::character varying, 'shared_rooms'::character varying, 'nobody'::character varying])::text[]))),
  constraint user_preferences_locale_check CHECK (((locale)::text = ANY ((ARRAY['ja'::character varying, 'en'::character varying])::text[]))),
  constraint user_preferences_pkey PRIMARY KEY (user_id),
  constraint user_preferences_theme_check CHECK (((theme)::text = ANY ((ARRAY['auto'::character varying, 'light'::character varying, 'dark'::character varying])::text[]))),
  constraint user_preferences_user_id_fkey FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE
);
alter table akashi_chat.user_preferences owner to akashi_owner;
comment on table akashi_chat.user_preferences is 'How each person wants the application: language, theme, presence, notifications.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_chat.user_preferences REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.user_preferences enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_chat.user_preferences REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.user_preferences enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_chat.user_preferences FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.user_preferences enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_chat.user_preferences REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{user_id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_chat.user_preferences enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_chat.user_preferences FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_chat.user_preferences enable row level security;
alter table akashi_chat.user_preferences force row level security;
create policy user_preferences_mine on akashi_chat.user_preferences for all to akashi_app using ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id))) with check ((user_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy user_preferences_owner on akashi_chat.user_preferences for all to akashi_owner using (true) with check (true);
grant select on akashi_chat.user_preferences to akashi_app;
grant insert (user_id) on akashi_chat.user_preferences to akashi_app;
grant insert, update (locale) on akashi_chat.user_preferences to akashi_app;
grant insert, update (time_zone) on akashi_chat.user_preferences to akashi_app;
grant insert, update (theme) on akashi_chat.user_preferences to akashi_app;
grant insert, update (show_presence) on akashi_chat.user_preferences to akashi_app;
grant insert, update (direct_messages) on akashi_chat.user_preferences to akashi_app;
grant insert, update (notify_mentions) on akashi_chat.user_preferences to akashi_app;
grant insert, update (notify_replies) on akashi_chat.user_preferences to akashi_app;
grant insert, update (notify_invitations) on akashi_chat.user_preferences to akashi_app;

create table akashi_keys.digest_salts (
  data_subject text not null,
  salt bytea default (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) not null,
  created_at timestamp with time zone default now() not null,
  constraint digest_salts_pkey PRIMARY KEY (data_subject)
);
alter table akashi_keys.digest_salts owner to akashi_owner;
comment on table akashi_keys.digest_salts is 'Salts of digested values, one per person: without the salt, the value of a digest cannot be found even by guessing. Erasing a person deletes their salt. The empty subject is for rows without a data subject.';
alter table akashi_keys.digest_salts enable row level security;
alter table akashi_keys.digest_salts force row level security;
create policy digest_salts_owner on akashi_keys.digest_salts for all to akashi_owner using (true) with check (true);

create table akashi_keys.erasures (
  user_id uuid not null,
  key_id text not null,
  requested_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text) not null,
  requested_at timestamp with time zone default now() not null,
  reason text not null,
  columns jsonb not null,
  salts integer default 0 not null,
  completed_at timestamp with time zone,
  certificate text,
  constraint erasures_check CHECK (((completed_at IS NULL) = (certificate IS NULL))),
  constraint erasures_pkey PRIMARY KEY (user_id),
  constraint erasures_reason_check CHECK (((reason <> ''::text) AND (length(reason) <= 1000)))
);
alter table akashi_keys.erasures owner to akashi_owner;
comment on table akashi_keys.erasures is 'People whose key was destroyed. No foreign key: the record outlives the account.';
comment on column akashi_keys.erasures.columns is 'The personal columns with counts of their values when the erasure began.';
comment on column akashi_keys.erasures.salts is 'Number of salts that were destroyed.';
comment on column akashi_keys.erasures.certificate is 'Signed note (C2SP signed-note) that lists what became unreadable and what remains.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_keys.erasures REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{user_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_keys.erasures enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_keys.erasures REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{user_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_keys.erasures enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_keys.erasures FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{user_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_keys.erasures enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_keys.erasures REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{user_id}', 'user_id', '{}', '{}', '{}');
alter table akashi_keys.erasures enable always trigger akashi_audit_update;
CREATE TRIGGER erase_chat AFTER INSERT OR UPDATE OF columns ON akashi_keys.erasures FOR EACH ROW WHEN ((new.completed_at IS NULL)) EXECUTE FUNCTION akashi_chat.erase_with_person();
alter table akashi_keys.erasures enable row level security;
alter table akashi_keys.erasures force row level security;
create policy erasures_app on akashi_keys.erasures for select to akashi_app using (( SELECT akashi_auth.has_permission('keys:read'::text) AS has_permission));
create policy erasures_owner on akashi_keys.erasures for all to akashi_owner using (true) with check (true);
create policy erasures_staff on akashi_keys.erasures for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_keys.erasures to akashi_app;
grant select on akashi_keys.erasures to akashi_security_admin;
grant select on akashi_keys.erasures to akashi_worker;

create table akashi_keys.personal_columns (
  schema_name text not null,
  table_name text not null,
  column_name text not null,
  person_column text not null,
  form text not null,
  at_erasure text not null,
  until text,
  created_at timestamp with time zone default now() not null,
  constraint personal_columns_at_erasure_check CHECK ((at_erasure = ANY (ARRAY['shredded'::text, 'cleared'::text, 'deleted'::text, 'replaced'::text, 'kept'::text]))),
  constraint personal_columns_check CHECK (((at_erasure = 'kept'::text) = (until IS NOT NULL))),
  constraint personal_columns_check1 CHECK (((at_erasure <> 'shredded'::text) OR (form = 'encrypted'::text))),
  constraint personal_columns_form_check CHECK ((form = ANY (ARRAY['encrypted'::text, 'index'::text, 'masked'::text, 'plain'::text]))),
  constraint personal_columns_pkey PRIMARY KEY (schema_name, table_name, column_name),
  constraint personal_columns_until_check CHECK ((until <> ''::text))
);
alter table akashi_keys.personal_columns owner to akashi_owner;
comment on table akashi_keys.personal_columns is 'Which columns hold personal values; the certificate of an erasure is generated from it.';
comment on column akashi_keys.personal_columns.person_column is 'The column that identifies the person: the id of a user.';
comment on column akashi_keys.personal_columns.at_erasure is 'shredded: stays as bytes that nobody can decrypt; cleared: set to null; deleted: the row is deleted; replaced: emptied by a function of its schema; kept: stays in plain text.';
comment on column akashi_keys.personal_columns.until is 'When and why a kept value is deleted.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_keys.personal_columns REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name,column_name}', '', '{}', '{}', '{}');
alter table akashi_keys.personal_columns enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_keys.personal_columns REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name,column_name}', '', '{}', '{}', '{}');
alter table akashi_keys.personal_columns enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_keys.personal_columns FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name,column_name}', '', '{}', '{}', '{}');
alter table akashi_keys.personal_columns enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_keys.personal_columns REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name,column_name}', '', '{}', '{}', '{}');
alter table akashi_keys.personal_columns enable always trigger akashi_audit_update;
alter table akashi_keys.personal_columns enable row level security;
alter table akashi_keys.personal_columns force row level security;
create policy personal_columns_owner on akashi_keys.personal_columns for all to akashi_owner using (true) with check (true);

create table akashi_lifecycle.alarm_counters (
  name text not null,
  value double precision not null,
  risen_at timestamp with time zone,
  constraint alarm_counters_pkey PRIMARY KEY (name)
);
alter table akashi_lifecycle.alarm_counters owner to akashi_owner;
comment on table akashi_lifecycle.alarm_counters is 'The last value of each counter that alarms use, and when it last increased.';
alter table akashi_lifecycle.alarm_counters enable row level security;
alter table akashi_lifecycle.alarm_counters force row level security;
create policy alarm_counters_owner on akashi_lifecycle.alarm_counters for all to akashi_owner using (true) with check (true);

create table akashi_lifecycle.alarm_silences (
  id uuid default akashi_audit.uuid_v7() not null,
  condition text not null,
  subject text,
  reason text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  created_by text not null,
  until timestamp with time zone not null,
  ended_at timestamp with time zone,
  ended_by text,
  constraint alarm_silences_check CHECK (((until > created_at) AND (until <= (created_at + 'P90D'::interval)))),
  constraint alarm_silences_check1 CHECK (((ended_at IS NULL) = (ended_by IS NULL))),
  constraint alarm_silences_condition_check CHECK ((condition ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
  constraint alarm_silences_pkey PRIMARY KEY (id),
  constraint alarm_silences_reason_check CHECK (((reason ~ '\S'::text) AND (length(reason) <= 1000))),
  constraint alarm_silences_subject_check CHECK ((length(subject) <= 255))
);
alter table akashi_lifecycle.alarm_silences owner to akashi_owner;
comment on table akashi_lifecycle.alarm_silences is 'During a silence its alarms open and clear without a security event.';
comment on column akashi_lifecycle.alarm_silences.subject is 'Null silences every alarm of the condition.';
comment on column akashi_lifecycle.alarm_silences.ended_at is 'When it was ended early.';
CREATE INDEX alarm_silences_condition_idx ON akashi_lifecycle.alarm_silences USING btree (condition, until DESC);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_lifecycle.alarm_silences REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.alarm_silences enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_lifecycle.alarm_silences REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.alarm_silences enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_lifecycle.alarm_silences FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.alarm_silences enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_lifecycle.alarm_silences REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.alarm_silences enable always trigger akashi_audit_update;
alter table akashi_lifecycle.alarm_silences enable row level security;
alter table akashi_lifecycle.alarm_silences force row level security;
create policy alarm_silences_owner on akashi_lifecycle.alarm_silences for all to akashi_owner using (true) with check (true);
create policy alarm_silences_read on akashi_lifecycle.alarm_silences for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_lifecycle.alarm_silences to akashi_reader;
grant select on akashi_lifecycle.alarm_silences to akashi_security_admin;
grant select on akashi_lifecycle.alarm_silences to akashi_worker;

create table akashi_lifecycle.alarms (
  id uuid default akashi_audit.uuid_v7() not null,
  condition text not null,
  subject text default ''::text not null,
  severity text not null,
  detail text not null,
  value double precision,
  began_at timestamp with time zone default clock_timestamp() not null,
  opened_at timestamp with time zone,
  announced_at timestamp with time zone,
  acknowledged_at timestamp with time zone,
  acknowledged_by text,
  note text,
  seen_at timestamp with time zone default clock_timestamp() not null,
  cleared_at timestamp with time zone,
  constraint alarms_check CHECK (((announced_at IS NULL) OR (opened_at IS NOT NULL))),
  constraint alarms_check1 CHECK (((acknowledged_at IS NULL) OR (opened_at IS NOT NULL))),
  constraint alarms_check2 CHECK (((acknowledged_at IS NULL) = (acknowledged_by IS NULL))),
  constraint alarms_check3 CHECK (((cleared_at IS NULL) OR (opened_at IS NOT NULL))),
  constraint alarms_condition_check CHECK ((condition ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
  constraint alarms_detail_check CHECK ((length(detail) <= 2000)),
  constraint alarms_note_check CHECK ((length(note) <= 1000)),
  constraint alarms_pkey PRIMARY KEY (id),
  constraint alarms_severity_check CHECK ((severity = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'critical'::text]))),
  constraint alarms_subject_check CHECK ((length(subject) <= 255))
);
alter table akashi_lifecycle.alarms owner to akashi_owner;
comment on table akashi_lifecycle.alarms is 'Alarms, kept for 400 days after they cleared, and pending ones whose condition has not held for long enough.';
comment on column akashi_lifecycle.alarms.subject is 'What the condition is about, such as a job, a table or a process; empty if there is only one.';
comment on column akashi_lifecycle.alarms.began_at is 'When the condition began to hold.';
comment on column akashi_lifecycle.alarms.opened_at is 'When the alarm opened: the condition had held for its minimum time. Null while pending.';
comment on column akashi_lifecycle.alarms.announced_at is 'When its security event was recorded. Null while it is silenced.';
comment on column akashi_lifecycle.alarms.note is 'The note of the acknowledgement.';
comment on column akashi_lifecycle.alarms.seen_at is 'When the condition was last seen to hold.';
CREATE INDEX alarms_opened_idx ON akashi_lifecycle.alarms USING btree (opened_at DESC, id DESC) WHERE (opened_at IS NOT NULL);
CREATE UNIQUE INDEX alarms_standing_idx ON akashi_lifecycle.alarms USING btree (condition, subject) WHERE (cleared_at IS NULL);
alter table akashi_lifecycle.alarms enable row level security;
alter table akashi_lifecycle.alarms force row level security;
create policy alarms_owner on akashi_lifecycle.alarms for all to akashi_owner using (true) with check (true);
create policy alarms_read on akashi_lifecycle.alarms for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_lifecycle.alarms to akashi_reader;
grant select on akashi_lifecycle.alarms to akashi_security_admin;
grant select on akashi_lifecycle.alarms to akashi_worker;

create table akashi_lifecycle.copies (
  id uuid default akashi_audit.uuid_v7() not null,
  policy uuid not null,
  export uuid not null,
  state text default 'copying'::text not null,
  manifest text not null,
  manifest_sha256 text,
  row_count bigint,
  objects integer,
  bytes bigint,
  keep_until timestamp with time zone not null,
  message text,
  verified_at timestamp with time zone,
  deleted_at timestamp with time zone,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  created_by text default SESSION_USER,
  last_modified_by text,
  constraint copies_bytes_check CHECK ((bytes >= 0)),
  constraint copies_check CHECK (((state <> 'verified'::text) OR ((row_count IS NOT NULL) AND (objects IS NOT NULL) AND (bytes IS NOT NULL) AND (verified_at IS NOT NULL)))),
  constraint copies_export_fkey FOREIGN KEY (export) REFERENCES akashi_lifecycle.exports(id),
  constraint copies_manifest_sha256_check CHECK ((manifest_sha256 ~ '^[0-9a-f]{64}$'::text)),
  constraint copies_objects_check CHECK ((objects >= 0)),
  constraint copies_pkey PRIMARY KEY (id),
  constraint copies_policy_export_key UNIQUE (policy, export),
  constraint copies_policy_fkey FOREIGN KEY (policy) REFERENCES akashi_lifecycle.copy_policies(id),
  constraint copies_row_count_check CHECK ((row_count >= 0)),
  constraint copies_state_check CHECK ((state = ANY (ARRAY['copying'::text, 'verified'::text, 'deleting'::text, 'deleted'::text])))
);
alter table akashi_lifecycle.copies owner to akashi_owner;
comment on table akashi_lifecycle.copies is 'One row for each copy of an export, or of a part of it.';
comment on column akashi_lifecycle.copies.manifest is 'Key of the manifest at the destination; null if the export has no such rows.';
comment on column akashi_lifecycle.copies.keep_until is 'Set when it was copied: a shorter policy does not change it, a longer one does.';
CREATE INDEX copies_export_idx ON akashi_lifecycle.copies USING btree (export);
CREATE TRIGGER keep_copy BEFORE UPDATE ON akashi_lifecycle.copies FOR EACH ROW EXECUTE FUNCTION akashi_lifecycle.keep_copy();
alter table akashi_lifecycle.copies enable always trigger keep_copy;
alter table akashi_lifecycle.copies enable row level security;
alter table akashi_lifecycle.copies force row level security;
create policy copies_owner on akashi_lifecycle.copies for all to akashi_owner using (true) with check (true);
create policy copies_read on akashi_lifecycle.copies for select to akashi_reader, akashi_security_admin using (true);
create policy copies_worker on akashi_lifecycle.copies for all to akashi_worker using (true) with check (true);
grant select on akashi_lifecycle.copies to akashi_reader;
grant select on akashi_lifecycle.copies to akashi_security_admin;
grant select on akashi_lifecycle.copies to akashi_worker;
grant update (state) on akashi_lifecycle.copies to akashi_worker;
grant update (manifest_sha256) on akashi_lifecycle.copies to akashi_worker;
grant update (row_count) on akashi_lifecycle.copies to akashi_worker;
grant update (objects) on akashi_lifecycle.copies to akashi_worker;
grant update (bytes) on akashi_lifecycle.copies to akashi_worker;
grant update (message) on akashi_lifecycle.copies to akashi_worker;

create table akashi_lifecycle.copy_policies (
  id uuid default akashi_audit.uuid_v7() not null,
  schema_name text not null,
  table_name text not null,
  tenant text,
  class text,
  destination text not null,
  total_retention interval not null,
  ended_at timestamp with time zone,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  created_by text,
  last_modified_by text,
  constraint copy_policies_class_check CHECK (((class ~ '\S'::text) AND (length(class) <= 255))),
  constraint copy_policies_destination_check CHECK ((destination ~ '^[a-z][a-z0-9-]{0,30}$'::text)),
  constraint copy_policies_pkey PRIMARY KEY (id),
  constraint copy_policies_schema_name_table_name_fkey FOREIGN KEY (schema_name, table_name) REFERENCES akashi_lifecycle.policies(schema_name, table_name),
  constraint copy_policies_schema_name_table_name_tenant_class_destinati_key UNIQUE NULLS NOT DISTINCT (schema_name, table_name, tenant, class, destination),
  constraint copy_policies_tenant_check CHECK (((tenant ~ '\S'::text) AND (length(tenant) <= 255))),
  constraint copy_policies_total_retention_check CHECK (((total_retention >= 'P1D'::interval) AND (total_retention <= 'P1000Y'::interval)))
);
alter table akashi_lifecycle.copy_policies owner to akashi_owner;
comment on table akashi_lifecycle.copy_policies is 'One row for each part of a table that is copied from the archive to another destination.';
comment on column akashi_lifecycle.copy_policies.tenant is 'Rows of this tenant; null for all tenants.';
comment on column akashi_lifecycle.copy_policies.class is 'Rows of this class; null for all classes.';
comment on column akashi_lifecycle.copy_policies.destination is 'Name of a store in the configuration of the processes; the row can name no other store.';
comment on column akashi_lifecycle.copy_policies.total_retention is 'How long a copy is kept, from the end of its period.';
comment on column akashi_lifecycle.copy_policies.ended_at is 'Since then nothing is copied; existing copies are kept as long as promised.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_lifecycle.copy_policies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.copy_policies enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_lifecycle.copy_policies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.copy_policies enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_lifecycle.copy_policies FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.copy_policies enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_lifecycle.copy_policies REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.copy_policies enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_lifecycle.copy_policies FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_lifecycle.copy_policies enable row level security;
alter table akashi_lifecycle.copy_policies force row level security;
create policy copy_policies_owner on akashi_lifecycle.copy_policies for all to akashi_owner using (true) with check (true);
create policy copy_policies_read on akashi_lifecycle.copy_policies for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_lifecycle.copy_policies to akashi_reader;
grant select on akashi_lifecycle.copy_policies to akashi_security_admin;
grant select on akashi_lifecycle.copy_policies to akashi_worker;

create table akashi_lifecycle.drills (
  id uuid default akashi_audit.uuid_v7() not null,
  system_id text not null,
  started_at timestamp with time zone not null,
  finished_at timestamp with time zone not null,
  ok boolean not null,
  target text,
  rpo_seconds double precision,
  rto_seconds double precision,
  phases jsonb not null,
  problems text[] not null,
  object text not null,
  note text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  kind text default 'drill'::text not null,
  constraint drills_check CHECK ((finished_at >= started_at)),
  constraint drills_check1 CHECK ((ok = (cardinality(problems) = 0))),
  constraint drills_kind_check CHECK ((kind = ANY (ARRAY['drill'::text, 'recovery_test'::text]))),
  constraint drills_phases_check CHECK ((jsonb_typeof(phases) = 'array'::text)),
  constraint drills_pkey PRIMARY KEY (id),
  constraint drills_rpo_seconds_check CHECK ((rpo_seconds >= (0)::double precision)),
  constraint drills_rto_seconds_check CHECK ((rto_seconds >= (0)::double precision))
);
alter table akashi_lifecycle.drills owner to akashi_owner;
comment on table akashi_lifecycle.drills is 'One row per recovery drill, with its signed report.';
comment on column akashi_lifecycle.drills.rpo_seconds is 'Age of the latest moment that could be restored when the drill began.';
comment on column akashi_lifecycle.drills.rto_seconds is 'From the start of the restore until the server accepted queries.';
comment on column akashi_lifecycle.drills.object is 'Key of the signed report in the object store.';
comment on column akashi_lifecycle.drills.note is 'The same report: a signed note.';
comment on column akashi_lifecycle.drills.kind is 'drill: to a random moment; recovery_test: the whole cluster to the latest one.';
CREATE INDEX drills_started_at_idx ON akashi_lifecycle.drills USING btree (started_at DESC);
alter table akashi_lifecycle.drills enable row level security;
alter table akashi_lifecycle.drills force row level security;
create policy drills_owner on akashi_lifecycle.drills for all to akashi_owner using (true) with check (true);
create policy drills_read on akashi_lifecycle.drills for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
create policy drills_worker on akashi_lifecycle.drills for insert to akashi_worker with check (true);
grant select on akashi_lifecycle.drills to akashi_reader;
grant select on akashi_lifecycle.drills to akashi_security_admin;
grant select on akashi_lifecycle.drills to akashi_worker;
grant insert (id) on akashi_lifecycle.drills to akashi_worker;
grant insert (system_id) on akashi_lifecycle.drills to akashi_worker;
grant insert (started_at) on akashi_lifecycle.drills to akashi_worker;
grant insert (finished_at) on akashi_lifecycle.drills to akashi_worker;
grant insert (ok) on akashi_lifecycle.drills to akashi_worker;
grant insert (target) on akashi_lifecycle.drills to akashi_worker;
grant insert (rpo_seconds) on akashi_lifecycle.drills to akashi_worker;
grant insert (rto_seconds) on akashi_lifecycle.drills to akashi_worker;
grant insert (phases) on akashi_lifecycle.drills to akashi_worker;
grant insert (problems) on akashi_lifecycle.drills to akashi_worker;
grant insert (object) on akashi_lifecycle.drills to akashi_worker;
grant insert (note) on akashi_lifecycle.drills to akashi_worker;
grant insert (kind) on akashi_lifecycle.drills to akashi_worker;

create table akashi_lifecycle.export_groups (
  export uuid not null,
  tenant text,
  class text,
  row_count bigint not null,
  oldest timestamp with time zone,
  newest timestamp with time zone,
  gathered boolean default false not null,
  constraint export_groups_export_fkey FOREIGN KEY (export) REFERENCES akashi_lifecycle.exports(id),
  constraint export_groups_export_tenant_class_gathered_key UNIQUE NULLS NOT DISTINCT (export, tenant, class, gathered),
  constraint export_groups_row_count_check CHECK ((row_count > 0))
);
alter table akashi_lifecycle.export_groups owner to akashi_owner;
comment on table akashi_lifecycle.export_groups is 'Rows of an export by tenant and class; both null if the table has no such column.';
comment on column akashi_lifecycle.export_groups.gathered is 'The rows of all smaller groups, which are not counted by name.';
alter table akashi_lifecycle.export_groups enable row level security;
alter table akashi_lifecycle.export_groups force row level security;
create policy export_groups_owner on akashi_lifecycle.export_groups for all to akashi_owner using (true) with check (true);
create policy export_groups_read on akashi_lifecycle.export_groups for select to akashi_reader, akashi_security_admin using (true);
create policy export_groups_worker on akashi_lifecycle.export_groups for all to akashi_worker using (true) with check (true);
grant select on akashi_lifecycle.export_groups to akashi_reader;
grant select on akashi_lifecycle.export_groups to akashi_security_admin;
grant select on akashi_lifecycle.export_groups to akashi_worker;
grant insert (export) on akashi_lifecycle.export_groups to akashi_worker;
grant insert (tenant) on akashi_lifecycle.export_groups to akashi_worker;
grant insert (class) on akashi_lifecycle.export_groups to akashi_worker;
grant insert (row_count) on akashi_lifecycle.export_groups to akashi_worker;
grant insert (oldest) on akashi_lifecycle.export_groups to akashi_worker;
grant insert (newest) on akashi_lifecycle.export_groups to akashi_worker;
grant insert (gathered) on akashi_lifecycle.export_groups to akashi_worker;

create table akashi_lifecycle.exports (
  id uuid default akashi_audit.uuid_v7() not null,
  schema_name text not null,
  table_name text not null,
  partition_name text not null,
  lower_bound timestamp with time zone not null,
  upper_bound timestamp with time zone not null,
  generation integer not null,
  state text default 'exporting'::text not null,
  folder text not null,
  manifest text not null,
  manifest_sha256 text,
  fingerprint text,
  row_count bigint,
  objects integer,
  bytes bigint,
  after_key text[],
  upto_key text[],
  first_position bigint,
  last_position bigint,
  keep_until timestamp with time zone,
  message text,
  verified_at timestamp with time zone,
  detached_at timestamp with time zone,
  dropped_at timestamp with time zone,
  restored_at timestamp with time zone,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  created_by text default SESSION_USER,
  last_modified_by text,
  retired_at timestamp with time zone,
  retention_record uuid,
  constraint exports_bytes_check CHECK ((bytes >= 0)),
  constraint exports_check CHECK ((lower_bound < upper_bound)),
  constraint exports_check1 CHECK (((state = 'exporting'::text) OR ((manifest_sha256 IS NOT NULL) AND (fingerprint IS NOT NULL) AND (row_count IS NOT NULL) AND (objects IS NOT NULL) AND (bytes IS NOT NULL) AND (verified_at IS NOT NULL)))),
  constraint exports_fingerprint_check CHECK ((fingerprint ~ '^[0-9a-f]{64}$'::text)),
  constraint exports_generation_check CHECK ((generation >= 0)),
  constraint exports_manifest_sha256_check CHECK ((manifest_sha256 ~ '^[0-9a-f]{64}$'::text)),
  constraint exports_objects_check CHECK ((objects >= 0)),
  constraint exports_pkey PRIMARY KEY (id),
  constraint exports_row_count_check CHECK ((row_count >= 0)),
  constraint exports_schema_name_table_name_lower_bound_upper_bound_gene_key UNIQUE (schema_name, table_name, lower_bound, upper_bound, generation),
  constraint exports_state_check CHECK ((state = ANY (ARRAY['exporting'::text, 'verified'::text, 'superseded'::text, 'detached'::text, 'dropped'::text, 'retiring'::text, 'retired'::text])))
);
alter table akashi_lifecycle.exports owner to akashi_owner;
comment on table akashi_lifecycle.exports is 'One row per export of a partition: generation 0 when it closed, later ones for rows that arrived afterwards.';
comment on column akashi_lifecycle.exports.state is 'exporting; verified: read back and compared, manifest published; superseded: a later export holds all its rows; detached: in schema akashi_archive; dropped: only in the store; retiring: its objects are being deleted; retired: gone, by a signed retention record.';
comment on column akashi_lifecycle.exports.fingerprint is 'SHA-256 of COPY … TO STDOUT (FORMAT csv, FORCE_QUOTE *) of the rows in order.';
comment on column akashi_lifecycle.exports.after_key is 'The export holds rows after this key of its order; null for the first.';
comment on column akashi_lifecycle.exports.upto_key is 'The export holds rows up to this key: the sealed frontier at that time; null if the table has no log.';
comment on column akashi_lifecycle.exports.keep_until is 'A restored partition is not detached again before this time.';
comment on column akashi_lifecycle.exports.message is 'Why the last attempt failed; null if it did not.';
comment on column akashi_lifecycle.exports.retention_record is 'Row of akashi_audit.retention_records that lists what was deleted; null if the table has no log.';
CREATE TRIGGER keep_export BEFORE UPDATE ON akashi_lifecycle.exports FOR EACH ROW EXECUTE FUNCTION akashi_lifecycle.keep_export();
alter table akashi_lifecycle.exports enable always trigger keep_export;
alter table akashi_lifecycle.exports enable row level security;
alter table akashi_lifecycle.exports force row level security;
create policy exports_owner on akashi_lifecycle.exports for all to akashi_owner using (true) with check (true);
create policy exports_read on akashi_lifecycle.exports for select to akashi_reader, akashi_security_admin using (true);
create policy exports_worker on akashi_lifecycle.exports for all to akashi_worker using (true) with check (true);
grant select on akashi_lifecycle.exports to akashi_reader;
grant select on akashi_lifecycle.exports to akashi_security_admin;
grant select on akashi_lifecycle.exports to akashi_worker;
grant insert (schema_name) on akashi_lifecycle.exports to akashi_worker;
grant insert (table_name) on akashi_lifecycle.exports to akashi_worker;
grant insert, update (partition_name) on akashi_lifecycle.exports to akashi_worker;
grant insert (lower_bound) on akashi_lifecycle.exports to akashi_worker;
grant insert (upper_bound) on akashi_lifecycle.exports to akashi_worker;
grant insert (generation) on akashi_lifecycle.exports to akashi_worker;
grant update (state) on akashi_lifecycle.exports to akashi_worker;
grant insert, update (folder) on akashi_lifecycle.exports to akashi_worker;
grant insert, update (manifest) on akashi_lifecycle.exports to akashi_worker;
grant update (manifest_sha256) on akashi_lifecycle.exports to akashi_worker;
grant update (fingerprint) on akashi_lifecycle.exports to akashi_worker;
grant update (row_count) on akashi_lifecycle.exports to akashi_worker;
grant update (objects) on akashi_lifecycle.exports to akashi_worker;
grant update (bytes) on akashi_lifecycle.exports to akashi_worker;
grant insert, update (after_key) on akashi_lifecycle.exports to akashi_worker;
grant update (upto_key) on akashi_lifecycle.exports to akashi_worker;
grant update (first_position) on akashi_lifecycle.exports to akashi_worker;
grant update (last_position) on akashi_lifecycle.exports to akashi_worker;
grant update (message) on akashi_lifecycle.exports to akashi_worker;

create table akashi_lifecycle.job_runs (
  id uuid default akashi_audit.uuid_v7() not null,
  job text not null,
  due_at timestamp with time zone not null,
  started_at timestamp with time zone default clock_timestamp() not null,
  finished_at timestamp with time zone,
  state text default 'running'::text not null,
  worker text not null,
  message text,
  result jsonb,
  cut_short boolean default false not null,
  progress jsonb,
  constraint job_runs_check CHECK (((finished_at IS NULL) = (state = 'running'::text))),
  constraint job_runs_pkey PRIMARY KEY (id),
  constraint job_runs_progress_check CHECK ((jsonb_typeof(progress) = 'object'::text)),
  constraint job_runs_state_check CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text, 'cancelled'::text])))
);
alter table akashi_lifecycle.job_runs owner to akashi_owner;
comment on table akashi_lifecycle.job_runs is 'Every run of a job, kept for 90 days, also of deleted jobs.';
comment on column akashi_lifecycle.job_runs.due_at is 'When the run was scheduled or requested.';
comment on column akashi_lifecycle.job_runs.worker is 'The worker process, which holds the advisory lock of akashi_lifecycle.worker_lock(worker) while it runs.';
comment on column akashi_lifecycle.job_runs.cut_short is 'The worker stopped or died before the end: the run is repeated, as often as begin_run allows.';
comment on column akashi_lifecycle.job_runs.progress is 'The latest progress of a running task.';
CREATE INDEX job_runs_job_idx ON akashi_lifecycle.job_runs USING btree (job, started_at DESC);
CREATE UNIQUE INDEX job_runs_running_idx ON akashi_lifecycle.job_runs USING btree (job) WHERE (state = 'running'::text);
CREATE INDEX job_runs_started_idx ON akashi_lifecycle.job_runs USING btree (started_at);
alter table akashi_lifecycle.job_runs enable row level security;
alter table akashi_lifecycle.job_runs force row level security;
create policy job_runs_owner on akashi_lifecycle.job_runs for all to akashi_owner using (true) with check (true);
create policy job_runs_read on akashi_lifecycle.job_runs for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_lifecycle.job_runs to akashi_reader;
grant select on akashi_lifecycle.job_runs to akashi_security_admin;
grant select on akashi_lifecycle.job_runs to akashi_worker;

create table akashi_lifecycle.jobs (
  name text not null,
  schedule text not null,
  task text not null,
  description text not null,
  paused boolean default false not null,
  zone text default 'UTC'::text not null,
  working_day boolean default false not null,
  timeout interval default 'PT1H'::interval not null,
  requested_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint jobs_name_check CHECK ((name ~ '^[a-z][a-z0-9-]{0,99}$'::text)),
  constraint jobs_pkey PRIMARY KEY (name),
  constraint jobs_schedule_check CHECK ((schedule ~ '^[0-9*/,-]+( [0-9*/,-]+){4}$'::text)),
  constraint jobs_task_check CHECK ((task ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'::text)),
  constraint jobs_timeout_check CHECK ((timeout >= 'PT1S'::interval)),
  constraint jobs_zone_check CHECK ((zone = ANY (ARRAY['UTC'::text, 'organisation'::text])))
);
alter table akashi_lifecycle.jobs owner to akashi_owner;
comment on table akashi_lifecycle.jobs is 'Scheduled jobs: what runs when.';
comment on column akashi_lifecycle.jobs.schedule is 'Five fields of cron (minute, hour, day of month, month, day of week) in the time zone.';
comment on column akashi_lifecycle.jobs.task is 'Name of the code that runs; several jobs may share one.';
comment on column akashi_lifecycle.jobs.zone is 'Whose clock the schedule follows: UTC, or organisation.time_zone.';
comment on column akashi_lifecycle.jobs.working_day is 'A run that falls on a weekend or a day of organisation.holidays takes place on the next working day.';
comment on column akashi_lifecycle.jobs.timeout is 'A run is cancelled after this long.';
comment on column akashi_lifecycle.jobs.requested_at is 'When an immediate run was last requested; any run started since fulfils it.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_lifecycle.jobs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'name');
alter table akashi_lifecycle.jobs enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_lifecycle.jobs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'name');
alter table akashi_lifecycle.jobs enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_lifecycle.jobs FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'name');
alter table akashi_lifecycle.jobs enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_lifecycle.jobs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'name');
alter table akashi_lifecycle.jobs enable always trigger akashi_audit_update;
CREATE TRIGGER announce_jobs AFTER INSERT OR DELETE OR UPDATE ON akashi_lifecycle.jobs FOR EACH STATEMENT EXECUTE FUNCTION akashi_lifecycle.announce_jobs();
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_lifecycle.jobs FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_lifecycle.jobs enable row level security;
alter table akashi_lifecycle.jobs force row level security;
create policy jobs_owner on akashi_lifecycle.jobs for all to akashi_owner using (true) with check (true);
create policy jobs_read on akashi_lifecycle.jobs for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_lifecycle.jobs to akashi_reader;
grant select on akashi_lifecycle.jobs to akashi_security_admin;
grant select on akashi_lifecycle.jobs to akashi_worker;

create table akashi_lifecycle.policies (
  schema_name text not null,
  table_name text not null,
  "interval" text not null,
  premake integer not null,
  hot_retention interval not null,
  at_expiry text not null,
  total_retention interval not null,
  append_only boolean not null,
  legal_hold boolean default false not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text,
  last_modified_by text,
  lateness interval default 'P1D'::interval not null,
  format text default 'parquet'::text not null,
  retention_set_by text,
  retention_set_at timestamp with time zone,
  constraint policies_at_expiry_check CHECK ((at_expiry = ANY (ARRAY['archive'::text, 'retire'::text, 'keep'::text]))),
  constraint policies_check CHECK ((total_retention >= hot_retention)),
  constraint policies_format_check CHECK ((format = ANY (ARRAY['parquet'::text, 'parquet+csv'::text]))),
  constraint policies_hot_retention_check CHECK ((hot_retention > 'PT0S'::interval)),
  constraint policies_interval_check CHECK (("interval" = ANY (ARRAY['day'::text, 'month'::text]))),
  constraint policies_lateness_check CHECK ((lateness >= 'PT0S'::interval)),
  constraint policies_lateness_check1 CHECK ((lateness <= 'P1000Y'::interval)),
  constraint policies_pkey PRIMARY KEY (schema_name, table_name),
  constraint policies_premake_check CHECK (((premake >= 1) AND (premake <= 1200))),
  constraint policies_total_retention_check CHECK ((total_retention <= 'P1000Y'::interval))
);
alter table akashi_lifecycle.policies owner to akashi_owner;
comment on table akashi_lifecycle.policies is 'One row per partitioned table: interval of its partitions, how many are created ahead, hot retention, what happens then, total retention.';
comment on column akashi_lifecycle.policies.premake is 'Partitions that exist ahead of the current one.';
comment on column akashi_lifecycle.policies.at_expiry is 'archive: exported, verified, dropped; retire: dropped with a signed retention record; keep: stays.';
comment on column akashi_lifecycle.policies.lateness is 'How long after its end a partition still accepts rows before it is exported.';
comment on column akashi_lifecycle.policies.format is 'parquet, or parquet+csv for an additional CSV copy.';
comment on column akashi_lifecycle.policies.retention_set_by is 'Who last changed at_expiry or total_retention, and when: part of the signed retention record. Null if never changed.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_lifecycle.policies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_lifecycle.policies enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_lifecycle.policies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_lifecycle.policies enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_lifecycle.policies FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_lifecycle.policies enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_lifecycle.policies REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_lifecycle.policies enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_lifecycle.policies FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_lifecycle.policies enable row level security;
alter table akashi_lifecycle.policies force row level security;
create policy policies_owner on akashi_lifecycle.policies for all to akashi_owner using (true) with check (true);
create policy policies_read on akashi_lifecycle.policies for select to akashi_app, akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_lifecycle.policies to akashi_app;
grant select on akashi_lifecycle.policies to akashi_reader;
grant select on akashi_lifecycle.policies to akashi_security_admin;
grant select on akashi_lifecycle.policies to akashi_worker;

create table akashi_lifecycle.restore_points (
  id uuid default gen_random_uuid() not null,
  name text not null,
  lsn pg_lsn not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text) not null,
  constraint restore_points_name_check CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 63))),
  constraint restore_points_pkey PRIMARY KEY (id)
);
alter table akashi_lifecycle.restore_points owner to akashi_owner;
comment on table akashi_lifecycle.restore_points is 'Restore points that were created; they are removed with the backups.';
CREATE INDEX restore_points_created_idx ON akashi_lifecycle.restore_points USING btree (created_at DESC);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_lifecycle.restore_points REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.restore_points enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_lifecycle.restore_points REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.restore_points enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_lifecycle.restore_points FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.restore_points enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_lifecycle.restore_points REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.restore_points enable always trigger akashi_audit_update;
alter table akashi_lifecycle.restore_points enable row level security;
alter table akashi_lifecycle.restore_points force row level security;
create policy restore_points_add on akashi_lifecycle.restore_points for insert to akashi_security_admin, akashi_worker with check (true);
create policy restore_points_owner on akashi_lifecycle.restore_points for all to akashi_owner using (true) with check (true);
create policy restore_points_read on akashi_lifecycle.restore_points for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_lifecycle.restore_points to akashi_reader;
grant select on akashi_lifecycle.restore_points to akashi_security_admin;
grant select on akashi_lifecycle.restore_points to akashi_worker;
grant insert (name) on akashi_lifecycle.restore_points to akashi_security_admin;
grant insert (name) on akashi_lifecycle.restore_points to akashi_worker;
grant insert (lsn) on akashi_lifecycle.restore_points to akashi_security_admin;
grant insert (lsn) on akashi_lifecycle.restore_points to akashi_worker;

create table akashi_lifecycle.restores (
  id uuid default akashi_audit.uuid_v7() not null,
  table_name text not null,
  target text not null,
  into_table text,
  diff boolean not null,
  apply_reason text,
  requested_by text not null,
  process text not null,
  started_at timestamp with time zone default clock_timestamp() not null,
  seen_at timestamp with time zone default clock_timestamp() not null,
  finished_at timestamp with time zone,
  cancelled_by text,
  state text default 'running'::text not null,
  phase text default 'waiting'::text not null,
  message text,
  result jsonb,
  constraint restores_check CHECK (((finished_at IS NULL) = (state = 'running'::text))),
  constraint restores_pkey PRIMARY KEY (id),
  constraint restores_state_check CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text, 'cancelled'::text])))
);
alter table akashi_lifecycle.restores owner to akashi_owner;
comment on table akashi_lifecycle.restores is 'Every restore of one table that was requested over HTTP, kept for 400 days.';
comment on column akashi_lifecycle.restores.process is 'The process that carries it out.';
comment on column akashi_lifecycle.restores.seen_at is 'When that process last reported: one that has not reported for a minute has died.';
comment on column akashi_lifecycle.restores.cancelled_by is 'Who requested its cancellation.';
CREATE INDEX restores_started_idx ON akashi_lifecycle.restores USING btree (started_at DESC, id DESC);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_lifecycle.restores REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', '', '{phase,seen_at}', '{}', '{}');
alter table akashi_lifecycle.restores enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_lifecycle.restores REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', '', '{phase,seen_at}', '{}', '{}');
alter table akashi_lifecycle.restores enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_lifecycle.restores FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', '', '{phase,seen_at}', '{}', '{}');
alter table akashi_lifecycle.restores enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_lifecycle.restores REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{id}', '', '{phase,seen_at}', '{}', '{}');
alter table akashi_lifecycle.restores enable always trigger akashi_audit_update;
alter table akashi_lifecycle.restores enable row level security;
alter table akashi_lifecycle.restores force row level security;
create policy restores_owner on akashi_lifecycle.restores for all to akashi_owner using (true) with check (true);
create policy restores_read on akashi_lifecycle.restores for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_lifecycle.restores to akashi_security_admin;
grant select on akashi_lifecycle.restores to akashi_worker;

create table akashi_lifecycle.saved_queries (
  id uuid default gen_random_uuid() not null,
  owner_id uuid default akashi_auth.current_user_id() not null,
  name text not null,
  description text,
  sql text not null,
  shared boolean default false not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  last_modified_by text,
  constraint saved_queries_description_check CHECK ((length(description) <= 1000)),
  constraint saved_queries_name_check CHECK (((name ~ '\S'::text) AND (length(name) <= 100))),
  constraint saved_queries_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE,
  constraint saved_queries_owner_id_name_key UNIQUE (owner_id, name),
  constraint saved_queries_pkey PRIMARY KEY (id),
  constraint saved_queries_sql_check CHECK (((sql ~ '\S'::text) AND (length(sql) <= 100000)))
);
alter table akashi_lifecycle.saved_queries owner to akashi_owner;
comment on table akashi_lifecycle.saved_queries is 'Saved queries over PostgreSQL and the archive.';
comment on column akashi_lifecycle.saved_queries.shared is 'Visible to everybody who may run queries.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_lifecycle.saved_queries REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.saved_queries enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_lifecycle.saved_queries REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.saved_queries enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_lifecycle.saved_queries FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.saved_queries enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_lifecycle.saved_queries REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_lifecycle.saved_queries enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_lifecycle.saved_queries FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_lifecycle.saved_queries enable row level security;
alter table akashi_lifecycle.saved_queries force row level security;
create policy saved_queries_own on akashi_lifecycle.saved_queries for all to akashi_app using ((owner_id = ( SELECT akashi_auth.current_user_id() AS current_user_id))) with check ((owner_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)));
create policy saved_queries_owner on akashi_lifecycle.saved_queries for all to akashi_owner using (true) with check (true);
create policy saved_queries_read on akashi_lifecycle.saved_queries for select to akashi_app using (((owner_id = ( SELECT akashi_auth.current_user_id() AS current_user_id)) OR (shared AND ( SELECT akashi_auth.has_permission('query:read'::text) AS has_permission))));
grant delete, select on akashi_lifecycle.saved_queries to akashi_app;
grant insert, update (name) on akashi_lifecycle.saved_queries to akashi_app;
grant insert, update (description) on akashi_lifecycle.saved_queries to akashi_app;
grant insert, update (sql) on akashi_lifecycle.saved_queries to akashi_app;
grant insert, update (shared) on akashi_lifecycle.saved_queries to akashi_app;

create table akashi_lifecycle.settings (
  key text not null,
  value jsonb not null,
  pattern text not null,
  accepts text not null,
  description text not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text,
  last_modified_by text,
  constraint settings_key_check CHECK ((key ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'::text)),
  constraint settings_pkey PRIMARY KEY (key),
  constraint settings_time_zone_check CHECK (((key <> 'organisation.time_zone'::text) OR (timezone((value #>> '{}'::text[]), '1970-01-01 00:00:00+00'::timestamp with time zone) IS NOT NULL))),
  constraint settings_value_check CHECK (((value)::text ~ (('^('::text || pattern) || ')$'::text)))
);
alter table akashi_lifecycle.settings owner to akashi_owner;
comment on table akashi_lifecycle.settings is 'One row per setting; changed by administrators, read by everybody.';
comment on column akashi_lifecycle.settings.pattern is 'Regular expression that the text of the JSON value matches as a whole.';
comment on column akashi_lifecycle.settings.accepts is 'The same for people, completing "must be".';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_lifecycle.settings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'key');
alter table akashi_lifecycle.settings enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_lifecycle.settings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'key');
alter table akashi_lifecycle.settings enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_lifecycle.settings FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'key');
alter table akashi_lifecycle.settings enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_lifecycle.settings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'key');
alter table akashi_lifecycle.settings enable always trigger akashi_audit_update;
CREATE TRIGGER approve_setting BEFORE UPDATE ON akashi_lifecycle.settings FOR EACH ROW EXECUTE FUNCTION akashi_auth.approve_setting();
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_lifecycle.settings FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_lifecycle.settings enable row level security;
alter table akashi_lifecycle.settings force row level security;
create policy settings_owner on akashi_lifecycle.settings for all to akashi_owner using (true) with check (true);
create policy settings_read on akashi_lifecycle.settings for select to akashi_app, akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_lifecycle.settings to akashi_app;
grant select on akashi_lifecycle.settings to akashi_reader;
grant select on akashi_lifecycle.settings to akashi_security_admin;
grant select on akashi_lifecycle.settings to akashi_worker;

create table akashi_lifecycle.shortenings (
  schema_name text not null,
  table_name text not null,
  at_expiry text not null,
  total_retention interval not null,
  reason text,
  requested_by text not null,
  requested_at timestamp with time zone default clock_timestamp() not null,
  effective_at timestamp with time zone not null,
  constraint shortenings_at_expiry_check CHECK ((at_expiry = ANY (ARRAY['archive'::text, 'retire'::text]))),
  constraint shortenings_pkey PRIMARY KEY (schema_name, table_name),
  constraint shortenings_schema_name_table_name_fkey FOREIGN KEY (schema_name, table_name) REFERENCES akashi_lifecycle.policies(schema_name, table_name) ON DELETE CASCADE
);
alter table akashi_lifecycle.shortenings owner to akashi_owner;
comment on table akashi_lifecycle.shortenings is 'Shorter retentions of logs that were requested but are not in effect yet.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_lifecycle.shortenings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_lifecycle.shortenings enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_lifecycle.shortenings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_lifecycle.shortenings enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_lifecycle.shortenings FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_lifecycle.shortenings enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_lifecycle.shortenings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table akashi_lifecycle.shortenings enable always trigger akashi_audit_update;
alter table akashi_lifecycle.shortenings enable row level security;
alter table akashi_lifecycle.shortenings force row level security;
create policy shortenings_owner on akashi_lifecycle.shortenings for all to akashi_owner using (true) with check (true);
create policy shortenings_read on akashi_lifecycle.shortenings for select to akashi_app, akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_lifecycle.shortenings to akashi_app;
grant select on akashi_lifecycle.shortenings to akashi_reader;
grant select on akashi_lifecycle.shortenings to akashi_security_admin;
grant select on akashi_lifecycle.shortenings to akashi_worker;

create table akashi_lifecycle.store_ownership (
  one_row boolean default true not null,
  installation uuid not null,
  token bigint,
  system_identifier bigint not null,
  timeline integer not null,
  database_oid oid not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  constraint store_ownership_one_row_check CHECK (one_row),
  constraint store_ownership_pkey PRIMARY KEY (one_row),
  constraint store_ownership_token_check CHECK ((token > 0))
);
alter table akashi_lifecycle.store_ownership owner to akashi_owner;
comment on table akashi_lifecycle.store_ownership is 'The identity of this installation, and whether it owns its object store.';
comment on column akashi_lifecycle.store_ownership.token is 'Token of its record in the object store; null if another installation owns the store.';
alter table akashi_lifecycle.store_ownership enable row level security;
alter table akashi_lifecycle.store_ownership force row level security;
create policy store_ownership_owner on akashi_lifecycle.store_ownership for all to akashi_owner using (true) with check (true);

create table akashi_security.compliance_reports (
  id uuid default akashi_audit.uuid_v7() not null,
  month text not null,
  covers_from timestamp with time zone not null,
  covers_until timestamp with time zone not null,
  verdict text not null,
  document jsonb not null,
  files jsonb not null,
  note text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text) not null,
  constraint compliance_reports_check CHECK ((covers_until > covers_from)),
  constraint compliance_reports_document_check CHECK ((jsonb_typeof(document) = 'object'::text)),
  constraint compliance_reports_files_check CHECK ((jsonb_typeof(files) = 'array'::text)),
  constraint compliance_reports_month_check CHECK ((month ~ '^\d{4}-(0[1-9]|1[0-2])$'::text)),
  constraint compliance_reports_pkey PRIMARY KEY (id),
  constraint compliance_reports_verdict_check CHECK ((verdict = ANY (ARRAY['fulfilled'::text, 'incomplete'::text, 'not_fulfilled'::text])))
);
alter table akashi_security.compliance_reports owner to akashi_owner;
comment on table akashi_security.compliance_reports is 'One row per compliance report. Append-only, and recorded in the sealed trail.';
comment on column akashi_security.compliance_reports.month is 'YYYY-MM, in the time zone of the organisation.';
comment on column akashi_security.compliance_reports.document is 'Controls with their evidence: the content of every format of the report.';
comment on column akashi_security.compliance_reports.files is 'Name, SHA-256, bytes and key in the object store of each format and language.';
comment on column akashi_security.compliance_reports.note is 'Signed note over the month, the verdict and the SHA-256 of each file.';
CREATE INDEX compliance_reports_month_idx ON akashi_security.compliance_reports USING btree (month DESC, created_at DESC);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_security.compliance_reports REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{document}');
alter table akashi_security.compliance_reports enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_security.compliance_reports REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{document}');
alter table akashi_security.compliance_reports enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_security.compliance_reports FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{document}');
alter table akashi_security.compliance_reports enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_security.compliance_reports REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{document}');
alter table akashi_security.compliance_reports enable always trigger akashi_audit_update;
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_security.compliance_reports FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_security.compliance_reports enable always trigger refuse_change;
alter table akashi_security.compliance_reports enable row level security;
alter table akashi_security.compliance_reports force row level security;
create policy compliance_reports_add on akashi_security.compliance_reports for insert to akashi_worker with check (true);
create policy compliance_reports_owner on akashi_security.compliance_reports for all to akashi_owner using (true) with check (true);
create policy compliance_reports_read on akashi_security.compliance_reports for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_security.compliance_reports to akashi_reader;
grant select on akashi_security.compliance_reports to akashi_security_admin;
grant select on akashi_security.compliance_reports to akashi_worker;
grant insert (id) on akashi_security.compliance_reports to akashi_worker;
grant insert (month) on akashi_security.compliance_reports to akashi_worker;
grant insert (covers_from) on akashi_security.compliance_reports to akashi_worker;
grant insert (covers_until) on akashi_security.compliance_reports to akashi_worker;
grant insert (verdict) on akashi_security.compliance_reports to akashi_worker;
grant insert (document) on akashi_security.compliance_reports to akashi_worker;
grant insert (files) on akashi_security.compliance_reports to akashi_worker;
grant insert (note) on akashi_security.compliance_reports to akashi_worker;

create table akashi_security.delivery_channels (
  id uuid default gen_random_uuid() not null,
  name character varying(100) not null,
  kind character varying(20) not null,
  log character varying(20) not null,
  format character varying(20) default 'akashi'::character varying not null,
  min_severity character varying(20) default 'info'::character varying not null,
  types text[] default '{}'::text[] not null,
  destination text not null,
  secret bytea,
  secret_key_id text,
  per_minute integer default 600 not null,
  state character varying(10) default 'active'::character varying not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint delivery_channels_check CHECK (((secret IS NULL) = (secret_key_id IS NULL))),
  constraint delivery_channels_check1 CHECK ((((log)::text = 'security_events'::text) OR ((kind)::text = ANY ((ARRAY['webhook'::character varying, 'syslog'::character varying, 'stream'::character varying, 'objects'::character varying])::text[])))),
  constraint delivery_channels_check2 CHECK ((((format)::text = 'akashi'::text) OR ((log)::text = 'security_events'::text))),
  constraint delivery_channels_destination_check CHECK ((length(destination) <= 2048)),
  constraint delivery_channels_format_check CHECK (((format)::text = ANY ((ARRAY['akashi'::character varying, 'ocsf'::character varying])::text[]))),
  constraint delivery_channels_kind_check CHECK (((kind)::text = ANY ((ARRAY['webhook'::character varying, 'slack'::character varying, 'teams'::character varying, 'email'::character varying, 'syslog'::character varying, 'security_hub'::character varying, 'stream'::character varying, 'objects'::character varying])::text[]))),
  constraint delivery_channels_log_check CHECK (((log)::text = ANY ((ARRAY['security_events'::character varying, 'audit_logs'::character varying])::text[]))),
  constraint delivery_channels_min_severity_check CHECK (((min_severity)::text = ANY ((ARRAY['info'::character varying, 'low'::character varying, 'medium'::character varying, 'high'::character varying, 'critical'::character varying])::text[]))),
  constraint delivery_channels_name_check CHECK (((name)::text ~ '^[a-z0-9][a-z0-9_.-]*$'::text)),
  constraint delivery_channels_name_key UNIQUE (name),
  constraint delivery_channels_per_minute_check CHECK (((per_minute >= 1) AND (per_minute <= 100000))),
  constraint delivery_channels_pkey PRIMARY KEY (id),
  constraint delivery_channels_secret_check CHECK ((octet_length(secret) <= 8192)),
  constraint delivery_channels_state_check CHECK (((state)::text = ANY ((ARRAY['active'::character varying, 'paused'::character varying])::text[]))),
  constraint delivery_channels_types_check CHECK ((cardinality(types) <= 100))
);
alter table akashi_security.delivery_channels owner to akashi_owner;
comment on table akashi_security.delivery_channels is 'Destinations to which security events or audit rows are sent.';
comment on column akashi_security.delivery_channels.types is 'Event types, or tables and event types of audit rows; empty for all.';
comment on column akashi_security.delivery_channels.secret is 'Encrypted under a key of the keyring. No role can decrypt it in SQL, and no interface returns it.';
comment on column akashi_security.delivery_channels.per_minute is 'Maximum number of messages per minute.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_security.delivery_channels REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.delivery_channels enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_security.delivery_channels REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.delivery_channels enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_security.delivery_channels FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.delivery_channels enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_security.delivery_channels REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.delivery_channels enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_security.delivery_channels FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_security.delivery_channels enable row level security;
alter table akashi_security.delivery_channels force row level security;
create policy delivery_channels_owner on akashi_security.delivery_channels for all to akashi_owner using (true) with check (true);
create policy delivery_channels_staff on akashi_security.delivery_channels for all to akashi_security_admin, akashi_worker using (true) with check (true);
grant delete, select on akashi_security.delivery_channels to akashi_security_admin;
grant select on akashi_security.delivery_channels to akashi_worker;
grant insert (name) on akashi_security.delivery_channels to akashi_security_admin;
grant insert (kind) on akashi_security.delivery_channels to akashi_security_admin;
grant insert (log) on akashi_security.delivery_channels to akashi_security_admin;
grant insert (format) on akashi_security.delivery_channels to akashi_security_admin;
grant insert, update (min_severity) on akashi_security.delivery_channels to akashi_security_admin;
grant insert, update (types) on akashi_security.delivery_channels to akashi_security_admin;
grant insert, update (destination) on akashi_security.delivery_channels to akashi_security_admin;
grant insert, update (secret) on akashi_security.delivery_channels to akashi_security_admin;
grant insert, update (secret_key_id) on akashi_security.delivery_channels to akashi_security_admin;
grant insert, update (per_minute) on akashi_security.delivery_channels to akashi_security_admin;
grant update (state) on akashi_security.delivery_channels to akashi_security_admin;

create table akashi_security.delivery_dead_letters (
  channel_id uuid not null,
  "position" bigint not null,
  row_id uuid not null,
  error text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  replay boolean default false not null,
  replayed_at timestamp with time zone,
  constraint delivery_dead_letters_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES akashi_security.delivery_channels(id) ON DELETE CASCADE,
  constraint delivery_dead_letters_error_check CHECK ((length(error) <= 1000)),
  constraint delivery_dead_letters_pkey PRIMARY KEY (channel_id, "position"),
  constraint delivery_dead_letters_position_check CHECK (("position" >= 0))
);
alter table akashi_security.delivery_dead_letters owner to akashi_owner;
comment on table akashi_security.delivery_dead_letters is 'Dead letters: rows that a destination refused, or could not accept for three days.';
comment on column akashi_security.delivery_dead_letters.replay is 'Requests another delivery.';
CREATE INDEX delivery_dead_letters_open_idx ON akashi_security.delivery_dead_letters USING btree (channel_id, "position") WHERE (replayed_at IS NULL);
alter table akashi_security.delivery_dead_letters enable row level security;
alter table akashi_security.delivery_dead_letters force row level security;
create policy delivery_dead_letters_owner on akashi_security.delivery_dead_letters for all to akashi_owner using (true) with check (true);
create policy delivery_dead_letters_staff on akashi_security.delivery_dead_letters for all to akashi_security_admin, akashi_worker using (true) with check (true);
grant select on akashi_security.delivery_dead_letters to akashi_security_admin;
grant insert, select, update on akashi_security.delivery_dead_letters to akashi_worker;
grant update (replay) on akashi_security.delivery_dead_letters to akashi_security_admin;

create table akashi_security.delivery_progress (
  channel_id uuid not null,
  "position" bigint not null,
  failures integer default 0 not null,
  failing_since timestamp with time zone,
  next_attempt_at timestamp with time zone default clock_timestamp() not null,
  last_error text,
  last_delivered_at timestamp with time zone,
  synced_position bigint default 0 not null,
  constraint delivery_progress_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES akashi_security.delivery_channels(id) ON DELETE CASCADE,
  constraint delivery_progress_failures_check CHECK ((failures >= 0)),
  constraint delivery_progress_last_error_check CHECK ((length(last_error) <= 1000)),
  constraint delivery_progress_pkey PRIMARY KEY (channel_id),
  constraint delivery_progress_position_check CHECK (("position" >= 0)),
  constraint delivery_progress_synced_position_check CHECK ((synced_position >= 0))
);
alter table akashi_security.delivery_progress owner to akashi_owner;
comment on table akashi_security.delivery_progress is 'The position of each channel in its log.';
comment on column akashi_security.delivery_progress."position" is 'The first position that has not been delivered.';
comment on column akashi_security.delivery_progress.synced_position is 'Changes of remediations were sent up to this position of the trail, if the destination accepts them.';
alter table akashi_security.delivery_progress enable row level security;
alter table akashi_security.delivery_progress force row level security;
create policy delivery_progress_owner on akashi_security.delivery_progress for all to akashi_owner using (true) with check (true);
create policy delivery_progress_staff on akashi_security.delivery_progress for all to akashi_security_admin, akashi_worker using (true) with check (true);
grant insert, select on akashi_security.delivery_progress to akashi_security_admin;
grant select, update on akashi_security.delivery_progress to akashi_worker;

create table akashi_security.detection_findings (
  id uuid not null,
  rule_id text not null,
  rule_name text not null,
  rule_hash bytea not null,
  title text not null,
  severity character varying(20) not null,
  log text not null,
  subject jsonb not null,
  entity text not null,
  first_at timestamp with time zone not null,
  last_at timestamp with time zone not null,
  event_count bigint not null,
  events uuid[] not null,
  status character varying(20) default 'open'::character varying not null,
  assignee uuid,
  notes text,
  due_at timestamp with time zone not null,
  closed_at timestamp with time zone,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  last_modified_by text,
  constraint detection_findings_assignee_fkey FOREIGN KEY (assignee) REFERENCES akashi_auth.users(id) ON DELETE SET NULL,
  constraint detection_findings_check CHECK ((last_at >= first_at)),
  constraint detection_findings_check1 CHECK ((((status)::text = ANY ((ARRAY['open'::character varying, 'in_progress'::character varying])::text[])) = (closed_at IS NULL))),
  constraint detection_findings_event_count_check CHECK ((event_count > 0)),
  constraint detection_findings_log_check CHECK ((log = ANY (ARRAY['security_events'::text, 'audit_logs'::text, 'login_attempts'::text]))),
  constraint detection_findings_notes_check CHECK ((length(notes) <= 8192)),
  constraint detection_findings_pkey PRIMARY KEY (id),
  constraint detection_findings_rule_hash_check CHECK ((octet_length(rule_hash) = 32)),
  constraint detection_findings_severity_check CHECK (((severity)::text = ANY ((ARRAY['info'::character varying, 'low'::character varying, 'medium'::character varying, 'high'::character varying, 'critical'::character varying])::text[]))),
  constraint detection_findings_status_check CHECK (((status)::text = ANY ((ARRAY['open'::character varying, 'in_progress'::character varying, 'resolved'::character varying, 'suppressed'::character varying, 'false_positive'::character varying])::text[]))),
  constraint detection_findings_subject_check CHECK ((jsonb_typeof(subject) = 'object'::text))
);
alter table akashi_security.detection_findings owner to akashi_owner;
comment on table akashi_security.detection_findings is 'One row per rule, subject and window. Events that arrive later are added; the evidence is the sealed events.';
comment on column akashi_security.detection_findings.entity is 'The first value of the subject. The findings about one entity form a case.';
comment on column akashi_security.detection_findings.events is 'Ids of its first 250 events.';
comment on column akashi_security.detection_findings.due_at is 'When it must be closed: critical after 1 day, high 3, medium 14, others 30.';
CREATE INDEX detection_findings_assignee_idx ON akashi_security.detection_findings USING btree (assignee) WHERE (assignee IS NOT NULL);
CREATE INDEX detection_findings_entity_idx ON akashi_security.detection_findings USING btree (entity, first_at DESC);
CREATE INDEX detection_findings_rule_idx ON akashi_security.detection_findings USING btree (rule_id, status);
CREATE INDEX detection_findings_status_idx ON akashi_security.detection_findings USING btree (status, severity, first_at DESC);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_security.detection_findings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.detection_findings enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_security.detection_findings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.detection_findings enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_security.detection_findings FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.detection_findings enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_security.detection_findings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.detection_findings enable always trigger akashi_audit_update;
CREATE TRIGGER keep_finding BEFORE UPDATE ON akashi_security.detection_findings FOR EACH ROW EXECUTE FUNCTION akashi_security.keep_finding();
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_security.detection_findings FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_security.detection_findings enable row level security;
alter table akashi_security.detection_findings force row level security;
create policy detection_findings_auditor on akashi_security.detection_findings for select to akashi_reader using (true);
create policy detection_findings_owner on akashi_security.detection_findings for all to akashi_owner using (true) with check (true);
create policy detection_findings_staff on akashi_security.detection_findings for all to akashi_security_admin, akashi_worker using (true) with check (true);
grant select on akashi_security.detection_findings to akashi_security_admin;
grant select on akashi_security.detection_findings to akashi_worker;
grant select (id) on akashi_security.detection_findings to akashi_reader;
grant insert (id) on akashi_security.detection_findings to akashi_security_admin;
grant insert (id) on akashi_security.detection_findings to akashi_worker;
grant select (rule_id) on akashi_security.detection_findings to akashi_reader;
grant insert (rule_id) on akashi_security.detection_findings to akashi_security_admin;
grant insert (rule_id) on akashi_security.detection_findings to akashi_worker;
grant select (rule_name) on akashi_security.detection_findings to akashi_reader;
grant insert (rule_name) on akashi_security.detection_findings to akashi_security_admin;
grant insert (rule_name) on akashi_security.detection_findings to akashi_worker;
grant select (rule_hash) on akashi_security.detection_findings to akashi_reader;
grant insert, update (rule_hash) on akashi_security.detection_findings to akashi_security_admin;
grant insert, update (rule_hash) on akashi_security.detection_findings to akashi_worker;
grant select (title) on akashi_security.detection_findings to akashi_reader;
grant insert (title) on akashi_security.detection_findings to akashi_security_admin;
grant insert (title) on akashi_security.detection_findings to akashi_worker;
grant select (severity) on akashi_security.detection_findings to akashi_reader;
grant insert (severity) on akashi_security.detection_findings to akashi_security_admin;
grant insert (severity) on akashi_security.detection_findings to akashi_worker;
grant select (log) on akashi_security.detection_findings to akashi_reader;
grant insert (log) on akashi_security.detection_findings to akashi_security_admin;
grant insert (log) on akashi_security.detection_findings to akashi_worker;
grant insert (subject) on akashi_security.detection_findings to akashi_security_admin;
grant insert (subject) on akashi_security.detection_findings to akashi_worker;
grant insert (entity) on akashi_security.detection_findings to akashi_security_admin;
grant insert (entity) on akashi_security.detection_findings to akashi_worker;
grant select (first_at) on akashi_security.detection_findings to akashi_reader;
grant insert, update (first_at) on akashi_security.detection_findings to akashi_security_admin;
grant insert, update (first_at) on akashi_security.detection_findings to akashi_worker;
grant select (last_at) on akashi_security.detection_findings to akashi_reader;
grant insert, update (last_at) on akashi_security.detection_findings to akashi_security_admin;
grant insert, update (last_at) on akashi_security.detection_findings to akashi_worker;
grant select (event_count) on akashi_security.detection_findings to akashi_reader;
grant insert, update (event_count) on akashi_security.detection_findings to akashi_security_admin;
grant insert, update (event_count) on akashi_security.detection_findings to akashi_worker;
grant select (events) on akashi_security.detection_findings to akashi_reader;
grant insert, update (events) on akashi_security.detection_findings to akashi_security_admin;
grant insert, update (events) on akashi_security.detection_findings to akashi_worker;
grant select (status) on akashi_security.detection_findings to akashi_reader;
grant update (status) on akashi_security.detection_findings to akashi_security_admin;
grant update (status) on akashi_security.detection_findings to akashi_worker;
grant select (assignee) on akashi_security.detection_findings to akashi_reader;
grant update (assignee) on akashi_security.detection_findings to akashi_security_admin;
grant update (assignee) on akashi_security.detection_findings to akashi_worker;
grant update (notes) on akashi_security.detection_findings to akashi_security_admin;
grant update (notes) on akashi_security.detection_findings to akashi_worker;
grant select (due_at) on akashi_security.detection_findings to akashi_reader;
grant insert (due_at) on akashi_security.detection_findings to akashi_security_admin;
grant insert (due_at) on akashi_security.detection_findings to akashi_worker;
grant select (closed_at) on akashi_security.detection_findings to akashi_reader;
grant select (created_at) on akashi_security.detection_findings to akashi_reader;
grant select (updated_at) on akashi_security.detection_findings to akashi_reader;

create table akashi_security.detection_rulesets (
  digest bytea not null,
  rules jsonb not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint detection_rulesets_digest_check CHECK ((octet_length(digest) = 32)),
  constraint detection_rulesets_pkey PRIMARY KEY (digest),
  constraint detection_rulesets_rules_check CHECK ((jsonb_typeof(rules) = 'array'::text))
);
alter table akashi_security.detection_rulesets owner to akashi_owner;
comment on table akashi_security.detection_rulesets is 'Sets of rules by the SHA-256 of their list; each rule with its id, its name and the hash of its meaning.';
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_security.detection_rulesets FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_security.detection_rulesets enable always trigger refuse_change;
alter table akashi_security.detection_rulesets enable row level security;
alter table akashi_security.detection_rulesets force row level security;
create policy detection_rulesets_auditor on akashi_security.detection_rulesets for select to akashi_reader using (true);
create policy detection_rulesets_owner on akashi_security.detection_rulesets for all to akashi_owner using (true) with check (true);
create policy detection_rulesets_staff on akashi_security.detection_rulesets for all to akashi_security_admin, akashi_worker using (true) with check (true);
grant select on akashi_security.detection_rulesets to akashi_reader;
grant insert, select on akashi_security.detection_rulesets to akashi_security_admin;
grant insert, select on akashi_security.detection_rulesets to akashi_worker;

create table akashi_security.detection_runs (
  id uuid default gen_random_uuid() not null,
  kind text not null,
  log text not null,
  first_position bigint not null,
  end_position bigint not null,
  from_time timestamp with time zone,
  to_time timestamp with time zone,
  ruleset bytea not null,
  findings uuid[] not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint detection_runs_check CHECK ((end_position >= first_position)),
  constraint detection_runs_check1 CHECK (((kind = 'history'::text) OR ((from_time IS NULL) AND (to_time IS NULL)))),
  constraint detection_runs_first_position_check CHECK ((first_position >= 0)),
  constraint detection_runs_kind_check CHECK ((kind = ANY (ARRAY['live'::text, 'history'::text]))),
  constraint detection_runs_log_check CHECK ((log = ANY (ARRAY['security_events'::text, 'audit_logs'::text, 'login_attempts'::text]))),
  constraint detection_runs_pkey PRIMARY KEY (id),
  constraint detection_runs_ruleset_fkey FOREIGN KEY (ruleset) REFERENCES akashi_security.detection_rulesets(digest)
);
alter table akashi_security.detection_runs owner to akashi_owner;
comment on table akashi_security.detection_runs is 'Coverage: which rules evaluated which range of a log. Runs over history evaluate only the events of the given period. Append-only.';
comment on column akashi_security.detection_runs.end_position is 'The first position after the run.';
CREATE INDEX detection_runs_log_idx ON akashi_security.detection_runs USING btree (log, kind, end_position DESC);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_security.detection_runs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_security.detection_runs enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_security.detection_runs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_security.detection_runs enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_security.detection_runs FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_security.detection_runs enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_security.detection_runs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('internal', 'id');
alter table akashi_security.detection_runs enable always trigger akashi_audit_update;
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_security.detection_runs FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_security.detection_runs enable always trigger refuse_change;
alter table akashi_security.detection_runs enable row level security;
alter table akashi_security.detection_runs force row level security;
create policy detection_runs_auditor on akashi_security.detection_runs for select to akashi_reader using (true);
create policy detection_runs_owner on akashi_security.detection_runs for all to akashi_owner using (true) with check (true);
create policy detection_runs_staff on akashi_security.detection_runs for all to akashi_security_admin, akashi_worker using (true) with check (true);
grant select on akashi_security.detection_runs to akashi_reader;
grant select on akashi_security.detection_runs to akashi_security_admin;
grant select on akashi_security.detection_runs to akashi_worker;
grant insert (kind) on akashi_security.detection_runs to akashi_security_admin;
grant insert (kind) on akashi_security.detection_runs to akashi_worker;
grant insert (log) on akashi_security.detection_runs to akashi_security_admin;
grant insert (log) on akashi_security.detection_runs to akashi_worker;
grant insert (first_position) on akashi_security.detection_runs to akashi_security_admin;
grant insert (first_position) on akashi_security.detection_runs to akashi_worker;
grant insert (end_position) on akashi_security.detection_runs to akashi_security_admin;
grant insert (end_position) on akashi_security.detection_runs to akashi_worker;
grant insert (from_time) on akashi_security.detection_runs to akashi_security_admin;
grant insert (from_time) on akashi_security.detection_runs to akashi_worker;
grant insert (to_time) on akashi_security.detection_runs to akashi_security_admin;
grant insert (to_time) on akashi_security.detection_runs to akashi_worker;
grant insert (ruleset) on akashi_security.detection_runs to akashi_security_admin;
grant insert (ruleset) on akashi_security.detection_runs to akashi_worker;
grant insert (findings) on akashi_security.detection_runs to akashi_security_admin;
grant insert (findings) on akashi_security.detection_runs to akashi_worker;

create table akashi_security.evidence_links (
  id uuid default gen_random_uuid() not null,
  token_hash bytea not null,
  logs text[] not null,
  covers_from timestamp with time zone not null,
  covers_until timestamp with time zone not null,
  reports uuid[] default '{}'::uuid[] not null,
  reason text not null,
  shared_by uuid,
  expires_at timestamp with time zone not null,
  opened bigint default 0 not null,
  last_opened_at timestamp with time zone,
  revoked_at timestamp with time zone,
  revoked_by text,
  revoke_reason text,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint evidence_links_check CHECK ((covers_until > covers_from)),
  constraint evidence_links_expiry_check CHECK (((expires_at > created_at) AND (expires_at <= (created_at + 'PT720H'::interval)))),
  constraint evidence_links_logs_check CHECK (((cardinality(logs) > 0) AND (logs <@ ARRAY['audit_logs'::text, 'security_events'::text, 'login_attempts'::text]))),
  constraint evidence_links_pkey PRIMARY KEY (id),
  constraint evidence_links_reason_check CHECK (((reason ~ '\S'::text) AND (reason !~ '[\x01-\x1f\x7f]'::text) AND (length(reason) <= 1000))),
  constraint evidence_links_reports_check CHECK ((cardinality(reports) <= 24)),
  constraint evidence_links_revoke_reason_check CHECK (((revoke_reason ~ '\S'::text) AND (revoke_reason !~ '[\x01-\x1f\x7f]'::text) AND (length(revoke_reason) <= 1000))),
  constraint evidence_links_token_hash_check CHECK ((octet_length(token_hash) = 32)),
  constraint evidence_links_token_hash_key UNIQUE (token_hash)
);
alter table akashi_security.evidence_links owner to akashi_owner;
comment on table akashi_security.evidence_links is 'Links by which somebody without an account reads chosen logs and reports.';
comment on column akashi_security.evidence_links.token_hash is 'SHA-256 of the token, which is only in the link.';
comment on column akashi_security.evidence_links.covers_from is 'Rows of the logs from then on, before covers_until.';
comment on column akashi_security.evidence_links.reports is 'Ids of compliance reports.';
comment on column akashi_security.evidence_links.shared_by is 'The person whose permissions the link borrows: without them it does not open. Null for an administrator of the database.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_security.evidence_links REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{token_hash}');
alter table akashi_security.evidence_links enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_security.evidence_links REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{token_hash}');
alter table akashi_security.evidence_links enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_security.evidence_links FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{token_hash}');
alter table akashi_security.evidence_links enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_security.evidence_links REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{token_hash}');
alter table akashi_security.evidence_links enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_security.evidence_links FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_security.evidence_links enable row level security;
alter table akashi_security.evidence_links force row level security;
create policy evidence_links_owner on akashi_security.evidence_links for all to akashi_owner using (true) with check (true);

create table akashi_security.evidence_sessions (
  id uuid default gen_random_uuid() not null,
  link_id uuid not null,
  token_hash bytea not null,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  constraint evidence_sessions_link_id_fkey FOREIGN KEY (link_id) REFERENCES akashi_security.evidence_links(id),
  constraint evidence_sessions_pkey PRIMARY KEY (id),
  constraint evidence_sessions_token_hash_check CHECK ((octet_length(token_hash) = 32)),
  constraint evidence_sessions_token_hash_key UNIQUE (token_hash)
);
alter table akashi_security.evidence_sessions owner to akashi_owner;
comment on table akashi_security.evidence_sessions is 'Browsers that opened an evidence link. They can read what the link shows, and nothing else.';
comment on column akashi_security.evidence_sessions.token_hash is 'SHA-256 of the token in the cookie.';
CREATE INDEX evidence_sessions_link_idx ON akashi_security.evidence_sessions USING btree (link_id, expires_at);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_security.evidence_sessions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{token_hash}');
alter table akashi_security.evidence_sessions enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_security.evidence_sessions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{token_hash}');
alter table akashi_security.evidence_sessions enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_security.evidence_sessions FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{token_hash}');
alter table akashi_security.evidence_sessions enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_security.evidence_sessions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{id}', '', '{}', '{}', '{token_hash}');
alter table akashi_security.evidence_sessions enable always trigger akashi_audit_update;
alter table akashi_security.evidence_sessions enable row level security;
alter table akashi_security.evidence_sessions force row level security;
create policy evidence_sessions_owner on akashi_security.evidence_sessions for all to akashi_owner using (true) with check (true);

create table akashi_security.ingest_batches (
  digest bytea not null,
  source text not null,
  format text not null,
  events integer not null,
  first_at timestamp with time zone not null,
  last_at timestamp with time zone not null,
  received_at timestamp with time zone default clock_timestamp() not null,
  constraint ingest_batches_digest_check CHECK ((octet_length(digest) = 32)),
  constraint ingest_batches_events_check CHECK ((events > 0)),
  constraint ingest_batches_pkey PRIMARY KEY (digest)
);
alter table akashi_security.ingest_batches owner to akashi_owner;
comment on table akashi_security.ingest_batches is 'One row per batch of ingested events, by the SHA-256 of their ids: ensures exactly once even after archiving.';
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_security.ingest_batches FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_security.ingest_batches enable always trigger refuse_change;
alter table akashi_security.ingest_batches enable row level security;
alter table akashi_security.ingest_batches force row level security;
create policy ingest_batches_owner on akashi_security.ingest_batches for all to akashi_owner using (true) with check (true);
create policy ingest_batches_read on akashi_security.ingest_batches for select to akashi_security_admin using (true);
create policy ingest_batches_worker on akashi_security.ingest_batches for all to akashi_worker using (true) with check (true);
grant select on akashi_security.ingest_batches to akashi_security_admin;
grant insert, select on akashi_security.ingest_batches to akashi_worker;

create table akashi_security.ingest_quarantine (
  digest bytea not null,
  source text not null,
  format text not null,
  options jsonb not null,
  line bigint not null,
  content text not null,
  reason text not null,
  received_at timestamp with time zone default clock_timestamp() not null,
  constraint ingest_quarantine_digest_check CHECK ((octet_length(digest) = 32)),
  constraint ingest_quarantine_line_check CHECK ((line > 0)),
  constraint ingest_quarantine_options_check CHECK ((jsonb_typeof(options) = 'object'::text)),
  constraint ingest_quarantine_pkey PRIMARY KEY (digest)
);
alter table akashi_security.ingest_quarantine owner to akashi_owner;
comment on table akashi_security.ingest_quarantine is 'Lines of logs that were rejected, by the SHA-256 of format, options and line, for 90 days; removed when they are accepted.';
CREATE INDEX ingest_quarantine_received_idx ON akashi_security.ingest_quarantine USING btree (received_at);
alter table akashi_security.ingest_quarantine enable row level security;
alter table akashi_security.ingest_quarantine force row level security;
create policy ingest_quarantine_owner on akashi_security.ingest_quarantine for all to akashi_owner using (true) with check (true);
create policy ingest_quarantine_read on akashi_security.ingest_quarantine for select to akashi_security_admin using (true);
create policy ingest_quarantine_worker on akashi_security.ingest_quarantine for all to akashi_worker using (true) with check (true);
grant select on akashi_security.ingest_quarantine to akashi_security_admin;
grant delete, insert, select on akashi_security.ingest_quarantine to akashi_worker;
grant update (reason) on akashi_security.ingest_quarantine to akashi_worker;

create table akashi_security.remediations (
  event_id uuid not null,
  event_created_at timestamp with time zone not null,
  severity character varying(20) not null,
  remediation_status character varying(20) default 'open'::character varying not null,
  remediation_notes text,
  assignee uuid,
  security_hub_id character varying(255),
  resolved_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((akashi_auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint remediations_assignee_fkey FOREIGN KEY (assignee) REFERENCES akashi_auth.users(id) ON DELETE SET NULL,
  constraint remediations_check CHECK ((((remediation_status)::text = 'resolved'::text) = (resolved_at IS NOT NULL))),
  constraint remediations_pkey PRIMARY KEY (event_id, event_created_at),
  constraint remediations_remediation_notes_check CHECK ((length(remediation_notes) <= 8192)),
  constraint remediations_status_check CHECK (((remediation_status)::text = ANY ((ARRAY['open'::character varying, 'in_progress'::character varying, 'resolved'::character varying, 'suppressed'::character varying])::text[])))
);
alter table akashi_security.remediations owner to akashi_owner;
comment on table akashi_security.remediations is 'The remediation of an event; an event without a row is open. Its history is in the audit trail.';
comment on column akashi_security.remediations.severity is 'Severity of the event, for the list of open events; outlives the event''s partition.';
comment on column akashi_security.remediations.security_hub_id is 'Finding id in AWS Security Hub.';
CREATE INDEX remediations_assignee_idx ON akashi_security.remediations USING btree (assignee) WHERE (assignee IS NOT NULL);
CREATE INDEX remediations_hub_id_idx ON akashi_security.remediations USING btree (security_hub_id) WHERE (security_hub_id IS NOT NULL);
CREATE INDEX remediations_status_idx ON akashi_security.remediations USING btree (remediation_status, severity);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON akashi_security.remediations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{event_id,event_created_at}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.remediations enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON akashi_security.remediations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{event_id,event_created_at}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.remediations enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON akashi_security.remediations FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{event_id,event_created_at}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.remediations enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON akashi_security.remediations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.log_changes('confidential', '{event_id,event_created_at}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table akashi_security.remediations enable always trigger akashi_audit_update;
CREATE TRIGGER keep_remediation BEFORE INSERT OR UPDATE ON akashi_security.remediations FOR EACH ROW EXECUTE FUNCTION akashi_security.keep_remediation();
CREATE TRIGGER update_updated_at BEFORE UPDATE ON akashi_security.remediations FOR EACH ROW EXECUTE FUNCTION akashi_auth.update_updated_at();
alter table akashi_security.remediations enable row level security;
alter table akashi_security.remediations force row level security;
create policy remediations_auditor on akashi_security.remediations for select to akashi_reader using (true);
create policy remediations_owner on akashi_security.remediations for all to akashi_owner using (true) with check (true);
create policy remediations_staff on akashi_security.remediations for all to akashi_security_admin, akashi_worker using (true) with check (true);
grant select on akashi_security.remediations to akashi_security_admin;
grant select on akashi_security.remediations to akashi_worker;
grant select (event_id) on akashi_security.remediations to akashi_reader;
grant insert (event_id) on akashi_security.remediations to akashi_security_admin;
grant insert (event_id) on akashi_security.remediations to akashi_worker;
grant select (event_created_at) on akashi_security.remediations to akashi_reader;
grant insert (event_created_at) on akashi_security.remediations to akashi_security_admin;
grant insert (event_created_at) on akashi_security.remediations to akashi_worker;
grant select (severity) on akashi_security.remediations to akashi_reader;
grant select (remediation_status) on akashi_security.remediations to akashi_reader;
grant insert, update (remediation_status) on akashi_security.remediations to akashi_security_admin;
grant insert, update (remediation_status) on akashi_security.remediations to akashi_worker;
grant insert, update (remediation_notes) on akashi_security.remediations to akashi_security_admin;
grant insert, update (remediation_notes) on akashi_security.remediations to akashi_worker;
grant select (assignee) on akashi_security.remediations to akashi_reader;
grant insert, update (assignee) on akashi_security.remediations to akashi_security_admin;
grant insert, update (assignee) on akashi_security.remediations to akashi_worker;
grant select (security_hub_id) on akashi_security.remediations to akashi_reader;
grant insert, update (security_hub_id) on akashi_security.remediations to akashi_security_admin;
grant insert, update (security_hub_id) on akashi_security.remediations to akashi_worker;
grant select (resolved_at) on akashi_security.remediations to akashi_reader;
grant select (created_at) on akashi_security.remediations to akashi_reader;
grant select (updated_at) on akashi_security.remediations to akashi_reader;

create table akashi_security.security_event_hook_results (
  id uuid default akashi_audit.uuid_v7() not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  event_id uuid not null,
  event_created_at timestamp with time zone not null,
  hook_name character varying(100) not null,
  hook_type character varying(50) not null,
  attempt integer default 1 not null,
  result character varying(20) not null,
  duration_ms integer,
  response_code integer,
  error_message text,
  detail jsonb default '{}'::jsonb not null,
  tenant_id text,
  constraint security_event_hook_results_attempt_check CHECK ((attempt > 0)),
  constraint security_event_hook_results_created_at_check CHECK (isfinite(created_at)),
  constraint security_event_hook_results_duration_ms_check CHECK ((duration_ms >= 0)),
  constraint security_event_hook_results_pkey PRIMARY KEY (id, created_at),
  constraint security_event_hook_results_result_check CHECK (((result)::text = ANY ((ARRAY['success'::character varying, 'failure'::character varying, 'skipped'::character varying])::text[])))
) partition by RANGE (created_at);
alter table akashi_security.security_event_hook_results owner to akashi_owner;
comment on table akashi_security.security_event_hook_results is 'Append-only: the response of each hook to an event, one row per attempt.';
CREATE INDEX security_event_hook_results_event_idx ON ONLY akashi_security.security_event_hook_results USING btree (event_id);
CREATE INDEX security_event_hook_results_hook_idx ON ONLY akashi_security.security_event_hook_results USING btree (hook_name, created_at DESC);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_security.security_event_hook_results FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_security.security_event_hook_results enable always trigger refuse_change;
alter table akashi_security.security_event_hook_results enable row level security;
alter table akashi_security.security_event_hook_results force row level security;
create policy hook_results_record on akashi_security.security_event_hook_results for insert to akashi_worker with check (true);
create policy hook_results_staff on akashi_security.security_event_hook_results for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on akashi_security.security_event_hook_results to akashi_reader;
grant select on akashi_security.security_event_hook_results to akashi_security_admin;
grant select on akashi_security.security_event_hook_results to akashi_worker;
grant insert (event_id) on akashi_security.security_event_hook_results to akashi_worker;
grant insert (event_created_at) on akashi_security.security_event_hook_results to akashi_worker;
grant insert (hook_name) on akashi_security.security_event_hook_results to akashi_worker;
grant insert (hook_type) on akashi_security.security_event_hook_results to akashi_worker;
grant insert (attempt) on akashi_security.security_event_hook_results to akashi_worker;
grant insert (result) on akashi_security.security_event_hook_results to akashi_worker;
grant insert (duration_ms) on akashi_security.security_event_hook_results to akashi_worker;
grant insert (response_code) on akashi_security.security_event_hook_results to akashi_worker;
grant insert (error_message) on akashi_security.security_event_hook_results to akashi_worker;
grant insert (detail) on akashi_security.security_event_hook_results to akashi_worker;
grant insert (tenant_id) on akashi_security.security_event_hook_results to akashi_worker;

create table akashi_security.security_events (
  id uuid default uuidv7() not null,
  created_at timestamp with time zone default now() not null,
  received_at timestamp with time zone default clock_timestamp() not null,
  seq bigint default nextval('akashi_security.security_events_seq'::regclass) not null,
  xid xid8 default pg_current_xact_id() not null,
  salt bytea default uuid_send(gen_random_uuid()) not null,
  event_type character varying(50) not null,
  event_category character varying(50) not null,
  severity character varying(20) not null,
  source_service character varying(50) not null,
  description text,
  signed_by text,
  user_id text,
  user_name text,
  external_user_id text,
  session_id text,
  source_ip inet,
  user_agent text,
  resource_type character varying(50),
  resource_id character varying(255),
  action_performed character varying(100),
  result character varying(20),
  tenant_id text,
  tenant_name text,
  client_id text,
  client_name text,
  request_id text,
  trace_id text,
  ocsf_class_uid integer,
  event_details jsonb default '{}'::jsonb not null,
  constraint security_events_category_check CHECK (((event_category)::text = ANY ((ARRAY['authentication'::character varying, 'authorization'::character varying, 'data_access'::character varying, 'configuration'::character varying, 'network'::character varying, 'system'::character varying, 'integrity'::character varying])::text[]))),
  constraint security_events_finite CHECK ((isfinite(created_at) AND isfinite(received_at))),
  constraint security_events_pkey PRIMARY KEY (id, created_at),
  constraint security_events_result_check CHECK (((result)::text = ANY ((ARRAY['success'::character varying, 'failure'::character varying])::text[]))),
  constraint security_events_session_check CHECK ((length(session_id) <= 255)),
  constraint security_events_severity_check CHECK (((severity)::text = ANY ((ARRAY['info'::character varying, 'low'::character varying, 'medium'::character varying, 'high'::character varying, 'critical'::character varying])::text[]))),
  constraint security_events_size_check CHECK (((octet_length(description) <= 1048576) AND (((pg_column_compression(event_details) IS NULL) AND (pg_column_size(event_details) <= 2048)) OR (octet_length((event_details)::text) <= 33554432)))),
  constraint security_events_user_check CHECK ((length(user_id) <= 255))
) partition by RANGE (created_at);
alter table akashi_security.security_events owner to akashi_owner;
comment on table akashi_security.security_events is 'Append-only; sealed into the ledger security_events.';
comment on column akashi_security.security_events.created_at is 'When it happened.';
comment on column akashi_security.security_events.received_at is 'When Akashi received it; live detectors use this time.';
comment on column akashi_security.security_events.signed_by is 'The application whose signed context was recorded with the event; null for events that arrived in logs.';
CREATE INDEX security_events_blocks_idx ON ONLY akashi_security.security_events USING brin (event_type text_bloom_ops (n_distinct_per_range='50'), source_ip inet_bloom_ops (n_distinct_per_range='400'), user_id text_bloom_ops (n_distinct_per_range='400'), user_name text_bloom_ops (n_distinct_per_range='400')) WITH (pages_per_range='64', autosummarize='on');
CREATE INDEX security_events_created_idx ON ONLY akashi_security.security_events USING btree (created_at DESC, id DESC);
CREATE INDEX security_events_order_idx ON ONLY akashi_security.security_events USING btree (xid, seq);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON akashi_security.security_events FOR EACH STATEMENT EXECUTE FUNCTION akashi_audit.refuse_change();
alter table akashi_security.security_events enable always trigger refuse_change;
alter table akashi_security.security_events enable row level security;
alter table akashi_security.security_events force row level security;
create policy security_events_auditor on akashi_security.security_events for select to akashi_reader using (true);
create policy security_events_owner on akashi_security.security_events for select to akashi_owner using (true);
create policy security_events_record on akashi_security.security_events for insert to akashi_owner, akashi_worker with check (true);
create policy security_events_self on akashi_security.security_events for select to akashi_app using (((user_id = (( SELECT akashi_auth.current_user_id() AS current_user_id))::text) AND (COALESCE(signed_by, 'akashi'::text) = 'akashi'::text)));
create policy security_events_staff on akashi_security.security_events for select to akashi_security_admin, akashi_worker using (true);
grant select on akashi_security.security_events to akashi_app;
grant select on akashi_security.security_events to akashi_security_admin;
grant select on akashi_security.security_events to akashi_worker;
grant select (id) on akashi_security.security_events to akashi_reader;
grant insert (id) on akashi_security.security_events to akashi_worker;
grant select (created_at) on akashi_security.security_events to akashi_reader;
grant insert (created_at) on akashi_security.security_events to akashi_worker;
grant select (received_at) on akashi_security.security_events to akashi_reader;
grant select (seq) on akashi_security.security_events to akashi_reader;
grant select (xid) on akashi_security.security_events to akashi_reader;
grant select (event_type) on akashi_security.security_events to akashi_reader;
grant insert (event_type) on akashi_security.security_events to akashi_worker;
grant select (event_category) on akashi_security.security_events to akashi_reader;
grant insert (event_category) on akashi_security.security_events to akashi_worker;
grant select (severity) on akashi_security.security_events to akashi_reader;
grant insert (severity) on akashi_security.security_events to akashi_worker;
grant select (source_service) on akashi_security.security_events to akashi_reader;
grant insert (source_service) on akashi_security.security_events to akashi_worker;
grant insert (description) on akashi_security.security_events to akashi_worker;
grant select (signed_by) on akashi_security.security_events to akashi_reader;
grant select (user_id) on akashi_security.security_events to akashi_reader;
grant insert (user_id) on akashi_security.security_events to akashi_worker;
grant insert (user_name) on akashi_security.security_events to akashi_worker;
grant insert (external_user_id) on akashi_security.security_events to akashi_worker;
grant select (session_id) on akashi_security.security_events to akashi_reader;
grant insert (session_id) on akashi_security.security_events to akashi_worker;
grant select (source_ip) on akashi_security.security_events to akashi_reader;
grant insert (source_ip) on akashi_security.security_events to akashi_worker;
grant insert (user_agent) on akashi_security.security_events to akashi_worker;
grant select (resource_type) on akashi_security.security_events to akashi_reader;
grant insert (resource_type) on akashi_security.security_events to akashi_worker;
grant select (resource_id) on akashi_security.security_events to akashi_reader;
grant insert (resource_id) on akashi_security.security_events to akashi_worker;
grant select (action_performed) on akashi_security.security_events to akashi_reader;
grant insert (action_performed) on akashi_security.security_events to akashi_worker;
grant select (result) on akashi_security.security_events to akashi_reader;
grant insert (result) on akashi_security.security_events to akashi_worker;
grant select (tenant_id) on akashi_security.security_events to akashi_reader;
grant insert (tenant_id) on akashi_security.security_events to akashi_worker;
grant select (tenant_name) on akashi_security.security_events to akashi_reader;
grant insert (tenant_name) on akashi_security.security_events to akashi_worker;
grant select (client_id) on akashi_security.security_events to akashi_reader;
grant insert (client_id) on akashi_security.security_events to akashi_worker;
grant select (client_name) on akashi_security.security_events to akashi_reader;
grant insert (client_name) on akashi_security.security_events to akashi_worker;
grant select (request_id) on akashi_security.security_events to akashi_reader;
grant insert (request_id) on akashi_security.security_events to akashi_worker;
grant select (trace_id) on akashi_security.security_events to akashi_reader;
grant insert (trace_id) on akashi_security.security_events to akashi_worker;
grant select (ocsf_class_uid) on akashi_security.security_events to akashi_reader;
grant insert (ocsf_class_uid) on akashi_security.security_events to akashi_worker;
grant insert (event_details) on akashi_security.security_events to akashi_worker;

-- Views

create view akashi_audit.audit_log_chain with (security_invoker=true) as
 SELECT e.log,
    e."position",
    e.row_id AS id,
    e.created_at AS recorded_at,
    encode(e.entry_hash, 'hex'::text) AS hash,
    encode(p.entry_hash, 'hex'::text) AS previous_hash
   FROM (akashi_audit.ledger_entries e
     LEFT JOIN akashi_audit.ledger_entries p ON (((p.log = e.log) AND (p."position" = (e."position" - 1)))));
alter view akashi_audit.audit_log_chain owner to akashi_owner;
comment on view akashi_audit.audit_log_chain is 'Each entry with its hash and that of the previous entry, which is null for the first.';
grant select on akashi_audit.audit_log_chain to akashi_app;
grant select on akashi_audit.audit_log_chain to akashi_reader;
grant select on akashi_audit.audit_log_chain to akashi_security_admin;
grant select on akashi_audit.audit_log_chain to akashi_worker;

create view akashi_audit.coverage with (security_invoker=true) as
 SELECT n.nspname AS schema_name,
    c.relname AS table_name,
        CASE
            WHEN (p.table_name IS NOT NULL) THEN 'protected'::text
            WHEN (e.table_name IS NOT NULL) THEN 'exempt'::text
            ELSE 'gap'::text
        END AS state,
    p.classification,
    e.reason
   FROM (((pg_class c
     JOIN pg_namespace n ON ((n.oid = c.relnamespace)))
     LEFT JOIN akashi_audit.protected_tables p ON (((p.schema_name = n.nspname) AND (p.table_name = c.relname))))
     LEFT JOIN akashi_audit.exempt_tables e ON (((e.schema_name = n.nspname) AND (e.table_name = c.relname))))
  WHERE ((c.relkind = ANY (ARRAY['r'::"char", 'p'::"char"])) AND (NOT c.relispartition) AND (c.relpersistence = 'p'::"char") AND (n.nspname <> ALL (ARRAY['pg_catalog'::name, 'information_schema'::name, 'akashi_archive'::name, 'akashi_jobs'::name])) AND (n.nspname !~~ 'pg\_%'::text));
alter view akashi_audit.coverage owner to akashi_owner;
comment on view akashi_audit.coverage is 'Every table in the schemas of the application and of Akashi: protected, exempt, or a gap. Partitions are covered by their parents.';
grant select on akashi_audit.coverage to akashi_app;
grant select on akashi_audit.coverage to akashi_security_admin;
grant select on akashi_audit.coverage to akashi_worker;

create view akashi_audit.logs with (security_invoker=true) as
 SELECT log,
    schema_name,
    table_name
   FROM ( VALUES ('audit_logs'::text,'akashi_audit'::text,'audit_logs'::text), ('security_events'::text,'akashi_security'::text,'security_events'::text), ('login_attempts'::text,'akashi_auth'::text,'login_attempts'::text)) sealed(log, schema_name, table_name);
alter view akashi_audit.logs owner to akashi_owner;
comment on view akashi_audit.logs is 'The logs of the ledger and the tables whose rows they seal.';
grant select on akashi_audit.logs to akashi_app;
grant select on akashi_audit.logs to akashi_reader;
grant select on akashi_audit.logs to akashi_security_admin;
grant select on akashi_audit.logs to akashi_worker;

create view akashi_audit.recorded_actions with (security_invoker=true) as
 SELECT id,
    created_at,
    event_type,
    action,
    resource,
    resource_id,
    result,
    detail,
    user_id,
    db_user
   FROM akashi_audit.audit_logs
  WHERE (event_type <> 'data_change'::text);
alter view akashi_audit.recorded_actions owner to akashi_owner;
comment on view akashi_audit.recorded_actions is 'The rows written by record_action().';
grant select on akashi_audit.recorded_actions to akashi_security_admin;
grant select on akashi_audit.recorded_actions to akashi_worker;

create view akashi_audit.sealed_rows with (security_invoker=true) as
 SELECT l.schema_name,
    l.table_name,
    e.row_id,
    e.created_at,
    e.log,
    e."position",
    e.entry_hash,
    c.size AS checkpoint_size,
    c.epoch AS checkpoint_epoch,
    c.published_at AS checkpoint_published_at,
    t.id AS retention_record_id,
    t.retired_at
   FROM (((akashi_audit.ledger_entries e
     JOIN akashi_audit.logs l ON ((l.log = e.log)))
     LEFT JOIN LATERAL ( SELECT k.size,
            k.epoch,
            k.published_at
           FROM akashi_audit.ledger_checkpoints k
          WHERE ((k.log = e.log) AND (k.size > e."position"))
          ORDER BY k.epoch DESC, k.size
         LIMIT 1) c ON (true))
     LEFT JOIN LATERAL ( SELECT r.id,
            r.retired_at
           FROM akashi_audit.retention_records r
          WHERE ((r.log = e.log) AND ((e."position" >= r.first_position) AND (e."position" <= r.last_position)) AND (r.lower_bound <= e.created_at) AND (e.created_at < r.upper_bound))
          ORDER BY r.retired_at
         LIMIT 1) t ON (true));
alter view akashi_audit.sealed_rows owner to akashi_owner;
comment on view akashi_audit.sealed_rows is 'Every sealed row, with the first published checkpoint that covers it and its retention record. Filter by row_id.';
grant select on akashi_audit.sealed_rows to akashi_security_admin;
grant select on akashi_audit.sealed_rows to akashi_worker;

create view akashi_audit.v_audit_logs_masked with (security_invoker=true) as
 SELECT id,
    created_at,
    event_type,
    action,
    resource,
    resource_id,
    result,
    error_code,
    schema_name,
    table_name,
    operation,
    record_id,
    changed_fields,
    user_id,
    session_id,
    user_id AS cognito_user_id,
    ip_address,
    context_verified,
    application_version,
    api_endpoint,
    request_id,
    trace_id,
    correlation_id,
    tenant_id,
    compliance_context,
    data_classification,
    ( SELECT (EXTRACT(day FROM r.total_retention))::integer AS "extract"
           FROM akashi_lifecycle.retention r
          WHERE ((r.schema_name = 'akashi_audit'::text) AND (r.table_name = 'audit_logs'::text))) AS retention_period,
        CASE
            WHEN (created_at >= (now() - ( SELECT r.hot_retention
               FROM akashi_lifecycle.retention r
              WHERE ((r.schema_name = 'akashi_audit'::text) AND (r.table_name = 'audit_logs'::text))))) THEN 'active'::text
            ELSE 'due'::text
        END AS archive_status
   FROM akashi_audit.audit_logs a;
alter view akashi_audit.v_audit_logs_masked owner to akashi_owner;
comment on view akashi_audit.v_audit_logs_masked is 'The trail for the auditor, under the names of the sources: without values, details, user agents and subjects.';
grant select on akashi_audit.v_audit_logs_masked to akashi_reader;
grant select on akashi_audit.v_audit_logs_masked to akashi_security_admin;
grant select on akashi_audit.v_audit_logs_masked to akashi_worker;

create view akashi_audit.v_security_audit_summary with (security_invoker=true) as
 SELECT date_trunc('hour'::text, created_at) AS audit_hour,
    table_name,
    operation,
    data_classification,
    count(*) AS operation_count,
    count(DISTINCT user_id) AS unique_users,
    count(DISTINCT ip_address) AS unique_ips,
    array_agg(DISTINCT user_id) FILTER (WHERE (user_id IS NOT NULL)) AS affected_users
   FROM akashi_audit.audit_logs
  WHERE (created_at >= (now() - 'PT24H'::interval))
  GROUP BY (date_trunc('hour'::text, created_at)), table_name, operation, data_classification
  ORDER BY (date_trunc('hour'::text, created_at)) DESC;
alter view akashi_audit.v_security_audit_summary owner to akashi_owner;
comment on view akashi_audit.v_security_audit_summary is 'Audit rows of the last 24 hours; actions have neither table nor operation. Row-level security restricts the rows.';
grant select on akashi_audit.v_security_audit_summary to akashi_app;
grant select on akashi_audit.v_security_audit_summary to akashi_security_admin;
grant select on akashi_audit.v_security_audit_summary to akashi_worker;

create view akashi_auth.active_users with (security_invoker=true) as
 SELECT id
   FROM akashi_auth.users
  WHERE is_active;
alter view akashi_auth.active_users owner to akashi_owner;
comment on view akashi_auth.active_users is 'Users whose account is active.';
grant select on akashi_auth.active_users to akashi_policy;

create view akashi_auth.current_consents with (security_invoker=true) as
 SELECT DISTINCT ON (user_id, purpose) id,
    user_id,
    purpose,
    decision,
    document_version,
    regulation,
    created_at
   FROM akashi_auth.privacy_consents
  ORDER BY user_id, purpose, created_at DESC;
alter view akashi_auth.current_consents owner to akashi_owner;
comment on view akashi_auth.current_consents is 'The latest decision for each purpose.';
grant select on akashi_auth.current_consents to akashi_app;
grant select on akashi_auth.current_consents to akashi_security_admin;
grant select on akashi_auth.current_consents to akashi_worker;

create view akashi_auth.held_users with (security_invoker=true) as
 SELECT id
   FROM akashi_auth.users
  WHERE (legal_hold IS NOT NULL);
alter view akashi_auth.held_users owner to akashi_owner;
comment on view akashi_auth.held_users is 'People under legal hold: none of their data is purged.';
grant select on akashi_auth.held_users to akashi_worker;

create view akashi_auth.masked_users with (security_barrier=true) as
 SELECT id,
    issuer,
    '***'::text AS subject,
    ("left"((username)::text, 1) || '***'::text) AS username,
    ("left"((display_name)::text, 1) || '***'::text) AS display_name,
    COALESCE(email_masked, (regexp_replace((email)::text, '^(.).*(@.*)$'::text, '\1***\2'::text))::character varying) AS email,
    last_login_at,
    account_status,
    is_active,
    is_deleted,
    tenant_id,
    security_classification,
    data_residency,
    compliance_tags,
    created_at,
    updated_at
   FROM akashi_auth.users;
alter view akashi_auth.masked_users owner to akashi_policy;
comment on view akashi_auth.masked_users is 'Users under their own column names, with personal values masked.';
grant select on akashi_auth.masked_users to akashi_reader;
grant select on akashi_auth.masked_users to akashi_security_admin;
grant select on akashi_auth.masked_users to akashi_worker;

create view akashi_auth.presence with (security_invoker=true) as
 SELECT user_id,
        CASE
            WHEN bool_or(((status)::text = 'online'::text)) THEN 'online'::text
            WHEN bool_or(((status)::text = 'away'::text)) THEN 'away'::text
            ELSE 'offline'::text
        END AS status
   FROM akashi_auth.user_sessions s
  WHERE ((revoked_at IS NULL) AND (expires_at > now()) AND (last_activity > (now() - 'PT30M'::interval)))
  GROUP BY user_id;
alter view akashi_auth.presence owner to akashi_owner;
comment on view akashi_auth.presence is 'The presence of a person is that of their most active session; without a row, offline.';

create view akashi_auth.profiles with (security_barrier=true) as
 SELECT id,
    username,
    COALESCE(display_name, username) AS display_name,
    avatar_url,
    is_active
   FROM akashi_auth.users
  WHERE (NOT is_deleted);
alter view akashi_auth.profiles owner to akashi_policy;
comment on view akashi_auth.profiles is 'Names and pictures, visible to every signed-in service; never e-mail, subject or state.';
grant select on akashi_auth.profiles to akashi_app;
grant select on akashi_auth.profiles to akashi_reader;
grant select on akashi_auth.profiles to akashi_security_admin;
grant select on akashi_auth.profiles to akashi_worker;

create view akashi_lifecycle.data_lineage with (security_invoker=true) as
 SELECT n.schema_name,
    n.table_name,
    n.row_id,
    n.created_at,
    n.log,
    n."position",
    n.entry_hash,
        CASE e.state
            WHEN 'verified'::text THEN 'database and store'::text
            WHEN 'detached'::text THEN 'archive schema and store'::text
            WHEN 'dropped'::text THEN 'store'::text
            WHEN 'retiring'::text THEN 'store, being retired'::text
            WHEN 'retired'::text THEN 'nowhere: retired'::text
            ELSE 'database'::text
        END AS lives_in,
    COALESCE(e.partition_name, akashi_lifecycle.partition_name(n.table_name, n.created_at, p."interval")) AS partition_name,
    e.id AS export_id,
    e.generation,
    e.state AS export_state,
    e.folder,
    e.manifest,
    e.manifest_sha256,
    e.verified_at AS exported_at,
    e.detached_at,
    e.dropped_at,
    e.restored_at,
    ( SELECT jsonb_agg(jsonb_build_object('restored_at', r.restored_at, 'keep_until', r.keep_until, 'by', r.restored_by) ORDER BY r.restored_at) AS jsonb_agg
           FROM akashi_lifecycle.partition_restores r
          WHERE ((r.schema_name = n.schema_name) AND (r.table_name = n.table_name) AND (r.lower_bound <= n.created_at) AND (n.created_at < r.upper_bound))) AS restores,
    n.checkpoint_size,
    n.checkpoint_epoch,
    n.checkpoint_published_at,
        CASE
            WHEN (e.state = ANY (ARRAY['verified'::text, 'detached'::text, 'dropped'::text])) THEN NULL::uuid
            ELSE n.retention_record_id
        END AS retention_record_id,
        CASE
            WHEN (e.state = ANY (ARRAY['verified'::text, 'detached'::text, 'dropped'::text])) THEN NULL::timestamp with time zone
            ELSE n.retired_at
        END AS retired_at
   FROM ((akashi_audit.sealed_rows n
     JOIN akashi_lifecycle.policies p ON (((p.schema_name = n.schema_name) AND (p.table_name = n.table_name))))
     LEFT JOIN akashi_lifecycle.exports e ON (((e.schema_name = n.schema_name) AND (e.table_name = n.table_name) AND (e.state <> ALL (ARRAY['exporting'::text, 'superseded'::text])) AND (e.lower_bound <= n.created_at) AND (n.created_at < e.upper_bound) AND ((n."position" >= e.first_position) AND (n."position" <= e.last_position)))));
alter view akashi_lifecycle.data_lineage owner to akashi_owner;
comment on view akashi_lifecycle.data_lineage is 'One row for every sealed row: its place in the ledger, the partition and export that hold it, the manifest that names its object, the first published checkpoint that covers it, every restore, and its retention record. Filter by row_id.';
grant select on akashi_lifecycle.data_lineage to akashi_security_admin;
grant select on akashi_lifecycle.data_lineage to akashi_worker;

create view akashi_lifecycle.partition_headroom with (security_invoker=true) as
 SELECT p.schema_name,
    p.table_name,
    p."interval",
    p.premake,
    count(b.upper) AS partitions,
    max(b.upper) FILTER (WHERE isfinite(b.upper)) AS covered_until,
    (max(b.upper) FILTER (WHERE isfinite(b.upper)) - now()) AS headroom
   FROM ((akashi_lifecycle.policies p
     LEFT JOIN pg_inherits i ON ((i.inhparent = (to_regclass(format('%I.%I'::text, p.schema_name, p.table_name)))::oid)))
     LEFT JOIN LATERAL akashi_lifecycle.partition_bounds((i.inhrelid)::regclass) b(lower, upper) ON (true))
  GROUP BY p.schema_name, p.table_name, p."interval", p.premake;
alter view akashi_lifecycle.partition_headroom owner to akashi_owner;
comment on view akashi_lifecycle.partition_headroom is 'How far ahead each table has partitions, with an early alarm.';
grant select on akashi_lifecycle.partition_headroom to akashi_reader;
grant select on akashi_lifecycle.partition_headroom to akashi_security_admin;
grant select on akashi_lifecycle.partition_headroom to akashi_worker;

create view akashi_lifecycle.partition_restores with (security_invoker=true) as
 SELECT split_part(resource, '.'::text, 1) AS schema_name,
    split_part(resource, '.'::text, 2) AS table_name,
    ((detail ->> 'from'::text))::timestamp with time zone AS lower_bound,
    ((detail ->> 'to'::text))::timestamp with time zone AS upper_bound,
    created_at AS restored_at,
    ((detail ->> 'keep_until'::text))::timestamp with time zone AS keep_until,
    db_user AS restored_by
   FROM akashi_audit.recorded_actions a
  WHERE ((event_type = 'archive'::text) AND (action = 'restore'::text) AND (result = 'SUCCESS'::text));
alter view akashi_lifecycle.partition_restores owner to akashi_owner;
comment on view akashi_lifecycle.partition_restores is 'Every restore of a period from the archive.';
grant select on akashi_lifecycle.partition_restores to akashi_security_admin;
grant select on akashi_lifecycle.partition_restores to akashi_worker;

create view akashi_lifecycle.retention with (security_invoker=true) as
 SELECT schema_name,
    table_name,
    append_only,
    legal_hold,
    hot_retention,
    total_retention,
    at_expiry
   FROM akashi_lifecycle.policies;
alter view akashi_lifecycle.retention owner to akashi_owner;
comment on view akashi_lifecycle.retention is 'The parts of a policy that other contexts use: how long rows are kept, and whether they may change.';
grant select on akashi_lifecycle.retention to akashi_app;
grant select on akashi_lifecycle.retention to akashi_reader;
grant select on akashi_lifecycle.retention to akashi_security_admin;
grant select on akashi_lifecycle.retention to akashi_worker;

create view akashi_lifecycle.tenant_usage with (security_invoker=true) as
 SELECT e.schema_name,
    e.table_name,
    g.tenant,
    g.class,
    g.gathered,
    (sum(g.row_count))::bigint AS archived_rows,
    (sum((((e.bytes)::numeric * (g.row_count)::numeric) / (e.row_count)::numeric)))::bigint AS archived_bytes,
    (COALESCE(sum(g.row_count) FILTER (WHERE (e.state = ANY (ARRAY['verified'::text, 'detached'::text]))), (0)::numeric))::bigint AS database_rows,
    (COALESCE(sum(((relation.bytes * (g.row_count)::numeric) / (e.row_count)::numeric)), (0)::numeric))::bigint AS database_bytes,
    (COALESCE(sum(copied.bytes), (0)::numeric))::bigint AS copied_bytes,
    min(g.oldest) AS oldest,
    max(g.newest) AS newest
   FROM (((akashi_lifecycle.export_groups g
     JOIN akashi_lifecycle.exports e ON ((e.id = g.export)))
     LEFT JOIN LATERAL ( SELECT (pg_total_relation_size((c.oid)::regclass))::numeric AS bytes
           FROM (pg_class c
             JOIN pg_namespace n ON ((n.oid = c.relnamespace)))
          WHERE ((c.relname = e.partition_name) AND (n.nspname =
                CASE e.state
                    WHEN 'verified'::text THEN e.schema_name
                    WHEN 'detached'::text THEN 'akashi_archive'::text
                    ELSE NULL::text
                END))) relation ON (true))
     LEFT JOIN LATERAL ( SELECT sum((((c.bytes)::numeric * (g.row_count)::numeric) / (c.row_count)::numeric)) AS bytes
           FROM (akashi_lifecycle.copies c
             JOIN akashi_lifecycle.copy_policies p ON ((p.id = c.policy)))
          WHERE ((c.export = e.id) AND (c.state = 'verified'::text) AND (c.row_count > 0) AND ((p.tenant IS NULL) OR (p.tenant = g.tenant)) AND ((p.class IS NULL) OR (p.class = g.class)))) copied ON (true))
  WHERE (e.state = ANY (ARRAY['verified'::text, 'detached'::text, 'dropped'::text]))
  GROUP BY e.schema_name, e.table_name, g.tenant, g.class, g.gathered;
alter view akashi_lifecycle.tenant_usage owner to akashi_owner;
comment on view akashi_lifecycle.tenant_usage is 'Exported data by tenant and class; bytes of partitions, exports and copies are distributed by rows.';
grant select on akashi_lifecycle.tenant_usage to akashi_reader;
grant select on akashi_lifecycle.tenant_usage to akashi_security_admin;
grant select on akashi_lifecycle.tenant_usage to akashi_worker;

create view akashi_security.v_detection_rules with (security_invoker=true) as
 SELECT rule_id,
    max(rule_name) AS rule_name,
    count(*) AS findings,
    count(*) FILTER (WHERE ((status)::text = ANY ((ARRAY['open'::character varying, 'in_progress'::character varying])::text[]))) AS open,
    count(*) FILTER (WHERE ((status)::text = 'false_positive'::text)) AS false_positives,
    round(((count(*) FILTER (WHERE ((status)::text = 'false_positive'::text)))::numeric / (NULLIF(count(*) FILTER (WHERE ((status)::text = ANY ((ARRAY['resolved'::character varying, 'false_positive'::character varying])::text[]))), 0))::numeric), 3) AS false_positive_rate,
    max(last_at) AS last_at
   FROM akashi_security.detection_findings f
  GROUP BY rule_id;
alter view akashi_security.v_detection_rules owner to akashi_owner;
comment on view akashi_security.v_detection_rules is 'Findings per rule, and the share of false positives among those that were closed.';
grant select on akashi_security.v_detection_rules to akashi_reader;
grant select on akashi_security.v_detection_rules to akashi_security_admin;
grant select on akashi_security.v_detection_rules to akashi_worker;

create view akashi_security.v_security_events with (security_invoker=true) as
 SELECT e.id,
    e.created_at,
    e.received_at,
    e.event_type,
    e.event_category,
    e.severity,
    e.source_service,
    e.description,
    e.user_id,
    e.user_name,
    e.external_user_id,
    e.session_id,
    e.source_ip,
    e.user_agent,
    e.resource_type,
    e.resource_id,
    e.action_performed,
    e.result,
    e.tenant_id,
    e.tenant_name,
    e.client_id,
    e.client_name,
    e.request_id,
    e.trace_id,
    e.ocsf_class_uid,
    e.event_details,
    r.security_hub_id,
    COALESCE(r.remediation_status, 'open'::character varying) AS remediation_status,
    r.remediation_notes,
    r.assignee,
    r.resolved_at,
    COALESCE((((r.remediation_status)::text = 'resolved'::text) AND (r.resolved_at < (now() - 'P90D'::interval))), false) AS archived,
        CASE
            WHEN (e.created_at >= (now() - ( SELECT retention.hot_retention
               FROM akashi_lifecycle.retention
              WHERE ((retention.schema_name = 'akashi_security'::text) AND (retention.table_name = 'security_events'::text))))) THEN 'active'::text
            ELSE 'due'::text
        END AS archive_status,
    ( SELECT (EXTRACT(day FROM retention.total_retention))::integer AS "extract"
           FROM akashi_lifecycle.retention
          WHERE ((retention.schema_name = 'akashi_security'::text) AND (retention.table_name = 'security_events'::text))) AS retention_period
   FROM (akashi_security.security_events e
     LEFT JOIN akashi_security.remediations r ON (((r.event_id = e.id) AND (r.event_created_at = e.created_at))));
alter view akashi_security.v_security_events owner to akashi_owner;
comment on view akashi_security.v_security_events is 'Events with their remediation, under the column names of the sources.';
grant select on akashi_security.v_security_events to akashi_security_admin;
grant select on akashi_security.v_security_events to akashi_worker;

create view akashi_security.v_security_events_masked with (security_invoker=true) as
 SELECT e.id,
    e.created_at,
    e.received_at,
    e.event_type,
    e.event_category,
    e.severity,
    e.source_service,
    e.user_id,
    e.session_id,
    e.source_ip,
    e.resource_type,
    e.resource_id,
    e.action_performed,
    e.result,
    e.tenant_id,
    e.tenant_name,
    e.client_id,
    e.client_name,
    e.request_id,
    e.trace_id,
    e.ocsf_class_uid,
    r.security_hub_id,
    COALESCE(r.remediation_status, 'open'::character varying) AS remediation_status,
    r.assignee,
    r.resolved_at,
    COALESCE((((r.remediation_status)::text = 'resolved'::text) AND (r.resolved_at < (now() - 'P90D'::interval))), false) AS archived
   FROM (akashi_security.security_events e
     LEFT JOIN akashi_security.remediations r ON (((r.event_id = e.id) AND (r.event_created_at = e.created_at))));
alter view akashi_security.v_security_events_masked owner to akashi_owner;
comment on view akashi_security.v_security_events_masked is 'For the auditor: without names, descriptions, user agents, details and notes.';
grant select on akashi_security.v_security_events_masked to akashi_reader;
grant select on akashi_security.v_security_events_masked to akashi_security_admin;
grant select on akashi_security.v_security_events_masked to akashi_worker;

-- Functions

CREATE OR REPLACE FUNCTION akashi_archive.get_archive_status()
 RETURNS TABLE(table_name text, partition_name text, state text, row_count bigint, size text, size_bytes bigint, object text, exported_at timestamp with time zone, dropped_at timestamp with time zone, message text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select format('%s.%s', e.schema_name, e.table_name), e.partition_name, e.state, e.row_count,
         pg_size_pretty(own.bytes), own.bytes, e.manifest, e.verified_at, e.dropped_at, e.message
  from akashi_lifecycle.exports e
  cross join lateral (
    select coalesce(pg_total_relation_size(case e.state
      when 'detached' then to_regclass(format('akashi_archive.%I', e.partition_name))
      when 'superseded' then null when 'dropped' then null when 'retiring' then null when 'retired' then null
      else to_regclass(format('%I.%I', e.schema_name, e.partition_name)) end), 0) as bytes
  ) own
  order by e.schema_name, e.table_name, e.lower_bound, e.generation
$function$;
alter function akashi_archive.get_archive_status() owner to akashi_owner;
comment on function akashi_archive.get_archive_status() is 'Every export with its state, rows, size in PostgreSQL and manifest in the store.';
grant execute on function akashi_archive.get_archive_status() to akashi_security_admin;
grant execute on function akashi_archive.get_archive_status() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_archive.process_archived_partitions(p_dry_run boolean DEFAULT false)
 RETURNS TABLE(table_name text, row_count bigint, exported boolean, dropped boolean, message text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not p_dry_run then
    perform akashi_lifecycle.request_job('archive-export');
    perform akashi_lifecycle.request_job('archive-expire');
  end if;
  return query
    select p.partition_name, p.row_count, coalesce(p.state in ('verified', 'detached'), false), false,
           format('%s: %s.%s (%s%s rows)',
             case when p.held_by is not null then 'Would keep' when p_dry_run then 'Would process' else 'Queued' end,
             p.schema_name, p.partition_name, case when p.estimated then 'about ' else '' end, p.row_count)
    from akashi_lifecycle.archive_plan(now()) p where p.step is not null;
end
$function$;
alter function akashi_archive.process_archived_partitions(p_dry_run boolean) owner to akashi_owner;
comment on function akashi_archive.process_archived_partitions(p_dry_run boolean) is 'Requests export and drop of what is due from the worker, and returns the plan; with true it only returns the plan.';
grant execute on function akashi_archive.process_archived_partitions(p_dry_run boolean) to akashi_security_admin;
grant execute on function akashi_archive.process_archived_partitions(p_dry_run boolean) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.alert_audit_log_tampering(report jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_security.record_event(event_type => 'audit_log_tampering', event_category => 'integrity', severity => 'critical',
    source_service => 'akashi', action_performed => 'verify', result => 'failure', ocsf_class_uid => 2004, event_details => report);
  perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
    'message', 'verification of the audit ledger failed', 'timestamp', now())::text);
end
$function$;
alter function akashi_audit.alert_audit_log_tampering(report jsonb) owner to akashi_owner;
grant execute on function akashi_audit.alert_audit_log_tampering(report jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.alert_ledger_epoch(report jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_security.record_event(event_type => 'ledger_epoch_opened', event_category => 'integrity',
    severity => case when (report ->> 'lost')::numeric > 0 then 'critical' else 'high' end, source_service => 'akashi',
    action_performed => 'open_epoch', result => 'success', ocsf_class_uid => 2004, event_details => report);
  perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
    'message', 'a log of the audit ledger continues in a new epoch', 'timestamp', now())::text);
end
$function$;
alter function akashi_audit.alert_ledger_epoch(report jsonb) owner to akashi_owner;
grant execute on function akashi_audit.alert_ledger_epoch(report jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.alert_unrecorded_triggers(relations regclass[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.alert_unrecorded_triggers(relations regclass[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.assert_unfiltered(target regclass)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if pg_catalog.row_security_active(target) and (
    not exists (
      select from pg_catalog.pg_policy p
      where p.polrelid = target and p.polpermissive and p.polcmd in ('*', 'r')
        and pg_get_expr(p.polqual, p.polrelid) = 'true'
        and (0::oid = any (p.polroles) or exists (select from unnest(p.polroles) r where pg_has_role(current_user, r, 'usage')))
    ) or exists (
      select from pg_catalog.pg_policy p
      where p.polrelid = target and not p.polpermissive and p.polcmd in ('*', 'r')
        and (0::oid = any (p.polroles) or exists (select from unnest(p.polroles) r where pg_has_role(current_user, r, 'usage')))
    )
  ) then
    raise exception 'row security may hide rows of % from %', target, current_user
      using errcode = 'AK002', hint = 'connect as akashi_worker; its policies show every row';
  end if;
end
$function$;
alter function akashi_audit.assert_unfiltered(target regclass) owner to akashi_owner;
comment on function akashi_audit.assert_unfiltered(target regclass) is 'Fails unless the caller sees every row of the table.';
grant execute on function akashi_audit.assert_unfiltered(target regclass) to akashi_security_admin;
grant execute on function akashi_audit.assert_unfiltered(target regclass) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.attach_triggers(target regclass, policy akashi_audit.protected_tables)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.attach_triggers(target regclass, policy akashi_audit.protected_tables) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.begin_gap(cause text, detail text, start_lsn pg_lsn, end_lsn pg_lsn DEFAULT NULL::pg_lsn)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  gap uuid;
begin
  update akashi_audit.crosscheck_gaps g set ended_at = clock_timestamp(), end_lsn = begin_gap.start_lsn
  where g.ended_at is null and begin_gap.end_lsn is null and g.cause <> begin_gap.cause;
  insert into akashi_audit.crosscheck_gaps (cause, detail, start_lsn, end_lsn, ended_at)
  values (begin_gap.cause, begin_gap.detail, begin_gap.start_lsn, begin_gap.end_lsn, case when begin_gap.end_lsn is not null then clock_timestamp() end)
  on conflict ((ended_at is null)) where ended_at is null do nothing
  returning id into gap;
  if gap is not null then
    perform akashi_audit.record_action('crosscheck_gap', 'skip', 'wal', gap::text, 'FAILURE',
      jsonb_build_object('cause', cause, 'detail', detail, 'from', start_lsn, 'to', end_lsn));
    perform akashi_security.record_event(event_type => 'crosscheck_gap', event_category => 'integrity', severity => 'high',
      source_service => 'akashi', description => left(detail, 1000), resource_type => 'wal', resource_id => gap::text,
      action_performed => 'crosscheck', result => 'failure', ocsf_class_uid => 2004,
      event_details => jsonb_build_object('cause', cause, 'from', start_lsn, 'to', end_lsn));
  end if;
  return gap;
end
$function$;
alter function akashi_audit.begin_gap(cause text, detail text, start_lsn pg_lsn, end_lsn pg_lsn) owner to akashi_owner;
grant execute on function akashi_audit.begin_gap(cause text, detail text, start_lsn pg_lsn, end_lsn pg_lsn) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.bulk_statement(relation oid, operation text, redacted boolean)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.bulk_statement(relation oid, operation text, redacted boolean) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.catalog_transactions(relation oid)
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.catalog_transactions(relation oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.changed_records(schema_name text, table_name text, first bigint, up_to integer)
 RETURNS TABLE(ledger_position bigint, record_id text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select e.ledger_position, a.record_id
  from akashi_audit.rows_from('audit_logs', first, up_to) e
  join akashi_audit.audit_logs a on (a.id, a.created_at) = (e.row_id, e.created_at)
  where a.schema_name = changed_records.schema_name and a.table_name = changed_records.table_name order by 1
$function$;
alter function akashi_audit.changed_records(schema_name text, table_name text, first bigint, up_to integer) owner to akashi_owner;
comment on function akashi_audit.changed_records(schema_name text, table_name text, first bigint, up_to integer) is 'The keys of the records of a table that changed, by the rows of the trail from a position on, up to a maximum number of rows.';
grant execute on function akashi_audit.changed_records(schema_name text, table_name text, first bigint, up_to integer) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.claimed_context(signed_by text)
 RETURNS akashi_audit.request_context
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED
RETURN ROW((signed_by IS NOT NULL), signed_by, NULLIF(current_setting('app.current_user_id'::text, true), ''::text), NULLIF(current_setting('app.current_session_id'::text, true), ''::text), NULLIF(current_setting('app.subject'::text, true), ''::text), CASE WHEN (signed_by = 'akashi'::text) THEN (NULLIF(current_setting('app.client_ip'::text, true), ''::text))::inet ELSE akashi_auth.try_inet(NULLIF(current_setting('app.client_ip'::text, true), ''::text)) END, NULLIF("left"(current_setting('app.user_agent'::text, true), 512), ''::text), NULLIF("left"(current_setting('app.api_endpoint'::text, true), 512), ''::text), NULLIF("left"(current_setting('app.request_id'::text, true), 128), ''::text), NULLIF("left"(current_setting('app.trace_id'::text, true), 128), ''::text), NULLIF("left"(current_setting('app.correlation_id'::text, true), 128), ''::text), NULLIF("left"(current_setting('app.application_version'::text, true), 128), ''::text), NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::akashi_audit.request_context;
alter function akashi_audit.claimed_context(signed_by text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.count_about(data_subject text)
 RETURNS bigint
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select count(*) from akashi_audit.audit_logs a where a.data_subject = count_about.data_subject
$function$;
alter function akashi_audit.count_about(data_subject text) owner to akashi_policy;
comment on function akashi_audit.count_about(data_subject text) is 'Number of rows of the trail in PostgreSQL that are about a person. Reads the whole trail.';
grant execute on function akashi_audit.count_about(data_subject text) to akashi_app;
grant execute on function akashi_audit.count_about(data_subject text) to akashi_owner;
grant execute on function akashi_audit.count_about(data_subject text) to akashi_security_admin;
grant execute on function akashi_audit.count_about(data_subject text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.coverage_evidence(since timestamp with time zone, until timestamp with time zone, OUT protected bigint, OUT exempt bigint, OUT uncovered bigint, OUT losses bigint, OUT unsettled_losses bigint)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select count(*) filter (where c.state = 'protected'), count(*) filter (where c.state = 'exempt'), count(*) filter (where c.state = 'gap'),
         (select count(*) from akashi_audit.losses l where l.created_at >= since and l.created_at < until),
         (select count(*) from akashi_audit.losses l where l.settled_at is null)
  from akashi_audit.coverage c
$function$;
alter function akashi_audit.coverage_evidence(since timestamp with time zone, until timestamp with time zone, OUT protected bigint, OUT exempt bigint, OUT uncovered bigint, OUT losses bigint, OUT unsettled_losses bigint) owner to akashi_owner;
grant execute on function akashi_audit.coverage_evidence(since timestamp with time zone, until timestamp with time zone, OUT protected bigint, OUT exempt bigint, OUT uncovered bigint, OUT losses bigint, OUT unsettled_losses bigint) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_audit.crosscheck_evidence(since timestamp with time zone, until timestamp with time zone, OUT compared bigint, OUT discrepancies bigint, OUT open_discrepancies bigint, OUT open_gaps bigint, OUT gap_hours numeric)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select (select s.changes from akashi_audit.crosscheck_state s),
         (select count(*) from akashi_audit.crosscheck_discrepancies d where d.found_at >= since and d.found_at < until),
         (select count(*) from akashi_audit.crosscheck_discrepancies d where d.settled_at is null),
         (select count(*) from akashi_audit.crosscheck_gaps g where g.settled_at is null),
         (select coalesce(round(sum(extract(epoch from least(coalesce(g.ended_at, now()), until) - greatest(g.started_at, since))) / 3600, 1), 0)
          from akashi_audit.crosscheck_gaps g where g.started_at < until and coalesce(g.ended_at, now()) > since)
$function$;
alter function akashi_audit.crosscheck_evidence(since timestamp with time zone, until timestamp with time zone, OUT compared bigint, OUT discrepancies bigint, OUT open_discrepancies bigint, OUT open_gaps bigint, OUT gap_hours numeric) owner to akashi_owner;
grant execute on function akashi_audit.crosscheck_evidence(since timestamp with time zone, until timestamp with time zone, OUT compared bigint, OUT discrepancies bigint, OUT open_discrepancies bigint, OUT open_gaps bigint, OUT gap_hours numeric) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_audit.crosscheck_position(OUT active boolean, OUT received pg_lsn, OUT now pg_lsn)
 RETURNS record
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select s.active, coalesce(r.write_lsn, s.confirmed_flush_lsn),
         case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end
  from (select 1) one
  left join pg_replication_slots s on s.slot_type = 'logical'
    and s.slot_name = (select 'akashi_crosscheck_' || oid from pg_database where datname = current_database())
  left join pg_stat_replication r on r.pid = s.active_pid
$function$;
alter function akashi_audit.crosscheck_position(OUT active boolean, OUT received pg_lsn, OUT now pg_lsn) owner to akashi_owner;
grant execute on function akashi_audit.crosscheck_position(OUT active boolean, OUT received pg_lsn, OUT now pg_lsn) to akashi_security_admin;
grant execute on function akashi_audit.crosscheck_position(OUT active boolean, OUT received pg_lsn, OUT now pg_lsn) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.detect_audit_anomalies()
 RETURNS TABLE(anomaly_type text, severity text, description text, affected_user text, event_count bigint, time_window text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.detect_audit_anomalies() owner to akashi_owner;
comment on function akashi_audit.detect_audit_anomalies() is 'Users with more than 100 operations in 5 minutes, 10 accesses to confidential data in 1 hour, or 5 changes in 1 hour outside 8 to 20 of the organisation''s time, at weekends and on holidays. Row-level security restricts the rows.';
grant execute on function akashi_audit.detect_audit_anomalies() to akashi_security_admin;
grant execute on function akashi_audit.detect_audit_anomalies() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.digest_salt(about text)
 RETURNS bytea
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.digest_salt(about text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.end_gap(end_lsn pg_lsn)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  gap uuid;
begin
  update akashi_audit.crosscheck_gaps g set ended_at = clock_timestamp(), end_lsn = end_gap.end_lsn where g.ended_at is null
  returning g.id into gap;
  if gap is not null then
    perform akashi_audit.record_action('crosscheck_gap', 'resume', 'wal', gap::text, 'SUCCESS', jsonb_build_object('to', end_lsn));
  end if;
  return gap;
end
$function$;
alter function akashi_audit.end_gap(end_lsn pg_lsn) owner to akashi_owner;
grant execute on function akashi_audit.end_gap(end_lsn pg_lsn) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.erase_salt(data_subject text)
 RETURNS integer
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  -- Waits for transactions that are creating a salt of this person.
  lock table akashi_keys.digest_salts in share mode;
  with erased as (delete from akashi_keys.digest_salts s where s.data_subject = erase_salt.data_subject returning 1)
  select count(*)::integer from erased
$function$;
alter function akashi_audit.erase_salt(data_subject text) owner to akashi_owner;
comment on function akashi_audit.erase_salt(data_subject text) is 'Deletes the salt of a person, so that their digests reveal nothing: the second half of an erasure.';

CREATE OR REPLACE FUNCTION akashi_audit.exempt(target regclass, reason text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  insert into akashi_audit.exempt_tables as e (schema_name, table_name, reason)
  select n.nspname, c.relname, exempt.reason
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = target
  on conflict (schema_name, table_name) do update set reason = excluded.reason;
end
$function$;
alter function akashi_audit.exempt(target regclass, reason text) owner to akashi_owner;
comment on function akashi_audit.exempt(target regclass, reason text) is 'Exempts a table from audit, with the reason.';

CREATE OR REPLACE FUNCTION akashi_audit.fence_log(log text, OUT floor bigint, OUT xmin xid8)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '50ms'
AS $function$
declare
  target record;
begin
  select l.schema_name, l.table_name into strict target from akashi_audit.logs l where l.log = fence_log.log;
  begin
    execute format('lock table only %I.%I in share mode', target.schema_name, target.table_name);
    execute format('select case when is_called then last_value + seqincrement - 1 else last_value - 1 end
                    from %1$I.%2$I, pg_catalog.pg_sequence where seqrelid = %3$L::regclass',
                   target.schema_name, target.table_name || '_seq', format('%I.%I', target.schema_name, target.table_name || '_seq'))
      into floor;
    xmin := pg_snapshot_xmin(pg_current_snapshot());
    raise exception 'release the lock' using errcode = 'AK004';
  exception when sqlstate 'AK004' then
    null;
  end;
end
$function$;
alter function akashi_audit.fence_log(log text, OUT floor bigint, OUT xmin xid8) owner to akashi_owner;
grant execute on function akashi_audit.fence_log(log text, OUT floor bigint, OUT xmin xid8) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.frontier_holders()
 RETURNS TABLE(pid integer, database text, login text, application_name text, state text, prepared text, age_seconds double precision)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with frontier as materialized (select pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::xid as xid)
  select a.pid, a.datname::text, a.usename::text, a.application_name, a.state, null::text,
         extract(epoch from clock_timestamp() - a.xact_start)::float8
  from pg_catalog.pg_stat_activity a join frontier f on a.backend_xid = f.xid
  where a.pid <> pg_catalog.pg_backend_pid()
  union all
  select null, p.database::text, p.owner::text, null, 'prepared', p.gid, extract(epoch from clock_timestamp() - p.prepared)::float8
  from pg_catalog.pg_prepared_xacts p join frontier f on p.transaction = f.xid
$function$;
alter function akashi_audit.frontier_holders() owner to akashi_owner;
grant execute on function akashi_audit.frontier_holders() to akashi_security_admin;
grant execute on function akashi_audit.frontier_holders() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.guard(target regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  execute format('create or replace trigger refuse_change before update or delete or truncate on %s
    for each statement execute function akashi_audit.refuse_change()', target);
  execute format('alter table %s enable always trigger refuse_change', target);
end
$function$;
alter function akashi_audit.guard(target regclass) owner to akashi_owner;
comment on function akashi_audit.guard(target regclass) is 'Makes a table append-only: UPDATE, DELETE and TRUNCATE are refused, also for its owner.';

CREATE OR REPLACE FUNCTION akashi_audit.has_replica_identity(relation oid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case c.relreplident
    when 'f' then true
    when 'd' then exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate and i.indisvalid)
    when 'i' then exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident and i.indisvalid)
    else false end
  from pg_class c where c.oid = relation
$function$;
alter function akashi_audit.has_replica_identity(relation oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.has_unrecorded_rows(log text, part regclass, row_count bigint, lower_bound timestamp with time zone, upper_bound timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  entries bigint;
  last_entry bigint;
  last_recorded bigint;
  unsealed boolean;
begin
  select count(*), coalesce(max(e.position), -1) into entries, last_entry from akashi_audit.ledger_entries e
  where e.log = has_unrecorded_rows.log and e.created_at >= lower_bound and e.created_at < upper_bound;
  select coalesce(max(r.last_position), -1) into last_recorded from akashi_audit.retention_records r
  where r.log = has_unrecorded_rows.log and r.lower_bound <= has_unrecorded_rows.lower_bound
    and has_unrecorded_rows.upper_bound <= r.upper_bound;
  execute format('select exists (select from only %s r where (r.xid, r.seq) > (
    select h.last_xid, h.last_seq from akashi_audit.ledger_heads h where h.log = %L))', part, log) into unsealed;
  return unsealed or last_recorded < last_entry or row_count > entries;
end
$function$;
alter function akashi_audit.has_unrecorded_rows(log text, part regclass, row_count bigint, lower_bound timestamp with time zone, upper_bound timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.history_tables()
 RETURNS TABLE(schema_name text, table_name text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
  select n.nspname::text, c.relname::text
  from akashi_audit.protected_tables p
  join pg_catalog.pg_namespace pn on pn.nspname = p.schema_name
  join pg_catalog.pg_class pc on pc.relnamespace = pn.oid and pc.relname = p.table_name
  cross join lateral (select pc.oid as relid union select relid from pg_catalog.pg_partition_tree(pc.oid::regclass)) part
  join pg_catalog.pg_class c on c.oid = part.relid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where session_user = any (p.history_readers)
$function$;
alter function akashi_audit.history_tables() owner to akashi_owner;
comment on function akashi_audit.history_tables() is 'Tables and partitions whose history the login may read: akashi protect --history.';
grant execute on function akashi_audit.history_tables() to akashi_client;

CREATE OR REPLACE FUNCTION akashi_audit.holds_json(type oid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.holds_json(type oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.index_closed_partition(as_of timestamp with time zone DEFAULT now())
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '100ms'
AS $function$
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
$function$;
alter function akashi_audit.index_closed_partition(as_of timestamp with time zone) owner to akashi_owner;
comment on function akashi_audit.index_closed_partition(as_of timestamp with time zone) is 'Creates one missing index of a closed partition of the audit trail and returns its name; null when none is missing.';
grant execute on function akashi_audit.index_closed_partition(as_of timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.is_own_transaction(written xid)
 RETURNS boolean
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case when age(written)::bigint <= age(pg_current_xact_id()::xid)
    then pg_xact_status((pg_current_xact_id()::text::bigint - age(written)::bigint + age(pg_current_xact_id()::xid))::text::xid8) = 'in progress'
    else false end
$function$;
alter function akashi_audit.is_own_transaction(written xid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.is_plain(type oid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select type < 16384 and current_setting('transaction_isolation') = 'read committed'
$function$;
alter function akashi_audit.is_plain(type oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.is_recorded_as_text(type oid, relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  compound constant boolean := (select t.typtype in ('c', 'd') or t.typelem <> 0 from pg_type t where t.oid = type);
begin
  if compound or exists (select from pg_cast c where c.castsource = type and c.casttarget = 'json'::regtype) then
    perform akashi_audit.refuse_json_casts(relation);
  end if;
  return compound and akashi_audit.holds_json(type);
end
$function$;
alter function akashi_audit.is_recorded_as_text(type oid, relation oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.is_thinned_out(published_at timestamp with time zone, next_published_at timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(case
    when published_at < now() - interval '400 days' then date_trunc('day', published_at, 'UTC') = date_trunc('day', next_published_at, 'UTC')
    when published_at < now() - interval '40 days' then date_trunc('hour', published_at, 'UTC') = date_trunc('hour', next_published_at, 'UTC')
  end, false)
$function$;
alter function akashi_audit.is_thinned_out(published_at timestamp with time zone, next_published_at timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_audit.is_thinned_out(published_at timestamp with time zone, next_published_at timestamp with time zone) to akashi_security_admin;
grant execute on function akashi_audit.is_thinned_out(published_at timestamp with time zone, next_published_at timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.json_casts(relation oid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.json_casts(relation oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.keep_catalog_record(action text, detail jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  recorded constant uuid := akashi_audit.record_action('catalog_recorded', action, detail => keep_catalog_record.detail);
begin
  -- With the time, only one partition is searched.
  insert into akashi_audit.catalog_records (row)
  select to_jsonb(a) from akashi_audit.audit_logs a where a.id = recorded and a.created_at >= now() - interval '1 minute';
end
$function$;
alter function akashi_audit.keep_catalog_record(action text, detail jsonb) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.keep_checkpoint()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  if not akashi_audit.is_thinned_out(old.published_at, (
       select c.published_at from akashi_audit.ledger_checkpoints c
       where (c.log, c.epoch) = (old.log, old.epoch) and c.size > old.size order by c.size limit 1)) then
    raise exception 'the checkpoint of size % of log % is kept', old.size, old.log
      using errcode = 'AK001', hint = 'only old checkpoints are removed, and the last of an hour or a day never';
  end if;
  return old;
end
$function$;
alter function akashi_audit.keep_checkpoint() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.keep_crosscheck()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
declare
  open constant text[] := array['settled_at', 'settled_by', 'explanation'] || case when old.settled_at is null and to_jsonb(old) ->> 'ended_at' is null
    then array['ended_at', 'end_lsn'] else '{}' end;
begin
  if (to_jsonb(old) - open) is distinct from (to_jsonb(new) - open)
     or (old.settled_at is not null and (new.settled_at, new.settled_by, new.explanation)
         is distinct from (old.settled_at, old.settled_by, old.explanation)) then
    raise exception 'a finding of the cross-check can be settled once and not be changed'
      using errcode = 'AK001', hint = 'the record is append-only';
  end if;
  return new;
end
$function$;
alter function akashi_audit.keep_crosscheck() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.keep_head()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  if new.log is distinct from old.log or new.size < old.size or new.epoch < old.epoch
     or (new.epoch = old.epoch and (new.last_xid, new.last_seq) < (old.last_xid, old.last_seq)) then
    raise exception 'the head of log % cannot move back', old.log
      using errcode = 'AK001', hint = 'the ledger is append-only; run verify';
  end if;
  return new;
end
$function$;
alter function akashi_audit.keep_head() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.keep_loss()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
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
$function$;
alter function akashi_audit.keep_loss() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.keep_moved()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
 SET "TimeZone" TO 'UTC'
 SET "DateStyle" TO 'ISO, YMD'
 SET "IntervalStyle" TO 'iso_8601'
 SET bytea_output TO 'hex'
 SET extra_float_digits TO '1'
 SET lc_monetary TO 'C'
AS $function$
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
$function$;
alter function akashi_audit.keep_moved() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.keep_tile()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  if (new.log, new.level, new.tile) is distinct from (old.log, old.level, old.tile)
     or substring(new.hashes from 1 for octet_length(old.hashes)) is distinct from old.hashes then
    raise exception 'tile % of level % of log % already has other hashes', old.tile, old.level, old.log
      using errcode = 'AK001', hint = 'the ledger is append-only; run verify';
  end if;
  return new;
end
$function$;
alter function akashi_audit.keep_tile() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.keep_traces(target oid)
 RETURNS text
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into akashi_audit.crosscheck_traces as t (schema_name, table_name, traces)
  select n.nspname, c.relname, akashi_audit.table_traces(target)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = target
  on conflict (schema_name, table_name) do update
  set traces = jsonb_set(excluded.traces, '{columns}', coalesce(t.traces -> 'columns', '{}') || (excluded.traces -> 'columns')), seen_at = clock_timestamp()
  returning md5(traces::text)
$function$;
alter function akashi_audit.keep_traces(target oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.keep_traces_of(schema_name text DEFAULT NULL::text, table_name text DEFAULT NULL::text)
 RETURNS TABLE(kept_schema text, kept_table text, digest text)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with suspects as materialized (select s.schema_name, s.table_name from akashi_audit.suspect_tables() s)
  select p.schema_name, p.table_name, akashi_audit.keep_traces(c.oid)
  from akashi_audit.protected_tables p
  join pg_namespace n on n.nspname = p.schema_name
  join pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  left join akashi_audit.crosscheck_traces t on (t.schema_name, t.table_name) = (p.schema_name, p.table_name)
  where case when keep_traces_of.table_name is not null
             then (p.schema_name, p.table_name) = (keep_traces_of.schema_name, keep_traces_of.table_name)
             else not exists (select from suspects s where (s.schema_name, s.table_name) = (p.schema_name, p.table_name))
                  and (t.traces is null or t.traces is distinct from akashi_audit.table_traces(c.oid)
                    || jsonb_build_object('columns', (t.traces -> 'columns') || (akashi_audit.table_traces(c.oid) -> 'columns'))) end
$function$;
alter function akashi_audit.keep_traces_of(schema_name text, table_name text) owner to akashi_owner;
grant execute on function akashi_audit.keep_traces_of(schema_name text, table_name text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.keep_truncated(files jsonb)
 RETURNS TABLE(kept_schema text, kept_table text, digest_before text, digest text)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with changed as (
    select t.schema_name, t.table_name, md5(t.traces::text) as digest_before,
           jsonb_set(t.traces, '{files}', (t.traces -> 'files') || (
             select jsonb_object_agg(f.key, (t.traces -> 'files' -> f.key) || jsonb_build_object('file', f.value))
             from jsonb_each(files) f where t.traces -> 'files' ? f.key)) as traces
    from akashi_audit.crosscheck_traces t
    where t.traces -> 'files' ?| array(select jsonb_object_keys(files))
  )
  update akashi_audit.crosscheck_traces t set traces = c.traces
  from changed c where (c.schema_name, c.table_name) = (t.schema_name, t.table_name)
  returning t.schema_name, t.table_name, c.digest_before, md5(t.traces::text)
$function$;
alter function akashi_audit.keep_truncated(files jsonb) owner to akashi_owner;
grant execute on function akashi_audit.keep_truncated(files jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.log_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
 SET "TimeZone" TO 'UTC'
 SET "DateStyle" TO 'ISO, YMD'
 SET "IntervalStyle" TO 'iso_8601'
 SET bytea_output TO 'hex'
 SET extra_float_digits TO '1'
 SET lc_monetary TO 'C'
AS $function$
declare
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
    insert into akashi_audit.audit_logs (seq, trigger_depth, user_id, session_id, subject, ip_address, user_agent, context_verified,
      signed_by, api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, new_values)
    select nextval('akashi_audit.audit_logs_seq') + seq_offset, depth, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified,
      who.signed_by, who.api_endpoint, who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, tg_argv[0], tg_table_schema, tg_table_name,
      'insert', 'INSERT', case
      when named is not null and not n ?& named then akashi_audit.refuse_stale_protection(tg_relid)
      when octet_length(n ->> key_column) <= 2000 then n ->> key_column
      else akashi_audit.record_key(n, key_columns) end, n ->> subject_column, case when redacted or pg_column_size(n) > 2048
      then akashi_audit.redact(n, n ->> subject_column, digested, omitted) else n end
    from (select akashi_audit.row_json(r.*) as n from new_rows r where not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid))) limit 50) rows;
  elsif tg_op = 'UPDATE' then
    insert into akashi_audit.audit_logs (seq, trigger_depth, user_id, session_id, subject, ip_address, user_agent, context_verified,
      signed_by, api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, old_values, new_values, changed_fields, detail)
    select nextval('akashi_audit.audit_logs_seq') + seq_offset, depth, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified,
      who.signed_by, who.api_endpoint, who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, tg_argv[0], tg_table_schema, tg_table_name,
      'update', 'UPDATE', case
      when named is not null and not n ?& named then akashi_audit.refuse_stale_protection(tg_relid)
      when octet_length(n ->> key_column) <= 2000 then n ->> key_column
      else akashi_audit.record_key(n, key_columns) end, coalesce(n ->> subject_column, o ->> subject_column), case when redacted or pg_column_size(diff.old_values) > 2048
      then akashi_audit.redact(diff.old_values, o ->> subject_column, digested, omitted) else diff.old_values end, case when redacted or pg_column_size(n) > 2048
      then akashi_audit.redact(n, n ->> subject_column, digested, omitted) else n end,
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
    where not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid))) and not diff.fields <@ ignored;
  elsif tg_op = 'DELETE' then
    insert into akashi_audit.audit_logs (seq, trigger_depth, user_id, session_id, subject, ip_address, user_agent, context_verified,
      signed_by, api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, old_values)
    select nextval('akashi_audit.audit_logs_seq') + seq_offset, depth, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified,
      who.signed_by, who.api_endpoint, who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, tg_argv[0], tg_table_schema, tg_table_name,
      'delete', 'DELETE', case
      when named is not null and not o ?& named then akashi_audit.refuse_stale_protection(tg_relid)
      when octet_length(o ->> key_column) <= 2000 then o ->> key_column
      else akashi_audit.record_key(o, key_columns) end, o ->> subject_column, case when redacted or pg_column_size(o) > 2048
      then akashi_audit.redact(o, o ->> subject_column, digested, omitted) else o end
    from (select akashi_audit.row_json(r.*) as o from old_rows r where not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid))) limit 50) rows;
  else
    -- The new file: by it the cross-check knows that what follows was no rewrite.
    insert into akashi_audit.audit_logs (seq, trigger_depth, user_id, session_id, subject, ip_address, user_agent, context_verified,
      signed_by, api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, detail)
    values (nextval('akashi_audit.audit_logs_seq') + seq_offset, depth, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified,
      who.signed_by, who.api_endpoint, who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, tg_argv[0], tg_table_schema, tg_table_name,
      'truncate', 'TRUNCATE', jsonb_build_object('file', pg_relation_filenode(tg_relid)::bigint));
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
      done := case when done = 0 and not not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid))) then 0 else 50 end;
    elsif done > 0 then
      return null;
    end if;
  end if;
  if bulk_rows = 0 or done = 0 and not not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid))) then
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
  return null;
end
$function$;
alter function akashi_audit.log_changes() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.log_changes_or_loss()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
 SET "TimeZone" TO 'UTC'
 SET "DateStyle" TO 'ISO, YMD'
 SET "IntervalStyle" TO 'iso_8601'
 SET bytea_output TO 'hex'
 SET extra_float_digits TO '1'
 SET lc_monetary TO 'C'
AS $function$
begin
declare
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
    insert into akashi_audit.audit_logs (seq, trigger_depth, user_id, session_id, subject, ip_address, user_agent, context_verified,
      signed_by, api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, new_values)
    select nextval('akashi_audit.audit_logs_seq') + seq_offset, depth, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified,
      who.signed_by, who.api_endpoint, who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, tg_argv[0], tg_table_schema, tg_table_name,
      'insert', 'INSERT', case
      when named is not null and not n ?& named then akashi_audit.refuse_stale_protection(tg_relid)
      when octet_length(n ->> key_column) <= 2000 then n ->> key_column
      else akashi_audit.record_key(n, key_columns) end, n ->> subject_column, case when redacted or pg_column_size(n) > 2048
      then akashi_audit.redact(n, n ->> subject_column, digested, omitted) else n end
    from (select akashi_audit.row_json(r.*) as n from new_rows r where not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid))) limit 50) rows;
  elsif tg_op = 'UPDATE' then
    insert into akashi_audit.audit_logs (seq, trigger_depth, user_id, session_id, subject, ip_address, user_agent, context_verified,
      signed_by, api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, old_values, new_values, changed_fields, detail)
    select nextval('akashi_audit.audit_logs_seq') + seq_offset, depth, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified,
      who.signed_by, who.api_endpoint, who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, tg_argv[0], tg_table_schema, tg_table_name,
      'update', 'UPDATE', case
      when named is not null and not n ?& named then akashi_audit.refuse_stale_protection(tg_relid)
      when octet_length(n ->> key_column) <= 2000 then n ->> key_column
      else akashi_audit.record_key(n, key_columns) end, coalesce(n ->> subject_column, o ->> subject_column), case when redacted or pg_column_size(diff.old_values) > 2048
      then akashi_audit.redact(diff.old_values, o ->> subject_column, digested, omitted) else diff.old_values end, case when redacted or pg_column_size(n) > 2048
      then akashi_audit.redact(n, n ->> subject_column, digested, omitted) else n end,
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
    where not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid))) and not diff.fields <@ ignored;
  elsif tg_op = 'DELETE' then
    insert into akashi_audit.audit_logs (seq, trigger_depth, user_id, session_id, subject, ip_address, user_agent, context_verified,
      signed_by, api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, old_values)
    select nextval('akashi_audit.audit_logs_seq') + seq_offset, depth, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified,
      who.signed_by, who.api_endpoint, who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, tg_argv[0], tg_table_schema, tg_table_name,
      'delete', 'DELETE', case
      when named is not null and not o ?& named then akashi_audit.refuse_stale_protection(tg_relid)
      when octet_length(o ->> key_column) <= 2000 then o ->> key_column
      else akashi_audit.record_key(o, key_columns) end, o ->> subject_column, case when redacted or pg_column_size(o) > 2048
      then akashi_audit.redact(o, o ->> subject_column, digested, omitted) else o end
    from (select akashi_audit.row_json(r.*) as o from old_rows r where not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid))) limit 50) rows;
  else
    -- The new file: by it the cross-check knows that what follows was no rewrite.
    insert into akashi_audit.audit_logs (seq, trigger_depth, user_id, session_id, subject, ip_address, user_agent, context_verified,
      signed_by, api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, detail)
    values (nextval('akashi_audit.audit_logs_seq') + seq_offset, depth, who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified,
      who.signed_by, who.api_endpoint, who.request_id, who.trace_id, who.correlation_id, who.application_version, who.tenant_id, tg_argv[0], tg_table_schema, tg_table_name,
      'truncate', 'TRUNCATE', jsonb_build_object('file', pg_relation_filenode(tg_relid)::bigint));
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
      done := case when done = 0 and not not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid))) then 0 else 50 end;
    elsif done > 0 then
      return null;
    end if;
  end if;
  if bulk_rows = 0 or done = 0 and not not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = tg_relid and a.attnum > 0
        and (a.atttypid in ('json'::regtype, 'json[]'::regtype) or a.atttypid >= 16384 and akashi_audit.is_recorded_as_text(a.atttypid, tg_relid))) then
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
  return null;
end;
exception
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
  return null;
end
$function$;
alter function akashi_audit.log_changes_or_loss() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.long_columns(record jsonb)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(array_agg(key) filter (where total > 33554432 and octets > 16384), '{}')
  from (select key, octets, sum(octets) over () as total
        from (select key, octet_length(value::text) as octets from jsonb_each(record)) measured) measured
$function$;
alter function akashi_audit.long_columns(record jsonb) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.moved_sources(relation oid, was_updated boolean, lost_rows boolean, OUT kind text, OUT removed text, OUT added text)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.moved_sources(relation oid, was_updated boolean, lost_rows boolean, OUT kind text, OUT removed text, OUT added text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.note_moving()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  perform set_config('akashi.moving', old.ctid::text, true), set_config('akashi.nested_changes', pg_current_xact_id()::text, true);
  return new;
end
$function$;
alter function akashi_audit.note_moving() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.position_of(log text, row_id uuid)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select e.position from akashi_audit.ledger_entries e where e.row_id = position_of.row_id and e.log = position_of.log
$function$;
alter function akashi_audit.position_of(log text, row_id uuid) owner to akashi_owner;
comment on function akashi_audit.position_of(log text, row_id uuid) is 'The position of a row of a log in the ledger; null while it is not sealed.';
grant execute on function akashi_audit.position_of(log text, row_id uuid) to akashi_security_admin;
grant execute on function akashi_audit.position_of(log text, row_id uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.primary_key(target oid)
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select array_agg(a.attname::text order by k.place)
  from pg_catalog.pg_index i
  cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, place)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = target and i.indisprimary and k.place <= i.indnkeyatts
$function$;
alter function akashi_audit.primary_key(target oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.protect(target regclass, classification text DEFAULT 'internal'::text, subject text DEFAULT NULL::text, columns jsonb DEFAULT '{}'::jsonb, ignore text[] DEFAULT '{}'::text[], on_failure text DEFAULT 'fail'::text, require_context boolean DEFAULT false, context_exempt text[] DEFAULT '{}'::text[], history_readers text[] DEFAULT '{}'::text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.protect(target regclass, classification text, subject text, columns jsonb, ignore text[], on_failure text, require_context boolean, context_exempt text[], history_readers text[]) owner to akashi_owner;
comment on function akashi_audit.protect(target regclass, classification text, subject text, columns jsonb, ignore text[], on_failure text, require_context boolean, context_exempt text[], history_readers text[]) is 'Puts a table under audit: every change writes a row of akashi_audit.audit_logs in its own transaction. The caller must own the table.';

CREATE OR REPLACE FUNCTION akashi_audit.protect_partition(part regclass, schema_name text, table_name text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.protect_partition(part regclass, schema_name text, table_name text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.publish(target regclass, hidden boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.publish(target regclass, hidden boolean) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.publish_generated_columns()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if current_setting('server_version_num')::integer >= 180000 and not exists (
    select from pg_publication p where p.pubname = 'akashi_crosscheck' and to_jsonb(p) ->> 'pubgencols' = 's') then
    alter publication akashi_crosscheck set (publish_generated_columns = stored);
  end if;
end
$function$;
alter function akashi_audit.publish_generated_columns() owner to akashi_owner;
comment on function akashi_audit.publish_generated_columns() is 'Lets the cross-check see generated columns where the server can send them (PostgreSQL 18 and newer).';

CREATE OR REPLACE FUNCTION akashi_audit.random_salts(rows bigint)
 RETURNS bytea
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  seed constant bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
begin
  return (select string_agg(sha512(seed || int8send(n)), '') from generate_series(0, (rows - 1) / 4) n);
end
$function$;
alter function akashi_audit.random_salts(rows bigint) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.record_access(resource text, resource_ids text[], reason text DEFAULT NULL::text, data_classification text DEFAULT 'confidential'::text, asked jsonb DEFAULT NULL::jsonb)
 RETURNS uuid
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select akashi_audit.record_action('data_access', 'read', resource, case when cardinality(resource_ids) = 1 then resource_ids[1] end,
    'SUCCESS', jsonb_strip_nulls(jsonb_build_object('records', to_jsonb(resource_ids), 'reason', reason, 'asked', asked)), data_classification)
$function$;
alter function akashi_audit.record_access(resource text, resource_ids text[], reason text, data_classification text, asked jsonb) owner to akashi_owner;
comment on function akashi_audit.record_access(resource text, resource_ids text[], reason text, data_classification text, asked jsonb) is 'Records that confidential data was read: asked is the query, resource_ids are the returned records.';
grant execute on function akashi_audit.record_access(resource text, resource_ids text[], reason text, data_classification text, asked jsonb) to akashi_client;
grant execute on function akashi_audit.record_access(resource text, resource_ids text[], reason text, data_classification text, asked jsonb) to akashi_security_admin;
grant execute on function akashi_audit.record_access(resource text, resource_ids text[], reason text, data_classification text, asked jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.record_action(event_type text, action text, resource text DEFAULT NULL::text, resource_id text DEFAULT NULL::text, result text DEFAULT 'SUCCESS'::text, detail jsonb DEFAULT NULL::jsonb, data_classification text DEFAULT 'internal'::text, data_subject text DEFAULT NULL::text, error_code text DEFAULT NULL::text, error_message text DEFAULT NULL::text, compliance_context jsonb DEFAULT NULL::jsonb)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) owner to akashi_owner;
comment on function akashi_audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) is 'Records an action in the audit trail, in the caller''s transaction; returns the row''s id.';
grant execute on function akashi_audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) to akashi_client;
grant execute on function akashi_audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) to akashi_restorer;
grant execute on function akashi_audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) to akashi_security_admin;
grant execute on function akashi_audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.record_baseline(part regclass, target regclass, last text[], rows integer)
 RETURNS text[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET "DateStyle" TO 'ISO, YMD'
 SET "IntervalStyle" TO 'iso_8601'
 SET bytea_output TO 'hex'
 SET extra_float_digits TO '1'
 SET lc_monetary TO 'C'
AS $function$
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
$function$;
alter function akashi_audit.record_baseline(part regclass, target regclass, last text[], rows integer) owner to akashi_owner;
comment on function akashi_audit.record_baseline(part regclass, target regclass, last text[], rows integer) is 'Records the current rows of a protected table (event_type data_baseline), so that they can be compared with the trail later.';

CREATE OR REPLACE FUNCTION akashi_audit.record_catalog(action text, reason text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  -- The first record of a new database accepts nothing that anybody could have changed.
  recorded constant boolean := exists (select from akashi_audit.catalog_records c where c.row -> 'detail' ? 'transactions');
begin
  perform akashi_audit.keep_catalog_record(action, jsonb_strip_nulls(jsonb_build_object('transactions', akashi_audit.whole_catalog_transactions(), 'reason', reason,
    'system_identifier', (select s.system_identifier::text from akashi_audit.system_identity() s))));
  if recorded then
    perform akashi_security.record_event(event_type => 'catalog_recorded', event_category => 'integrity', severity => 'critical',
      source_service => 'akashi', action_performed => action, result => 'success', ocsf_class_uid => 2004,
      event_details => jsonb_strip_nulls(jsonb_build_object('reason', reason)));
  end if;
end
$function$;
alter function akashi_audit.record_catalog(action text, reason text) owner to akashi_owner;
comment on function akashi_audit.record_catalog(action text, reason text) is 'Records which transactions wrote the catalog: after a migration, an upgrade, a logical restore, or a change by an administrator. It accepts changes that were not recorded before, and therefore raises an alarm.';

CREATE OR REPLACE FUNCTION akashi_audit.record_discrepancies(discrepancies jsonb)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  recorded integer;
begin
  with added as (
    insert into akashi_audit.crosscheck_discrepancies (kind, place, xid, commit_lsn, committed_at, schema_name, table_name, operation,
      record_id, login, detail)
    select f.kind, f.place, f.xid, f.commit_lsn, f.committed_at, f.schema_name, f.table_name, f.operation, f.record_id, f.login, f.detail
    from jsonb_to_recordset(discrepancies) as f (kind text, place text, xid bigint, commit_lsn pg_lsn, committed_at timestamptz,
      schema_name text, table_name text, operation text, record_id text, login text, detail text)
    on conflict (place) do nothing
    returning *
  )
  select count(akashi_security.record_event(event_type => 'crosscheck_discrepancy', event_category => 'integrity', severity => 'critical',
    source_service => 'akashi', description => left(a.detail, 1000), resource_type => 'table',
    resource_id => left(a.schema_name || '.' || a.table_name, 255), action_performed => 'crosscheck', result => 'failure',
    ocsf_class_uid => 2004, event_details => jsonb_strip_nulls(to_jsonb(a) - array['settled_at', 'settled_by', 'explanation', 'found_at']
      || jsonb_build_object('login', coalesce(a.login, 'unknown')))))
  into recorded from added a;
  if recorded > 0 then
    perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
      'message', 'the trail and the write-ahead log disagree', 'timestamp', now())::text);
  end if;
  return recorded;
end
$function$;
alter function akashi_audit.record_discrepancies(discrepancies jsonb) owner to akashi_owner;
grant execute on function akashi_audit.record_discrepancies(discrepancies jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.record_key(record jsonb, key_columns text[])
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.record_key(record jsonb, key_columns text[]) owner to akashi_owner;
grant execute on function akashi_audit.record_key(record jsonb, key_columns text[]) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_audit.record_migration()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  applied jsonb;
begin
  if not exists (select from akashi_audit.catalog_records c where c.row -> 'detail' ? 'transactions') then
    return;
  end if;
  select jsonb_agg(format('%s_%s', m.version, m.name) order by m.version) into applied
  from akashi_lifecycle.schema_migrations m where akashi_audit.is_own_transaction(m.xmin);
  if applied is null then
    raise exception 'this transaction applied no migration' using errcode = 'AK003', hint = 'record other changes with akashi audit record-catalog';
  end if;
  perform akashi_audit.keep_catalog_record('migrate', jsonb_build_object('migrations', applied, 'added', array(
    select t.written from unnest(akashi_audit.whole_catalog_transactions()) t (written) where akashi_audit.is_own_transaction(t.written::xid))));
  perform akashi_security.record_event(event_type => 'catalog_recorded', event_category => 'integrity', severity => 'high',
    source_service => 'akashi', action_performed => 'migrate', result => 'success', ocsf_class_uid => 2004,
    event_details => jsonb_build_object('reason', 'a migration changed the catalog', 'migrations', applied));
end
$function$;
alter function akashi_audit.record_migration() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.record_new_catalog()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  here constant text := (select s.system_identifier::text from akashi_audit.system_identity() s);
  last constant text := (select c.row -> 'detail' ->> 'system_identifier' from akashi_audit.catalog_records c
                         where c.row -> 'detail' ? 'system_identifier' order by c.number desc limit 1);
begin
  if last is null then
    perform akashi_audit.record_catalog('migrate');
  elsif last <> here then
    perform akashi_audit.record_catalog('moved', format('the catalog was last recorded in cluster %s', last));
    -- Tables that were loaded have other oids and files.
    perform akashi_audit.keep_traces(c.oid) from akashi_audit.protected_tables p
    join pg_namespace n on n.nspname = p.schema_name join pg_class c on c.relnamespace = n.oid and c.relname = p.table_name;
  end if;
end
$function$;
alter function akashi_audit.record_new_catalog() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.record_relations(action text, relations regclass[])
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select akashi_audit.keep_catalog_record(action, jsonb_build_object('relations',
    jsonb_object_agg(n.nspname || '.' || c.relname, array(
      select t.written from unnest(akashi_audit.catalog_transactions(c.oid)) t (written)
      where akashi_audit.is_own_transaction(t.written::xid) or t.written = any (akashi_audit.recorded_transactions(c.relname)) order by 1))))
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = any (relations)
$function$;
alter function akashi_audit.record_relations(action text, relations regclass[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.record_retention(log text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, first_position bigint, last_position bigint, row_count bigint, digest bytea, policy text, note text)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  record_id uuid;
  counted bigint;
  kept akashi_lifecycle.retention;
begin
  select r.* into kept from akashi_audit.logs l join akashi_lifecycle.retention r using (schema_name, table_name)
  where l.log = record_retention.log;
  if kept.legal_hold then
    raise exception 'rows of log % are under legal hold', log
      using errcode = 'AK003', hint = 'akashi archive hold --release ends it';
  end if;
  if kept.at_expiry = 'keep' or not coalesce(upper_bound + kept.total_retention <= clock_timestamp(), false) then
    raise exception 'rows of log % are kept: %', log, case when kept.at_expiry = 'keep' then 'they do not expire'
      else 'for ' || kept.total_retention end using errcode = 'AK003', hint = 'this depends on the policy of the table: akashi archive policy list';
  end if;
  select count(*) into counted from akashi_audit.ledger_entries e
  where e.log = record_retention.log and e.position between first_position and last_position
    and e.created_at >= lower_bound and e.created_at < upper_bound;
  if counted <> row_count then
    raise exception 'the range has % entries of log %, not %', counted, log, row_count
      using errcode = 'AK003', hint = 'count again: rows were sealed meanwhile';
  end if;
  insert into akashi_audit.retention_records (log, partition_name, lower_bound, upper_bound, first_position, last_position,
    row_count, digest, policy, note)
  values (log, partition_name, lower_bound, upper_bound, first_position, last_position, row_count, digest, policy, note)
  returning id into record_id;
  return record_id;
end
$function$;
alter function akashi_audit.record_retention(log text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, first_position bigint, last_position bigint, row_count bigint, digest bytea, policy text, note text) owner to akashi_owner;
grant execute on function akashi_audit.record_retention(log text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, first_position bigint, last_position bigint, row_count bigint, digest bytea, policy text, note text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.recorded_transactions(relation_name text)
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with records as (select r.number, r.row -> 'detail' as detail from akashi_audit.catalog_records r)
  select coalesce(array_agg(distinct t.written), '{}') from records r
  cross join lateral (
    select jsonb_array_elements_text(r.detail -> 'transactions')
    union all select jsonb_array_elements_text(r.detail -> 'added')
    union all select jsonb_array_elements_text(own.value) from jsonb_each(r.detail -> 'relations') own
              where right(own.key, length(relation_name) + 1) = '.' || relation_name
  ) t (written)
  where r.number >= (select max(w.number) from records w where w.detail ? 'transactions')
$function$;
alter function akashi_audit.recorded_transactions(relation_name text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.redact(record jsonb, about text, digest_columns text[], omitted_columns text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.redact(record jsonb, about text, digest_columns text[], omitted_columns text[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  raise exception 'rows of %.% cannot be changed or removed: % refused', tg_table_schema, tg_table_name, lower(tg_op)
    using errcode = 'AK001',
          hint = 'the record is append-only; retention removes whole partitions, with a signed record';
end
$function$;
alter function akashi_audit.refuse_change() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.refuse_json_casts(relation oid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.refuse_json_casts(relation oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.refuse_stale_protection(relation oid)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  raise exception 'columns in the protection of % no longer exist', relation::regclass
    using errcode = 'AK003', hint = 'protect it again, in the transaction that renames or drops a column: akashi protect';
end
$function$;
alter function akashi_audit.refuse_stale_protection(relation oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.refuse_unsigned(relation oid, exempt text[])
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not akashi_auth.context_verified() and session_user::text <> all (exempt) then
    raise exception 'changes of % need a signed request context', relation::regclass using errcode = 'AK005',
      hint = 'make them inside withActor() (docs/use-from-your-app.md), or exempt the login: akashi protect --require-context --context-exempt';
  end if;
end
$function$;
alter function akashi_audit.refuse_unsigned(relation oid, exempt text[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.repair_publication()
 RETURNS text[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  wrong text[] := '{}';
  present record;
  missing record;
  own_role constant text := current_setting('role');
begin
  select p.oid, p.puballtables, p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate and not p.pubviaroot as whole,
         pg_get_userbyid(p.pubowner) = 'akashi_owner' as owned
  into present from pg_publication p where p.pubname = 'akashi_crosscheck';
  if present.puballtables or not present.owned then
    drop publication akashi_crosscheck;
  end if;
  if present is null or present.puballtables or not present.owned then
    wrong := wrong || case when present is null then 'the publication was dropped' else 'the publication was another' end;
    -- As the migrations create it.
    execute format('grant create on database %I to akashi_owner', current_database());
    perform set_config('role', 'akashi_owner', true);
    create publication akashi_crosscheck with (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
    perform set_config('role', own_role, true);
    execute format('revoke create on database %I from akashi_owner', current_database());
    perform akashi_audit.publish_generated_columns();
  elsif not present.whole then
    wrong := wrong || 'the options of the publication were altered'::text;
    alter publication akashi_crosscheck set (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
  end if;
  for missing in
    select c.oid::regclass as relation, r.oid is not null as narrowed, p.schema_name, p.table_name,
           p.digest_columns <> '{}' or p.omitted_columns <> '{}' as hidden
    from (select w.schema_name, w.table_name, w.digest_columns, w.omitted_columns from akashi_audit.protected_tables w
          union all select 'akashi_audit', 'audit_logs', '{}', '{}') p
    join pg_namespace n on n.nspname = p.schema_name join pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
    left join pg_publication b on b.pubname = 'akashi_crosscheck'
    left join pg_publication_rel r on r.prpubid = b.oid and r.prrelid = c.oid
    where r.oid is null or r.prqual is not null or r.prattrs is not null
    order by 1
  loop
    wrong := wrong || format('the publication did not deliver all of %s', missing.relation);
    if missing.narrowed then
      execute format('alter publication akashi_crosscheck drop table only %s', missing.relation);
    end if;
    if missing.table_name = 'audit_logs' and missing.schema_name = 'akashi_audit' then
      alter publication akashi_crosscheck add table only akashi_audit.audit_logs;
    else
      update akashi_audit.protected_tables p
      set replica_identity = akashi_audit.publish(missing.relation, missing.hidden) || p.replica_identity
      where (p.schema_name, p.table_name) = (missing.schema_name, missing.table_name);
    end if;
  end loop;
  if wrong <> '{}' then
    perform akashi_audit.keep_catalog_record('repair', jsonb_build_object('publication', wrong, 'added', array(
      select t.written from unnest(akashi_audit.whole_catalog_transactions()) t (written) where akashi_audit.is_own_transaction(t.written::xid))));
    perform akashi_security.record_event(event_type => 'catalog_recorded', event_category => 'integrity', severity => 'high',
      source_service => 'akashi', action_performed => 'repair', result => 'success', ocsf_class_uid => 2004,
      event_details => jsonb_build_object('reason', 'the publication of the cross-check was repaired', 'publication', wrong));
  end if;
  return wrong;
end
$function$;
alter function akashi_audit.repair_publication() owner to akashi_owner;
comment on function akashi_audit.repair_publication() is 'Makes the publication of the cross-check deliver every protected table again; returns what was wrong.';

CREATE OR REPLACE FUNCTION akashi_audit.report_losses()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.report_losses() owner to akashi_owner;
grant execute on function akashi_audit.report_losses() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.request_context()
 RETURNS akashi_audit.request_context
 LANGUAGE plpgsql
 STABLE PARALLEL RESTRICTED SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.request_context() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.retention_covers(record uuid, log text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, last_position bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (
    select from akashi_audit.retention_records r
    where r.id = record and r.log = retention_covers.log and r.lower_bound <= retention_covers.lower_bound
      and retention_covers.upper_bound <= r.upper_bound and retention_covers.last_position <= r.last_position)
$function$;
alter function akashi_audit.retention_covers(record uuid, log text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, last_position bigint) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.row_json(value anyelement)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return to_jsonb(value);
end
$function$;
alter function akashi_audit.row_json(value anyelement) owner to akashi_nobody;
grant execute on function akashi_audit.row_json(value anyelement) to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.row_statement(source text, operation text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select format($sql$insert into akashi_audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, signed_by,
      api_endpoint, request_id, trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name, action,
      operation, record_id, data_subject, %1$s)
    select ($1).user_id, ($1).session_id, ($1).subject, ($1).ip_address, ($1).user_agent, ($1).verified, ($1).signed_by, ($1).api_endpoint,
      ($1).request_id, ($1).trace_id, ($1).correlation_id, ($1).application_version, ($1).tenant_id, $2, $3, $4, %2$L, %3$L,
      akashi_audit.record_key(v, $5), v ->> $6, akashi_audit.redact(v, v ->> $6, $7, $8)
    from (%4$s) source (v)$sql$,
    case operation when 'INSERT' then 'new_values' else 'old_values' end, lower(operation), operation, source)
$function$;
alter function akashi_audit.row_statement(source text, operation text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.row_values(relation oid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case when bool_or(c.as_text)
    then format('(select %s(k.*) from (select %s) k)', case when bool_and(c.plain) then 'to_jsonb' else 'akashi_audit.row_json' end, string_agg(format(case when c.as_text
      then 'case when r.%1$I is not null then concat(r.%1$I) end as %1$I' else 'r.%1$I' end, c.attname), ', ' order by c.attnum))
    when bool_and(c.plain) then 'to_jsonb(r.*)' else 'akashi_audit.row_json(r.*)' end
  from (
    select a.attname, a.attnum, akashi_audit.holds_json(a.atttypid) as as_text, akashi_audit.is_plain(a.atttypid) as plain
    from pg_catalog.pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
  ) c
$function$;
alter function akashi_audit.row_values(relation oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.rows_from(log text, first bigint, up_to integer)
 RETURNS TABLE(ledger_position bigint, row_id uuid, created_at timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select e.position, e.row_id, e.created_at from akashi_audit.ledger_entries e
  where e.log = rows_from.log and e.position >= first and e.position < first + up_to order by e.position
$function$;
alter function akashi_audit.rows_from(log text, first bigint, up_to integer) owner to akashi_owner;
comment on function akashi_audit.rows_from(log text, first bigint, up_to integer) is 'The sealed rows of a log from a position on, in order, up to a maximum number.';
grant execute on function akashi_audit.rows_from(log text, first bigint, up_to integer) to akashi_security_admin;
grant execute on function akashi_audit.rows_from(log text, first bigint, up_to integer) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.salted(persons text[])
 RETURNS SETOF text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select s.data_subject from akashi_keys.digest_salts s where s.data_subject = any (persons)
$function$;
alter function akashi_audit.salted(persons text[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.sealed_per_day(since timestamp with time zone, until timestamp with time zone, zone text)
 RETURNS TABLE(day date, log text, rows numeric)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with daily as (
    select (c.published_at at time zone zone)::date as day, c.log, max(c.size) as size
    from akashi_audit.ledger_checkpoints c where c.published_at >= since and c.published_at < until group by 1, 2
  )
  select d.day, d.log, (d.size - coalesce(lag(d.size) over (partition by d.log order by d.day),
           (select max(c.size) from akashi_audit.ledger_checkpoints c where c.log = d.log and c.published_at < since), 0))::numeric
  from daily d order by 1, 2
$function$;
alter function akashi_audit.sealed_per_day(since timestamp with time zone, until timestamp with time zone, zone text) owner to akashi_owner;
grant execute on function akashi_audit.sealed_per_day(since timestamp with time zone, until timestamp with time zone, zone text) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_audit.sealed_size(log text)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce((select h.size from akashi_audit.ledger_heads h where h.log = sealed_size.log), 0)
$function$;
alter function akashi_audit.sealed_size(log text) owner to akashi_owner;
comment on function akashi_audit.sealed_size(log text) is 'How many rows of a log are sealed.';
grant execute on function akashi_audit.sealed_size(log text) to akashi_security_admin;
grant execute on function akashi_audit.sealed_size(log text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.seq_of_consequence(relation oid, operation text, schema_name text, table_name text, key_columns text[], hidden text[])
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.seq_of_consequence(relation oid, operation text, schema_name text, table_name text, key_columns text[], hidden text[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.seq_offset(trigger_depth integer)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (65536 - (65536 >> LEAST(trigger_depth, 15)));
alter function akashi_audit.seq_offset(trigger_depth integer) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.settle_discrepancies(explanation text, ids uuid[] DEFAULT NULL::uuid[], until timestamp with time zone DEFAULT clock_timestamp())
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  settled uuid[];
  by_whom constant text := coalesce(akashi_auth.current_user_id()::text, session_user);
begin
  if coalesce(explanation, '') = '' then
    raise exception 'settling a discrepancy needs an explanation' using errcode = 'invalid_parameter_value', hint = 'say what happened';
  end if;
  with gaps as (
    update akashi_audit.crosscheck_gaps g set settled_at = clock_timestamp(), settled_by = by_whom, explanation = settle_discrepancies.explanation
    where g.settled_at is null and g.ended_at <= until and (ids is null or g.id = any (ids)) returning g.id
  ), discrepancies as (
    update akashi_audit.crosscheck_discrepancies d set settled_at = clock_timestamp(), settled_by = by_whom, explanation = settle_discrepancies.explanation
    where d.settled_at is null and d.found_at <= until and (ids is null or d.id = any (ids)) returning d.id
  )
  select array_agg(id order by id) into settled from (select id from gaps union all select id from discrepancies) all_settled;
  if settled is not null then
    perform akashi_audit.record_action('crosscheck_settled', 'settle', 'akashi_audit.crosscheck_discrepancies', null, 'SUCCESS',
      jsonb_build_object('settled', settled[1:1000], 'count', cardinality(settled), 'explanation', explanation));
  end if;
  return coalesce(cardinality(settled), 0);
end
$function$;
alter function akashi_audit.settle_discrepancies(explanation text, ids uuid[], until timestamp with time zone) owner to akashi_owner;
comment on function akashi_audit.settle_discrepancies(explanation text, ids uuid[], until timestamp with time zone) is 'Explains what the cross-check found: discrepancies, and gaps that have ended; it stays on record.';
grant execute on function akashi_audit.settle_discrepancies(explanation text, ids uuid[], until timestamp with time zone) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_audit.settle_losses(explanation text, until timestamp with time zone DEFAULT clock_timestamp())
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.settle_losses(explanation text, until timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_audit.settle_losses(explanation text, until timestamp with time zone) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_audit.suspect_tables()
 RETURNS TABLE(schema_name text, table_name text, what text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with now as (
    select t.schema_name, t.table_name, t.traces as before, akashi_audit.table_traces(c.oid) as after
    from akashi_audit.crosscheck_traces t
    join akashi_audit.protected_tables p on (p.schema_name, p.table_name) = (t.schema_name, t.table_name)
    join pg_namespace n on n.nspname = t.schema_name
    join pg_class c on c.relnamespace = n.oid and c.relname = t.table_name
  )
  select schema_name, table_name, format('the file of %s is another: it was rewritten', b.value ->> 'name')
  from now cross join lateral jsonb_each(before -> 'files') b
  where after -> 'files' -> b.key -> 'file' <> b.value -> 'file'
  union all
  select schema_name, table_name, format('the partition %s was detached or dropped', b.value ->> 'name')
  from now cross join lateral jsonb_each(before -> 'files') b
  where not after -> 'files' ? b.key and not exists (
    select from akashi_audit.catalog_records r where r.row ->> 'action' = 'detach' and r.row -> 'detail' -> 'relations' ? (b.value ->> 'name'))
  union all
  select schema_name, table_name, format('the partition %s was attached with rows in it', a.value ->> 'name')
  from now cross join lateral jsonb_each(after -> 'files') a
  where not before -> 'files' ? a.key and pg_relation_size(a.key::oid) > 0
  union all
  select schema_name, table_name, format('the partition %s was detached and attached again', b.key::oid::regclass)
  from now cross join lateral jsonb_each(before -> 'attached') b
  where after -> 'attached' -> b.key <> b.value
  union all
  select schema_name, table_name, format('the value %s of an enum is now %s', b.value, after -> 'labels' -> b.key)
  from now cross join lateral jsonb_each(before -> 'labels') b
  where after -> 'labels' -> b.key <> b.value
  union all
  select schema_name, table_name, format('the column %s is another than before, or has other values in old rows', b.key)
  from now cross join lateral jsonb_each(before -> 'columns') b
  where after -> 'columns' -> b.key <> b.value
$function$;
alter function akashi_audit.suspect_tables() owner to akashi_owner;
grant execute on function akashi_audit.suspect_tables() to akashi_security_admin;
grant execute on function akashi_audit.suspect_tables() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.system_identity(OUT system_identifier bigint, OUT timeline integer)
 RETURNS record
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select s.system_identifier,
         case when not pg_catalog.pg_is_in_recovery()
           then ('x' || substring(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) for 8))::bit(32)::integer end
  from pg_catalog.pg_control_system() s
$function$;
alter function akashi_audit.system_identity(OUT system_identifier bigint, OUT timeline integer) owner to akashi_owner;
grant execute on function akashi_audit.system_identity(OUT system_identifier bigint, OUT timeline integer) to akashi_security_admin;
grant execute on function akashi_audit.system_identity(OUT system_identifier bigint, OUT timeline integer) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.table_traces(target oid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.table_traces(target oid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.trigger_arguments(policy akashi_audit.protected_tables)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case
    when cardinality(policy.key_columns) = 1 and policy.subject_column is null and not policy.require_context
         and cardinality(policy.ignored_columns || policy.digest_columns || policy.omitted_columns) = 0
      then array[policy.classification, policy.key_columns[1]]
    else array[policy.classification, policy.key_columns::text, coalesce(policy.subject_column, ''), policy.ignored_columns::text,
               policy.digest_columns::text, policy.omitted_columns::text]
         || case when policy.require_context then array[policy.context_exempt::text] end end
$function$;
alter function akashi_audit.trigger_arguments(policy akashi_audit.protected_tables) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.trigger_problems(log text)
 RETURNS TABLE("table" text, problem text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with guarded as (
    select part.relid::oid as relid, null::text as name, 'refuse_change' as trigger_name,
           'akashi_audit.refuse_change'::regproc::oid as function, '' ::bytea as arguments
    from akashi_lifecycle.retention p
    cross join lateral pg_catalog.pg_partition_tree(to_regclass(format('%I.%I', p.schema_name, p.table_name))) part
    -- The trail also covers append-only tables without a log of their own.
    where p.append_only and trigger_problems.log = 'audit_logs'
      and (p.schema_name, p.table_name) not in (select l.schema_name, l.table_name from akashi_audit.logs l)
    union all
    -- Tables of logs are checked even when no policy lists them.
    select part.relid::oid, format('%I.%I', l.schema_name, l.table_name), 'refuse_change', 'akashi_audit.refuse_change'::regproc::oid, ''
    from akashi_audit.logs l
    left join lateral pg_catalog.pg_partition_tree(to_regclass(format('%I.%I', l.schema_name, l.table_name))) part on true
    where l.log = trigger_problems.log
    union all
    select to_regclass(own.name), own.name, own.trigger_name, own.function::regproc, ''
    from (values ('akashi_audit.ledger_entries', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.ledger_checkpoints', 'keep_checkpoint', 'akashi_audit.keep_checkpoint'),
                 ('akashi_audit.ledger_checkpoints', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.ledger_epochs', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.ledger_cosignatures', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.retention_records', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.verifications', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.ledger_tiles', 'keep_tile', 'akashi_audit.keep_tile'),
                 ('akashi_audit.ledger_tiles', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.ledger_heads', 'keep_head', 'akashi_audit.keep_head'),
                 ('akashi_audit.ledger_heads', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.losses', 'keep_loss', 'akashi_audit.keep_loss'),
                 ('akashi_audit.crosscheck_discrepancies', 'keep_crosscheck', 'akashi_audit.keep_crosscheck'),
                 ('akashi_audit.crosscheck_discrepancies', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.crosscheck_state', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.crosscheck_gaps', 'keep_crosscheck', 'akashi_audit.keep_crosscheck'),
                 ('akashi_audit.crosscheck_gaps', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.catalog_records', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.losses', 'refuse_change', 'akashi_audit.refuse_change')) as own (name, trigger_name, function)
  ), recorded as (
    select part.relid::oid, format('%I.%I', p.schema_name, p.table_name), 'akashi_audit_' || event,
           case p.on_failure when 'record_loss' then 'akashi_audit.log_changes_or_loss' else 'akashi_audit.log_changes' end::regproc,
           (select string_agg(convert_to(argument, 'UTF8') || '\x00'::bytea, ''::bytea order by place)
            from unnest(akashi_audit.trigger_arguments(p)) with ordinality as a (argument, place))
    from akashi_audit.protected_tables p
    -- From the catalog: to_regclass fails for schemas that this function's owner may not use.
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
         case when c.oid is null then 'the table does not exist'
              when t.oid is null then format('trigger %s is missing', e.trigger_name)
              when t.tgenabled = 'D' then format('trigger %s is disabled', e.trigger_name)
              when t.tgenabled <> 'A' then format('trigger %s does not fire in every session', e.trigger_name)
              else format('trigger %s differs from the one that protect created', e.trigger_name) end
  from expected e
  left join pg_catalog.pg_class c on c.oid = e.relid
  left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_trigger t on t.tgrelid = e.relid and t.tgname = e.trigger_name and not t.tgisinternal
  where (t.oid is null or t.tgenabled <> 'A' or t.tgfoid <> e.function or t.tgargs <> e.arguments)
    -- pg_partition_tree also returns a partition that was created after this statement began.
    and (e.relid is null or c.oid is not null)
  union all
  select p.schema_name || '.' || p.table_name,
         case when stale.gone is not null then format('the protection has columns that no longer exist: %s', stale.gone)
              else format('its primary key is no longer (%s)', array_to_string(p.key_columns, ', ')) end
  from akashi_audit.protected_tables p
  join pg_catalog.pg_namespace n on n.nspname = p.schema_name
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  cross join lateral (
    select string_agg(name, ', ') as gone
    from unnest(p.key_columns || p.digest_columns || p.omitted_columns || p.subject_column) name
    where name is not null and not exists (
      select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = name and a.attnum > 0 and not a.attisdropped)
  ) stale
  where trigger_problems.log = 'audit_logs' and (stale.gone is not null or p.key_columns is distinct from akashi_audit.primary_key(c.oid))
  union all
  select p.schema_name || '.' || p.table_name, format('a cast to json decides what is recorded of the type %s', casts)
  from akashi_audit.protected_tables p
  join pg_catalog.pg_namespace n on n.nspname = p.schema_name
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  cross join lateral akashi_audit.json_casts(c.oid) casts
  where trigger_problems.log = 'audit_logs' and casts is not null
  union all
  select schema_name || '.' || table_name,
         format('%s statements (%s rows) were made but not recorded, the last at %s: %s', count(*), coalesce(sum(row_count), 0),
                to_char(max(created_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), (array_agg(message order by created_at desc))[1])
  from akashi_audit.losses
  where trigger_problems.log = 'audit_logs' and settled_at is null
  group by schema_name, table_name
$function$;
alter function akashi_audit.trigger_problems(log text) owner to akashi_owner;
grant execute on function akashi_audit.trigger_problems(log text) to akashi_security_admin;
grant execute on function akashi_audit.trigger_problems(log text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.unprotect(target regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.unprotect(target regclass) owner to akashi_owner;
comment on function akashi_audit.unprotect(target regclass) is 'Removes the triggers of akashi_audit.protect and keeps the trail.';

CREATE OR REPLACE FUNCTION akashi_audit.unprotect_missing(schema_name text, table_name text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.unprotect_missing(schema_name text, table_name text) owner to akashi_owner;
comment on function akashi_audit.unprotect_missing(schema_name text, table_name text) is 'Removes the protection of a table that was dropped or renamed; its trail stays.';

CREATE OR REPLACE FUNCTION akashi_audit.unpublish(target regclass, identities jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
alter function akashi_audit.unpublish(target regclass, identities jsonb) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.use_system_user()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if current_setting('server_version_num')::integer >= 160000 and not exists (
    select from pg_attribute a where a.attrelid = 'akashi_audit.audit_logs'::regclass and a.attname = 'db_system_user' and a.atthasdef) then
    alter table akashi_audit.audit_logs alter column db_system_user set default system_user;
  end if;
end
$function$;
alter function akashi_audit.use_system_user() owner to akashi_owner;
comment on function akashi_audit.use_system_user() is 'Makes the trail record system_user where the server has it (PostgreSQL 16 and newer).';

CREATE OR REPLACE FUNCTION akashi_audit.uuid_v7()
 RETURNS uuid
 LANGUAGE sql
 PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select encode(set_bit(set_bit(overlay(
    uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
    from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$function$;
alter function akashi_audit.uuid_v7() owner to akashi_owner;
grant execute on function akashi_audit.uuid_v7() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.verification_evidence(since timestamp with time zone, until timestamp with time zone, OUT runs bigint, OUT failed_runs bigint, OUT full_runs bigint, OUT hours_since_good numeric, OUT standing_alarms bigint, OUT sealed numeric, OUT checkpoints bigint, OUT witnesses bigint, OUT cosignatures bigint)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select count(*), count(*) filter (where not v.ok),
         count(*) filter (where v.ok and v.mode = 'full'),
         (select round(extract(epoch from now() - max(g.finished_at)) / 3600, 1) from akashi_audit.verifications g where g.ok and g.mode <> 'scrub'),
         (select count(*) from akashi_audit.standing_alarms),
         (select sum(d.rows) from akashi_audit.sealed_per_day(since, until, 'UTC') d),
         (select count(*) from akashi_audit.ledger_checkpoints c where c.published_at >= since and c.published_at < until),
         (select count(*) from akashi_audit.witnesses),
         (select count(*) from akashi_audit.ledger_cosignatures s where s.cosigned_at >= since and s.cosigned_at < until)
  from akashi_audit.verifications v where v.started_at >= since and v.started_at < until
$function$;
alter function akashi_audit.verification_evidence(since timestamp with time zone, until timestamp with time zone, OUT runs bigint, OUT failed_runs bigint, OUT full_runs bigint, OUT hours_since_good numeric, OUT standing_alarms bigint, OUT sealed numeric, OUT checkpoints bigint, OUT witnesses bigint, OUT cosignatures bigint) owner to akashi_owner;
grant execute on function akashi_audit.verification_evidence(since timestamp with time zone, until timestamp with time zone, OUT runs bigint, OUT failed_runs bigint, OUT full_runs bigint, OUT hours_since_good numeric, OUT standing_alarms bigint, OUT sealed numeric, OUT checkpoints bigint, OUT witnesses bigint, OUT cosignatures bigint) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_audit.watch_alarms(kind text, severity text, problems jsonb)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  begun integer;
begin
  -- Not an advisory lock, which any login could hold.
  lock table akashi_audit.standing_alarms in share row exclusive mode;
  delete from akashi_audit.standing_alarms a
  where a.kind = watch_alarms.kind and not exists (
    select from jsonb_to_recordset(problems) as f (subject text, detail text) where f.subject = a.subject and f.detail = a.detail);
  with raised as (
    insert into akashi_audit.standing_alarms (kind, subject, detail)
    select distinct watch_alarms.kind, f.subject, f.detail from jsonb_to_recordset(problems) as f (subject text, detail text)
    on conflict do nothing
    returning subject, detail
  )
  select count(akashi_security.record_event(event_type => watch_alarms.kind, event_category => 'integrity',
    severity => watch_alarms.severity, source_service => 'akashi', resource_type => 'ledger', resource_id => left(r.subject, 255),
    action_performed => 'watch', result => 'failure', ocsf_class_uid => 2004,
    event_details => jsonb_build_object('subject', r.subject, 'detail', r.detail)))
  into begun from raised r;
  if begun > 0 then
    perform pg_notify('audit_tampering_detected', json_build_object('severity', severity, 'message', kind, 'timestamp', now())::text);
  end if;
  return begun;
end
$function$;
alter function akashi_audit.watch_alarms(kind text, severity text, problems jsonb) owner to akashi_owner;
grant execute on function akashi_audit.watch_alarms(kind text, severity text, problems jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_audit.whole_catalog_transactions()
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with wanted as (
    select n.oid from pg_namespace n
    where n.nspname in ('akashi_archive', 'akashi_audit', 'akashi_auth', 'akashi_keys', 'akashi_lifecycle', 'akashi_security')
  )
  select array_agg(distinct t.xmin order by t.xmin) from (
    select p.xmin::text from pg_proc p join wanted n on n.oid = p.pronamespace
    union
    select unnest(akashi_audit.catalog_transactions(c.oid)) from pg_class c join wanted n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'c', 'f')
    union
    select t.xmin::text from pg_trigger t where t.tgname ^@ 'akashi_audit_' and not t.tgisinternal
    union
    select p.xmin::text from pg_publication p where p.pubname = 'akashi_crosscheck'
    union
    select r.xmin::text from pg_publication_rel r join pg_publication p on p.oid = r.prpubid where p.pubname = 'akashi_crosscheck'
    union
    -- What others added beside the operators and casts of the server.
    select a.xmin::text from (
      select o.oid, o.xmin from pg_operator o
      union all select c.oid, c.xmin from pg_cast c
      union all select p.oid, p.xmin from pg_amop p
      union all select p.oid, p.xmin from pg_amproc p
      union all select c.oid, c.xmin from pg_opclass c
    ) a where a.oid >= 16384
  ) t (xmin)
$function$;
alter function akashi_audit.whole_catalog_transactions() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_audit.withheld_columns(schema_name text, table_name text)
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce((select p.digest_columns || p.omitted_columns from akashi_audit.protected_tables p
                   where (p.schema_name, p.table_name) = (withheld_columns.schema_name, withheld_columns.table_name)), '{}')
$function$;
alter function akashi_audit.withheld_columns(schema_name text, table_name text) owner to akashi_owner;
comment on function akashi_audit.withheld_columns(schema_name text, table_name text) is 'Columns of a table whose values are not in the trail.';

CREATE OR REPLACE FUNCTION akashi_auth.accept_context()
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
declare
  -- Upper bound of the time during which a signed context can be replayed.
  max_validity constant interval := '60 seconds';
  expires text := current_setting('app.context_expires', true);
  signing akashi_auth.context_keys;
begin
  select * into signing from akashi_auth.context_keys where id = current_setting('app.context_key', true);
  if found and (signing.login is null or signing.login = session_user)
     and (signing.expires_at is null or signing.expires_at > clock_timestamp())
     and akashi_auth.context_hmac(signing, 'akashi-context/1', null) = current_setting('app.context_signature', true)
     and expires ~ '^[0-9]{1,12}$'
     and to_timestamp(expires::double precision) between clock_timestamp() and clock_timestamp() + max_validity then
    perform set_config('app.context_receipt',
      akashi_auth.context_hmac(signing, 'akashi-receipt/1', akashi_auth.transaction_name()), true);
    return signing.application;
  end if;
  perform set_config('app.context_receipt', '', true);
  return null;
end
$function$;
alter function akashi_auth.accept_context() owner to akashi_policy;
comment on function akashi_auth.accept_context() is 'Accepts the signed context in the app.* settings for this transaction. Returns the application that signed it, or null if it is not valid.';
grant execute on function akashi_auth.accept_context() to akashi_client;
grant execute on function akashi_auth.accept_context() to akashi_owner;
grant execute on function akashi_auth.accept_context() to akashi_reader;
grant execute on function akashi_auth.accept_context() to akashi_restorer;
grant execute on function akashi_auth.accept_context() to akashi_security_admin;
grant execute on function akashi_auth.accept_context() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.access_evidence(since timestamp with time zone, until timestamp with time zone, OUT people bigint, OUT services bigint, OUT privileged bigint, OUT privileged_without_factor bigint, OUT dormant_privileged bigint, OUT keys bigint, OUT unused_keys bigint, OUT endless_keys bigint, OUT sign_ins bigint, OUT failed_sign_ins bigint)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with privileged as (
    select distinct u.id, u.issuer, u.last_login_at, u.created_at
    from akashi_auth.users u
    join akashi_auth.user_roles g on g.user_id = u.id and (g.expires_at is null or g.expires_at > now())
    join akashi_auth.roles r on r.id = g.role_id and r.tier = 'system'
    where u.is_active
  ), valid as (
    select k.created_at, k.last_used_at, k.expires_at from akashi_auth.api_keys k
    where k.is_active and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
  ), attempts as (
    select count(*) filter (where a.result = 'success') as good, count(*) filter (where a.result <> 'success') as bad
    from akashi_auth.login_attempts a where a.created_at >= since and a.created_at < until
  )
  select (select count(*) from akashi_auth.users u where u.is_active),
         (select count(*) from akashi_auth.service_accounts s where s.is_active),
         (select count(*) from privileged),
         (select count(*) from privileged p where p.issuer = 'local'
            and not exists (select from akashi_auth.mfa_factors f where f.user_id = p.id and f.confirmed_at is not null)
            and not exists (select from akashi_auth.passkeys k where k.user_id = p.id)),
         (select count(*) from privileged p where coalesce(p.last_login_at, p.created_at) < now() - interval '90 days'),
         (select count(*) from valid),
         (select count(*) from valid v where coalesce(v.last_used_at, v.created_at) < now() - interval '90 days'),
         (select count(*) from valid v where v.expires_at is null),
         a.good, a.bad
  from attempts a
$function$;
alter function akashi_auth.access_evidence(since timestamp with time zone, until timestamp with time zone, OUT people bigint, OUT services bigint, OUT privileged bigint, OUT privileged_without_factor bigint, OUT dormant_privileged bigint, OUT keys bigint, OUT unused_keys bigint, OUT endless_keys bigint, OUT sign_ins bigint, OUT failed_sign_ins bigint) owner to akashi_owner;
grant execute on function akashi_auth.access_evidence(since timestamp with time zone, until timestamp with time zone, OUT people bigint, OUT services bigint, OUT privileged bigint, OUT privileged_without_factor bigint, OUT dormant_privileged bigint, OUT keys bigint, OUT unused_keys bigint, OUT endless_keys bigint, OUT sign_ins bigint, OUT failed_sign_ins bigint) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_auth.access_review_evidence(since timestamp with time zone, until timestamp with time zone, OUT rights bigint, OUT opened bigint, OUT kept bigint, OUT revoked bigint, OUT by_grantor bigint, OUT overdue bigint, OUT days_since_review bigint)
 RETURNS record
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select (select count(*) from akashi_auth.access_rights()),
         (select count(*) from akashi_auth.access_reviews v where v.opened_at >= since and v.opened_at < until),
         count(*) filter (where d.decision = 'keep'), count(*) filter (where d.decision = 'revoke'),
         count(*) filter (where d.gave_it and d.decision = 'keep'),
         (select coalesce(sum(s.open_items), 0)::bigint from akashi_auth.access_review_states() s where s.due_at < now()),
         (select floor(extract(epoch from now() - o.last_completed_at) / 86400)::bigint from akashi_auth.access_review_owed() o)
  from akashi_auth.access_review_decisions d where d.decided_at >= since and d.decided_at < until
$function$;
alter function akashi_auth.access_review_evidence(since timestamp with time zone, until timestamp with time zone, OUT rights bigint, OUT opened bigint, OUT kept bigint, OUT revoked bigint, OUT by_grantor bigint, OUT overdue bigint, OUT days_since_review bigint) owner to akashi_owner;
grant execute on function akashi_auth.access_review_evidence(since timestamp with time zone, until timestamp with time zone, OUT rights bigint, OUT opened bigint, OUT kept bigint, OUT revoked bigint, OUT by_grantor bigint, OUT overdue bigint, OUT days_since_review bigint) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_auth.access_review_owed(OUT open_items bigint, OUT due_at timestamp with time zone, OUT last_completed_at timestamp with time zone)
 RETURNS record
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(sum(s.open_items), 0)::bigint, min(s.due_at) filter (where s.completed_at is null),
         -- Before the first one, since the installation.
         coalesce(max(s.opened_at) filter (where s.completed_at is not null), (select min(r.created_at) from akashi_auth.roles r))
  from akashi_auth.access_review_states() s
$function$;
alter function akashi_auth.access_review_owed(OUT open_items bigint, OUT due_at timestamp with time zone, OUT last_completed_at timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_auth.access_review_owed(OUT open_items bigint, OUT due_at timestamp with time zone, OUT last_completed_at timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.access_review_states()
 RETURNS TABLE(id uuid, opened_at timestamp with time zone, opened_by text, due_at timestamp with time zone, items bigint, kept bigint, revoked bigint, ended bigint, open_items bigint, completed_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select v.id, v.opened_at, v.opened_by, v.due_at, count(i.id), count(*) filter (where d.decision = 'keep'),
         count(*) filter (where d.decision = 'revoke'), count(i.id) filter (where d.item_id is null and r.right_id is null),
         count(*) filter (where d.item_id is null and r.right_id is not null),
         case when count(*) filter (where d.item_id is null and r.right_id is not null) = 0 then coalesce(max(d.decided_at), v.opened_at) end
  from akashi_auth.access_reviews v
  left join akashi_auth.access_review_items i on i.review_id = v.id
  left join akashi_auth.access_review_decisions d on d.item_id = i.id
  left join akashi_auth.access_rights() r on r.right_id = i.right_id
  group by v.id
$function$;
alter function akashi_auth.access_review_states() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.access_rights()
 RETURNS TABLE(kind text, right_id uuid, user_id uuid, account_id uuid, holder text, title text, tier text, granted_at timestamp with time zone, expires_at timestamp with time zone, last_used_at timestamp with time zone, given_by text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select 'user_role', g.id, u.id, null::uuid, u.username::text, r.name::text, r.tier::text, g.assigned_at, g.expires_at,
         greatest(u.last_login_at, (select max(s.last_activity) from akashi_auth.user_sessions s where s.user_id = u.id)),
         coalesce(g.assigned_by::text, g.created_by)
  from akashi_auth.user_roles g join akashi_auth.users u on u.id = g.user_id join akashi_auth.roles r on r.id = g.role_id
  where u.is_active and (g.expires_at is null or g.expires_at > now())
  union all
  select 'service_role', g.id, null, a.id, a.name, r.name, r.tier, g.assigned_at, g.expires_at,
         (select max(k.last_used_at) from akashi_auth.api_keys k where k.service_account_id = a.id),
         coalesce(g.assigned_by::text, g.created_by)
  from akashi_auth.service_account_roles g join akashi_auth.service_accounts a on a.id = g.service_account_id
  join akashi_auth.roles r on r.id = g.role_id
  where a.is_active and (g.expires_at is null or g.expires_at > now())
  union all
  select 'api_key', k.id, k.user_id, k.service_account_id, coalesce(u.username, a.name), k.key_prefix || ' ' || k.name, k.tier,
         k.created_at, k.expires_at, k.last_used_at, k.created_by::text
  from akashi_auth.api_keys k left join akashi_auth.users u on u.id = k.user_id left join akashi_auth.service_accounts a on a.id = k.service_account_id
  where k.is_active and (k.expires_at is null or k.expires_at > now()) and coalesce(u.is_active, a.is_active)
$function$;
alter function akashi_auth.access_rights() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.acting_name()
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(akashi_auth.current_user_id()::text,
    case when akashi_auth.context_application() = 'akashi' then nullif(current_setting('app.subject', true), '') end, session_user)
$function$;
alter function akashi_auth.acting_name() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.acting_role()
 RETURNS name
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(nullif(current_setting('role'), 'none'), session_user::text)::name
$function$;
alter function akashi_auth.acting_role() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.active_context_keys()
 RETURNS SETOF text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select id from akashi_auth.context_keys where application = 'akashi' and expires_at is null
$function$;
alter function akashi_auth.active_context_keys() owner to akashi_owner;
grant execute on function akashi_auth.active_context_keys() to akashi_app;
grant execute on function akashi_auth.active_context_keys() to akashi_security_admin;
grant execute on function akashi_auth.active_context_keys() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.active_user_count()
 RETURNS bigint
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select count(distinct s.user_id) from akashi_auth.user_sessions s
  where s.status in ('online', 'away') and s.revoked_at is null and s.last_activity > now() - interval '30 minutes'
$function$;
alter function akashi_auth.active_user_count() owner to akashi_owner;
grant execute on function akashi_auth.active_user_count() to akashi_app;
grant execute on function akashi_auth.active_user_count() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.add_confirmation(approval akashi_auth.approvals)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  permission constant text := akashi_auth.approval_permission(approval.action);
begin
  if not akashi_auth.confirmed_person() or not akashi_auth.has_permission(permission)
     or not akashi_auth.is_settled(akashi_auth.current_user_id(), permission) then
    return false;
  end if;
  insert into akashi_auth.approval_confirmations (approval_id, user_id) values (approval.id, akashi_auth.current_user_id())
  on conflict do nothing;
  if not found then
    raise exception 'you have already approved this' using errcode = 'AK003', hint = 'another person must approve it too';
  end if;
  return true;
end
$function$;
alter function akashi_auth.add_confirmation(approval akashi_auth.approvals) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.add_context_key(key_id text, secret bytea, application text, login text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  inner_key bytea := secret || decode(repeat('00', 32), 'hex');
  outer_key bytea := secret || decode(repeat('00', 32), 'hex');
begin
  if octet_length(secret) is distinct from 32 then
    raise exception 'a context key has 32 bytes, not %', octet_length(secret) using errcode = 'invalid_parameter_value';
  end if;
  for i in 0 .. 63 loop
    inner_key := set_byte(inner_key, i, get_byte(inner_key, i) # 54); -- 0x36
    outer_key := set_byte(outer_key, i, get_byte(outer_key, i) # 92); -- 0x5c
  end loop;
  insert into akashi_auth.context_keys (id, inner_key, outer_key, application, login)
  values (key_id, inner_key, outer_key, application, login)
  on conflict (id) do nothing;
end
$function$;
alter function akashi_auth.add_context_key(key_id text, secret bytea, application text, login text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.approval_of(action text, target text, detail jsonb DEFAULT '{}'::jsonb)
 RETURNS uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select a.id from akashi_auth.approvals a
  where a.action = approval_of.action and a.target = approval_of.target
    and a.used_at is null and a.withdrawn_at is null and a.expires_at > clock_timestamp()
    and (a.action <> 'shorten_retention' or (a.detail ->> 'at_expiry' = approval_of.detail ->> 'at_expiry'
      and (a.detail ->> 'total')::interval <= (approval_of.detail ->> 'total')::interval))
    and akashi_auth.approving(a) >= (akashi_auth.policy('approval.people'))::integer
  order by a.requested_at limit 1
$function$;
alter function akashi_auth.approval_of(action text, target text, detail jsonb) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.approval_permission(action text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case action
    when 'release_hold' then 'lifecycle:admin'
    when 'shorten_retention' then 'lifecycle:write'
    when 'retire_rows' then 'lifecycle:admin'
    when 'prune_backups' then 'backup:admin'
    when 'erase_person' then 'keys:admin'
    when 'lower_approval' then 'auth_config:admin' end
$function$;
alter function akashi_auth.approval_permission(action text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.approve_setting()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  if new.key = 'backup.hold' and old.value = 'true' and new.value = 'false' then
    perform akashi_auth.use_approval('release_hold', new.key);
  elsif new.key in ('backup.retention_days', 'backup.audit_near_days', 'backup.audit_cold_days', 'retention.floor_days',
        'retention.shortening_delay_days') and new.value < old.value then
    perform akashi_auth.use_approval('shorten_retention', new.key,
      jsonb_build_object('total', make_interval(days => new.value::integer), 'at_expiry', 'retire'));
  end if;
  return new;
end
$function$;
alter function akashi_auth.approve_setting() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.approving(approval akashi_auth.approvals)
 RETURNS bigint
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select count(*) from akashi_auth.approval_confirmations c
  where c.approval_id = approval.id
    and akashi_auth.is_settled(c.user_id, akashi_auth.approval_permission(approval.action))
$function$;
alter function akashi_auth.approving(approval akashi_auth.approvals) owner to akashi_owner;
grant execute on function akashi_auth.approving(approval akashi_auth.approvals) to akashi_app;
grant execute on function akashi_auth.approving(approval akashi_auth.approvals) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_auth.assign_default_role(user_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  role akashi_auth.roles;
begin
  select * into role from akashi_auth.roles r where r.name = akashi_auth.policy('account.default_role') #>> '{}';
  if found and role.tier <> 'service' then
    raise exception 'the default role % is not of the service tier', role.name using errcode = 'AK003',
      hint = 'set the policy account.default_role to one that is';
  end if;
  if found then
    insert into akashi_auth.user_roles (user_id, role_id) values (assign_default_role.user_id, role.id)
    on conflict on constraint user_roles_user_id_role_id_key do nothing;
  end if;
end
$function$;
alter function akashi_auth.assign_default_role(user_id uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.authenticate_session(token_hash bytea)
 RETURNS TABLE(session_id uuid, user_id uuid, tenant_id text, must_change boolean, needs_factor boolean, second_factor boolean, authenticated_at timestamp with time zone, expires_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
declare
  found_session akashi_auth.user_sessions;
  found_tenant text;
begin
  select s.* into found_session from akashi_auth.user_sessions s
  where s.session_token_hash = token_hash and s.revoked_at is null and s.expires_at > now()
    and s.last_activity > now() - akashi_auth.policy_minutes('session.idle_minutes');
  if not found then
    return;
  end if;
  select u.tenant_id into found_tenant from akashi_auth.users u where u.id = found_session.user_id and u.is_active;
  if not found then
    return;
  end if;
  if found_session.last_activity < now() - interval '1 minute' then
    update akashi_auth.user_sessions set last_activity = now() where id = (
      select s.id from akashi_auth.user_sessions s
      where s.id = found_session.id and s.last_activity = found_session.last_activity for update skip locked);
  end if;
  return query select found_session.id, found_session.user_id, found_tenant,
    coalesce((select akashi_auth.password_due(c) from akashi_auth.local_credentials c where c.user_id = found_session.user_id), false)
      and 'pwd' = any (found_session.authentication_methods),
    not found_session.security_validated and akashi_auth.needs_factor(found_session.user_id),
    found_session.security_validated, found_session.authenticated_at, found_session.expires_at;
end
$function$;
alter function akashi_auth.authenticate_session(token_hash bytea) owner to akashi_owner;
grant execute on function akashi_auth.authenticate_session(token_hash bytea) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.begin_login(user_id uuid, identifier_hash bytea, second_factor boolean DEFAULT false)
 RETURNS TABLE(wait_seconds integer, password_hash text, password_changed_at timestamp with time zone, must_change boolean, password_expired boolean, account_active boolean, has_factor boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
declare
  who constant akashi_audit.request_context := akashi_audit.request_context();
  account constant bytea := akashi_auth.throttled_account(begin_login.user_id, begin_login.identifier_hash);
  pair constant bytea := akashi_auth.throttle_key('pair', account, who.ip_address);
  place constant bytea := akashi_auth.throttle_key('address', null, who.ip_address);
  everywhere constant bytea := akashi_auth.throttle_key(case when second_factor then 'factor' else 'account' end, account, null);
  threshold constant integer := case when second_factor
    then least((akashi_auth.policy('lockout.factor_threshold'))::integer, (akashi_auth.policy('lockout.account_threshold'))::integer)
    else (akashi_auth.policy('lockout.account_threshold'))::integer end;
  seconds integer;
begin
  if not who.verified then
    raise exception 'signing in requires a signed context' using errcode = 'insufficient_privilege';
  end if;
  delete from akashi_auth.login_throttles where key in (
    select key from akashi_auth.login_throttles where expires_at < clock_timestamp() limit 20 for update skip locked);
  -- Always in this order, so that two attempts cannot deadlock.
  seconds := akashi_auth.reserve_attempt(pair, (akashi_auth.policy('lockout.threshold'))::integer);
  if seconds = 0 then
    seconds := akashi_auth.reserve_attempt(place, (akashi_auth.policy('lockout.address_threshold'))::integer);
    if seconds > 0 then
      perform akashi_auth.release_attempt(pair);
    else
      seconds := akashi_auth.reserve_attempt(everywhere, threshold);
      -- Guesses from many addresses must not lock out the owner, who may still sign in at known places.
      if seconds > 0 and not second_factor and exists (
        select from akashi_auth.login_attempts a
        where a.user_id = begin_login.user_id and a.result = 'success' and a.session_id is not null
          and akashi_auth.place_of(a.ip_address) = akashi_auth.place_of(who.ip_address))
      then
        seconds := 0;
      end if;
      if seconds > 0 then
        perform akashi_auth.release_attempt(pair), akashi_auth.release_attempt(place);
      end if;
    end if;
  end if;
  if seconds > 0 then
    return query select seconds, null::text, null::timestamptz, null::boolean, null::boolean, null::boolean, null::boolean;
    return;
  end if;
  return query
    select 0, c.password_hash, c.changed_at,
      coalesce(akashi_auth.password_due(c), false), coalesce(c.expires_at <= now(), false), coalesce(u.is_active, false),
      akashi_auth.has_factor(u.id)
    from (select begin_login.user_id as id) as asked
    left join akashi_auth.users u on u.id = asked.id
    left join akashi_auth.local_credentials c on c.user_id = asked.id;
end
$function$;
alter function akashi_auth.begin_login(user_id uuid, identifier_hash bytea, second_factor boolean) owner to akashi_owner;
grant execute on function akashi_auth.begin_login(user_id uuid, identifier_hash bytea, second_factor boolean) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.caller_rank()
 RETURNS integer
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  key akashi_auth.api_keys;
begin
  if akashi_auth.is_administrator() then
    return akashi_auth.tier_rank('system');
  end if;
  select * into key from akashi_auth.api_keys k where k.id = akashi_auth.current_session_id();
  if found then
    return least(akashi_auth.tier_rank(key.tier), case when key.user_id is null
      then akashi_auth.service_account_rank(key.service_account_id) else akashi_auth.user_rank(key.user_id) end);
  end if;
  return akashi_auth.user_rank(akashi_auth.current_user_id());
end
$function$;
alter function akashi_auth.caller_rank() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.caller_until(permissions text[], tier text)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  key akashi_auth.api_keys;
  caller uuid := akashi_auth.current_user_id();
  ends timestamptz;
begin
  if akashi_auth.is_administrator() then
    return 'infinity';
  end if;
  select * into key from akashi_auth.api_keys k where k.id = akashi_auth.current_session_id();
  if found then
    caller := key.user_id;
  end if;
  with held as (
    select r.id, r.tier, coalesce(g.expires_at, 'infinity') as until
    from (select ur.role_id, ur.expires_at from akashi_auth.user_roles ur where ur.user_id = caller
          union all
          select sr.role_id, sr.expires_at from akashi_auth.service_account_roles sr
          where sr.service_account_id = key.service_account_id) g
    join akashi_auth.roles r on r.id = g.role_id
    where g.expires_at is null or g.expires_at > now()
  ), needed as (
    select coalesce(max(held.until), '-infinity') as until from held
    where akashi_auth.tier_rank(held.tier) >= akashi_auth.tier_rank(caller_until.tier)
    union all
    select coalesce((
      select max(held.until) from held
      join akashi_auth.role_permissions rp on rp.role_id = held.id join akashi_auth.permissions p on p.id = rp.permission_id
      where p.resource = split_part(wanted.permission, ':', 1) and p.action in (split_part(wanted.permission, ':', 2), 'admin')
    ), '-infinity')
    from unnest(caller_until.permissions) as wanted (permission)
  )
  select min(needed.until) into ends from needed;
  return ends;
end
$function$;
alter function akashi_auth.caller_until(permissions text[], tier text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.change_user(user_id uuid, changes jsonb, email_encrypted bytea, email_index bytea, email_masked text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  -- Users change only names of their own. An e-mail address is used for signing in and for notifications, so it is set
  -- by the administrator or provider that has verified it.
  if user_id is distinct from akashi_auth.current_user_id() or change_user.email_index is not null then
    perform akashi_auth.managed_user(user_id, 'users:write');
  end if;
  -- At sign-in it would be taken for an e-mail address.
  if user_id = akashi_auth.current_user_id() and changes ->> 'username' like '%@%' then
    raise exception 'a username chosen by its user cannot contain @' using errcode = 'invalid_parameter_value',
      hint = 'leave it out';
  end if;
  update akashi_auth.users u set
    username = case when changes ? 'username' then changes ->> 'username' else u.username end,
    display_name = case when changes ? 'display_name' then changes ->> 'display_name' else u.display_name end,
    avatar_url = case when changes ? 'avatar_url' then changes ->> 'avatar_url' else u.avatar_url end,
    email = case when change_user.email_index is null then u.email end,
    email_encrypted = coalesce(change_user.email_encrypted, u.email_encrypted),
    email_index = coalesce(change_user.email_index, u.email_index),
    email_masked = coalesce(change_user.email_masked, u.email_masked)
  where u.id = user_id and not u.is_deleted;
  if not found then
    raise exception 'user not found, or erased' using errcode = 'no_data_found';
  end if;
end
$function$;
alter function akashi_auth.change_user(user_id uuid, changes jsonb, email_encrypted bytea, email_index bytea, email_masked text) owner to akashi_owner;
grant execute on function akashi_auth.change_user(user_id uuid, changes jsonb, email_encrypted bytea, email_index bytea, email_masked text) to akashi_app;
grant execute on function akashi_auth.change_user(user_id uuid, changes jsonb, email_encrypted bytea, email_index bytea, email_masked text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.check_access_decision()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
declare
  item akashi_auth.access_review_items;
begin
  if not akashi_auth.confirmed_person() or new.decided_by is distinct from akashi_auth.current_user_id() then
    raise exception 'a right must be signed off by a person in their own session' using errcode = 'insufficient_privilege',
      hint = 'sign in, and confirm with POST /v1/session/step-up if required';
  end if;
  select * into item from akashi_auth.access_review_items i where i.id = new.item_id;
  if item.user_id = new.decided_by then
    raise exception 'people cannot sign off their own rights' using errcode = 'insufficient_privilege', hint = 'somebody else has to do this';
  end if;
  new.decided_at := clock_timestamp();
  return new;
end
$function$;
alter function akashi_auth.check_access_decision() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.check_key(key akashi_auth.api_keys)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  scope text;
  scope_tier text;
begin
  if key.tier not in ('system', 'business', 'service') or akashi_auth.tier_rank(key.tier) > greatest(1,
      case when key.user_id is null then akashi_auth.service_account_rank(key.service_account_id) else akashi_auth.user_rank(key.user_id) end) then
    raise exception 'the tier % is above the owner''s own', key.tier using errcode = 'insufficient_privilege',
      hint = 'use a lower tier';
  end if;
  if key.tier <> 'service' then
    perform akashi_auth.refuse_tier(key.tier);
  end if;
  for scope in select jsonb_array_elements_text(key.permissions) loop
    select p.tier into scope_tier from akashi_auth.permissions p where p.id = akashi_auth.permission_id(scope);
    if not akashi_auth.key_owner_has(key, scope) then
      raise exception 'the owner of the key does not have %', scope using errcode = 'insufficient_privilege',
        hint = 'the scopes of a key must be within the permissions of its owner';
    end if;
    if akashi_auth.tier_rank(scope_tier) > akashi_auth.tier_rank(key.tier) then
      raise exception 'a key of the % tier cannot have %', key.tier, scope using errcode = 'insufficient_privilege',
        hint = 'give the key a higher tier';
    end if;
    if not akashi_auth.is_administrator() and not akashi_auth.has_permission(scope) then
      raise exception 'the caller does not have %', scope using errcode = 'insufficient_privilege',
        hint = 'you can grant only what you have yourself';
    end if;
  end loop;
end
$function$;
alter function akashi_auth.check_key(key akashi_auth.api_keys) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.check_role_permission()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
declare
  role akashi_auth.roles;
  permission akashi_auth.permissions;
begin
  select * into role from akashi_auth.roles r where r.id = new.role_id;
  select * into permission from akashi_auth.permissions p where p.id = new.permission_id;
  if akashi_auth.tier_rank(permission.tier) > akashi_auth.tier_rank(role.tier) then
    raise exception 'the % role % cannot hold the % permission %:%', role.tier, role.name, permission.tier,
      permission.resource, permission.action using errcode = 'insufficient_privilege',
      hint = 'a permission can only be in roles of its tier or a higher one';
  end if;
  return new;
end
$function$;
alter function akashi_auth.check_role_permission() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.check_service_role()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
declare
  role akashi_auth.roles;
  account akashi_auth.service_accounts;
begin
  select * into role from akashi_auth.roles r where r.id = new.role_id;
  select * into account from akashi_auth.service_accounts a where a.id = new.service_account_id;
  if akashi_auth.tier_rank(role.tier) > akashi_auth.tier_rank(account.tier) then
    raise exception 'the % service account % cannot have the % role %', account.tier, account.name, role.tier, role.name
      using errcode = 'insufficient_privilege', hint = 'use a service account of that tier';
  end if;
  return new;
end
$function$;
alter function akashi_auth.check_service_role() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.confirm_approval(approval uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  opened constant akashi_auth.approvals := akashi_auth.open_approval(approval);
begin
  if not akashi_auth.add_confirmation(opened) then
    raise exception 'you cannot approve this yet' using errcode = 'insufficient_privilege',
      hint = format('approving takes a session with a recent confirmation, and the permission and one''s present credentials for %s hours', akashi_auth.policy('approval.settling_hours'));
  end if;
  perform akashi_auth.record_approval('approval_given', opened);
end
$function$;
alter function akashi_auth.confirm_approval(approval uuid) owner to akashi_owner;
grant execute on function akashi_auth.confirm_approval(approval uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.confirmed_person()
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (
    select from akashi_auth.user_sessions s
    where s.id = akashi_auth.current_session_id() and s.user_id = akashi_auth.current_user_id()
      and s.revoked_at is null and s.expires_at > now()
      and s.authenticated_at > now() - akashi_auth.policy_minutes('session.step_up_minutes')
      and (s.security_validated or not akashi_auth.needs_factor(s.user_id)))
$function$;
alter function akashi_auth.confirmed_person() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.contains_terms(content text, terms text[])
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  folded constant text := translate(lower(normalize(content, nfkc)), '〜−‖—', '~-∥―');
  term text;
begin
  foreach term in array terms loop
    if strpos(folded, term) = 0 then return false; end if;
  end loop;
  return true;
end
$function$;
alter function akashi_auth.contains_terms(content text, terms text[]) owner to akashi_owner;
comment on function akashi_auth.contains_terms(content text, terms text[]) is 'Whether the text, once folded, contains every term.';
grant execute on function akashi_auth.contains_terms(content text, terms text[]) to akashi_policy;

CREATE OR REPLACE FUNCTION akashi_auth.context_application()
 RETURNS text
 LANGUAGE plpgsql
 STABLE PARALLEL RESTRICTED SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  if coalesce(current_setting('app.context_receipt', true), '') = '' then
    return null;
  end if;
  -- Someone who learned a replaced key could also make receipts, but not for a transaction that began in time.
  return (select k.application from akashi_auth.context_keys k
          where k.id = current_setting('app.context_key', true) and (k.expires_at is null or k.expires_at > now())
            and current_setting('app.context_receipt', true) = akashi_auth.context_hmac(k, 'akashi-receipt/1', akashi_auth.transaction_name()));
end
$function$;
alter function akashi_auth.context_application() owner to akashi_policy;
comment on function akashi_auth.context_application() is 'The application whose signed context this transaction accepted; null if there is none, or if the app.* settings have changed since.';
grant execute on function akashi_auth.context_application() to akashi_client;
grant execute on function akashi_auth.context_application() to akashi_owner;
grant execute on function akashi_auth.context_application() to akashi_reader;
grant execute on function akashi_auth.context_application() to akashi_security_admin;
grant execute on function akashi_auth.context_application() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.context_audience()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED
RETURN format('%I/%I/%s'::text, current_database(), SESSION_USER, encode(timestamptz_send(pg_postmaster_start_time()), 'hex'::text));
alter function akashi_auth.context_audience() owner to akashi_policy;
comment on function akashi_auth.context_audience() is 'Database, login and start of the server, as a signed context names them: constant for a connection.';
grant execute on function akashi_auth.context_audience() to akashi_client;
grant execute on function akashi_auth.context_audience() to akashi_owner;
grant execute on function akashi_auth.context_audience() to akashi_reader;
grant execute on function akashi_auth.context_audience() to akashi_restorer;
grant execute on function akashi_auth.context_audience() to akashi_security_admin;
grant execute on function akashi_auth.context_audience() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.context_hmac(signing akashi_auth.context_keys, purpose text, transaction text)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED
RETURN encode(sha256(((signing).outer_key || sha256(((signing).inner_key || convert_to(concat_ws(''::text, purpose, COALESCE(current_setting('app.current_user_id'::text, true), ''::text), COALESCE(current_setting('app.current_session_id'::text, true), ''::text), COALESCE(current_setting('app.subject'::text, true), ''::text), COALESCE(current_setting('app.client_ip'::text, true), ''::text), COALESCE(current_setting('app.user_agent'::text, true), ''::text), COALESCE(current_setting('app.request_id'::text, true), ''::text), COALESCE(current_setting('app.trace_id'::text, true), ''::text), COALESCE(current_setting('app.correlation_id'::text, true), ''::text), COALESCE(current_setting('app.api_endpoint'::text, true), ''::text), COALESCE(current_setting('app.application_version'::text, true), ''::text), COALESCE(current_setting('app.tenant_id'::text, true), ''::text), COALESCE(current_setting('app.context_expires'::text, true), ''::text), (signing).id, akashi_auth.context_audience(), transaction), 'UTF8'::name))))), 'hex'::text);
alter function akashi_auth.context_hmac(signing akashi_auth.context_keys, purpose text, transaction text) owner to akashi_policy;

CREATE OR REPLACE FUNCTION akashi_auth.context_user()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
  select case when akashi_auth.context_verified() then nullif(current_setting('app.current_user_id', true), '') end
$function$;
alter function akashi_auth.context_user() owner to akashi_policy;
comment on function akashi_auth.context_user() is 'The user of the verified context as that application names them; an id means something only together with context_application().';
grant execute on function akashi_auth.context_user() to akashi_client;
grant execute on function akashi_auth.context_user() to akashi_owner;
grant execute on function akashi_auth.context_user() to akashi_reader;
grant execute on function akashi_auth.context_user() to akashi_security_admin;
grant execute on function akashi_auth.context_user() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.context_verified()
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
  select akashi_auth.context_application() is not null
$function$;
alter function akashi_auth.context_verified() owner to akashi_policy;
comment on function akashi_auth.context_verified() is 'Whether the app.* settings are a signed context that this transaction accepted. Policies call it as (select …) so that it runs once a statement.';
grant execute on function akashi_auth.context_verified() to akashi_client;
grant execute on function akashi_auth.context_verified() to akashi_owner;
grant execute on function akashi_auth.context_verified() to akashi_reader;
grant execute on function akashi_auth.context_verified() to akashi_security_admin;
grant execute on function akashi_auth.context_verified() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.create_api_key(name text, key_hash text, key_prefix text, scopes text[] DEFAULT '{}'::text[], service_account text DEFAULT NULL::text, owner uuid DEFAULT NULL::uuid, tier text DEFAULT NULL::text, service_name text DEFAULT NULL::text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  key akashi_auth.api_keys;
  rank integer;
  active integer;
begin
  key.user_id := case when service_account is null then coalesce(owner, akashi_auth.current_user_id()) end;
  if service_account is not null then
    if owner is not null then
      raise exception 'a key can have only one owner' using errcode = 'invalid_parameter_value';
    end if;
    key.service_account_id := (akashi_auth.service_account_named(service_account)).id;
    rank := akashi_auth.service_account_rank(key.service_account_id);
  elsif key.user_id is null then
    raise exception 'a key needs an owner' using errcode = 'invalid_parameter_value', hint = 'name a user or a service account';
  elsif not akashi_auth.is_administrator() and key.user_id <> coalesce(akashi_auth.current_user_id(), '00000000-0000-0000-0000-000000000000') then
    raise exception 'users cannot create keys for another person' using errcode = 'insufficient_privilege',
      hint = 'create it for a service account';
  else
    if not akashi_auth.is_administrator() and not akashi_auth.owns_key(key) then
      perform akashi_auth.require_permission('api_keys:write');
    end if;
    -- Locked, so that the limit also holds for concurrent callers.
    perform from akashi_auth.users u where u.id = key.user_id and u.is_active for no key update;
    if not found then
      raise exception 'active user not found: %', key.user_id using errcode = 'no_data_found';
    end if;
    rank := akashi_auth.user_rank(key.user_id);
  end if;
  key.id := gen_random_uuid();
  key.tier := coalesce(create_api_key.tier, case least(rank, akashi_auth.caller_rank()) when 3 then 'system' when 2 then 'business' else 'service' end);
  key.permissions := to_jsonb(array(select distinct scope from unnest(scopes) scope order by scope));
  key.expires_at := coalesce(create_api_key.expires_at, now() + (akashi_auth.policy('api_key.default_lifetime_days')::text || ' days')::interval);
  if key.expires_at <= now() or key.expires_at > now() + (akashi_auth.policy('api_key.max_lifetime_days')::text || ' days')::interval then
    raise exception 'a key must expire within % days', akashi_auth.policy('api_key.max_lifetime_days')
      using errcode = 'invalid_parameter_value', hint = 'rotate it instead';
  end if;
  perform akashi_auth.check_key(key);
  select count(*) into active from akashi_auth.api_keys k
  where (k.user_id = key.user_id or k.service_account_id = key.service_account_id) and k.is_active and k.expires_at > now();
  if active >= akashi_auth.policy('api_key.max_per_owner')::integer then
    raise exception 'the owner already has % keys', active using errcode = 'AK003', hint = 'revoke unused keys';
  end if;
  insert into akashi_auth.api_keys (id, name, key_hash, key_prefix, service_name, tier, permissions, user_id, service_account_id,
    expires_at, created_by)
  values (key.id, create_api_key.name, create_api_key.key_hash, create_api_key.key_prefix,
    coalesce(create_api_key.service_name, service_account, 'user'), key.tier, key.permissions, key.user_id, key.service_account_id,
    key.expires_at, akashi_auth.current_user_id());
  perform akashi_audit.record_action('api_key_created', 'create', 'api_key', key.id::text, 'SUCCESS',
    jsonb_build_object('prefix', create_api_key.key_prefix, 'scopes', key.permissions, 'tier', key.tier, 'expires_at', key.expires_at),
    data_subject => key.user_id::text);
  return key.id;
end
$function$;
alter function akashi_auth.create_api_key(name text, key_hash text, key_prefix text, scopes text[], service_account text, owner uuid, tier text, service_name text, expires_at timestamp with time zone) owner to akashi_owner;
comment on function akashi_auth.create_api_key(name text, key_hash text, key_prefix text, scopes text[], service_account text, owner uuid, tier text, service_name text, expires_at timestamp with time zone) is 'Stores a key by its SHA-256. Its scopes and tier must be within those of owner and caller; owner is for administrators of the database.';
grant execute on function akashi_auth.create_api_key(name text, key_hash text, key_prefix text, scopes text[], service_account text, owner uuid, tier text, service_name text, expires_at timestamp with time zone) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.create_context_key(application text, login text)
 RETURNS TABLE(key_id text, secret bytea)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if application is null or application = 'akashi' or application !~ '^[a-z][a-z0-9_-]{0,62}$' then
    raise exception '% is not a valid application name', coalesce(quote_literal(application), 'null')
      using errcode = 'invalid_parameter_value',
            hint = 'use up to 63 lowercase letters, digits, - and _, and not akashi, which signs for its own users';
  end if;
  if not exists (select from pg_roles where rolname = login and rolcanlogin) then
    raise exception 'there is no login %', coalesce(quote_ident(login), 'null') using errcode = 'no_data_found',
      hint = 'create it first: create role … login, then grant akashi_client to it';
  end if;
  if not pg_has_role(login, 'akashi_client', 'usage') then
    raise exception 'the login % may not use contexts', quote_ident(login) using errcode = 'invalid_parameter_value',
      hint = format('grant akashi_client to %I', login);
  end if;
  key_id := application || '-' || encode(substring(uuid_send(gen_random_uuid()) for 4), 'hex');
  secret := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
  perform akashi_auth.add_context_key(key_id, secret, application, login);
  perform akashi_audit.record_action('context_key_added', 'create', 'context_key', key_id, 'SUCCESS',
    jsonb_build_object('application', application, 'login', login), 'confidential');
  return next;
end
$function$;
alter function akashi_auth.create_context_key(application text, login text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.create_role(name text, tier text, description text DEFAULT NULL::text)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  role_id uuid;
begin
  perform akashi_auth.require_permission('roles:admin');
  perform akashi_auth.refuse_tier(tier);
  insert into akashi_auth.roles (name, tier, description) values (create_role.name, create_role.tier, create_role.description)
  returning id into role_id;
  return role_id;
end
$function$;
alter function akashi_auth.create_role(name text, tier text, description text) owner to akashi_owner;
grant execute on function akashi_auth.create_role(name text, tier text, description text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.create_service_account(name text, tier text DEFAULT 'service'::text, description text DEFAULT NULL::text, roles text[] DEFAULT '{}'::text[])
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  account_id uuid;
  role_name text;
begin
  perform akashi_auth.require_permission('api_keys:write');
  perform akashi_auth.refuse_tier(tier);
  insert into akashi_auth.service_accounts (name, tier, description)
  values (create_service_account.name, create_service_account.tier, create_service_account.description)
  returning id into account_id;
  foreach role_name in array roles loop
    perform akashi_auth.grant_service_role(create_service_account.name, role_name);
  end loop;
  return account_id;
end
$function$;
alter function akashi_auth.create_service_account(name text, tier text, description text, roles text[]) owner to akashi_owner;
grant execute on function akashi_auth.create_service_account(name text, tier text, description text, roles text[]) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.create_user(id uuid, issuer text, subject_encrypted bytea, subject_index bytea, username text, display_name text, email_encrypted bytea, email_index bytea, email_masked text, avatar_url text, account_status text, security_classification text, tenant_id text, compliance_tags jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not akashi_auth.is_server() then
    perform akashi_auth.require_permission('users:write');
  end if;
  if create_user.security_classification <> 'internal' and not akashi_auth.is_server() then
    perform akashi_auth.require_permission('users:admin');
  end if;
  insert into akashi_auth.users (id, issuer, subject_encrypted, subject_index, username, display_name, email_encrypted, email_index,
    email_masked, avatar_url, account_status, security_classification, tenant_id, compliance_tags)
  values (create_user.id, create_user.issuer, create_user.subject_encrypted, create_user.subject_index, create_user.username,
    create_user.display_name, create_user.email_encrypted, create_user.email_index, create_user.email_masked,
    create_user.avatar_url, create_user.account_status, create_user.security_classification, create_user.tenant_id,
    create_user.compliance_tags);
  perform akashi_auth.assign_default_role(create_user.id);
end
$function$;
alter function akashi_auth.create_user(id uuid, issuer text, subject_encrypted bytea, subject_index bytea, username text, display_name text, email_encrypted bytea, email_index bytea, email_masked text, avatar_url text, account_status text, security_classification text, tenant_id text, compliance_tags jsonb) owner to akashi_owner;
grant execute on function akashi_auth.create_user(id uuid, issuer text, subject_encrypted bytea, subject_index bytea, username text, display_name text, email_encrypted bytea, email_index bytea, email_masked text, avatar_url text, account_status text, security_classification text, tenant_id text, compliance_tags jsonb) to akashi_app;
grant execute on function akashi_auth.create_user(id uuid, issuer text, subject_encrypted bytea, subject_index bytea, username text, display_name text, email_encrypted bytea, email_index bytea, email_masked text, avatar_url text, account_status text, security_classification text, tenant_id text, compliance_tags jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.current_permissions()
 RETURNS SETOF text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select p.resource || ':' || p.action from akashi_auth.permissions p
  where akashi_auth.has_permission(p.resource || ':' || p.action) order by 1
$function$;
alter function akashi_auth.current_permissions() owner to akashi_owner;
grant execute on function akashi_auth.current_permissions() to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.current_session_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
  select case when akashi_auth.context_application() = 'akashi' then akashi_auth.try_uuid(nullif(current_setting('app.current_session_id', true), '')) end
$function$;
alter function akashi_auth.current_session_id() owner to akashi_policy;
comment on function akashi_auth.current_session_id() is 'akashi_auth.user_sessions.id of the verified context; null where there is none.';
grant execute on function akashi_auth.current_session_id() to akashi_client;
grant execute on function akashi_auth.current_session_id() to akashi_owner;
grant execute on function akashi_auth.current_session_id() to akashi_reader;
grant execute on function akashi_auth.current_session_id() to akashi_security_admin;
grant execute on function akashi_auth.current_session_id() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.current_user_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
  select case when akashi_auth.context_application() = 'akashi' then akashi_auth.try_uuid(nullif(current_setting('app.current_user_id', true), '')) end
$function$;
alter function akashi_auth.current_user_id() owner to akashi_policy;
comment on function akashi_auth.current_user_id() is 'akashi_auth.users.id of a context that Akashi itself signed; null is anonymous, or a user of another application.';
grant execute on function akashi_auth.current_user_id() to akashi_client;
grant execute on function akashi_auth.current_user_id() to akashi_owner;
grant execute on function akashi_auth.current_user_id() to akashi_reader;
grant execute on function akashi_auth.current_user_id() to akashi_security_admin;
grant execute on function akashi_auth.current_user_id() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.decide_access(review uuid, item uuid, decision text, reason text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  found_item akashi_auth.access_review_items;
  held record;
begin
  perform akashi_auth.require_permission('roles:write');
  select * into found_item from akashi_auth.access_review_items i where i.id = item and i.review_id = review;
  if not found then
    raise exception 'the review has no right %', item using errcode = 'no_data_found';
  end if;
  perform akashi_auth.refuse_tier(found_item.tier);
  if exists (select from akashi_auth.access_review_decisions d where d.item_id = item) then
    raise exception 'this right was already signed off' using errcode = 'AK003', hint = 'the next review will include it again';
  end if;
  select * into held from akashi_auth.access_rights() r where r.right_id = found_item.right_id;
  if not found then
    raise exception 'this right has ended in the meantime' using errcode = 'AK003', hint = 'there is nothing left to decide';
  end if;
  insert into akashi_auth.access_review_decisions (item_id, decision, reason, decided_at, decided_by, gave_it, seen)
  values (item, decide_access.decision, decide_access.reason, clock_timestamp(), akashi_auth.current_user_id(),
          held.given_by is not distinct from akashi_auth.current_user_id()::text,
          jsonb_build_object('since', held.granted_at, 'expires_at', held.expires_at, 'last_used_at', held.last_used_at, 'given_by', held.given_by));
  if decide_access.decision = 'revoke' then
    case found_item.kind
      when 'user_role' then perform akashi_auth.revoke_role(held.user_id, held.title);
      when 'service_role' then perform akashi_auth.revoke_service_role(held.holder, held.title);
      else perform akashi_auth.revoke_api_key(found_item.right_id, decide_access.reason);
    end case;
  end if;
end
$function$;
alter function akashi_auth.decide_access(review uuid, item uuid, decision text, reason text) owner to akashi_owner;
comment on function akashi_auth.decide_access(review uuid, item uuid, decision text, reason text) is 'Signs off a right of a review: keep, or revoke it now. Requires roles:write and the tier of the right, in a session, and never for one''s own rights.';
grant execute on function akashi_auth.decide_access(review uuid, item uuid, decision text, reason text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.delete_role(role_name text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  role akashi_auth.roles;
begin
  perform akashi_auth.require_permission('roles:delete');
  select * into role from akashi_auth.roles r where r.name = role_name for update;
  if not found then
    return false;
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  if role.name in ('sys_admin', 'sys_operator', 'sys_auditor', 'security_admin', 'viewer') then
    raise exception 'the role % is built in', role_name using errcode = 'AK003', hint = 'revoke its grants instead';
  end if;
  delete from akashi_auth.roles r where r.id = role.id;
  return true;
end
$function$;
alter function akashi_auth.delete_role(role_name text) owner to akashi_owner;
grant execute on function akashi_auth.delete_role(role_name text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.end_sessions_of(user_id uuid, session uuid DEFAULT NULL::uuid)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  ended integer;
begin
  perform akashi_auth.managed_user(end_sessions_of.user_id, 'sessions:delete');
  update akashi_auth.user_sessions s set revoked_at = now(), status = 'offline'
  where s.user_id = end_sessions_of.user_id and s.revoked_at is null and (session is null or s.id = session);
  get diagnostics ended = row_count;
  if ended > 0 then
    perform akashi_auth.record_authentication('session_revoked', 'info', end_sessions_of.user_id, session,
      jsonb_build_object('sessions', ended, 'reason', 'administrator'));
  end if;
  return ended;
end
$function$;
alter function akashi_auth.end_sessions_of(user_id uuid, session uuid) owner to akashi_owner;
grant execute on function akashi_auth.end_sessions_of(user_id uuid, session uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.fold_text(content text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select translate(lower(normalize(content, nfkc)), '〜−‖—', '~-∥―')
$function$;
alter function akashi_auth.fold_text(content text) owner to akashi_owner;
comment on function akashi_auth.fold_text(content text) is 'The text in the form in which searches compare it.';
grant execute on function akashi_auth.fold_text(content text) to akashi_app;
grant execute on function akashi_auth.fold_text(content text) to akashi_policy;
grant execute on function akashi_auth.fold_text(content text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.grant_permission(role_name text, permission text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  role akashi_auth.roles;
begin
  perform akashi_auth.require_permission('roles:admin');
  select * into role from akashi_auth.roles r where r.name = role_name for no key update;
  if not found then
    raise exception 'role not found: %', role_name using errcode = 'undefined_object', hint = 'list them with akashi roles list';
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  if not akashi_auth.is_administrator() and not akashi_auth.has_permission(permission) then
    raise exception 'the caller does not have %', permission using errcode = 'insufficient_privilege',
      hint = 'you can grant only what you have yourself';
  end if;
  perform akashi_auth.refuse_longer(null, array['roles:admin', permission], role.tier);
  insert into akashi_auth.role_permissions (role_id, permission_id) values (role.id, akashi_auth.permission_id(permission))
  on conflict on constraint role_permissions_role_id_permission_id_key do nothing;
end
$function$;
alter function akashi_auth.grant_permission(role_name text, permission text) owner to akashi_owner;
grant execute on function akashi_auth.grant_permission(role_name text, permission text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.grant_role(user_id uuid, role_name text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  role constant akashi_auth.roles := akashi_auth.role_to_grant(role_name);
  grant_id uuid;
begin
  if grant_role.user_id = akashi_auth.current_user_id() then
    raise exception 'users cannot grant roles to themselves' using errcode = 'insufficient_privilege',
      hint = 'somebody else has to do this';
  end if;
  if grant_role.expires_at <= now() then
    raise exception 'the expiry of a role is in the past' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_auth.refuse_longer_role(role, grant_role.expires_at);
  if not exists (select from akashi_auth.users u where u.id = grant_role.user_id and not u.is_deleted) then
    raise exception 'user not found: %', grant_role.user_id using errcode = 'no_data_found';
  end if;
  insert into akashi_auth.user_roles as ur (user_id, role_id, assigned_by, expires_at)
  values (grant_role.user_id, role.id, akashi_auth.current_user_id(), grant_role.expires_at)
  on conflict on constraint user_roles_user_id_role_id_key do update
    set assigned_by = excluded.assigned_by, assigned_at = now(), expires_at = excluded.expires_at
  returning ur.id into grant_id;
  perform akashi_auth.record_grant('role_granted', role, 'user', grant_role.user_id, jsonb_build_object('expires_at', grant_role.expires_at));
  return grant_id;
end
$function$;
alter function akashi_auth.grant_role(user_id uuid, role_name text, expires_at timestamp with time zone) owner to akashi_owner;
comment on function akashi_auth.grant_role(user_id uuid, role_name text, expires_at timestamp with time zone) is 'Grants a user a role of the caller''s tier or a lower one, with only permissions that the caller has; never to the caller.';
grant execute on function akashi_auth.grant_role(user_id uuid, role_name text, expires_at timestamp with time zone) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.grant_service_role(account_name text, role_name text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  account constant akashi_auth.service_accounts := akashi_auth.service_account_named(account_name);
  role constant akashi_auth.roles := akashi_auth.role_to_grant(role_name);
  grant_id uuid;
begin
  if exists (select from akashi_auth.api_keys k where k.id = akashi_auth.current_session_id() and k.service_account_id = account.id) then
    raise exception 'users cannot grant roles to themselves' using errcode = 'insufficient_privilege',
      hint = 'somebody else has to do this';
  end if;
  if grant_service_role.expires_at <= now() then
    raise exception 'the expiry of a role is in the past' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_auth.refuse_longer_role(role, grant_service_role.expires_at);
  insert into akashi_auth.service_account_roles as sr (service_account_id, role_id, assigned_by, expires_at)
  values (account.id, role.id, akashi_auth.current_user_id(), grant_service_role.expires_at)
  on conflict on constraint service_account_roles_service_account_id_role_id_key do update
    set assigned_by = excluded.assigned_by, assigned_at = now(), expires_at = excluded.expires_at
  returning sr.id into grant_id;
  perform akashi_auth.record_grant('role_granted', role, 'service_account', account.id, jsonb_build_object('expires_at', grant_service_role.expires_at));
  return grant_id;
end
$function$;
alter function akashi_auth.grant_service_role(account_name text, role_name text, expires_at timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_auth.grant_service_role(account_name text, role_name text, expires_at timestamp with time zone) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.has_administrator()
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (
    select from akashi_auth.user_roles ur join akashi_auth.roles r on r.id = ur.role_id where r.name = 'sys_admin')
$function$;
alter function akashi_auth.has_administrator() owner to akashi_owner;
grant execute on function akashi_auth.has_administrator() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.has_factor(user_id uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (select from akashi_auth.mfa_factors f where f.user_id = has_factor.user_id and f.confirmed_at is not null)
    or exists (select from akashi_auth.passkeys k where k.user_id = has_factor.user_id)
$function$;
alter function akashi_auth.has_factor(user_id uuid) owner to akashi_owner;
grant execute on function akashi_auth.has_factor(user_id uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.has_permission(permission text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL RESTRICTED SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
declare
  caller uuid;
  shown uuid;
  key akashi_auth.api_keys;
begin
  if akashi_auth.context_application() is distinct from 'akashi' then
    return false;
  end if;
  caller := akashi_auth.try_uuid(nullif(current_setting('app.current_user_id', true), ''));
  shown := akashi_auth.try_uuid(nullif(current_setting('app.current_session_id', true), ''));
  if shown is null then
    return caller is not null and akashi_auth.user_has_permission(caller, permission);
  end if;
  select * into key from akashi_auth.api_keys k where k.id = shown;
  if found then
    return key.user_id is not distinct from caller and akashi_auth.key_allows(key, permission)
      and case when caller is null then akashi_auth.service_account_has_permission(key.service_account_id, permission)
               else akashi_auth.user_has_permission(caller, permission) end;
  end if;
  return exists (
      select from akashi_auth.user_sessions s
      where s.id = shown and s.user_id = caller and s.revoked_at is null and s.expires_at > now())
    and akashi_auth.user_has_permission(caller, permission);
end
$function$;
alter function akashi_auth.has_permission(permission text) owner to akashi_policy;
comment on function akashi_auth.has_permission(permission text) is 'Whether the caller of the verified context may: resource:action. Policies call it as (select akashi_auth.has_permission(''…'')).';
grant execute on function akashi_auth.has_permission(permission text) to akashi_app;
grant execute on function akashi_auth.has_permission(permission text) to akashi_owner;
grant execute on function akashi_auth.has_permission(permission text) to akashi_reader;
grant execute on function akashi_auth.has_permission(permission text) to akashi_security_admin;
grant execute on function akashi_auth.has_permission(permission text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.is_administrator()
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(akashi_auth.context_application(), 'akashi') = 'akashi'
    and akashi_auth.current_user_id() is null and akashi_auth.current_session_id() is null
    and pg_has_role(akashi_auth.acting_role(), 'akashi_owner', 'member')
$function$;
alter function akashi_auth.is_administrator() owner to akashi_owner;
comment on function akashi_auth.is_administrator() is 'Whether the caller is a database administrator without a signed context.';

CREATE OR REPLACE FUNCTION akashi_auth.is_approved(action text, target text)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select (akashi_auth.policy('approval.people'))::integer <= 1 or akashi_auth.approval_of(action, target) is not null
$function$;
alter function akashi_auth.is_approved(action text, target text) owner to akashi_owner;
grant execute on function akashi_auth.is_approved(action text, target text) to akashi_security_admin;
grant execute on function akashi_auth.is_approved(action text, target text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.is_server()
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(akashi_auth.context_application(), 'akashi') = 'akashi'
    and akashi_auth.current_user_id() is null and akashi_auth.current_session_id() is null
    and pg_has_role(akashi_auth.acting_role(), 'akashi_worker', 'member')
$function$;
alter function akashi_auth.is_server() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.is_settled(person uuid, permission text)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with since as (
    select now() - make_interval(hours => (akashi_auth.policy('approval.settling_hours'))::integer) as at
  )
  select exists (
    select from since, akashi_auth.users u
    join akashi_auth.user_roles ur on ur.user_id = u.id
    join akashi_auth.role_permissions rp on rp.role_id = ur.role_id
    join akashi_auth.permissions p on p.id = rp.permission_id
    where u.id = person and u.is_active and p.resource = split_part(permission, ':', 1)
      and p.action in (split_part(permission, ':', 2), 'admin')
      and (ur.expires_at is null or ur.expires_at > now())
      and greatest(ur.assigned_at, rp.granted_at, u.credentials_replaced_at) <= since.at)
$function$;
alter function akashi_auth.is_settled(person uuid, permission text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.keep_last_administrator()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
declare
  administrator uuid;
begin
  select r.id into administrator from akashi_auth.roles r where r.name = 'sys_admin' for no key update;
  if exists (select from akashi_auth.user_roles ur where ur.user_id = old.id and ur.role_id = administrator
             and (ur.expires_at is null or ur.expires_at > now()))
     and not exists (
       select from akashi_auth.user_roles ur join akashi_auth.users u on u.id = ur.user_id
       where ur.role_id = administrator and u.id <> old.id and u.is_active and (ur.expires_at is null or ur.expires_at > now()))
  then
    raise exception 'the last active sys_admin cannot be deactivated' using errcode = 'AK003', hint = 'grant the role to another user first';
  end if;
  return new;
end
$function$;
alter function akashi_auth.keep_last_administrator() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.keep_step()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  if new.last_used_step < old.last_used_step
     or (new.last_used_step = old.last_used_step and new.last_used_at is distinct from old.last_used_at) then
    raise exception 'a code of this step was already used' using errcode = 'AK003', hint = 'wait for the next code';
  end if;
  return new;
end
$function$;
alter function akashi_auth.keep_step() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.keep_tier()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  if new.tier is distinct from old.tier then
    raise exception 'the tier of % cannot be changed', tg_table_name using errcode = 'insufficient_privilege',
      hint = 'create another one with the tier that you want';
  end if;
  return new;
end
$function$;
alter function akashi_auth.keep_tier() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.key_allows(key akashi_auth.api_keys, permission text)
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select key.is_active and (key.expires_at is null or key.expires_at > now())
    and key.permissions ?| array[permission, split_part(permission, ':', 1) || ':admin']
    and exists (
      select from akashi_auth.permissions p
      where p.resource = split_part(permission, ':', 1) and p.action = split_part(permission, ':', 2)
        and akashi_auth.tier_rank(p.tier) <= akashi_auth.tier_rank(key.tier))
$function$;
alter function akashi_auth.key_allows(key akashi_auth.api_keys, permission text) owner to akashi_policy;
grant execute on function akashi_auth.key_allows(key akashi_auth.api_keys, permission text) to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.key_owner_has(key akashi_auth.api_keys, permission text)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case when key.user_id is null then akashi_auth.service_account_has_permission(key.service_account_id, permission)
              else akashi_auth.user_has_permission(key.user_id, permission) end
$function$;
alter function akashi_auth.key_owner_has(key akashi_auth.api_keys, permission text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.key_permits(permission text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
declare
  shown constant uuid := akashi_auth.current_session_id();
  key akashi_auth.api_keys;
begin
  if shown is null then
    return true;
  end if;
  select * into key from akashi_auth.api_keys k where k.id = shown;
  return not found or akashi_auth.key_allows(key, permission);
end
$function$;
alter function akashi_auth.key_permits(permission text) owner to akashi_policy;
comment on function akashi_auth.key_permits(permission text) is 'False when the caller shows an API key whose scopes or tier do not include the permission.';
grant execute on function akashi_auth.key_permits(permission text) to akashi_app;
grant execute on function akashi_auth.key_permits(permission text) to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.list_access_review(review uuid)
 RETURNS TABLE(id uuid, kind text, user_id uuid, account_id uuid, holder text, title text, tier text, granted_at timestamp with time zone, expires_at timestamp with time zone, last_used_at timestamp with time zone, given_by text, ended boolean, decision text, reason text, decided_at timestamp with time zone, decided_by uuid, gave_it boolean)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_auth.require_permission('roles:read');
  if not exists (select from akashi_auth.access_reviews v where v.id = review) then
    raise exception 'access review not found: %', review using errcode = 'no_data_found', hint = 'list them with akashi access-review list';
  end if;
  return query
    select i.id, i.kind, i.user_id, i.account_id, coalesce(r.holder, u.username::text, a.name::text), i.title, i.tier, coalesce(r.granted_at, i.granted_at),
           r.expires_at, r.last_used_at, r.given_by, r.right_id is null, d.decision, d.reason, d.decided_at, d.decided_by, d.gave_it
    from akashi_auth.access_review_items i
    left join akashi_auth.access_rights() r on r.right_id = i.right_id
    left join akashi_auth.access_review_decisions d on d.item_id = i.id
    left join akashi_auth.users u on u.id = i.user_id left join akashi_auth.service_accounts a on a.id = i.account_id
    where i.review_id = review
    order by d.item_id is not null, array_position(array['system', 'business', 'service'], i.tier), 5, i.kind, i.title;
end
$function$;
alter function akashi_auth.list_access_review(review uuid) owner to akashi_owner;
comment on function akashi_auth.list_access_review(review uuid) is 'The current rights of a review, undecided ones first. Requires roles:read.';
grant execute on function akashi_auth.list_access_review(review uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.list_access_reviews()
 RETURNS TABLE(id uuid, opened_at timestamp with time zone, opened_by text, due_at timestamp with time zone, items bigint, kept bigint, revoked bigint, ended bigint, open_items bigint, completed_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_auth.require_permission('roles:read');
  return query select * from akashi_auth.access_review_states() s order by s.opened_at desc;
end
$function$;
alter function akashi_auth.list_access_reviews() owner to akashi_owner;
grant execute on function akashi_auth.list_access_reviews() to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.list_access_rights()
 RETURNS TABLE(kind text, right_id uuid, user_id uuid, account_id uuid, holder text, title text, tier text, granted_at timestamp with time zone, expires_at timestamp with time zone, last_used_at timestamp with time zone, given_by text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_auth.require_permission('roles:read');
  return query select * from akashi_auth.access_rights() r
    order by array_position(array['system', 'business', 'service'], r.tier), r.holder, r.kind, r.title;
end
$function$;
alter function akashi_auth.list_access_rights() owner to akashi_owner;
comment on function akashi_auth.list_access_rights() is 'Who holds which role and key, since when, when last used, granted by whom. Requires roles:read.';
grant execute on function akashi_auth.list_access_rights() to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.make_first_administrator(user_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  role akashi_auth.roles;
begin
  lock table akashi_auth.user_roles in share row exclusive mode;
  if akashi_auth.has_administrator() then
    return false;
  end if;
  select * into role from akashi_auth.roles r where r.name = 'sys_admin';
  insert into akashi_auth.user_roles (user_id, role_id) values (make_first_administrator.user_id, role.id);
  perform akashi_auth.record_grant('role_granted', role, 'user', make_first_administrator.user_id, '{"reason": "first administrator"}');
  return true;
end
$function$;
alter function akashi_auth.make_first_administrator(user_id uuid) owner to akashi_owner;
grant execute on function akashi_auth.make_first_administrator(user_id uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.managed_user(user_id uuid, permission text)
 RETURNS akashi_auth.users
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  person akashi_auth.users;
  missing text;
begin
  if not akashi_auth.is_server() then
    perform akashi_auth.require_permission(permission);
  end if;
  select * into person from akashi_auth.users u where u.id = user_id for no key update;
  if not found or person.is_deleted then
    raise exception 'user not found, or erased' using errcode = 'no_data_found';
  end if;
  if person.id = akashi_auth.current_user_id() then
    raise exception 'users cannot do this to themselves' using errcode = 'insufficient_privilege',
      hint = 'somebody else has to do this';
  end if;
  if not akashi_auth.is_server() and akashi_auth.user_rank(person.id) > akashi_auth.caller_rank() then
    raise exception 'the user is of a higher tier than the caller' using errcode = 'insufficient_privilege',
      hint = 'somebody of that tier has to do this';
  end if;
  if not akashi_auth.is_server() and not akashi_auth.is_administrator() then
    select p.resource || ':' || p.action into missing from akashi_auth.permissions p
    where p.tier <> 'service' and akashi_auth.user_has_permission(person.id, p.resource || ':' || p.action)
      and not akashi_auth.has_permission(p.resource || ':' || p.action)
    order by 1 limit 1;
    if found then
      raise exception 'the user has %, which the caller does not have', missing using errcode = 'insufficient_privilege',
        hint = 'somebody with this permission has to do this';
    end if;
  end if;
  return person;
end
$function$;
alter function akashi_auth.managed_user(user_id uuid, permission text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.needs_factor(user_id uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (
    select from akashi_auth.user_roles ur join akashi_auth.roles r on r.id = ur.role_id
    where ur.user_id = needs_factor.user_id and (ur.expires_at is null or ur.expires_at > now())
      and akashi_auth.policy('mfa.required_tiers') ? r.tier)
$function$;
alter function akashi_auth.needs_factor(user_id uuid) owner to akashi_owner;
grant execute on function akashi_auth.needs_factor(user_id uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.ngrams(folded text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(array_agg(distinct g.gram), '{}')
  from (select c.letter, c.letter || lead(c.letter) over (order by c.place) as pair
        from unnest(string_to_array(folded, null)) with ordinality as c (letter, place)) pairs
  cross join lateral (values (pairs.letter), (pairs.pair)) as g (gram)
  where g.gram is not null and g.gram !~ '^\s+$'
$function$;
alter function akashi_auth.ngrams(folded text) owner to akashi_owner;
comment on function akashi_auth.ngrams(folded text) is 'The index terms of a text: its characters and pairs of characters.';
grant execute on function akashi_auth.ngrams(folded text) to akashi_app;
grant execute on function akashi_auth.ngrams(folded text) to akashi_policy;
grant execute on function akashi_auth.ngrams(folded text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.open_access_review()
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  review uuid;
begin
  if not akashi_auth.is_server() then
    perform akashi_auth.require_permission('roles:write');
  end if;
  -- Two callers may open one at the same time.
  lock table akashi_auth.access_reviews in share row exclusive mode;
  if exists (select from akashi_auth.access_review_states() s where s.completed_at is null) then
    if akashi_auth.is_server() and not akashi_auth.is_administrator() then
      return null;
    end if;
    raise exception 'an access review is already open' using errcode = 'AK003', hint = 'complete it first: akashi access-review list';
  end if;
  insert into akashi_auth.access_reviews (opened_by, due_at)
  values (akashi_auth.acting_name(),
          clock_timestamp() + make_interval(days => (akashi_lifecycle.setting('access_review.due_days') #>> '{}')::integer))
  returning id into review;
  insert into akashi_auth.access_review_items (review_id, kind, right_id, user_id, account_id, title, tier, granted_at)
  select review, r.kind, r.right_id, r.user_id, r.account_id, r.title, r.tier, r.granted_at from akashi_auth.access_rights() r
  -- The role that everybody has is not worth reviewing.
  where not (r.kind = 'user_role' and r.tier = 'service' and r.title = coalesce(akashi_auth.policy('account.default_role') #>> '{}', ''));
  perform akashi_security.record_event(event_type => 'access_review_opened', event_category => 'authorization', severity => 'info',
    source_service => 'akashi', resource_type => 'access_review', resource_id => review::text, action_performed => 'open',
    result => 'success', ocsf_class_uid => 3005);
  return review;
end
$function$;
alter function akashi_auth.open_access_review() owner to akashi_owner;
comment on function akashi_auth.open_access_review() is 'Opens a review of every role and key, except the role that every user has. Requires roles:write.';
grant execute on function akashi_auth.open_access_review() to akashi_app;
grant execute on function akashi_auth.open_access_review() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.open_approval(approval uuid)
 RETURNS akashi_auth.approvals
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  found_row akashi_auth.approvals;
begin
  select * into found_row from akashi_auth.approvals a where a.id = approval for update;
  if not found then
    raise exception 'approval not found: %', approval using errcode = 'no_data_found';
  end if;
  perform akashi_auth.require_permission(akashi_auth.approval_permission(found_row.action));
  if found_row.used_at is not null or found_row.withdrawn_at is not null or found_row.expires_at <= clock_timestamp() then
    raise exception 'the approval was used, withdrawn or has expired' using errcode = 'AK003', hint = 'request it again';
  end if;
  return found_row;
end
$function$;
alter function akashi_auth.open_approval(approval uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.owns_key(key akashi_auth.api_keys)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(key.user_id = akashi_auth.current_user_id(), false)
    and not exists (select from akashi_auth.api_keys k where k.id = akashi_auth.current_session_id())
$function$;
alter function akashi_auth.owns_key(key akashi_auth.api_keys) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.passkey_named(credential bytea)
 RETURNS TABLE(id uuid, user_id uuid, issuer text, public_key bytea, sign_count bigint)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select k.id, k.user_id, u.issuer::text, k.public_key, k.sign_count
  from akashi_auth.passkeys k join akashi_auth.users u on u.id = k.user_id where k.credential_id = credential
$function$;
alter function akashi_auth.passkey_named(credential bytea) owner to akashi_owner;
grant execute on function akashi_auth.passkey_named(credential bytea) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.password_due(credential akashi_auth.local_credentials)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select credential.must_change
    or ((akashi_auth.policy('password.max_age_days'))::integer > 0
        and credential.changed_at + make_interval(days => (akashi_auth.policy('password.max_age_days'))::integer) <= now())
$function$;
alter function akashi_auth.password_due(credential akashi_auth.local_credentials) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.password_hashes(user_id uuid)
 RETURNS TABLE(password_hash text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select c.password_hash from akashi_auth.local_credentials c where c.user_id = password_hashes.user_id
  union all
  (select h.password_hash from akashi_auth.password_history h where h.user_id = password_hashes.user_id
   order by h.created_at desc limit (akashi_auth.policy('password.history'))::integer)
$function$;
alter function akashi_auth.password_hashes(user_id uuid) owner to akashi_owner;
grant execute on function akashi_auth.password_hashes(user_id uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.permission_id(permission text)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  found_id uuid;
begin
  select p.id into found_id from akashi_auth.permissions p
  where p.resource = split_part(permission, ':', 1) and p.action = split_part(permission, ':', 2);
  if not found then
    raise exception 'permission not found: %', permission using errcode = 'undefined_object',
      hint = 'list them with akashi roles permissions';
  end if;
  return found_id;
end
$function$;
alter function akashi_auth.permission_id(permission text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.place_of(address inet)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case when family(address) = 6 then host(network(set_masklen(address, 64))) else host(address) end
$function$;
alter function akashi_auth.place_of(address inet) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.policy(key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  found_value jsonb;
begin
  select p.value into found_value from akashi_auth.security_policies p where p.key = policy.key;
  if not found then
    raise exception 'policy not found: %', policy.key using errcode = 'undefined_object';
  end if;
  return found_value;
end
$function$;
alter function akashi_auth.policy(key text) owner to akashi_owner;
grant execute on function akashi_auth.policy(key text) to akashi_app;
grant execute on function akashi_auth.policy(key text) to akashi_policy;
grant execute on function akashi_auth.policy(key text) to akashi_security_admin;
grant execute on function akashi_auth.policy(key text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.policy_minutes(key text)
 RETURNS interval
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select make_interval(mins => (akashi_auth.policy(policy_minutes.key))::integer)
$function$;
alter function akashi_auth.policy_minutes(key text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.policy_value_fits(value jsonb, value_type text, minimum bigint, maximum bigint, allowed text[])
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case value_type
    when 'boolean' then jsonb_typeof(value) = 'boolean'
    when 'integer' then case when jsonb_typeof(value) = 'number' and value::text ~ '^-?[0-9]{1,15}$'
      then value::bigint between coalesce(minimum, value::bigint) and coalesce(maximum, value::bigint) else false end
    when 'text' then jsonb_typeof(value) = 'string' and (allowed is null or value #>> '{}' = any (allowed))
    when 'text[]' then case when jsonb_typeof(value) = 'array' then not exists (
      select from jsonb_array_elements(value) element
      where jsonb_typeof(element) <> 'string' or not (allowed is null or element #>> '{}' = any (allowed))) else false end
    else false
  end
$function$;
alter function akashi_auth.policy_value_fits(value jsonb, value_type text, minimum bigint, maximum bigint, allowed text[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.purge_expired(batch integer DEFAULT 5000)
 RETURNS TABLE(what text, removed bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  sessions_before constant timestamptz :=
    now() - make_interval(days => akashi_lifecycle.setting('session.retention_days')::integer);
  unused_before constant timestamptz :=
    now() - make_interval(days => akashi_lifecycle.setting('temporary_data.retention_days')::integer);
begin
  what := 'sessions';
  delete from akashi_auth.user_sessions where id in (
    select s.id from akashi_auth.user_sessions s
    where s.expires_at < sessions_before and s.user_id not in (select h.id from akashi_auth.held_users h) limit batch for update skip locked);
  get diagnostics removed = row_count;
  return next;
  -- An expired one-time password cannot be used; the account needs a new one.
  what := 'one_time_passwords';
  delete from akashi_auth.local_credentials where user_id in (
    select c.user_id from akashi_auth.local_credentials c where c.expires_at < unused_before limit batch for update skip locked);
  get diagnostics removed = row_count;
  return next;
  what := 'unconfirmed_factors';
  delete from akashi_auth.mfa_factors where id in (
    select f.id from akashi_auth.mfa_factors f where f.confirmed_at is null and f.created_at < unused_before
    limit batch for update skip locked);
  get diagnostics removed = row_count;
  return next;
  what := 'login_throttles';
  delete from akashi_auth.login_throttles where key in (
    select t.key from akashi_auth.login_throttles t where t.expires_at < clock_timestamp() limit batch for update skip locked);
  get diagnostics removed = row_count;
  return next;
end
$function$;
alter function akashi_auth.purge_expired(batch integer) owner to akashi_owner;
comment on function akashi_auth.purge_expired(batch integer) is 'Deletes a batch of expired sessions, one-time passwords and pending factors; call it until nothing is left.';
grant execute on function akashi_auth.purge_expired(batch integer) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.record_approval(event text, approval akashi_auth.approvals)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select akashi_security.record_event(event_type => event, event_category => 'authorization', severity => 'high',
    source_service => 'akashi', resource_type => 'approval', resource_id => approval.id::text, action_performed => approval.action,
    result => 'success', ocsf_class_uid => 3005, event_details => jsonb_build_object('action', approval.action,
      'target', approval.target, 'detail', approval.detail, 'reason', approval.reason, 'requested_by', approval.requested_by))
$function$;
alter function akashi_auth.record_approval(event text, approval akashi_auth.approvals) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.record_authentication(event_type text, severity text, user_id uuid, session_id uuid, details jsonb)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select akashi_security.record_event(record_authentication.event_type, 'authentication', record_authentication.severity, 'akashi',
    user_id => record_authentication.user_id::text, session_id => record_authentication.session_id::text,
    resource_type => 'user', resource_id => record_authentication.user_id::text, action_performed => 'sign_in',
    result => case record_authentication.event_type when 'authentication_failure' then 'failure' else 'success' end,
    ocsf_class_uid => case when record_authentication.event_type like 'authentication%' then 3002 else 3001 end,
    event_details => details)
$function$;
alter function akashi_auth.record_authentication(event_type text, severity text, user_id uuid, session_id uuid, details jsonb) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.record_grant(event text, role akashi_auth.roles, target_type text, target_id uuid, detail jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_audit.record_action(event, case event when 'role_granted' then 'grant' else 'revoke' end, 'role', role.name,
    'SUCCESS', detail || jsonb_build_object(target_type, target_id, 'tier', role.tier),
    data_subject => case target_type when 'user' then target_id::text end);
  perform akashi_security.record_event(event_type => event, event_category => 'authorization',
    severity => case when event = 'role_revoked' then 'low' when role.tier = 'system' then 'high' when role.tier = 'business' then 'medium' else 'info' end,
    source_service => 'akashi', resource_type => target_type, resource_id => target_id::text,
    action_performed => event, result => 'success', ocsf_class_uid => 3005,
    event_details => detail || jsonb_build_object('role', role.name, 'tier', role.tier));
end
$function$;
alter function akashi_auth.record_grant(event text, role akashi_auth.roles, target_type text, target_id uuid, detail jsonb) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.refuse_longer(until timestamp with time zone, permissions text[], tier text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  own constant timestamptz := akashi_auth.caller_until(permissions, tier);
begin
  if coalesce(until, 'infinity') > own then
    raise exception 'this would last longer than the caller''s own rights, which end %', own using errcode = 'insufficient_privilege',
      hint = 'set an earlier expiry, or let a user grant it whose own role does not expire';
  end if;
end
$function$;
alter function akashi_auth.refuse_longer(until timestamp with time zone, permissions text[], tier text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.refuse_longer_role(role akashi_auth.roles, until timestamp with time zone)
 RETURNS void
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select akashi_auth.refuse_longer(until, array(
    select 'roles:write' union
    select p.resource || ':' || p.action from akashi_auth.role_permissions rp join akashi_auth.permissions p on p.id = rp.permission_id
    where rp.role_id = role.id), role.tier)
$function$;
alter function akashi_auth.refuse_longer_role(role akashi_auth.roles, until timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.refuse_tier(tier text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if akashi_auth.tier_rank(tier) is null then
    raise exception '% is not a tier', tier using errcode = 'invalid_parameter_value', hint = 'use system, business or service';
  end if;
  if akashi_auth.tier_rank(tier) > akashi_auth.caller_rank() then
    raise exception 'the tier % is above the caller''s own', tier using errcode = 'insufficient_privilege',
      hint = 'somebody of that tier has to do this';
  end if;
end
$function$;
alter function akashi_auth.refuse_tier(tier text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.refuse_unapproved(action text, target text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  raise exception '% people must approve this', akashi_auth.policy('approval.people') using errcode = 'AK003',
    hint = format('request it with akashi approvals request %s %s, or POST /v1/approvals', action, target);
end
$function$;
alter function akashi_auth.refuse_unapproved(action text, target text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.release_attempt(throttle bytea, unlock boolean DEFAULT true)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update akashi_auth.login_throttles set failures = greatest(failures - 1, 0), locked_until = case when not unlock then locked_until end
  where key = throttle
$function$;
alter function akashi_auth.release_attempt(throttle bytea, unlock boolean) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.remove_factors(user_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_auth.managed_user(remove_factors.user_id, 'users:admin');
  delete from akashi_auth.mfa_factors f where f.user_id = remove_factors.user_id;
  delete from akashi_auth.passkeys k where k.user_id = remove_factors.user_id;
  delete from akashi_auth.recovery_codes c where c.user_id = remove_factors.user_id;
  update akashi_auth.users u set credentials_replaced_at = now() where u.id = remove_factors.user_id;
  perform akashi_auth.record_authentication('mfa_removed', 'medium', remove_factors.user_id, null, '{}');
end
$function$;
alter function akashi_auth.remove_factors(user_id uuid) owner to akashi_owner;
grant execute on function akashi_auth.remove_factors(user_id uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.renew_session(token_hash bytea, methods text[], second_factor boolean, confirmed boolean DEFAULT true)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_auth.user_sessions s set session_token_hash = token_hash,
    authenticated_at = case when confirmed then now() else s.authenticated_at end,
    security_validated = s.security_validated or second_factor,
    authentication_methods = array(select distinct unnest(s.authentication_methods || methods) order by 1)
  where s.id = (select akashi_auth.current_session_id()) and s.user_id = (select akashi_auth.current_user_id()) and s.revoked_at is null;
  return found;
end
$function$;
alter function akashi_auth.renew_session(token_hash bytea, methods text[], second_factor boolean, confirmed boolean) owner to akashi_owner;
grant execute on function akashi_auth.renew_session(token_hash bytea, methods text[], second_factor boolean, confirmed boolean) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.replace_password(user_id uuid, password_hash text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_auth.managed_user(replace_password.user_id, 'users:admin');
  if not exists (select from akashi_auth.users u where u.id = replace_password.user_id and u.issuer = 'local') then
    return false;
  end if;
  perform akashi_auth.set_password(replace_password.user_id, replace_password.password_hash, true);
  perform akashi_auth.revoke_sessions(replace_password.user_id);
  return true;
end
$function$;
alter function akashi_auth.replace_password(user_id uuid, password_hash text) owner to akashi_owner;
grant execute on function akashi_auth.replace_password(user_id uuid, password_hash text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.request_approval(action text, target text, detail jsonb, reason text)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  permission constant text := akashi_auth.approval_permission(action);
  made akashi_auth.approvals;
begin
  if permission is null then
    raise exception '% is not an action that can be approved', action using errcode = 'invalid_parameter_value',
      hint = 'use release_hold, shorten_retention, retire_rows, prune_backups, erase_person or lower_approval';
  end if;
  perform akashi_auth.require_permission(permission);
  if coalesce(reason, '') !~ '\S' then
    raise exception 'a request for approval needs a reason' using errcode = 'invalid_parameter_value', hint = 'state the reason';
  end if;
  if action = 'shorten_retention' then
    if (detail ->> 'total')::interval is null or coalesce(detail ->> 'at_expiry', '') not in ('archive', 'retire') then
      raise exception 'shorten_retention needs total and at_expiry' using errcode = 'invalid_parameter_value',
        hint = 'total is an interval such as 800 days, at_expiry is archive or retire';
    end if;
  elsif detail <> '{}' then
    raise exception 'only shorten_retention has a detail' using errcode = 'invalid_parameter_value';
  end if;
  if (action in ('prune_backups', 'lower_approval')) <> (target = '') then
    raise exception '% %', action, case when target = '' then 'needs a target' else 'has no target' end
      using errcode = 'invalid_parameter_value', hint = 'a table as schema.table, or the id of a user';
  end if;
  insert into akashi_auth.approvals (action, target, detail, reason, requested_by, expires_at)
  values (request_approval.action, request_approval.target, request_approval.detail, request_approval.reason, akashi_auth.acting_name(),
    clock_timestamp() + make_interval(hours => (akashi_auth.policy('approval.lifetime_hours'))::integer))
  returning * into made;
  -- A requester in a session approves by requesting.
  perform akashi_auth.add_confirmation(made);
  perform akashi_auth.record_approval('approval_requested', made);
  return made.id;
end
$function$;
alter function akashi_auth.request_approval(action text, target text, detail jsonb, reason text) owner to akashi_owner;
grant execute on function akashi_auth.request_approval(action text, target text, detail jsonb, reason text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.require_approval(action text, target text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not akashi_auth.is_approved(action, target) then
    perform akashi_auth.refuse_unapproved(action, target);
  end if;
end
$function$;
alter function akashi_auth.require_approval(action text, target text) owner to akashi_owner;
grant execute on function akashi_auth.require_approval(action text, target text) to akashi_security_admin;
grant execute on function akashi_auth.require_approval(action text, target text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.require_permission(permission text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not akashi_auth.is_administrator() and not akashi_auth.has_permission(permission) then
    raise exception 'the permission % is required', permission using errcode = 'insufficient_privilege',
      hint = 'ask somebody who may grant roles';
  end if;
end
$function$;
alter function akashi_auth.require_permission(permission text) owner to akashi_owner;
comment on function akashi_auth.require_permission(permission text) is 'Fails unless the caller has the permission, or administers the database.';
grant execute on function akashi_auth.require_permission(permission text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.reserve_attempt(throttle bytea, threshold integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  counted akashi_auth.login_throttles;
  moment timestamptz;
  counting constant interval := akashi_auth.policy_minutes('lockout.window_minutes');
  waiting constant interval := akashi_auth.policy_minutes('lockout.duration_minutes');
begin
  insert into akashi_auth.login_throttles as t (key, expires_at) values (throttle, clock_timestamp() + counting)
  on conflict (key) do update set expires_at = greatest(t.expires_at, excluded.expires_at)
  returning * into counted;
  -- The row is locked from here on; the time is read after waiting for the lock.
  moment := clock_timestamp();
  if counted.locked_until > moment then
    return ceil(extract(epoch from counted.locked_until - moment));
  end if;
  if counted.locked_until is not null or counted.window_started + counting <= moment then
    counted.failures := 0;
    counted.window_started := moment;
  end if;
  update akashi_auth.login_throttles set
    failures = counted.failures + 1,
    window_started = counted.window_started,
    locked_until = case when counted.failures + 1 >= threshold then moment + waiting end,
    announced = false,
    expires_at = moment + greatest(counting, waiting)
  where key = throttle;
  return 0;
end
$function$;
alter function akashi_auth.reserve_attempt(throttle bytea, threshold integer) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.respond(user_id text, action text)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  person uuid;
begin
  select u.id into person from akashi_auth.users u where u.id::text = respond.user_id and u.is_active;
  if not found then
    return 'unknown';
  end if;
  case action
    when 'suspend_account' then
      update akashi_auth.users u set account_status = 'suspended' where u.id = person;
      perform akashi_auth.revoke_sessions(person);
      perform akashi_auth.revoke_api_keys_of(person, 'detection');
    when 'end_sessions' then
      perform akashi_auth.revoke_sessions(person);
    when 'revoke_keys' then
      perform akashi_auth.revoke_api_keys_of(person, 'detection');
    else
      raise exception '% is not a response', action using errcode = 'invalid_parameter_value';
  end case;
  return 'done';
exception when sqlstate 'AK003' then
  -- The last administrator stays, and so do their sessions.
  return 'refused';
end
$function$;
alter function akashi_auth.respond(user_id text, action text) owner to akashi_owner;
comment on function akashi_auth.respond(user_id text, action text) is 'Suspends a user, ends their sessions or revokes their API keys because of a finding; never suspends the last administrator.';
grant execute on function akashi_auth.respond(user_id text, action text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.revoke_api_key(key_id uuid, reason text DEFAULT NULL::text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  key akashi_auth.api_keys;
begin
  select * into key from akashi_auth.api_keys k where k.id = key_id for update;
  if not found then
    raise exception 'API key not found: %', key_id using errcode = 'no_data_found';
  end if;
  if not (akashi_auth.is_administrator() or akashi_auth.owns_key(key) or akashi_auth.current_session_id() is not distinct from key.id) then
    perform akashi_auth.require_permission('api_keys:delete');
  end if;
  with recursive line as (
    select key.id as id union select k.id from akashi_auth.api_keys k join line on k.replaces = line.id)
  update akashi_auth.api_keys k set is_active = false, revoked_at = now()
  from line where k.id = line.id and k.is_active;
  if not found then
    return false;
  end if;
  perform akashi_audit.record_action('api_key_revoked', 'revoke', 'api_key', key.id::text, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('reason', reason)), data_subject => key.user_id::text);
  return true;
end
$function$;
alter function akashi_auth.revoke_api_key(key_id uuid, reason text) owner to akashi_owner;
grant execute on function akashi_auth.revoke_api_key(key_id uuid, reason text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.revoke_api_keys_of(user_id uuid, reason text)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  ended integer;
begin
  update akashi_auth.api_keys k set is_active = false, revoked_at = now()
  where k.user_id = revoke_api_keys_of.user_id and k.is_active;
  get diagnostics ended = row_count;
  if ended > 0 then
    perform akashi_audit.record_action('api_key_revoked', 'revoke', 'user', revoke_api_keys_of.user_id::text, 'SUCCESS',
      jsonb_build_object('keys', ended, 'reason', reason), data_subject => revoke_api_keys_of.user_id::text);
  end if;
  return ended;
end
$function$;
alter function akashi_auth.revoke_api_keys_of(user_id uuid, reason text) owner to akashi_owner;
grant execute on function akashi_auth.revoke_api_keys_of(user_id uuid, reason text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.revoke_context_key(key_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  revoked akashi_auth.context_keys;
begin
  delete from akashi_auth.context_keys k where k.id = key_id and k.application <> 'akashi' returning * into revoked;
  if revoked.id is null then
    raise exception 'there is no context key % of an application', key_id using errcode = 'no_data_found',
      hint = 'list them with akashi context-key list; rotate the keys of Akashi itself with akashi keys rotate --purpose context';
  end if;
  perform akashi_audit.record_action('context_key_revoked', 'revoke', 'context_key', key_id, 'SUCCESS',
    jsonb_build_object('application', revoked.application, 'login', revoked.login), 'confidential');
end
$function$;
alter function akashi_auth.revoke_context_key(key_id text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.revoke_permission(role_name text, permission text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  role akashi_auth.roles;
begin
  perform akashi_auth.require_permission('roles:admin');
  select * into role from akashi_auth.roles r where r.name = role_name for no key update;
  if not found then
    raise exception 'role not found: %', role_name using errcode = 'undefined_object', hint = 'list them with akashi roles list';
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  if role.name = 'sys_admin' then
    raise exception 'sys_admin always has every permission' using errcode = 'AK003', hint = 'create a role with fewer permissions instead';
  end if;
  delete from akashi_auth.role_permissions rp where rp.role_id = role.id and rp.permission_id = akashi_auth.permission_id(permission);
  return found;
end
$function$;
alter function akashi_auth.revoke_permission(role_name text, permission text) owner to akashi_owner;
grant execute on function akashi_auth.revoke_permission(role_name text, permission text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.revoke_role(user_id uuid, role_name text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  role akashi_auth.roles;
begin
  perform akashi_auth.require_permission('roles:write');
  -- Serialised per role, so that two callers cannot revoke the last two together.
  select * into role from akashi_auth.roles r where r.name = role_name for no key update;
  if not found then
    raise exception 'role not found: %', role_name using errcode = 'undefined_object', hint = 'list them with akashi roles list';
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  delete from akashi_auth.user_roles ur where ur.user_id = revoke_role.user_id and ur.role_id = role.id;
  if not found then
    return false;
  end if;
  if role.name = 'sys_admin' and not exists (
    select from akashi_auth.user_roles ur join akashi_auth.users u on u.id = ur.user_id
    where ur.role_id = role.id and u.is_active and (ur.expires_at is null or ur.expires_at > now())
  ) then
    raise exception 'the last sys_admin cannot be removed' using errcode = 'AK003', hint = 'grant the role to another user first';
  end if;
  perform akashi_auth.record_grant('role_revoked', role, 'user', revoke_role.user_id, '{}');
  return true;
end
$function$;
alter function akashi_auth.revoke_role(user_id uuid, role_name text) owner to akashi_owner;
grant execute on function akashi_auth.revoke_role(user_id uuid, role_name text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.revoke_service_role(account_name text, role_name text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  account constant akashi_auth.service_accounts := akashi_auth.service_account_named(account_name);
  role akashi_auth.roles;
begin
  perform akashi_auth.require_permission('roles:write');
  select * into role from akashi_auth.roles r where r.name = role_name;
  if not found then
    raise exception 'role not found: %', role_name using errcode = 'undefined_object', hint = 'list them with akashi roles list';
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  delete from akashi_auth.service_account_roles sr where sr.service_account_id = account.id and sr.role_id = role.id;
  if not found then
    return false;
  end if;
  perform akashi_auth.record_grant('role_revoked', role, 'service_account', account.id, '{}');
  return true;
end
$function$;
alter function akashi_auth.revoke_service_role(account_name text, role_name text) owner to akashi_owner;
grant execute on function akashi_auth.revoke_service_role(account_name text, role_name text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.revoke_sessions(user_id uuid, kept uuid DEFAULT NULL::uuid)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  ended integer;
begin
  update akashi_auth.user_sessions s set revoked_at = now(), status = 'offline'
  where s.user_id = revoke_sessions.user_id and s.revoked_at is null and s.id is distinct from kept;
  get diagnostics ended = row_count;
  return ended;
end
$function$;
alter function akashi_auth.revoke_sessions(user_id uuid, kept uuid) owner to akashi_owner;
grant execute on function akashi_auth.revoke_sessions(user_id uuid, kept uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.role_to_grant(role_name text)
 RETURNS akashi_auth.roles
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  role akashi_auth.roles;
  missing text;
begin
  perform akashi_auth.require_permission('roles:write');
  select * into role from akashi_auth.roles r where r.name = role_name for share;
  if not found then
    raise exception 'role not found: %', role_name using errcode = 'undefined_object', hint = 'list them with akashi roles list';
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  if not akashi_auth.is_administrator() then
    select p.resource || ':' || p.action into missing
    from akashi_auth.role_permissions rp join akashi_auth.permissions p on p.id = rp.permission_id
    where rp.role_id = role.id and not akashi_auth.has_permission(p.resource || ':' || p.action)
    order by 1 limit 1;
    if found then
      raise exception 'the role % has %, which the caller does not have', role_name, missing
        using errcode = 'insufficient_privilege', hint = 'you can grant only what you have yourself';
    end if;
  end if;
  return role;
end
$function$;
alter function akashi_auth.role_to_grant(role_name text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.roles_hold(roles uuid[], permission text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  wanted constant uuid[] := array(
    select p.id from akashi_auth.permissions p
    where p.resource = split_part(permission, ':', 1) and p.action in (split_part(permission, ':', 2), 'admin')
      and exists (select from akashi_auth.permissions named
                  where named.resource = p.resource and named.action = split_part(permission, ':', 2)));
begin
  return exists (
    select from akashi_auth.role_permissions rp where rp.permission_id = any (wanted) and rp.role_id = any (roles));
end
$function$;
alter function akashi_auth.roles_hold(roles uuid[], permission text) owner to akashi_policy;

CREATE OR REPLACE FUNCTION akashi_auth.rotate_api_key(key_id uuid, key_hash text, key_prefix text, overlap interval DEFAULT NULL::interval)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  key akashi_auth.api_keys;
  new_id constant uuid := gen_random_uuid();
  longest constant interval := (akashi_auth.policy('api_key.rotation_overlap_hours')::text || ' hours')::interval;
begin
  select * into key from akashi_auth.api_keys k where k.id = key_id for update;
  if not found then
    raise exception 'API key not found: %', key_id using errcode = 'no_data_found';
  end if;
  if not (akashi_auth.is_administrator() or akashi_auth.owns_key(key) or akashi_auth.current_session_id() is not distinct from key.id) then
    if key.user_id is not null and key.user_id is distinct from akashi_auth.current_user_id() then
      raise exception 'users cannot create keys for another person' using errcode = 'insufficient_privilege',
        hint = 'only the owner can rotate it; others can revoke it';
    end if;
    perform akashi_auth.require_permission('api_keys:write');
    perform akashi_auth.check_key(key);
  end if;
  if not key.is_active or key.expires_at <= now() then
    raise exception 'the key is revoked or has expired' using errcode = 'AK003', hint = 'create a new one';
  end if;
  if exists (select from akashi_auth.api_keys k where k.replaces = key.id and k.is_active) then
    raise exception 'the key was already rotated' using errcode = 'AK003', hint = 'rotate its successor';
  end if;
  if coalesce(overlap, longest) not between interval '0' and longest then
    raise exception 'an overlap can be at most %', longest using errcode = 'invalid_parameter_value';
  end if;
  insert into akashi_auth.api_keys (id, name, key_hash, key_prefix, service_name, tier, permissions, user_id, service_account_id,
    replaces, expires_at, created_by)
  values (new_id, key.name, rotate_api_key.key_hash, rotate_api_key.key_prefix, key.service_name, key.tier, key.permissions,
    key.user_id, key.service_account_id, key.id,
    case when akashi_auth.current_session_id() is not distinct from key.id then key.expires_at
      else now() + least(key.expires_at - key.created_at, (akashi_auth.policy('api_key.max_lifetime_days')::text || ' days')::interval) end,
    akashi_auth.current_user_id());
  update akashi_auth.api_keys k set expires_at = least(k.expires_at, now() + coalesce(overlap, longest)) where k.id = key.id;
  perform akashi_audit.record_action('api_key_rotated', 'rotate', 'api_key', key.id::text, 'SUCCESS',
    jsonb_build_object('successor', new_id, 'prefix', rotate_api_key.key_prefix), data_subject => key.user_id::text);
  return new_id;
end
$function$;
alter function akashi_auth.rotate_api_key(key_id uuid, key_hash text, key_prefix text, overlap interval) owner to akashi_owner;
grant execute on function akashi_auth.rotate_api_key(key_id uuid, key_hash text, key_prefix text, overlap interval) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.search_people(query text, among uuid[] DEFAULT NULL::uuid[], page_size integer DEFAULT 50)
 RETURNS TABLE(id uuid, username character varying, display_name character varying, avatar_url text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
declare
  terms constant text[] := akashi_auth.search_terms(query);
  grams constant text[] := akashi_auth.term_ngrams(terms);
  beginning constant text := btrim(akashi_auth.fold_text(coalesce(query, '')));
begin
  if akashi_auth.current_user_id() is null then
    return;
  end if;
  return query
    select u.id, u.username, n.shown, u.avatar_url
    from akashi_auth.users u cross join lateral (select coalesce(u.display_name, u.username) as shown) n
    where u.is_active and (among is null or u.id = any (among))
      and (cardinality(grams) = 0 or akashi_auth.ngrams(akashi_auth.fold_text(u.username || E'\n' || coalesce(u.display_name, ''))) @> grams)
      and akashi_auth.contains_terms(u.username || E'\n' || coalesce(u.display_name, ''), terms)
    order by not (starts_with(akashi_auth.fold_text(u.username), beginning) or starts_with(akashi_auth.fold_text(n.shown), beginning)),
      akashi_auth.fold_text(n.shown), u.id
    limit least(greatest(page_size, 1), 200);
end
$function$;
alter function akashi_auth.search_people(query text, among uuid[], page_size integer) owner to akashi_policy;
comment on function akashi_auth.search_people(query text, among uuid[], page_size integer) is 'Profiles of active users whose names contain every word of the query, those first whose name begins with it; among: only these.';
grant execute on function akashi_auth.search_people(query text, among uuid[], page_size integer) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.search_terms(query text)
 RETURNS text[]
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  terms constant text[] := array(select distinct t from regexp_split_to_table(akashi_auth.fold_text(coalesce(query, '')), '\s+') as t where t <> '');
begin
  if cardinality(terms) > 10 or length(query) > 200 then
    raise exception 'a search can have at most 10 words and 200 characters' using errcode = 'invalid_parameter_value';
  end if;
  return terms;
end
$function$;
alter function akashi_auth.search_terms(query text) owner to akashi_owner;
comment on function akashi_auth.search_terms(query text) is 'The words of a query, folded.';
grant execute on function akashi_auth.search_terms(query text) to akashi_policy;

CREATE OR REPLACE FUNCTION akashi_auth.service_account_has_permission(service_account_id uuid, permission text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return exists (
      select from akashi_auth.service_accounts a where a.id = service_account_has_permission.service_account_id and a.is_active)
    and akashi_auth.roles_hold(array(
      select sr.role_id from akashi_auth.service_account_roles sr
      where sr.service_account_id = service_account_has_permission.service_account_id
        and (sr.expires_at is null or sr.expires_at > now())), permission);
end
$function$;
alter function akashi_auth.service_account_has_permission(service_account_id uuid, permission text) owner to akashi_policy;
grant execute on function akashi_auth.service_account_has_permission(service_account_id uuid, permission text) to akashi_owner;
grant execute on function akashi_auth.service_account_has_permission(service_account_id uuid, permission text) to akashi_security_admin;
grant execute on function akashi_auth.service_account_has_permission(service_account_id uuid, permission text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.service_account_named(account_name text)
 RETURNS akashi_auth.service_accounts
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  account akashi_auth.service_accounts;
begin
  perform akashi_auth.require_permission('api_keys:write');
  select * into account from akashi_auth.service_accounts a where a.name = account_name for no key update;
  if not found then
    raise exception 'service account not found: %', account_name using errcode = 'undefined_object';
  end if;
  perform akashi_auth.refuse_tier(account.tier);
  return account;
end
$function$;
alter function akashi_auth.service_account_named(account_name text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.service_account_rank(service_account_id uuid)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(max(akashi_auth.tier_rank(r.tier)), 0)
  from akashi_auth.service_account_roles sr
  join akashi_auth.roles r on r.id = sr.role_id
  join akashi_auth.service_accounts a on a.id = sr.service_account_id
  where sr.service_account_id = service_account_rank.service_account_id and a.is_active
    and (sr.expires_at is null or sr.expires_at > now())
$function$;
alter function akashi_auth.service_account_rank(service_account_id uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.set_account_status(user_id uuid, account_status text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_auth.managed_user(user_id, 'users:write');
  if set_account_status.account_status = 'deleted' then
    raise exception 'an account is deleted by erasing the person' using errcode = 'invalid_parameter_value',
      hint = 'use akashi keys shred; it cannot be undone';
  end if;
  update akashi_auth.users u set account_status = set_account_status.account_status where u.id = user_id;
end
$function$;
alter function akashi_auth.set_account_status(user_id uuid, account_status text) owner to akashi_owner;
grant execute on function akashi_auth.set_account_status(user_id uuid, account_status text) to akashi_app;
grant execute on function akashi_auth.set_account_status(user_id uuid, account_status text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.set_classification(user_id uuid, security_classification text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_auth.managed_user(user_id, 'users:admin');
  update akashi_auth.users u set security_classification = set_classification.security_classification where u.id = user_id;
end
$function$;
alter function akashi_auth.set_classification(user_id uuid, security_classification text) owner to akashi_owner;
grant execute on function akashi_auth.set_classification(user_id uuid, security_classification text) to akashi_app;
grant execute on function akashi_auth.set_classification(user_id uuid, security_classification text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.set_context(context text[])
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  settings constant text[] := array['app.current_user_id', 'app.current_session_id', 'app.subject', 'app.client_ip',
    'app.user_agent', 'app.request_id', 'app.trace_id', 'app.correlation_id', 'app.api_endpoint',
    'app.application_version', 'app.tenant_id', 'app.context_expires', 'app.context_key', 'app.context_signature'];
  application text;
begin
  if cardinality(context) is distinct from cardinality(settings) then
    raise exception 'a request context has % values, not %', cardinality(settings), coalesce(cardinality(context), 0)
      using errcode = 'invalid_parameter_value', hint = 'pass them in the order of docs/request-context.md, the empty string for a missing value';
  end if;
  for i in 1 .. cardinality(settings) loop
    -- Most are empty, and are so already.
    if coalesce(current_setting(settings[i], true), '') <> coalesce(context[i], '') then
      perform set_config(settings[i], coalesce(context[i], ''), true);
    end if;
  end loop;
  application := akashi_auth.accept_context();
  if application is null then
    raise exception 'the request context is not accepted' using errcode = 'AK005',
      hint = 'read akashi_auth.context_audience() and sign again; if that is refused too, the key is revoked or was created for another login';
  end if;
  return application;
end
$function$;
alter function akashi_auth.set_context(context text[]) owner to akashi_policy;
comment on function akashi_auth.set_context(context text[]) is 'Sets the app.* settings to the values of a signed context, in the order in which they are signed with the signature last, and accepts it for this transaction, or fails with AK005. Returns the application that signed it.';
grant execute on function akashi_auth.set_context(context text[]) to akashi_client;
grant execute on function akashi_auth.set_context(context text[]) to akashi_owner;
grant execute on function akashi_auth.set_context(context text[]) to akashi_reader;
grant execute on function akashi_auth.set_context(context text[]) to akashi_security_admin;
grant execute on function akashi_auth.set_context(context text[]) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.set_password(user_id uuid, password_hash text, one_time boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
declare
  kept constant integer := (akashi_auth.policy('password.history'))::integer;
begin
  insert into akashi_auth.password_history (user_id, password_hash)
  select c.user_id, c.password_hash from akashi_auth.local_credentials c where c.user_id = set_password.user_id;
  delete from akashi_auth.password_history where id in (
    select h.id from akashi_auth.password_history h where h.user_id = set_password.user_id order by h.created_at desc offset kept);
  insert into akashi_auth.local_credentials as c (user_id, password_hash, must_change, expires_at)
  values (set_password.user_id, set_password.password_hash, one_time,
    case when one_time then now() + make_interval(hours => (akashi_auth.policy('password.one_time_hours'))::integer) end)
  on conflict (user_id) do update set password_hash = excluded.password_hash, must_change = excluded.must_change,
    expires_at = excluded.expires_at, changed_at = now();
  if one_time then
    update akashi_auth.users u set credentials_replaced_at = now() where u.id = set_password.user_id;
  end if;
  perform akashi_auth.record_authentication('password_changed', 'info', set_password.user_id, null, jsonb_build_object('one_time', one_time));
end
$function$;
alter function akashi_auth.set_password(user_id uuid, password_hash text, one_time boolean) owner to akashi_owner;
grant execute on function akashi_auth.set_password(user_id uuid, password_hash text, one_time boolean) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.set_policy(key text, value jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  before jsonb;
begin
  perform akashi_auth.require_permission('auth_config:write');
  select p.value into before from akashi_auth.security_policies p where p.key = set_policy.key for update;
  if not found then
    raise exception 'policy not found: %', set_policy.key using errcode = 'undefined_object';
  end if;
  if before = set_policy.value then
    return;
  end if;
  if set_policy.key in ('approval.people', 'approval.settling_hours') and set_policy.value < before then
    perform akashi_auth.use_approval('lower_approval', '');
  end if;
  -- Every new user gets it, without an expiry.
  if set_policy.key = 'account.default_role' and set_policy.value #>> '{}' <> '' then
    perform akashi_auth.refuse_longer_role(akashi_auth.role_to_grant(set_policy.value #>> '{}'), null);
  end if;
  update akashi_auth.security_policies p set value = set_policy.value where p.key = set_policy.key;
  perform akashi_security.record_event(event_type => 'policy_changed', event_category => 'configuration', severity => 'medium',
    source_service => 'akashi', resource_type => 'policy', resource_id => set_policy.key, action_performed => 'update',
    result => 'success', ocsf_class_uid => 3004, event_details => jsonb_build_object('old', before, 'new', set_policy.value));
end
$function$;
alter function akashi_auth.set_policy(key text, value jsonb) owner to akashi_owner;
grant execute on function akashi_auth.set_policy(key text, value jsonb) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.set_service_account_active(account_name text, active boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  account constant akashi_auth.service_accounts := akashi_auth.service_account_named(account_name);
begin
  update akashi_auth.service_accounts a set is_active = active where a.id = account.id;
end
$function$;
alter function akashi_auth.set_service_account_active(account_name text, active boolean) owner to akashi_owner;
grant execute on function akashi_auth.set_service_account_active(account_name text, active boolean) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.set_session_status(new_status text, room uuid DEFAULT NULL::uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if new_status not in ('online', 'away', 'offline') then
    raise exception 'presence must be online, away or offline' using errcode = 'invalid_parameter_value';
  end if;
  update akashi_auth.user_sessions s set status = new_status, room_id = coalesce(room, s.room_id),
    last_activity = case when new_status = 'online' then now() else s.last_activity end
  where s.id = akashi_auth.current_session_id() and s.user_id = akashi_auth.current_user_id() and s.revoked_at is null and s.expires_at > now()
    and (s.status <> new_status or (room is not null and s.room_id is distinct from room)
      or (new_status = 'online' and s.last_activity < now() - interval '1 minute'));
  return found;
end
$function$;
alter function akashi_auth.set_session_status(new_status text, room uuid) owner to akashi_owner;
comment on function akashi_auth.set_session_status(new_status text, room uuid) is 'Returns whether anything was written.';
grant execute on function akashi_auth.set_session_status(new_status text, room uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.settle_login(method text, outcome text, user_id uuid, identifier_hash bytea, issuer text, reason text DEFAULT NULL::text, session_id uuid DEFAULT NULL::uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
declare
  who constant akashi_audit.request_context := akashi_audit.request_context();
  account constant bytea := akashi_auth.throttled_account(settle_login.user_id, settle_login.identifier_hash);
  pair constant bytea := akashi_auth.throttle_key('pair', account, who.ip_address);
  guess constant boolean := settle_login.method in ('password', 'totp', 'recovery_code', 'passkey');
  everywhere constant bytea := akashi_auth.throttle_key(
    case when settle_login.method = 'password' then 'account' else 'factor' end, account, null);
  locked boolean := false;
  factor_locked boolean := false;
begin
  if not who.verified then
    raise exception 'signing in requires a signed context' using errcode = 'insufficient_privilege';
  end if;
  if guess and outcome in ('success', 'partial', 'denied') then
    if outcome = 'success' then
      delete from akashi_auth.login_throttles where key = pair;
    else
      perform akashi_auth.release_attempt(pair);
    end if;
    perform akashi_auth.release_attempt(akashi_auth.throttle_key('address', null, who.ip_address));
    perform akashi_auth.release_attempt(everywhere, false);
  elsif guess and outcome = 'failure' then
    update akashi_auth.login_throttles set announced = true
    where key = pair and locked_until > clock_timestamp() and not announced;
    locked := found;
    if settle_login.method <> 'password' then
      update akashi_auth.login_throttles set announced = true
      where key = everywhere and locked_until > clock_timestamp() and not announced;
      factor_locked := found;
    end if;
  end if;
  if outcome = 'success' and settle_login.session_id is not null then
    perform akashi_auth.watch_sign_in(settle_login.user_id, settle_login.session_id, who.ip_address);
  end if;
  insert into akashi_auth.login_attempts (user_id, issuer, identifier_hash, method, result, failure_reason, counted, ip_address,
    user_agent, session_id, request_id, trace_id, tenant_id)
  values (settle_login.user_id, settle_login.issuer, settle_login.identifier_hash, settle_login.method,
    case outcome when 'locked' then 'denied' else outcome end, reason, outcome = 'failure',
    who.ip_address, who.user_agent, settle_login.session_id, who.request_id, who.trace_id, who.tenant_id);
  if outcome = 'success' then
    update akashi_auth.users set last_login_at = now() where id = settle_login.user_id;
  end if;
  if outcome in ('success', 'failure', 'denied') or (outcome = 'partial' and settle_login.session_id is not null) then
    perform akashi_auth.record_authentication(
      case when outcome in ('success', 'partial') then 'authentication_success' else 'authentication_failure' end,
      case when outcome in ('success', 'partial') then 'info' else 'low' end, settle_login.user_id, settle_login.session_id,
      jsonb_strip_nulls(jsonb_build_object('method', settle_login.method, 'reason', reason)));
  end if;
  if locked then
    perform akashi_auth.record_authentication('account_locked', 'medium', settle_login.user_id, null,
      jsonb_build_object('method', settle_login.method, 'scope', 'account and address'));
  end if;
  if factor_locked then
    perform akashi_auth.record_authentication('account_locked', 'high', settle_login.user_id, null,
      jsonb_build_object('method', settle_login.method, 'scope', 'second factor'));
  end if;
end
$function$;
alter function akashi_auth.settle_login(method text, outcome text, user_id uuid, identifier_hash bytea, issuer text, reason text, session_id uuid) owner to akashi_owner;
grant execute on function akashi_auth.settle_login(method text, outcome text, user_id uuid, identifier_hash bytea, issuer text, reason text, session_id uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.shown_permits(permission text)
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
  select akashi_auth.current_session_id() is null or akashi_auth.has_permission(permission)
$function$;
alter function akashi_auth.shown_permits(permission text) owner to akashi_policy;
comment on function akashi_auth.shown_permits(permission text) is 'False when the caller shows a session or an API key that does not have the permission.';
grant execute on function akashi_auth.shown_permits(permission text) to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.sockets_changed(opened uuid[], closed uuid[], closed_for_ms integer[])
 RETURNS SETOF uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  -- The same order on all nodes, so that they cannot deadlock.
  perform from akashi_auth.user_sessions s where s.id = any (opened || closed) order by s.id for no key update;
  return query update akashi_auth.user_sessions s set status = 'online', last_activity = now()
    where s.id = any (opened) and s.revoked_at is null and s.expires_at > now() returning s.user_id;
  return query update akashi_auth.user_sessions s set status = 'offline'
    from unnest(closed, closed_for_ms) as c (id, ms)
    where s.id = c.id and s.revoked_at is null and s.expires_at > now() and s.status <> 'offline'
      and s.last_activity <= now() - c.ms * interval '1 ms' returning s.user_id;
end
$function$;
alter function akashi_auth.sockets_changed(opened uuid[], closed uuid[], closed_for_ms integer[]) owner to akashi_owner;
comment on function akashi_auth.sockets_changed(opened uuid[], closed uuid[], closed_for_ms integer[]) is 'Returns the users whose sessions were updated. A closed session that has been active since has reconnected, perhaps to another server.';
grant execute on function akashi_auth.sockets_changed(opened uuid[], closed uuid[], closed_for_ms integer[]) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.term_ngrams(terms text[])
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select array(
    select t from unnest(terms) as t where length(t) = 1
    union
    select substr(t, n, 2) from unnest(terms) as t cross join lateral generate_series(1, length(t) - 1) as n)
$function$;
alter function akashi_auth.term_ngrams(terms text[]) owner to akashi_owner;
comment on function akashi_auth.term_ngrams(terms text[]) is 'What a text that contains all terms has in the index.';
grant execute on function akashi_auth.term_ngrams(terms text[]) to akashi_policy;

CREATE OR REPLACE FUNCTION akashi_auth.throttle_key(scope text, account bytea, address inet)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select sha256(convert_to(concat_ws('|', scope, encode(account, 'hex'), akashi_auth.place_of(address)), 'UTF8'))
$function$;
alter function akashi_auth.throttle_key(scope text, account bytea, address inet) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.throttled_account(user_id uuid, identifier_hash bytea)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(identifier_hash, uuid_send(user_id))
$function$;
alter function akashi_auth.throttled_account(user_id uuid, identifier_hash bytea) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.tier_rank(tier text)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case tier when 'system' then 3 when 'business' then 2 when 'service' then 1 end
$function$;
alter function akashi_auth.tier_rank(tier text) owner to akashi_owner;
comment on function akashi_auth.tier_rank(tier text) is 'system 3, business 2, service 1; nothing can move to a higher tier.';
grant execute on function akashi_auth.tier_rank(tier text) to akashi_app;
grant execute on function akashi_auth.tier_rank(tier text) to akashi_policy;
grant execute on function akashi_auth.tier_rank(tier text) to akashi_security_admin;
grant execute on function akashi_auth.tier_rank(tier text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.touch_api_keys(key_ids uuid[], used_at timestamp with time zone[])
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update akashi_auth.api_keys k set last_used_at = used.at
  from (select id, max(at) as at from unnest(key_ids, used_at) as u (id, at) group by id) used
  where k.id = used.id and used.at <= now() + interval '1 minute' and (k.last_used_at is null or k.last_used_at < used.at)
$function$;
alter function akashi_auth.touch_api_keys(key_ids uuid[], used_at timestamp with time zone[]) owner to akashi_owner;
grant execute on function akashi_auth.touch_api_keys(key_ids uuid[], used_at timestamp with time zone[]) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.transaction_name()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED
RETURN ((pg_backend_pid() || '/'::text) || encode(timestamptz_send(now()), 'hex'::text));
alter function akashi_auth.transaction_name() owner to akashi_policy;

CREATE OR REPLACE FUNCTION akashi_auth.try_inet(value text)
 RETURNS inet
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return value::inet;
exception when invalid_text_representation then
  return null;
end
$function$;
alter function akashi_auth.try_inet(value text) owner to akashi_owner;
grant execute on function akashi_auth.try_inet(value text) to akashi_client;
grant execute on function akashi_auth.try_inet(value text) to akashi_policy;
grant execute on function akashi_auth.try_inet(value text) to akashi_reader;
grant execute on function akashi_auth.try_inet(value text) to akashi_security_admin;
grant execute on function akashi_auth.try_inet(value text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.try_name(value text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case when length(value) <= 255 and value !~ '[\x01-\x1f\x7f]' then value end
$function$;
alter function akashi_auth.try_name(value text) owner to akashi_owner;
grant execute on function akashi_auth.try_name(value text) to akashi_client;
grant execute on function akashi_auth.try_name(value text) to akashi_policy;
grant execute on function akashi_auth.try_name(value text) to akashi_reader;
grant execute on function akashi_auth.try_name(value text) to akashi_security_admin;
grant execute on function akashi_auth.try_name(value text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.try_uuid(value text)
 RETURNS uuid
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return value::uuid;
exception when invalid_text_representation then
  return null;
end
$function$;
alter function akashi_auth.try_uuid(value text) owner to akashi_owner;
grant execute on function akashi_auth.try_uuid(value text) to akashi_client;
grant execute on function akashi_auth.try_uuid(value text) to akashi_policy;
grant execute on function akashi_auth.try_uuid(value text) to akashi_reader;
grant execute on function akashi_auth.try_uuid(value text) to akashi_security_admin;
grant execute on function akashi_auth.try_uuid(value text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.update_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  new.updated_at := now();
  new.last_modified_by := coalesce(akashi_auth.current_user_id()::text, session_user);
  return new;
end
$function$;
alter function akashi_auth.update_updated_at() owner to akashi_owner;
grant execute on function akashi_auth.update_updated_at() to akashi_app;
grant execute on function akashi_auth.update_updated_at() to akashi_security_admin;
grant execute on function akashi_auth.update_updated_at() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.upgrade_password_hash(user_id uuid, former text, better text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update akashi_auth.local_credentials c set password_hash = better
  where c.user_id = upgrade_password_hash.user_id and c.password_hash = former
$function$;
alter function akashi_auth.upgrade_password_hash(user_id uuid, former text, better text) owner to akashi_owner;
grant execute on function akashi_auth.upgrade_password_hash(user_id uuid, former text, better text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.use_approval(action text, target text, detail jsonb DEFAULT '{}'::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  used akashi_auth.approvals;
begin
  if (akashi_auth.policy('approval.people'))::integer <= 1 then
    return;
  end if;
  update akashi_auth.approvals a set used_at = clock_timestamp(), used_by = akashi_auth.acting_name()
  where a.id = akashi_auth.approval_of(use_approval.action, use_approval.target, use_approval.detail) and a.used_at is null and a.withdrawn_at is null
  returning * into used;
  if used.id is null then
    perform akashi_auth.refuse_unapproved(action, target);
  end if;
  perform akashi_auth.record_approval('approval_used', used);
end
$function$;
alter function akashi_auth.use_approval(action text, target text, detail jsonb) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.use_context_key(key_id text, secret bytea)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  overlap constant interval := '10 seconds';
  -- How long a replaced key remains for transactions that began with it.
  longest_transaction constant interval := '1 day';
  replaced text[];
begin
  lock table akashi_auth.context_keys in share row exclusive mode;
  if exists (select from akashi_auth.context_keys k where k.id = key_id and k.expires_at is not null) then
    raise exception 'the context key % was replaced', key_id using errcode = 'AK003',
      hint = 'the keyring is older than the database: use its newest copy, or run akashi keys rotate --purpose context';
  end if;
  delete from akashi_auth.context_keys k where k.expires_at < clock_timestamp() - longest_transaction;
  if exists (select from akashi_auth.context_keys k where k.id = key_id) then
    return;
  end if;
  with former as (
    update akashi_auth.context_keys k set expires_at = clock_timestamp() + overlap
    where k.application = 'akashi' and k.expires_at is null returning k.id
  ) select array_agg(id) into replaced from former;
  perform akashi_auth.add_context_key(key_id, secret, 'akashi', null);
  perform akashi_audit.record_action('context_key_added', 'rotate', 'context_key', key_id, 'SUCCESS',
    jsonb_build_object('application', 'akashi', 'replaces', replaced), 'confidential');
end
$function$;
alter function akashi_auth.use_context_key(key_id text, secret bytea) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.use_passkey(passkey uuid, counter bigint, challenged_at timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_auth.passkeys k set sign_count = counter, last_used_at = clock_timestamp()
  where k.id = passkey and (k.last_used_at is null or k.last_used_at < challenged_at)
    and (k.sign_count < counter or (k.sign_count = 0 and counter = 0));
  return found;
end
$function$;
alter function akashi_auth.use_passkey(passkey uuid, counter bigint, challenged_at timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_auth.use_passkey(passkey uuid, counter bigint, challenged_at timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.user_has_permission(user_id uuid, permission text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return exists (select from akashi_auth.users u where u.id = user_has_permission.user_id and u.is_active)
    and akashi_auth.roles_hold(array(
      select ur.role_id from akashi_auth.user_roles ur
      where ur.user_id = user_has_permission.user_id and (ur.expires_at is null or ur.expires_at > now())), permission);
end
$function$;
alter function akashi_auth.user_has_permission(user_id uuid, permission text) owner to akashi_policy;
comment on function akashi_auth.user_has_permission(user_id uuid, permission text) is 'Whether an active user has a permission (resource:action) through a role that has not expired.';
grant execute on function akashi_auth.user_has_permission(user_id uuid, permission text) to akashi_owner;
grant execute on function akashi_auth.user_has_permission(user_id uuid, permission text) to akashi_security_admin;
grant execute on function akashi_auth.user_has_permission(user_id uuid, permission text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.user_rank(user_id uuid)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(max(akashi_auth.tier_rank(r.tier)), 0)
  from akashi_auth.user_roles ur
  join akashi_auth.roles r on r.id = ur.role_id
  join akashi_auth.users u on u.id = ur.user_id
  where ur.user_id = user_rank.user_id and u.is_active and (ur.expires_at is null or ur.expires_at > now())
$function$;
alter function akashi_auth.user_rank(user_id uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.username_fits(username text, account_status text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select length(username) between 3 and 50
    and username is nfkc normalized
    and username !~ '[\x01-\x1f\x7f-\xa0!"#$%&()*,/:;<=>?\[\\\]^`{|}~]'
    and username !~ '[\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffd\ue000-\uf8ff\U000e0000-\U0010ffff]'
    and username !~ '(^[ @.''+-]|[ ]$|[ ]{2})'
    and replace(username, '-', '') !~* '^[0-9a-f]{32}$'
    and akashi_auth.username_key(username) not in ('all', 'channel', 'everyone', 'here', 'nobody', 'anonymous')
    and (account_status = 'deleted' or akashi_auth.username_key(username) not like 'deleted-%')
$function$;
alter function akashi_auth.username_fits(username text, account_status text) owner to akashi_owner;
comment on function akashi_auth.username_fits(username text, account_status text) is 'Whether a username is allowed.';
grant execute on function akashi_auth.username_fits(username text, account_status text) to akashi_app;
grant execute on function akashi_auth.username_fits(username text, account_status text) to akashi_policy;
grant execute on function akashi_auth.username_fits(username text, account_status text) to akashi_security_admin;
grant execute on function akashi_auth.username_fits(username text, account_status text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.username_key(username text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select translate(normalize(regexp_replace(normalize(lower(normalize(username, nfkc)), nfd), '[\u0300-\u036f]', '', 'g'), nfc),
    'аеорсухіјѕһԁԛԝѵӏвкмнтьαβγεηικμνορτυχζςօսոցհıɑɡɩʏᴏᴠニロカエタトハヘベペー―‐‑–−',
    'aeopcyxijshdqwvlbkmhtbabyehikmvoptyxzσounghiagiyov二口力工夕卜八へべぺ一一----')
$function$;
alter function akashi_auth.username_key(username text) owner to akashi_owner;
comment on function akashi_auth.username_key(username text) is 'The normalized form by which usernames are unique, looked up and counted: NFKC, lowercase, without accents, look-alike letters of other scripts unified.';
grant execute on function akashi_auth.username_key(username text) to akashi_app;
grant execute on function akashi_auth.username_key(username text) to akashi_policy;
grant execute on function akashi_auth.username_key(username text) to akashi_security_admin;
grant execute on function akashi_auth.username_key(username text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.valid_sessions(sessions uuid[])
 RETURNS uuid[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(array_agg(s.id), '{}') from akashi_auth.user_sessions s join akashi_auth.active_users u on u.id = s.user_id
  where s.id = any (sessions) and s.revoked_at is null and s.expires_at > now()
    and s.last_activity > now() - akashi_auth.policy_minutes('session.idle_minutes')
$function$;
alter function akashi_auth.valid_sessions(sessions uuid[]) owner to akashi_owner;
grant execute on function akashi_auth.valid_sessions(sessions uuid[]) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_auth.verify_api_keys(hashes text[])
 RETURNS TABLE(key_hash text, id uuid, name text, service_name text, tier text, permissions jsonb, user_id uuid, service_account_id uuid, expires_at timestamp with time zone, state text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select k.key_hash, k.id, k.name, k.service_name, k.tier, k.permissions, k.user_id, k.service_account_id, k.expires_at,
         case when not k.is_active then 'revoked'
              when k.expires_at <= now() then 'expired'
              when not coalesce(u.is_active, a.is_active) then 'owner_inactive'
              else 'valid' end
  from akashi_auth.api_keys k
  left join akashi_auth.users u on u.id = k.user_id
  left join akashi_auth.service_accounts a on a.id = k.service_account_id
  where k.key_hash = any (hashes)
$function$;
alter function akashi_auth.verify_api_keys(hashes text[]) owner to akashi_policy;
grant execute on function akashi_auth.verify_api_keys(hashes text[]) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_auth.watch_sign_in(person uuid, session uuid, address inet)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  known boolean;
  active bigint;
begin
  select bool_or(akashi_auth.place_of(a.ip_address) is not distinct from akashi_auth.place_of(address)) into known
  from akashi_auth.login_attempts a where a.user_id = person and a.result = 'success' and a.session_id is not null;
  -- The very first sign-in does not count as a new place.
  if not known then
    perform akashi_auth.record_authentication('sign_in_from_new_place', 'medium', person, session, '{}');
  end if;
  select count(*) into active from akashi_auth.user_sessions s
  where s.user_id = person and s.revoked_at is null and s.expires_at > now()
    and s.last_activity > now() - akashi_auth.policy_minutes('session.idle_minutes');
  if active > (akashi_auth.policy('session.watched_count'))::integer then
    perform akashi_auth.record_authentication('concurrent_sessions', 'medium', person, session, jsonb_build_object('sessions', active));
  end if;
end
$function$;
alter function akashi_auth.watch_sign_in(person uuid, session uuid, address inet) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_auth.withdraw_approval(approval uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  opened constant akashi_auth.approvals := akashi_auth.open_approval(approval);
begin
  update akashi_auth.approvals a set withdrawn_at = clock_timestamp(), withdrawn_by = akashi_auth.acting_name() where a.id = opened.id;
  perform akashi_auth.record_approval('approval_withdrawn', opened);
end
$function$;
alter function akashi_auth.withdraw_approval(approval uuid) owner to akashi_owner;
grant execute on function akashi_auth.withdraw_approval(approval uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.accepts_direct(person uuid, from_user uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case coalesce((select p.direct_messages from akashi_chat.user_preferences p where p.user_id = person), 'everyone')
    when 'everyone' then true
    when 'nobody' then false
    else exists (select from akashi_chat.room_members a join akashi_chat.room_members b using (room_id)
                 where a.user_id = person and b.user_id = from_user and a.is_active and b.is_active)
  end
$function$;
alter function akashi_chat.accepts_direct(person uuid, from_user uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.add_member(room akashi_chat.rooms, person uuid, as_role text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if (select count(*) from akashi_chat.room_members m where m.room_id = room.id and m.is_active) >= room.max_members then
    raise exception 'the room is full: % members', room.max_members using errcode = 'AK003', hint = 'an owner can raise max_members, to at most 1000';
  end if;
  perform akashi_chat.refuse_banned(room.id, person);
  if room.is_encrypted and not exists (select from akashi_chat.room_keys k where k.room_id = room.id and k.user_id = person) then
    raise exception 'this person has no copy of the key of the room' using errcode = 'AK003',
      hint = 'an owner or admin who is a member has to invite them';
  end if;
  -- What is said to a few people alone concerns each of them.
  insert into akashi_chat.room_members as m (room_id, user_id, role, notification_level)
  values (room.id, person, as_role, case when room.room_type in ('direct', 'group') then 'all' else 'mentions' end)
  on conflict (room_id, user_id) do update set role = excluded.role, is_active = true, left_at = null, removed_at = null,
    joined_at = now();
  perform akashi_chat.end_invitations(room.id, person);
  perform akashi_chat.append_event(room.id, 'member_joined', null, person, jsonb_build_object('role', as_role));
end
$function$;
alter function akashi_chat.add_member(room akashi_chat.rooms, person uuid, as_role text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.add_reaction(message uuid, reaction text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
begin
  select * into held from akashi_chat.lock_message(message);
  -- Limit of distinct reactions to one message.
  if (select count(distinct r.emoji) from akashi_chat.message_reactions r where r.message_id = message and r.emoji <> reaction) >= 20 then
    raise exception 'a message can have at most 20 different reactions' using errcode = 'AK003';
  end if;
  insert into akashi_chat.message_reactions (message_id, room_id, user_id, emoji)
  values (message, (held.target).room_id, (held.mine).user_id, reaction) on conflict (message_id, user_id, emoji) do nothing;
  if found then
    perform akashi_chat.append_event((held.target).room_id, 'reaction_added', message, (held.mine).user_id, jsonb_build_object('emoji', reaction));
  end if;
end
$function$;
alter function akashi_chat.add_reaction(message uuid, reaction text) owner to akashi_owner;
grant execute on function akashi_chat.add_reaction(message uuid, reaction text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.answer_invitation(invitation uuid, accept boolean)
 RETURNS akashi_chat.room_invitations
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user('rooms:read');
  answered akashi_chat.room_invitations;
  room akashi_chat.rooms;
begin
  select * into answered from akashi_chat.room_invitations i where i.id = invitation and i.invited_user_id = me;
  if not found then
    raise exception 'invitation not found' using errcode = 'no_data_found';
  end if;
  -- Locks the room before the invitation, in the same order as akashi_chat.invite.
  perform from akashi_chat.room_sequences s where s.room_id = answered.room_id for update;
  update akashi_chat.room_invitations i set status = case when accept then 'accepted' else 'declined' end, responded_at = now()
  where i.id = invitation and i.status = 'pending' and i.expires_at > now() returning * into answered;
  if not found then
    raise exception 'this invitation was accepted, declined or revoked, or has expired' using errcode = 'AK003', hint = 'ask for a new one';
  end if;
  if accept then
    select * into room from akashi_chat.rooms r where r.id = answered.room_id and not r.is_deleted;
    if not found then
      raise exception 'room not found' using errcode = 'no_data_found';
    end if;
    perform akashi_chat.refuse_if_inactive(room);
    if not exists (select from akashi_chat.room_members m where m.room_id = room.id and m.user_id = me and m.is_active) then
      perform akashi_chat.add_member(room, me, 'member');
    end if;
  else
    perform akashi_chat.drop_unused_keys(answered.room_id);
  end if;
  return answered;
end
$function$;
alter function akashi_chat.answer_invitation(invitation uuid, accept boolean) owner to akashi_owner;
grant execute on function akashi_chat.answer_invitation(invitation uuid, accept boolean) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.append_event(room uuid, kind text, message uuid, person uuid, details jsonb DEFAULT '{}'::jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  turn bigint;
begin
  update akashi_chat.room_sequences s set last_sequence = s.last_sequence + 1 where s.room_id = room returning s.last_sequence into strict turn;
  insert into akashi_chat.room_events (room_id, sequence, event_type, message_id, user_id, detail)
  values (room, turn, kind, message, person, details);
  return turn;
end
$function$;
alter function akashi_chat.append_event(room uuid, kind text, message uuid, person uuid, details jsonb) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.ban_member(room uuid, person uuid, banned boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
  member akashi_chat.room_members;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin'), akashi_chat.refuse_direct(held.target);
  select * into member from akashi_chat.room_members m where m.room_id = room and m.user_id = person;
  if not banned then
    update akashi_chat.room_members m set banned_at = null where m.id = member.id and m.banned_at is not null;
    if not found then
      raise exception 'this person is not banned' using errcode = 'no_data_found';
    end if;
    return;
  end if;
  if person = (held.mine).user_id then
    raise exception 'members cannot ban themselves' using errcode = 'AK003', hint = 'leave the room instead';
  end if;
  if member.id is null then
    if not exists (select from akashi_auth.active_users u where u.id = person) then
      raise exception 'user not found' using errcode = 'no_data_found';
    end if;
    insert into akashi_chat.room_members (room_id, user_id, is_active, left_at, removed_at, banned_at)
    values (room, person, false, now(), now(), now());
    perform akashi_chat.end_invitations(room, person);
    return;
  end if;
  if member.is_active then
    if member.role <> 'member' then
      perform akashi_chat.refuse_unless_role(held.mine, 'owner');
    end if;
    if member.role = 'owner' and not exists (
      select from akashi_chat.room_members m where m.room_id = room and m.is_active and m.role = 'owner' and m.id <> member.id) then
      raise exception 'a room needs an owner' using errcode = 'AK003', hint = 'make another member owner first';
    end if;
    perform akashi_chat.end_membership(member);
  end if;
  update akashi_chat.room_members m set removed_at = now(), banned_at = now() where m.id = member.id;
end
$function$;
alter function akashi_chat.ban_member(room uuid, person uuid, banned boolean) owner to akashi_owner;
comment on function akashi_chat.ban_member(room uuid, person uuid, banned boolean) is 'A banned person cannot join, not even by invitation.';
grant execute on function akashi_chat.ban_member(room uuid, person uuid, banned boolean) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.begin_upload(room uuid, original_name text, file_size bigint, mime_type text)
 RETURNS akashi_chat.file_uploads
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
  upload akashi_chat.file_uploads;
begin
  select * into held from akashi_chat.lock_room(room);
  if (held.mine).id is null then
    raise exception 'only members can send files' using errcode = 'insufficient_privilege', hint = 'join the room first';
  end if;
  perform akashi_chat.refuse_if_inactive(held.target), akashi_chat.refuse_file(held.target);
  perform akashi_chat.refuse_unsent((held.mine).user_id, begin_upload.file_size);
  upload.id := gen_random_uuid();
  insert into akashi_chat.file_uploads (id, user_id, room_id, original_name, file_name, file_size, mime_type, file_path, security_classification)
  values (upload.id, (held.mine).user_id, room, begin_upload.original_name, upload.id::text, begin_upload.file_size,
    begin_upload.mime_type, format('chat/%s/%s/received', room, upload.id), (held.target).security_classification)
  returning * into upload;
  return upload;
end
$function$;
alter function akashi_chat.begin_upload(room uuid, original_name text, file_size bigint, mime_type text) owner to akashi_owner;
grant execute on function akashi_chat.begin_upload(room uuid, original_name text, file_size bigint, mime_type text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.classify_file(file uuid, security_classification text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user();
  target akashi_chat.file_uploads;
  mine akashi_chat.room_members;
begin
  select * into target from akashi_chat.file_uploads f where f.id = file and not f.is_deleted for update;
  select * into mine from akashi_chat.room_members m where m.room_id = target.room_id and m.user_id = me and m.is_active;
  -- Only the uploader sees a file that is in no message.
  if mine.id is null or not target.room_id = any (akashi_chat.my_rooms())
     or (target.user_id <> me and (target.message_id is null or target.upload_status <> 'completed')) then
    raise exception 'file not found' using errcode = 'no_data_found';
  end if;
  perform akashi_chat.refuse_classification(mine, target.user_id, target.security_classification, classify_file.security_classification);
  update akashi_chat.file_uploads f set security_classification = classify_file.security_classification where f.id = file;
end
$function$;
alter function akashi_chat.classify_file(file uuid, security_classification text) owner to akashi_owner;
comment on function akashi_chat.classify_file(file uuid, security_classification text) is 'Its uploader may raise the classification, an owner or admin of the room may set any.';
grant execute on function akashi_chat.classify_file(file uuid, security_classification text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.classify_message(message uuid, security_classification text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
begin
  select * into held from akashi_chat.lock_message(message);
  perform akashi_chat.refuse_classification(held.mine, (held.target).user_id, (held.target).security_classification,
    classify_message.security_classification);
  update akashi_chat.messages m set security_classification = classify_message.security_classification
  where m.id = message and m.created_at = akashi_chat.message_time(message);
end
$function$;
alter function akashi_chat.classify_message(message uuid, security_classification text) owner to akashi_owner;
comment on function akashi_chat.classify_message(message uuid, security_classification text) is 'Its author may raise the classification, an owner or admin of the room may set any.';
grant execute on function akashi_chat.classify_message(message uuid, security_classification text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.conversation(message uuid, most integer)
 RETURNS SETOF akashi_chat.messages
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  root uuid := message;
  above uuid;
begin
  for step in 1..most loop
    select m.reply_to_id into above from akashi_chat.messages m
    where m.id = root and m.created_at = akashi_chat.message_time(root);
    exit when above is null or not exists (
      select from akashi_chat.messages m where m.id = above and m.created_at = akashi_chat.message_time(above));
    root := above;
  end loop;
  return query
    with recursive thread as (
      select m.* from akashi_chat.messages m where m.id = root and m.created_at = akashi_chat.message_time(root)
      union all
      select m.* from thread t join akashi_chat.messages m
        on m.reply_to_id = t.id and m.created_at > t.created_at and m.room_id = t.room_id)
    select * from (select * from thread limit most) found order by found.created_at;
end
$function$;
alter function akashi_chat.conversation(message uuid, most integer) owner to akashi_owner;
comment on function akashi_chat.conversation(message uuid, most integer) is 'The message at the beginning of a conversation and the replies to it, to those and so on, oldest first. The caller''s own policies apply.';
grant execute on function akashi_chat.conversation(message uuid, most integer) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.create_room(name text, room_type text DEFAULT 'public'::text, description text DEFAULT NULL::text, max_members integer DEFAULT 100, encrypted_as uuid DEFAULT NULL::uuid, key_copy bytea DEFAULT NULL::bytea)
 RETURNS akashi_chat.rooms
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user();
  room akashi_chat.rooms;
begin
  if create_room.room_type not in ('public', 'private') then
    raise exception 'a room must be public or private' using errcode = 'invalid_parameter_value', hint = 'open a direct room with a person instead';
  end if;
  if encrypted_as is not null and create_room.room_type <> 'private' then
    raise exception 'an encrypted room must be private' using errcode = 'invalid_parameter_value';
  end if;
  insert into akashi_chat.rooms (id, name, room_type, description, max_members, is_encrypted, created_by)
  values (coalesce(encrypted_as, gen_random_uuid()), btrim(create_room.name), create_room.room_type,
    nullif(btrim(create_room.description), ''), create_room.max_members, encrypted_as is not null, me)
  returning * into room;
  insert into akashi_chat.room_sequences (room_id) values (room.id);
  if room.is_encrypted then
    insert into akashi_chat.room_keys (room_id, user_id, wrapped) values (room.id, me, key_copy);
  end if;
  perform akashi_chat.add_member(room, me, 'owner');
  return room;
end
$function$;
alter function akashi_chat.create_room(name text, room_type text, description text, max_members integer, encrypted_as uuid, key_copy bytea) owner to akashi_owner;
comment on function akashi_chat.create_room(name text, room_type text, description text, max_members integer, encrypted_as uuid, key_copy bytea) is 'The caller becomes the owner. encrypted_as: the id of an encrypted room, for which a key was created; key_copy: the caller''s copy.';
grant execute on function akashi_chat.create_room(name text, room_type text, description text, max_members integer, encrypted_as uuid, key_copy bytea) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.delete_message(message uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
begin
  select * into held from akashi_chat.lock_message(message);
  if (held.target).user_id is distinct from (held.mine).user_id then
    perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin');
  end if;
  insert into akashi_chat.message_edits (message_id, room_id, edited_by, kind, previous_content, content_encrypted)
  values (message, (held.target).room_id, (held.mine).user_id, 'delete', (held.target).content, (held.target).content_encrypted);
  update akashi_chat.message_edits e set kind = 'delete' where e.message_id = message and e.kind = 'edit';
  update akashi_chat.messages m set content = '', is_deleted = true, mentioned_user_ids = '{}'
  where m.id = message and m.created_at = akashi_chat.message_time(message);
  update akashi_chat.file_uploads f set is_deleted = true where f.id = (held.target).file_upload_id;
  delete from akashi_chat.message_reactions r where r.message_id = message;
  delete from akashi_chat.notifications n where n.message_id = message;
  perform akashi_chat.append_event((held.target).room_id, 'message_deleted', message, (held.mine).user_id);
end
$function$;
alter function akashi_chat.delete_message(message uuid) owner to akashi_owner;
comment on function akashi_chat.delete_message(message uuid) is 'For its author, and for an owner or admin of the room.';
grant execute on function akashi_chat.delete_message(message uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.delete_room(room uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_unless_role(held.mine, 'owner'), akashi_chat.refuse_direct(held.target);
  -- Its messages cannot be read again.
  if (held.target).is_encrypted then
    if akashi_chat.is_held() or exists (
      select from akashi_auth.held_users h where h.id in (select m.user_id from akashi_chat.room_members m where m.room_id = room)) then
      raise exception 'the room is under legal hold' using errcode = 'AK003', hint = 'archive it, and delete it when the hold is lifted';
    end if;
    delete from akashi_chat.room_keys k where k.room_id = room;
    perform akashi_audit.record_action('room_key_erased', 'erase', 'room', room::text, 'SUCCESS', '{}', 'restricted');
  end if;
  perform akashi_chat.append_event(room, 'room_deleted', null, (held.mine).user_id);
  update akashi_chat.rooms r set is_deleted = true, is_active = false where r.id = room;
end
$function$;
alter function akashi_chat.delete_room(room uuid) owner to akashi_owner;
comment on function akashi_chat.delete_room(room uuid) is 'The key of an encrypted room is destroyed afterwards.';
grant execute on function akashi_chat.delete_room(room uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.drop_unused_keys(room uuid DEFAULT NULL::uuid)
 RETURNS bigint
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with gone as (
    delete from akashi_chat.room_keys k
    where (drop_unused_keys.room is null or k.room_id = drop_unused_keys.room)
      and not exists (select from akashi_chat.room_members m where m.room_id = k.room_id and m.user_id = k.user_id and m.is_active)
      and not exists (select from akashi_chat.room_invitations i where i.room_id = k.room_id and i.invited_user_id = k.user_id
                      and i.status = 'pending' and i.expires_at > now())
    returning 1)
  select count(*) from gone
$function$;
alter function akashi_chat.drop_unused_keys(room uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.edit_message(message uuid, new_content text, mentions uuid[] DEFAULT '{}'::uuid[])
 RETURNS akashi_chat.messages
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
  edited akashi_chat.messages;
begin
  select * into held from akashi_chat.lock_message(message);
  if (held.target).user_id is distinct from (held.mine).user_id or (held.target).message_type = 'system' then
    raise exception 'only the author can edit a message' using errcode = 'insufficient_privilege';
  end if;
  if (held.target).content = new_content then
    return held.target;
  end if;
  insert into akashi_chat.message_edits (message_id, room_id, edited_by, kind, previous_content, content_encrypted)
  values (message, (held.target).room_id, (held.mine).user_id, 'edit', (held.target).content, (held.target).content_encrypted);
  update akashi_chat.messages m set content = new_content, is_edited = true, mentioned_user_ids = array(
    select p.user_id from akashi_chat.room_members p where p.room_id = m.room_id and p.is_active and p.user_id = any (mentions) order by 1)
  where m.id = message and m.created_at = akashi_chat.message_time(message) returning * into edited;
  perform akashi_chat.append_event(edited.room_id, 'message_edited', message, edited.user_id);
  return edited;
end
$function$;
alter function akashi_chat.edit_message(message uuid, new_content text, mentions uuid[]) owner to akashi_owner;
grant execute on function akashi_chat.edit_message(message uuid, new_content text, mentions uuid[]) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.end_invitations(room uuid, person uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_chat.room_invitations i set status = 'revoked', responded_at = now()
  where i.room_id = end_invitations.room and (i.invited_user_id = person or i.invited_by = person) and i.status = 'pending';
  perform akashi_chat.drop_unused_keys(room);
end
$function$;
alter function akashi_chat.end_invitations(room uuid, person uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.end_membership(member akashi_chat.room_members)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_chat.room_members m set is_active = false, left_at = now(), role = 'member' where m.id = member.id;
  perform akashi_chat.end_invitations(member.room_id, member.user_id);
  perform akashi_chat.append_event(member.room_id, 'member_left', null, member.user_id);
end
$function$;
alter function akashi_chat.end_membership(member akashi_chat.room_members) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.erase_person(person uuid, batch integer DEFAULT 1000)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  erased bigint;
  member akashi_chat.room_members;
begin
  -- Locks every affected room, in one order, before any of its rows.
  perform from akashi_chat.room_sequences s where s.room_id in (
    select m.room_id from akashi_chat.messages m where m.user_id = person
    union select r.room_id from akashi_chat.message_reactions r where r.user_id = person
    union select p.room_id from akashi_chat.room_members p where p.user_id = person)
  order by s.room_id for update;
  with theirs as (
    select m.id, m.created_at from akashi_chat.messages m where m.user_id = person limit batch),
  blanked as (
    update akashi_chat.messages m set content = '', is_deleted = true, user_id = null, mentioned_user_ids = '{}'
    from theirs where m.id = theirs.id and m.created_at = theirs.created_at returning m.id, m.room_id, m.created_at),
  edits as (delete from akashi_chat.message_edits e using blanked where e.message_id = blanked.id),
  reactions as (delete from akashi_chat.message_reactions r using blanked where r.message_id = blanked.id),
  turns as (
    update akashi_chat.room_sequences s set last_sequence = s.last_sequence + c.events
    from (select b.room_id, count(*) as events from blanked b group by b.room_id) c
    where s.room_id = c.room_id returning s.room_id, s.last_sequence - c.events as before),
  told as (
    insert into akashi_chat.room_events (room_id, sequence, event_type, message_id)
    select b.room_id, t.before + row_number() over (partition by b.room_id order by b.created_at), 'message_deleted', b.id
    from blanked b join turns t on t.room_id = b.room_id)
  select count(*) into erased from blanked;
  if erased < batch then
    update akashi_chat.file_uploads f set is_deleted = true, original_name = 'erased' where f.user_id = person and not f.is_deleted;
    delete from akashi_chat.message_edits e where e.edited_by = person;
    with theirs as (
      delete from akashi_chat.message_reactions r where r.user_id = person returning r.id, r.room_id, r.message_id, r.emoji),
    turns as (
      update akashi_chat.room_sequences s set last_sequence = s.last_sequence + c.events
      from (select r.room_id, count(*) as events from theirs r group by r.room_id) c
      where s.room_id = c.room_id returning s.room_id, s.last_sequence - c.events as before)
    insert into akashi_chat.room_events (room_id, sequence, event_type, message_id, user_id, detail)
    select r.room_id, t.before + row_number() over (partition by r.room_id order by r.id), 'reaction_removed', r.message_id, person,
      jsonb_build_object('emoji', r.emoji)
    from theirs r join turns t on t.room_id = r.room_id;
    delete from akashi_chat.notifications n where n.user_id = person or n.actor_id = person;
    delete from akashi_chat.read_positions p where p.user_id = person;
    delete from akashi_chat.user_preferences p where p.user_id = person;
    update akashi_chat.room_invitations i set status = 'revoked', responded_at = now() where i.invited_user_id = person and i.status = 'pending';
    for member in select * from akashi_chat.room_members m where m.user_id = person and m.is_active order by m.room_id loop
      if member.role = 'owner' then
        perform akashi_chat.hand_over(member);
      end if;
      perform akashi_chat.end_membership(member);
    end loop;
  end if;
  return erased;
end
$function$;
alter function akashi_chat.erase_person(person uuid, batch integer) owner to akashi_owner;
comment on function akashi_chat.erase_person(person uuid, batch integer) is 'Returns the number of messages erased in this batch; repeat until it is less than the batch size.';
grant execute on function akashi_chat.erase_person(person uuid, batch integer) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_chat.erase_with_person()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  while akashi_chat.erase_person(new.user_id, 5000) = 5000 loop
    null;
  end loop;
  return null;
end
$function$;
alter function akashi_chat.erase_with_person() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.file_removed(upload uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update akashi_chat.file_uploads f set removed_at = now() where f.id = upload and f.is_deleted and f.removed_at is null
$function$;
alter function akashi_chat.file_removed(upload uuid) owner to akashi_owner;
grant execute on function akashi_chat.file_removed(upload uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_chat.finish_upload(upload uuid, outcome jsonb)
 RETURNS akashi_chat.file_uploads
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  finished akashi_chat.file_uploads;
begin
  update akashi_chat.file_uploads f set
    upload_status = outcome ->> 'upload_status',
    virus_scanned = coalesce((outcome ->> 'virus_scanned')::boolean, false),
    failure_reason = outcome ->> 'failure_reason',
    file_path = coalesce(outcome ->> 'file_path', f.file_path),
    mime_type = coalesce(outcome ->> 'mime_type', f.mime_type),
    file_size = coalesce((outcome ->> 'file_size')::bigint, f.file_size),
    sha256 = coalesce(outcome ->> 'sha256', f.sha256),
    thumbnail_path = outcome ->> 'thumbnail_path',
    width = (outcome ->> 'width')::integer,
    height = (outcome ->> 'height')::integer
  where f.id = upload and f.upload_status = 'processing' returning * into finished;
  if not found then
    raise exception 'upload not found, or already finished' using errcode = 'no_data_found';
  end if;
  if finished.message_id is not null then
    update akashi_chat.messages m set message_type = case when finished.mime_type like 'image/%' then 'image' else 'file' end
    where m.id = finished.message_id and m.created_at = akashi_chat.message_time(finished.message_id);
    perform akashi_chat.append_event(finished.room_id, 'message_edited', finished.message_id, finished.user_id);
  end if;
  return finished;
end
$function$;
alter function akashi_chat.finish_upload(upload uuid, outcome jsonb) owner to akashi_owner;
comment on function akashi_chat.finish_upload(upload uuid, outcome jsonb) is 'outcome: upload_status (completed or failed), virus_scanned, failure_reason, file_path, mime_type, file_size, sha256, thumbnail_path, width, height.';
grant execute on function akashi_chat.finish_upload(upload uuid, outcome jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_chat.give_up_upload(upload uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update akashi_chat.file_uploads f set upload_status = 'failed', failure_reason = 'incomplete'
  where f.id = upload and f.user_id = akashi_auth.current_user_id() and f.upload_status = 'processing' and f.received_at is null
$function$;
alter function akashi_chat.give_up_upload(upload uuid) owner to akashi_owner;
comment on function akashi_chat.give_up_upload(upload uuid) is 'The upload did not complete: it no longer counts towards the limit of its sender.';
grant execute on function akashi_chat.give_up_upload(upload uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.hand_over(owner akashi_chat.room_members)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  heir akashi_chat.room_members;
begin
  if exists (select from akashi_chat.room_members m
             where m.room_id = owner.room_id and m.is_active and m.role = 'owner' and m.id <> owner.id) then
    return;
  end if;
  select * into heir from akashi_chat.room_members m
  where m.room_id = owner.room_id and m.is_active and m.id <> owner.id
  order by m.role <> 'admin', m.joined_at, m.id limit 1;
  if found then
    update akashi_chat.room_members m set role = 'owner' where m.id = heir.id;
    perform akashi_chat.append_event(owner.room_id, 'member_changed', null, heir.user_id, jsonb_build_object('role', 'owner'));
  end if;
end
$function$;
alter function akashi_chat.hand_over(owner akashi_chat.room_members) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.invite(room uuid, person uuid, valid_for interval DEFAULT 'P7D'::interval, key_copy bytea DEFAULT NULL::bytea)
 RETURNS akashi_chat.room_invitations
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
  invitation akashi_chat.room_invitations;
  renewed boolean;
  -- Limits of invitations: one person to one room within 7 days, and all of a sender within an hour.
  most_of_one constant integer := 5;
  most_an_hour constant integer := 100;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_direct(held.target), akashi_chat.refuse_if_inactive(held.target);
  if (held.target).room_type = 'private' then
    perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin');
  else
    perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin', 'member');
  end if;
  if valid_for not between interval '1 minute' and interval '90 days' then
    raise exception 'an invitation must be valid for between a minute and 90 days' using errcode = 'invalid_parameter_value';
  end if;
  if not exists (select from akashi_auth.active_users u where u.id = person) then
    raise exception 'user not found' using errcode = 'no_data_found';
  end if;
  if exists (select from akashi_chat.room_members m where m.room_id = room and m.user_id = person and m.is_active) then
    raise exception 'this person is already a member' using errcode = 'AK003';
  end if;
  perform akashi_chat.refuse_banned(room, person);
  renewed := exists (select from akashi_chat.room_invitations i
                     where i.room_id = invite.room and i.invited_user_id = person and i.status = 'pending');
  if not renewed and (select count(*) from akashi_chat.room_invitations i where i.room_id = invite.room
                      and i.invited_user_id = person and i.created_at > now() - interval '7 days') >= most_of_one
     or (select count(*) from akashi_chat.room_invitations i
         where i.invited_by = (held.mine).user_id and i.created_at > now() - interval '1 hour') >= most_an_hour then
    raise exception 'too many invitations' using errcode = 'AK004', hint = 'invite again later';
  end if;
  if (held.target).is_encrypted then
    if (held.mine).id is null or key_copy is null then
      raise exception 'only a member can pass on the key of an encrypted room' using errcode = 'insufficient_privilege',
        hint = 'ask an owner or admin who is a member';
    end if;
    insert into akashi_chat.room_keys as k (room_id, user_id, wrapped) values (room, person, key_copy)
    on conflict on constraint room_keys_pkey do update set wrapped = excluded.wrapped;
  end if;
  insert into akashi_chat.room_invitations as i (room_id, invited_user_id, invited_by, expires_at)
  values (room, person, (held.mine).user_id, now() + valid_for)
  on conflict (room_id, invited_user_id) where status = 'pending'
  do update set expires_at = excluded.expires_at, invited_by = excluded.invited_by
  returning * into invitation;
  -- A renewal does not notify again.
  if not renewed then
    perform akashi_chat.notify_person(person, 'invitation', room, null, (held.mine).user_id);
  end if;
  return invitation;
end
$function$;
alter function akashi_chat.invite(room uuid, person uuid, valid_for interval, key_copy bytea) owner to akashi_owner;
grant execute on function akashi_chat.invite(room uuid, person uuid, valid_for interval, key_copy bytea) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.is_held()
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (
    select from akashi_lifecycle.retention r where r.schema_name = 'akashi_chat' and r.table_name = 'messages' and r.legal_hold)
$function$;
alter function akashi_chat.is_held() owner to akashi_owner;
grant execute on function akashi_chat.is_held() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_chat.join_room(room uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
begin
  select * into held from akashi_chat.lock_room(room, 'rooms:read');
  perform akashi_chat.refuse_if_inactive(held.target);
  if (held.mine).id is not null then
    return;
  end if;
  if exists (select from akashi_chat.room_members m
             where m.room_id = room and m.user_id = akashi_auth.current_user_id() and m.removed_at is not null) then
    raise exception 'a person who was removed from a room can return only by invitation' using errcode = 'insufficient_privilege',
      hint = 'ask an owner or admin of the room';
  end if;
  if (held.target).room_type <> 'public' then
    raise exception 'a private room can be joined only by invitation' using errcode = 'insufficient_privilege', hint = 'accept the invitation';
  end if;
  perform akashi_chat.add_member(held.target, akashi_auth.current_user_id(), 'member');
end
$function$;
alter function akashi_chat.join_room(room uuid) owner to akashi_owner;
grant execute on function akashi_chat.join_room(room uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.leave_room(room uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
begin
  select * into held from akashi_chat.lock_room(room, 'rooms:read');
  if (held.mine).id is null then
    return;
  end if;
  perform akashi_chat.refuse_direct(held.target);
  if (held.mine).role = 'owner' and not exists (
    select from akashi_chat.room_members m where m.room_id = room and m.is_active and m.role = 'owner' and m.id <> (held.mine).id) then
    raise exception 'the last owner cannot leave' using errcode = 'AK003', hint = 'make another member owner first, or delete the room';
  end if;
  perform akashi_chat.end_membership(held.mine);
end
$function$;
alter function akashi_chat.leave_room(room uuid) owner to akashi_owner;
grant execute on function akashi_chat.leave_room(room uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.lock_message(message uuid, OUT target akashi_chat.messages, OUT mine akashi_chat.room_members)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user();
  room uuid;
begin
  select m.room_id into room from akashi_chat.messages m where m.id = message and m.created_at = akashi_chat.message_time(message);
  select * into mine from akashi_chat.room_members m where m.room_id = room and m.user_id = me and m.is_active;
  if mine.id is null or not room = any (akashi_chat.my_rooms()) then
    raise exception 'message not found' using errcode = 'no_data_found';
  end if;
  perform from akashi_chat.room_sequences s where s.room_id = room for update;
  perform akashi_chat.refuse_if_inactive(r) from akashi_chat.rooms r where r.id = room;
  select * into target from akashi_chat.messages m where m.id = message and m.created_at = akashi_chat.message_time(message);
  if target.is_deleted then
    raise exception 'the message was deleted' using errcode = 'AK003';
  end if;
end
$function$;
alter function akashi_chat.lock_message(message uuid, OUT target akashi_chat.messages, OUT mine akashi_chat.room_members) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.lock_room(room uuid, permission text DEFAULT 'rooms:write'::text, OUT target akashi_chat.rooms, OUT mine akashi_chat.room_members)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user(permission);
begin
  perform from akashi_chat.room_sequences s where s.room_id = room for update;
  select * into target from akashi_chat.rooms r where r.id = room and not r.is_deleted;
  select * into mine from akashi_chat.room_members m where m.room_id = room and m.user_id = me and m.is_active;
  if mine.id is null and target.room_type not in ('direct', 'group') and akashi_auth.has_permission('rooms:admin') then
    mine.room_id := room;
    mine.user_id := me;
    mine.role := 'owner';
  elsif target.id is null or (mine.id is null and target.room_type <> 'public' and not room = any (akashi_chat.my_invited_rooms())) then
    raise exception 'room not found' using errcode = 'no_data_found';
  end if;
end
$function$;
alter function akashi_chat.lock_room(room uuid, permission text, OUT target akashi_chat.rooms, OUT mine akashi_chat.room_members) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.mark_read(message uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user('rooms:read');
  room uuid;
begin
  select m.room_id into room from akashi_chat.messages m where m.id = message and m.created_at = akashi_chat.message_time(message);
  if room is null or not room = any (akashi_chat.my_rooms()) then
    raise exception 'message not found' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.read_positions as p (room_id, user_id, message_id, read_to) values (room, me, message, akashi_chat.message_time(message))
  on conflict (user_id, room_id) do update set message_id = excluded.message_id, read_to = excluded.read_to
  where excluded.read_to > p.read_to;
  update akashi_chat.notifications n set read_at = now()
  where n.user_id = me and n.room_id = room and n.read_at is null and n.message_id is not null and akashi_chat.message_time(n.message_id) <= akashi_chat.message_time(message);
end
$function$;
alter function akashi_chat.mark_read(message uuid) owner to akashi_owner;
comment on function akashi_chat.mark_read(message uuid) is 'Moves the caller''s read position forward, never back, and reads the notifications up to it.';
grant execute on function akashi_chat.mark_read(message uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.mark_unread(message uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user('rooms:read');
  room uuid;
  at timestamptz := akashi_chat.message_time(message);
begin
  select m.room_id into room from akashi_chat.messages m where m.id = message and m.created_at = at;
  if room is null or not room = any (akashi_chat.my_rooms()) then
    raise exception 'message not found' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.read_positions as p (room_id, user_id, message_id, read_to)
  values (room, me, message, at - interval '1 millisecond')
  on conflict (user_id, room_id) do update set message_id = excluded.message_id, read_to = excluded.read_to;
end
$function$;
alter function akashi_chat.mark_unread(message uuid) owner to akashi_owner;
comment on function akashi_chat.mark_unread(message uuid) is 'Moves the caller''s read position back to just before the message. Notifications that were read stay read.';
grant execute on function akashi_chat.mark_unread(message uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.message_id(at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send(round(extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$function$;
alter function akashi_chat.message_id(at timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.message_time(id uuid)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN to_timestamp(((((('x'::text || lpad("left"(replace((id)::text, '-'::text, ''::text), 12), 16, '0'::text)))::bit(64))::bigint)::double precision / (1000.0)::double precision));
alter function akashi_chat.message_time(id uuid) owner to akashi_owner;
grant execute on function akashi_chat.message_time(id uuid) to akashi_app;
grant execute on function akashi_chat.message_time(id uuid) to akashi_security_admin;
grant execute on function akashi_chat.message_time(id uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_chat.my_invited_rooms()
 RETURNS uuid[]
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
  select coalesce(array_agg(i.room_id), '{}')
  from akashi_chat.room_invitations i
  join akashi_auth.active_users u on u.id = i.invited_user_id
  where i.invited_user_id = akashi_auth.current_user_id() and i.status = 'pending' and i.expires_at > now()
    and (select akashi_auth.key_permits('rooms:read'))
$function$;
alter function akashi_chat.my_invited_rooms() owner to akashi_policy;
comment on function akashi_chat.my_invited_rooms() is 'Rooms that the verified user is invited to, so that they can be seen before accepting.';
grant execute on function akashi_chat.my_invited_rooms() to akashi_app;
grant execute on function akashi_chat.my_invited_rooms() to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.my_managed_rooms()
 RETURNS uuid[]
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
  select coalesce(array_agg(m.room_id), '{}')
  from akashi_chat.room_members m
  where m.user_id = akashi_auth.current_user_id() and m.is_active and m.role in ('owner', 'admin')
    and m.room_id = any (akashi_chat.my_rooms())
$function$;
alter function akashi_chat.my_managed_rooms() owner to akashi_policy;
comment on function akashi_chat.my_managed_rooms() is 'Rooms in which the verified user is owner or admin.';
grant execute on function akashi_chat.my_managed_rooms() to akashi_app;
grant execute on function akashi_chat.my_managed_rooms() to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.my_rooms()
 RETURNS uuid[]
 LANGUAGE sql
 STABLE PARALLEL RESTRICTED SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
  select coalesce(array_agg(m.room_id), '{}')
  from akashi_chat.room_members m
  join akashi_chat.rooms r on r.id = m.room_id
  join akashi_auth.active_users u on u.id = m.user_id
  where m.user_id = akashi_auth.current_user_id() and m.is_active and not r.is_deleted
    and (select akashi_auth.key_permits('rooms:read'))
$function$;
alter function akashi_chat.my_rooms() owner to akashi_policy;
comment on function akashi_chat.my_rooms() is 'Rooms of the verified user, while the account is active.';
grant execute on function akashi_chat.my_rooms() to akashi_app;
grant execute on function akashi_chat.my_rooms() to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.notify_members(message akashi_chat.messages, replied_to uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  insert into akashi_chat.notifications (user_id, notification_type, room_id, message_id, actor_id)
  select told.user_id, told.kind, message.room_id, message.id, message.user_id
  from (
    select m.user_id, case when m.user_id = replied_to then 'reply'
      when m.user_id = any (message.mentioned_user_ids) then 'mention' else 'message' end as kind
    from akashi_chat.room_members m
    where m.room_id = message.room_id and m.is_active and m.notification_level <> 'none'
      and (m.user_id = replied_to or m.user_id = any (message.mentioned_user_ids) or m.notification_level = 'all')) told
  left join akashi_chat.user_preferences p on p.user_id = told.user_id
  where told.user_id is distinct from message.user_id
    and coalesce(case told.kind when 'mention' then p.notify_mentions when 'reply' then p.notify_replies end, true);
end
$function$;
alter function akashi_chat.notify_members(message akashi_chat.messages, replied_to uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.notify_person(person uuid, kind text, room uuid, message uuid, actor uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into akashi_chat.notifications (user_id, notification_type, room_id, message_id, actor_id)
  select person, kind, room, message, actor
  where person is distinct from actor and coalesce((
    select case kind when 'mention' then p.notify_mentions when 'reply' then p.notify_replies
                     when 'invitation' then p.notify_invitations else true end
    from akashi_chat.user_preferences p where p.user_id = person), true)
$function$;
alter function akashi_chat.notify_person(person uuid, kind text, room uuid, message uuid, actor uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.open_direct_room(with_user uuid)
 RETURNS akashi_chat.rooms
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user();
  pair text := least(me::text, with_user::text) || ':' || greatest(me::text, with_user::text);
  room akashi_chat.rooms;
begin
  if with_user = me then
    raise exception 'a direct room is for two people' using errcode = 'invalid_parameter_value';
  end if;
  select * into room from akashi_chat.rooms r where r.direct_key = pair;
  if found then
    return room;
  end if;
  if not exists (select from akashi_auth.active_users u where u.id = with_user) or not akashi_chat.accepts_direct(with_user, me) then
    raise exception 'this person does not accept messages' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.rooms (name, room_type, max_members, direct_key, created_by)
  values ('direct', 'direct', 2, pair, me) on conflict (direct_key) do nothing returning * into room;
  if not found then -- the other one opened it just now
    select * into strict room from akashi_chat.rooms r where r.direct_key = pair;
    return room;
  end if;
  insert into akashi_chat.room_sequences (room_id) values (room.id);
  perform akashi_chat.add_member(room, me, 'member'), akashi_chat.add_member(room, with_user, 'member');
  return room;
end
$function$;
alter function akashi_chat.open_direct_room(with_user uuid) owner to akashi_owner;
comment on function akashi_chat.open_direct_room(with_user uuid) is 'The direct room of two people, created on first use; the same for both.';
grant execute on function akashi_chat.open_direct_room(with_user uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.open_group(with_users uuid[])
 RETURNS akashi_chat.rooms
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user();
  people constant uuid[] := array(select distinct p from unnest(with_users || me) p where p is not null order by p);
  together constant text := array_to_string(people, ':');
  room akashi_chat.rooms;
begin
  if cardinality(people) not between 3 and 8 then
    raise exception 'a group has three to eight people, you included' using errcode = 'invalid_parameter_value',
      hint = 'open a direct room with one person, or create a private room for more';
  end if;
  select * into room from akashi_chat.rooms r where r.direct_key = together;
  if found then
    return room;
  end if;
  if exists (select from unnest(people) p where p <> me and (
    not exists (select from akashi_auth.active_users u where u.id = p) or not akashi_chat.accepts_direct(p, me))) then
    raise exception 'one of these people does not accept messages' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.rooms (name, room_type, max_members, direct_key, created_by)
  values ('group', 'group', 8, together, me) on conflict (direct_key) do nothing returning * into room;
  if not found then -- another one of them opened it just now
    select * into strict room from akashi_chat.rooms r where r.direct_key = together;
    return room;
  end if;
  insert into akashi_chat.room_sequences (room_id) values (room.id);
  perform akashi_chat.add_member(room, p, 'member') from unnest(people) p;
  return room;
end
$function$;
alter function akashi_chat.open_group(with_users uuid[]) owner to akashi_owner;
comment on function akashi_chat.open_group(with_users uuid[]) is 'The conversation of the caller with two to seven others, created on first use; the same for all of them.';
grant execute on function akashi_chat.open_group(with_users uuid[]) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.pin_message(message uuid, wanted boolean)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  most constant integer := 100;
  held record;
  room uuid;
  changed boolean;
begin
  select * into held from akashi_chat.lock_message(message);
  room := (held.target).room_id;
  if wanted then
    insert into akashi_chat.pinned_messages (room_id, message_id, pinned_by) values (room, message, (held.mine).user_id)
    on conflict do nothing;
    changed := found;
    if (select count(*) from akashi_chat.pinned_messages p where p.room_id = room) > most then
      raise exception 'a room has at most % pinned messages', most using errcode = 'AK004', hint = 'unpin one first';
    end if;
  else
    delete from akashi_chat.pinned_messages p where p.room_id = room and p.message_id = message;
    changed := found;
  end if;
  if changed then
    perform akashi_chat.append_event(room, 'room_changed', null, (held.mine).user_id, pg_catalog.jsonb_build_object('pins', true));
  end if;
  return room;
end
$function$;
alter function akashi_chat.pin_message(message uuid, wanted boolean) owner to akashi_owner;
comment on function akashi_chat.pin_message(message uuid, wanted boolean) is 'Pins a message to its room, or unpins it; any member may. Returns the room. Does nothing if it is already so.';
grant execute on function akashi_chat.pin_message(message uuid, wanted boolean) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.post_message(room uuid, content text, message_type text DEFAULT 'text'::text, file_upload uuid DEFAULT NULL::uuid, reply_to uuid DEFAULT NULL::uuid, mentions uuid[] DEFAULT '{}'::uuid[], client uuid DEFAULT NULL::uuid)
 RETURNS akashi_chat.messages
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user();
  target akashi_chat.rooms;
  previous timestamptz;
  at timestamptz;
  replied_to uuid;
  upload akashi_chat.file_uploads;
  message akashi_chat.messages;
begin
  select s.last_message_at into previous from akashi_chat.room_sequences s where s.room_id = room for update;
  if not found or not exists (select from akashi_chat.room_members m where m.room_id = room and m.user_id = me and m.is_active) then
    raise exception 'room not found' using errcode = 'no_data_found';
  end if;
  if client is not null then
    select * into message from akashi_chat.messages m where m.client_id = client and m.room_id = room and m.user_id = me;
    if found then
      return message;
    end if;
  end if;
  select * into target from akashi_chat.rooms r where r.id = room;
  if target.is_deleted then
    raise exception 'room not found' using errcode = 'no_data_found';
  end if;
  perform akashi_chat.refuse_if_inactive(target);
  if message_type not in ('text', 'image', 'file') then
    raise exception 'a message must be text, image or file' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_chat.refuse_file(target) where file_upload is not null;
  if (message_type = 'text') = (file_upload is not null) then
    raise exception 'a message of type image or file needs a file, and other messages cannot have one'
      using errcode = 'invalid_parameter_value';
  end if;
  if reply_to is not null then
    select m.user_id into replied_to from akashi_chat.messages m
    where m.id = reply_to and m.created_at = akashi_chat.message_time(reply_to) and m.room_id = room;
    if not found then
      raise exception 'the message to reply to was not found' using errcode = 'no_data_found';
    end if;
  end if;
  at := greatest(date_trunc('milliseconds', clock_timestamp()), previous + interval '1 millisecond');
  insert into akashi_chat.messages (id, room_id, user_id, sequence, content, message_type, file_upload_id, reply_to_id,
    mentioned_user_ids, client_id, security_classification, content_encrypted, created_at, updated_at)
  values (akashi_chat.message_id(at), room, me, akashi_chat.take_turn(room, at), post_message.content, post_message.message_type,
    file_upload, reply_to, array(select m.user_id from akashi_chat.room_members m
      where m.room_id = room and m.is_active and m.user_id = any (mentions) order by 1),
    client, target.security_classification, target.is_encrypted, at, at)
  returning * into message;
  if file_upload is not null then
    update akashi_chat.file_uploads f set message_id = message.id
    where f.id = file_upload and f.user_id = me and f.room_id = room and f.message_id is null
      and f.upload_status <> 'failed' and not f.is_deleted
    returning * into upload;
    if not found then
      raise exception 'the file to send was not found' using errcode = 'no_data_found';
    end if;
  end if;
  insert into akashi_chat.room_events (room_id, sequence, event_type, message_id, user_id)
  values (room, message.sequence, 'message_created', message.id, me);
  perform akashi_chat.notify_members(message, replied_to);
  return message;
end
$function$;
alter function akashi_chat.post_message(room uuid, content text, message_type text, file_upload uuid, reply_to uuid, mentions uuid[], client uuid) owner to akashi_owner;
comment on function akashi_chat.post_message(room uuid, content text, message_type text, file_upload uuid, reply_to uuid, mentions uuid[], client uuid) is 'Sent again with the same client id, it returns the existing message and writes nothing.';
grant execute on function akashi_chat.post_message(room uuid, content text, message_type text, file_upload uuid, reply_to uuid, mentions uuid[], client uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.presence(people uuid[])
 RETURNS TABLE(user_id uuid, status text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select m.user_id, akashi_chat.status_of(m.user_id)
  from (select distinct x.user_id from akashi_chat.room_members x
        where x.room_id = any ((select akashi_chat.my_rooms())::uuid[]) and x.is_active and x.user_id = any (people)) m
$function$;
alter function akashi_chat.presence(people uuid[]) owner to akashi_owner;
grant execute on function akashi_chat.presence(people uuid[]) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.presence_to_spread(people uuid[])
 RETURNS TABLE(user_id uuid, status text, room_ids uuid[])
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select p.person, akashi_chat.status_of(p.person), array(
    select m.room_id from akashi_chat.room_members m where m.user_id = p.person and m.is_active)
  from unnest(people) as p (person)
$function$;
alter function akashi_chat.presence_to_spread(people uuid[]) owner to akashi_owner;
comment on function akashi_chat.presence_to_spread(people uuid[]) is 'For a node that publishes changes: the statuses, and the rooms whose members may see them.';
grant execute on function akashi_chat.presence_to_spread(people uuid[]) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_chat.presence_to_spread(person uuid)
 RETURNS TABLE(status text, room_ids uuid[])
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select akashi_chat.status_of(person), coalesce(array_agg(m.room_id), '{}')
  from akashi_chat.room_members m where m.user_id = person and m.is_active
$function$;
alter function akashi_chat.presence_to_spread(person uuid) owner to akashi_owner;
grant execute on function akashi_chat.presence_to_spread(person uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_chat.public_rooms(matching text DEFAULT ''::text, after_name text DEFAULT NULL::text, after_id uuid DEFAULT NULL::uuid, page_size integer DEFAULT 50)
 RETURNS TABLE(id uuid, name character varying, description text, member_count bigint, max_members integer, is_member boolean, created_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
declare
  mine uuid[];
  terms constant text[] := akashi_auth.search_terms(matching);
  grams constant text[] := akashi_auth.term_ngrams(terms);
begin
  perform akashi_chat.require_user('rooms:read');
  mine := akashi_chat.my_rooms();
  return query
    select r.id, r.name, r.description,
      (select count(*) from akashi_chat.room_members m where m.room_id = r.id and m.is_active), r.max_members,
      r.id = any (mine), r.created_at
    from akashi_chat.rooms r
    where r.room_type = 'public' and r.is_active and not r.is_deleted
      and (cardinality(grams) = 0 or akashi_auth.ngrams(akashi_auth.fold_text(r.name || E'\n' || coalesce(r.description, ''))) @> grams)
      and akashi_auth.contains_terms(r.name || E'\n' || coalesce(r.description, ''), terms)
      and (after_name is null or (r.name, r.id) > (after_name, after_id))
    order by r.name, r.id limit least(greatest(page_size, 1), 200);
end
$function$;
alter function akashi_chat.public_rooms(matching text, after_name text, after_id uuid, page_size integer) owner to akashi_owner;
comment on function akashi_chat.public_rooms(matching text, after_name text, after_id uuid, page_size integer) is 'Public rooms by name whose name and description contain every word of matching; after_name and after_id begin the next page.';
grant execute on function akashi_chat.public_rooms(matching text, after_name text, after_id uuid, page_size integer) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.purge_expired(batch integer DEFAULT 1000)
 RETURNS TABLE(what text, removed bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  deleted_before constant timestamptz :=
    now() - make_interval(days => akashi_lifecycle.setting('deleted_messages.retention_days')::integer);
  failed_before constant timestamptz :=
    now() - make_interval(days => akashi_lifecycle.setting('temporary_data.retention_days')::integer);
  held constant boolean := akashi_chat.is_held();
begin
  what := 'deleted messages';
  with gone as (
    delete from akashi_chat.messages m using (
      select d.id, d.created_at from akashi_chat.messages d
      where d.is_deleted and d.updated_at < deleted_before and not held
        and (d.user_id is null or d.user_id not in (select h.id from akashi_auth.held_users h))
      limit batch) old
    where m.id = old.id and m.created_at = old.created_at returning m.id),
  edits as (delete from akashi_chat.message_edits e using gone where e.message_id = gone.id)
  select count(*) into removed from gone;
  return next;
  what := 'uploads given up';
  with gone as (
    update akashi_chat.file_uploads f set upload_status = 'failed', failure_reason = 'incomplete'
    where f.id in (select u.id from akashi_chat.file_uploads u where u.upload_status = 'processing' and u.received_at is null
                   and u.created_at < now() - interval '1 day' limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'failed uploads';
  with gone as (
    update akashi_chat.file_uploads f set is_deleted = true
    where f.id in (select u.id from akashi_chat.file_uploads u where u.upload_status = 'failed' and not u.is_deleted
                   and u.created_at < failed_before limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'unsent files';
  with gone as (
    update akashi_chat.file_uploads f set is_deleted = true
    where f.id in (select u.id from akashi_chat.file_uploads u where u.message_id is null and u.upload_status = 'completed'
                   and not u.is_deleted and u.created_at < failed_before limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'copies of keys of rooms';
  removed := akashi_chat.drop_unused_keys();
  return next;
  what := 'room events';
  with gone as (
    delete from akashi_chat.room_events e using (
      select o.room_id, o.sequence from akashi_chat.room_events o where o.created_at < now() - interval '7 days' limit batch) old
    where e.room_id = old.room_id and e.sequence = old.sequence returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'notifications';
  with gone as (
    delete from akashi_chat.notifications n where n.id in (
      select o.id from akashi_chat.notifications o where o.created_at < now() - interval '90 days' limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
end
$function$;
alter function akashi_chat.purge_expired(batch integer) owner to akashi_owner;
grant execute on function akashi_chat.purge_expired(batch integer) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_chat.read_as_security_admin(room uuid, reason text, before timestamp with time zone DEFAULT 'infinity'::timestamp with time zone, page_size integer DEFAULT 50)
 RETURNS SETOF akashi_chat.messages
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_chat.record_review(room, reason);
  return query select * from akashi_chat.messages m where m.room_id = room and m.created_at < before
    order by m.created_at desc limit least(greatest(page_size, 1), 200);
end
$function$;
alter function akashi_chat.read_as_security_admin(room uuid, reason text, before timestamp with time zone, page_size integer) owner to akashi_owner;
grant execute on function akashi_chat.read_as_security_admin(room uuid, reason text, before timestamp with time zone, page_size integer) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_chat.read_edits_as_security_admin(message uuid, reason text)
 RETURNS SETOF akashi_chat.message_edits
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  room uuid;
begin
  select m.room_id into room from akashi_chat.messages m where m.id = message and m.created_at = akashi_chat.message_time(message);
  if not found then
    raise exception 'message not found' using errcode = 'no_data_found';
  end if;
  perform akashi_chat.record_review(room, reason);
  return query select * from akashi_chat.message_edits e where e.message_id = message order by e.created_at;
end
$function$;
alter function akashi_chat.read_edits_as_security_admin(message uuid, reason text) owner to akashi_owner;
comment on function akashi_chat.read_edits_as_security_admin(message uuid, reason text) is 'Earlier texts of a message, even of a deleted one; the access is recorded in the trail.';
grant execute on function akashi_chat.read_edits_as_security_admin(message uuid, reason text) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_chat.receive_upload(upload uuid, file_size bigint, sha256 text)
 RETURNS akashi_chat.file_uploads
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  received akashi_chat.file_uploads;
begin
  -- Its expected size is already counted.
  perform akashi_chat.refuse_unsent(f.user_id, receive_upload.file_size - f.file_size)
  from akashi_chat.file_uploads f where f.id = upload and f.user_id = akashi_chat.require_user();
  update akashi_chat.file_uploads f set file_size = receive_upload.file_size, sha256 = receive_upload.sha256, received_at = now()
  where f.id = upload and f.user_id = akashi_chat.require_user() and f.upload_status = 'processing' and f.received_at is null
  returning * into received;
  if not found then
    raise exception 'upload not found, or already finished' using errcode = 'no_data_found';
  end if;
  perform pg_notify('akashi_uploads', '');
  return received;
end
$function$;
alter function akashi_chat.receive_upload(upload uuid, file_size bigint, sha256 text) owner to akashi_owner;
comment on function akashi_chat.receive_upload(upload uuid, file_size bigint, sha256 text) is 'Marks that all bytes are stored. The worker scans them and completes or rejects the file.';
grant execute on function akashi_chat.receive_upload(upload uuid, file_size bigint, sha256 text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.record_review(room uuid, reason text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  -- A process without a user is authorised by its role.
  if akashi_auth.current_user_id() is not null or akashi_auth.current_session_id() is not null then
    perform akashi_auth.require_permission('messages:admin');
  end if;
  if length(regexp_replace(coalesce(reason, ''), '[^[:alnum:]]', '', 'g')) < 10 then
    raise exception 'a reason with at least 10 letters or digits is required' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_audit.record_access('akashi_chat.messages', array[room::text], reason, 'confidential');
end
$function$;
alter function akashi_chat.record_review(room uuid, reason text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.refuse_banned(room uuid, person uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if exists (select from akashi_chat.room_members m where m.room_id = room and m.user_id = person and m.banned_at is not null) then
    raise exception 'this person is banned from the room' using errcode = 'insufficient_privilege',
      hint = 'an owner or admin of the room can lift the ban';
  end if;
end
$function$;
alter function akashi_chat.refuse_banned(room uuid, person uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.refuse_classification(mine akashi_chat.room_members, author uuid, present text, wanted text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  levels constant text[] := array['public', 'internal', 'confidential', 'restricted'];
begin
  if array_position(levels, wanted) is null then
    raise exception '% is not a classification', coalesce(wanted, 'null') using errcode = 'invalid_parameter_value',
      hint = 'use public, internal, confidential or restricted';
  end if;
  if author is distinct from mine.user_id or array_position(levels, wanted) < array_position(levels, present) then
    perform akashi_chat.refuse_unless_role(mine, 'owner', 'admin');
  end if;
end
$function$;
alter function akashi_chat.refuse_classification(mine akashi_chat.room_members, author uuid, present text, wanted text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.refuse_direct(room akashi_chat.rooms)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if room.room_type in ('direct', 'group') then
    raise exception 'the members of a direct room or group cannot change' using errcode = 'AK003',
      hint = 'start another conversation';
  end if;
end
$function$;
alter function akashi_chat.refuse_direct(room akashi_chat.rooms) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.refuse_file(room akashi_chat.rooms)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if room.is_encrypted then
    raise exception 'files cannot be sent in an encrypted room' using errcode = 'AK003', hint = 'send it in another room';
  end if;
end
$function$;
alter function akashi_chat.refuse_file(room akashi_chat.rooms) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.refuse_if_inactive(room akashi_chat.rooms)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not room.is_active then
    raise exception 'the room is archived' using errcode = 'AK003', hint = 'an owner can open it again';
  end if;
end
$function$;
alter function akashi_chat.refuse_if_inactive(room akashi_chat.rooms) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.refuse_unless_role(mine akashi_chat.room_members, VARIADIC allowed text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if mine.role is null or mine.role <> all (allowed) then
    raise exception 'this requires the role % in the room', array_to_string(allowed, ' or ')
      using errcode = 'insufficient_privilege', hint = 'ask an owner of the room';
  end if;
end
$function$;
alter function akashi_chat.refuse_unless_role(mine akashi_chat.room_members, VARIADIC allowed text[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.refuse_unsent(person uuid, more bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  most_bytes constant bigint := 524288000;
  most_files constant integer := 100;
  unsent record;
begin
  -- Not an advisory lock, which any login could hold.
  perform from akashi_chat.room_members m where m.user_id = person order by m.id limit 1 for no key update;
  select count(*) as files, coalesce(sum(f.file_size), 0) as bytes into unsent from akashi_chat.file_uploads f
  where f.user_id = person and f.message_id is null and not f.is_deleted and f.upload_status <> 'failed'
    -- A server that stopped meanwhile leaves uploads that never end.
    and (f.received_at is not null or f.created_at > now() - interval '15 minutes');
  if unsent.files > most_files or unsent.bytes + more > most_bytes then
    raise exception 'too many files were uploaded but not sent' using errcode = 'AK004',
      hint = 'send them; unsent files are removed after a week';
  end if;
end
$function$;
alter function akashi_chat.refuse_unsent(person uuid, more bigint) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.remove_member(room uuid, person uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
  member akashi_chat.room_members;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin'), akashi_chat.refuse_direct(held.target);
  select * into member from akashi_chat.room_members m where m.room_id = room and m.user_id = person and m.is_active;
  if not found then
    raise exception 'member not found' using errcode = 'no_data_found';
  end if;
  if person = (held.mine).user_id then
    raise exception 'members cannot remove themselves' using errcode = 'AK003', hint = 'leave the room instead';
  end if;
  if member.role <> 'member' then
    perform akashi_chat.refuse_unless_role(held.mine, 'owner');
  end if;
  perform akashi_chat.end_membership(member);
  update akashi_chat.room_members m set removed_at = now() where m.id = member.id;
end
$function$;
alter function akashi_chat.remove_member(room uuid, person uuid) owner to akashi_owner;
comment on function akashi_chat.remove_member(room uuid, person uuid) is 'Owners can remove anybody, admins only members. A removed person can return only by a new invitation.';
grant execute on function akashi_chat.remove_member(room uuid, person uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.remove_reaction(message uuid, reaction text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
begin
  select * into held from akashi_chat.lock_message(message);
  delete from akashi_chat.message_reactions r where r.message_id = message and r.user_id = (held.mine).user_id and r.emoji = reaction;
  if found then
    perform akashi_chat.append_event((held.target).room_id, 'reaction_removed', message, (held.mine).user_id, jsonb_build_object('emoji', reaction));
  end if;
end
$function$;
alter function akashi_chat.remove_reaction(message uuid, reaction text) owner to akashi_owner;
grant execute on function akashi_chat.remove_reaction(message uuid, reaction text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.require_user(permission text DEFAULT 'rooms:write'::text)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_auth.current_user_id();
begin
  if me is null or not exists (select from akashi_auth.active_users u where u.id = me) then
    raise exception 'the chat requires a signed-in user' using errcode = 'insufficient_privilege', hint = 'sign in first';
  end if;
  if not akashi_auth.shown_permits(permission) then
    raise exception 'the permission % is required', permission using errcode = 'insufficient_privilege',
      hint = 'ask somebody who may grant roles';
  end if;
  return me;
end
$function$;
alter function akashi_chat.require_user(permission text) owner to akashi_policy;
grant execute on function akashi_chat.require_user(permission text) to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.revoke_invitation(invitation uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
  wanted akashi_chat.room_invitations;
begin
  select * into wanted from akashi_chat.room_invitations i where i.id = invitation;
  if not found or not (wanted.room_id = any (akashi_chat.my_rooms()) or akashi_auth.has_permission('rooms:admin')) then
    raise exception 'invitation not found' using errcode = 'no_data_found';
  end if;
  select * into held from akashi_chat.lock_room(wanted.room_id);
  if wanted.invited_by is distinct from (held.mine).user_id then
    perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin');
  end if;
  update akashi_chat.room_invitations i set status = 'revoked', responded_at = now() where i.id = invitation and i.status = 'pending';
  perform akashi_chat.drop_unused_keys(wanted.room_id);
end
$function$;
alter function akashi_chat.revoke_invitation(invitation uuid) owner to akashi_owner;
grant execute on function akashi_chat.revoke_invitation(invitation uuid) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.room_key_destroyed(room uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update akashi_chat.rooms r set key_destroyed_at = now() where r.id = room and r.is_encrypted and r.is_deleted and r.key_destroyed_at is null
$function$;
alter function akashi_chat.room_key_destroyed(room uuid) owner to akashi_owner;
grant execute on function akashi_chat.room_key_destroyed(room uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_chat.rooms_to_forget()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select r.id from akashi_chat.rooms r where r.is_encrypted and r.is_deleted and r.key_destroyed_at is null
$function$;
alter function akashi_chat.rooms_to_forget() owner to akashi_owner;
comment on function akashi_chat.rooms_to_forget() is 'Deleted encrypted rooms whose key is to be destroyed in the keyring.';
grant execute on function akashi_chat.rooms_to_forget() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_chat.save_message(message uuid, wanted boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  most constant integer := 10000;
  me uuid := akashi_chat.require_user('rooms:read');
  room uuid;
begin
  if not wanted then
    delete from akashi_chat.saved_messages s where s.user_id = me and s.message_id = message;
    return;
  end if;
  select m.room_id into room from akashi_chat.messages m
  where m.id = message and m.created_at = akashi_chat.message_time(message) and not m.is_deleted;
  if room is null or not room = any (akashi_chat.my_rooms()) then
    raise exception 'message not found' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.saved_messages (user_id, message_id, room_id) values (me, message, room) on conflict do nothing;
  if (select count(*) from akashi_chat.saved_messages s where s.user_id = me) > most then
    raise exception 'at most % messages can be saved', most using errcode = 'AK004', hint = 'remove some first';
  end if;
end
$function$;
alter function akashi_chat.save_message(message uuid, wanted boolean) owner to akashi_owner;
grant execute on function akashi_chat.save_message(message uuid, wanted boolean) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.search_messages(query text, room uuid DEFAULT NULL::uuid, sender uuid DEFAULT NULL::uuid, from_time timestamp with time zone DEFAULT '-infinity'::timestamp with time zone, to_time timestamp with time zone DEFAULT 'infinity'::timestamp with time zone, has_file boolean DEFAULT NULL::boolean, before_message uuid DEFAULT NULL::uuid, page_size integer DEFAULT 20, recent_rows integer DEFAULT 2000)
 RETURNS SETOF uuid
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
declare
  me uuid := akashi_chat.require_user('rooms:read');
  rooms uuid[] := akashi_chat.my_rooms();
  terms constant text[] := akashi_auth.search_terms(query);
  grams constant text[] := akashi_auth.term_ngrams(terms);
  wanted integer := least(greatest(page_size, 1), 101);
  below uuid := coalesce(before_message, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  looked uuid;
  upper_time timestamptz;
  part record;
  got uuid;
begin
  if cardinality(terms) = 0 then
    raise exception 'there is nothing to search for' using errcode = 'invalid_parameter_value', hint = 'give at least one character';
  end if;
  if room is not null then
    rooms := array(select r from unnest(rooms) as r where r = room);
    if exists (select from akashi_chat.rooms r where r.id = any (rooms) and r.is_encrypted) then
      raise exception 'an encrypted room cannot be searched' using errcode = 'AK003', hint = 'its messages are stored as ciphertext only';
    end if;
  end if;
  if cardinality(rooms) = 0 then
    return;
  end if;
  select least(to_time, max(s.last_message_at) + interval '1 millisecond', akashi_chat.message_time(before_message) + interval '1 millisecond')
  into upper_time from akashi_chat.room_sequences s where s.room_id = any (rooms);
  for got, looked in
    select case when r.room_id = any (rooms) and not r.is_deleted and r.message_type <> 'system' and not r.content_encrypted
             and (sender is null or r.user_id = sender) and (has_file is null or has_file = (r.file_upload_id is not null))
             and akashi_auth.contains_terms(r.content, terms) then r.id end, r.id
    from (select * from akashi_chat.messages m where room is null and m.created_at >= from_time and m.created_at < upper_time and m.id < below
          order by m.created_at desc, m.id desc limit least(recent_rows, 2000)) r
    union all
    select case when not r.is_deleted and r.message_type <> 'system' and not r.content_encrypted
             and (sender is null or r.user_id = sender) and (has_file is null or has_file = (r.file_upload_id is not null))
             and akashi_auth.contains_terms(r.content, terms) then r.id end, r.id
    from (select * from akashi_chat.messages m where m.room_id = room and m.created_at >= from_time and m.created_at < upper_time and m.id < below
          order by m.created_at desc, m.id desc limit least(recent_rows, 2000)) r
  loop
    if got is not null then
      return next got;
      wanted := wanted - 1;
      if wanted = 0 then return; end if;
    end if;
  end loop;
  -- Null when no message was left to examine.
  below := looked;
  upper_time := least(upper_time, akashi_chat.message_time(below) + interval '1 millisecond');
  for part in
    select greatest(b.lower, from_time) as lower, least(b.upper, upper_time) as upper
    from pg_catalog.pg_inherits i, akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b
    where below is not null and i.inhparent = 'akashi_chat.messages'::regclass and b.lower < upper_time and b.upper > from_time
    order by b.lower desc
  loop
    for got in
      select m.id from akashi_chat.messages m
      where m.created_at >= part.lower and m.created_at < part.upper and m.id < below and m.room_id = any (rooms)
        and not m.is_deleted and m.message_type <> 'system' and not m.content_encrypted
        and akashi_auth.ngrams(akashi_auth.fold_text(m.content)) @> grams and akashi_auth.contains_terms(m.content, terms)
        and (sender is null or m.user_id = sender) and (has_file is null or has_file = (m.file_upload_id is not null))
      order by m.created_at desc, m.id desc limit wanted
    loop
      return next got;
      wanted := wanted - 1;
      if wanted = 0 then return; end if;
    end loop;
  end loop;
end
$function$;
alter function akashi_chat.search_messages(query text, room uuid, sender uuid, from_time timestamp with time zone, to_time timestamp with time zone, has_file boolean, before_message uuid, page_size integer, recent_rows integer) owner to akashi_owner;
comment on function akashi_chat.search_messages(query text, room uuid, sender uuid, from_time timestamp with time zone, to_time timestamp with time zone, has_file boolean, before_message uuid, page_size integer, recent_rows integer) is 'Ids of messages in the caller''s rooms that contain every word of the query, newest first; before_message starts the next page; recent_rows are scanned before the index is used.';
grant execute on function akashi_chat.search_messages(query text, room uuid, sender uuid, from_time timestamp with time zone, to_time timestamp with time zone, has_file boolean, before_message uuid, page_size integer, recent_rows integer) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.searchable(words text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if lower('É') <> 'é' then
    raise exception 'this database cannot be searched: its LC_CTYPE supports only ASCII letters' using errcode = 'feature_not_supported',
      hint = 'move it to a database with LC_CTYPE C.UTF-8 or another UTF-8 locale';
  end if;
  return words;
end
$function$;
alter function akashi_chat.searchable(words text) owner to akashi_owner;
comment on function akashi_chat.searchable(words text) is 'The query, if the database can be searched.';
grant execute on function akashi_chat.searchable(words text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.set_avatar(content bytea)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  person constant uuid := akashi_auth.current_user_id();
  address text;
begin
  if person is null then
    raise exception 'only people have pictures' using errcode = 'insufficient_privilege';
  end if;
  delete from akashi_chat.avatars a where a.user_id = person;
  if content is not null then
    insert into akashi_chat.avatars as a (user_id, content) values (person, set_avatar.content)
    returning '/v1/chat/avatars/' || a.id into address;
  end if;
  perform akashi_auth.change_user(person, jsonb_build_object('avatar_url', address), null, null, null);
  return address;
end
$function$;
alter function akashi_chat.set_avatar(content bytea) owner to akashi_owner;
comment on function akashi_chat.set_avatar(content bytea) is 'Replaces or, with null, removes the picture of the caller.';
grant execute on function akashi_chat.set_avatar(content bytea) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.set_favourite(room uuid, wanted boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  me uuid := akashi_chat.require_user('rooms:read');
begin
  if not wanted then
    delete from akashi_chat.favourite_rooms f where f.user_id = me and f.room_id = room;
    return;
  end if;
  if not room = any (akashi_chat.my_rooms()) then
    raise exception 'room not found' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.favourite_rooms (user_id, room_id) values (me, room) on conflict do nothing;
end
$function$;
alter function akashi_chat.set_favourite(room uuid, wanted boolean) owner to akashi_owner;
grant execute on function akashi_chat.set_favourite(room uuid, wanted boolean) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.set_member_role(room uuid, person uuid, new_role text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
  member akashi_chat.room_members;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_unless_role(held.mine, 'owner'), akashi_chat.refuse_direct(held.target);
  select * into member from akashi_chat.room_members m where m.room_id = room and m.user_id = person and m.is_active;
  if not found then
    raise exception 'member not found' using errcode = 'no_data_found';
  end if;
  if member.role = 'owner' and new_role <> 'owner' and not exists (
    select from akashi_chat.room_members m where m.room_id = room and m.is_active and m.role = 'owner' and m.id <> member.id) then
    raise exception 'a room needs an owner' using errcode = 'AK003', hint = 'make another member owner first';
  end if;
  update akashi_chat.room_members m set role = new_role where m.id = member.id and m.role <> new_role;
  if found then
    perform akashi_chat.append_event(room, 'member_changed', null, person, jsonb_build_object('role', new_role));
  end if;
end
$function$;
alter function akashi_chat.set_member_role(room uuid, person uuid, new_role text) owner to akashi_owner;
grant execute on function akashi_chat.set_member_role(room uuid, person uuid, new_role text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.set_notification_level(room uuid, level text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_chat.room_members m set notification_level = level
  where m.room_id = room and m.user_id = akashi_chat.require_user('rooms:read') and m.is_active;
  if not found then
    raise exception 'room not found' using errcode = 'no_data_found';
  end if;
end
$function$;
alter function akashi_chat.set_notification_level(room uuid, level text) owner to akashi_owner;
grant execute on function akashi_chat.set_notification_level(room uuid, level text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.status_of(person uuid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case
    when not coalesce((select p.show_presence from akashi_chat.user_preferences p where p.user_id = person), true) then 'offline'
    else coalesce((select s.status from akashi_auth.presence s where s.user_id = person), 'offline') end
$function$;
alter function akashi_chat.status_of(person uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.take_turn(room uuid, at timestamp with time zone)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  turn bigint;
begin
  update akashi_chat.room_sequences s set last_sequence = s.last_sequence + 1, last_message_at = at
  where s.room_id = room returning s.last_sequence into turn;
  return turn;
end
$function$;
alter function akashi_chat.take_turn(room uuid, at timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_chat.transfer_room(room uuid, person uuid, reason text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
  former uuid;
begin
  perform akashi_auth.require_permission('rooms:admin');
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_direct(held.target);
  if not exists (select from akashi_auth.active_users u where u.id = person) then
    raise exception 'user not found' using errcode = 'no_data_found';
  end if;
  if exists (select from akashi_chat.room_members m where m.room_id = room and m.user_id = person and m.is_active) then
    update akashi_chat.room_members m set role = 'owner' where m.room_id = room and m.user_id = person and m.role <> 'owner';
    if found then
      perform akashi_chat.append_event(room, 'member_changed', null, person, '{"role": "owner"}');
    end if;
  else
    perform akashi_chat.add_member(held.target, person, 'owner');
  end if;
  for former in
    update akashi_chat.room_members m set role = 'admin'
    where m.room_id = room and m.role = 'owner' and m.is_active and m.user_id <> person returning m.user_id
  loop
    perform akashi_chat.append_event(room, 'member_changed', null, former, '{"role": "admin"}');
  end loop;
  perform akashi_audit.record_action('room_transferred', 'transfer', 'room', room::text, 'SUCCESS',
    jsonb_build_object('reason', reason), data_subject => person::text);
end
$function$;
alter function akashi_chat.transfer_room(room uuid, person uuid, reason text) owner to akashi_owner;
comment on function akashi_chat.transfer_room(room uuid, person uuid, reason text) is 'Requires rooms:admin.';
grant execute on function akashi_chat.transfer_room(room uuid, person uuid, reason text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_chat.update_room(room uuid, changes jsonb)
 RETURNS akashi_chat.rooms
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  held record;
  changed akashi_chat.rooms;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin'), akashi_chat.refuse_direct(held.target);
  if changes ?| array['max_members', 'room_type', 'is_active'] then
    perform akashi_chat.refuse_unless_role(held.mine, 'owner');
  end if;
  if coalesce(changes ->> 'room_type', 'public') not in ('public', 'private') then
    raise exception 'a room must be public or private' using errcode = 'invalid_parameter_value';
  end if;
  -- Private messages were written for the members of that time.
  if (held.target).room_type = 'private' and changes ->> 'room_type' = 'public' then
    raise exception 'a private room cannot become public' using errcode = 'AK003', hint = 'create a public room instead';
  end if;
  if (changes ->> 'max_members')::integer < (select count(*) from akashi_chat.room_members m where m.room_id = room and m.is_active) then
    raise exception 'the room has more members than this limit' using errcode = 'AK003';
  end if;
  update akashi_chat.rooms r set
    name = coalesce(btrim(changes ->> 'name'), r.name),
    description = case when changes ? 'description' then nullif(btrim(changes ->> 'description'), '') else r.description end,
    room_type = coalesce(changes ->> 'room_type', r.room_type),
    max_members = coalesce((changes ->> 'max_members')::integer, r.max_members),
    is_active = coalesce((changes ->> 'is_active')::boolean, r.is_active),
    security_classification = coalesce(changes ->> 'security_classification', r.security_classification),
    compliance_tags = coalesce(changes -> 'compliance_tags', r.compliance_tags)
  where r.id = room returning * into changed;
  -- Members may invite to a public room, only owners and admins to a private one.
  if (held.target).room_type = 'public' and changed.room_type = 'private' then
    update akashi_chat.room_invitations i set status = 'revoked', responded_at = now()
    where i.room_id = room and i.status = 'pending' and not exists (
      select from akashi_chat.room_members m
      where m.room_id = room and m.user_id = i.invited_by and m.is_active and m.role in ('owner', 'admin'));
  end if;
  perform akashi_chat.append_event(room, 'room_changed', null, (held.mine).user_id);
  return changed;
end
$function$;
alter function akashi_chat.update_room(room uuid, changes jsonb) owner to akashi_owner;
comment on function akashi_chat.update_room(room uuid, changes jsonb) is 'changes: any of name, description, security_classification, compliance_tags (owner or admin), max_members, room_type, is_active (owner).';
grant execute on function akashi_chat.update_room(room uuid, changes jsonb) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_keys.begin_erasure(person uuid, key_id text, reason text)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  begun akashi_keys.erasures;
  account akashi_auth.users;
  held text;
begin
  perform akashi_keys.require_erasing();
  select * into begun from akashi_keys.erasures e where e.user_id = person for update;
  select * into account from akashi_auth.users u where u.id = person for update;
  if account.id is null and begun.user_id is null then
    raise exception 'user not found' using errcode = 'no_data_found';
  end if;
  if begun.user_id is not null and (account.id is null or account.is_deleted) then
    return begun.requested_at;
  end if;
  perform akashi_auth.managed_user(person, 'keys:admin');
  select coalesce(account.legal_hold, min(p.schema_name || '.' || p.table_name || ' is under legal hold')) into held
  from akashi_lifecycle.retention p
  join akashi_keys.personal_columns c using (schema_name, table_name)
  where p.legal_hold;
  if held is not null then
    raise exception 'the person is under legal hold: %', held using errcode = 'AK003', hint = 'erase them when the hold is lifted';
  end if;
  if begun.user_id is null then
    perform akashi_auth.use_approval('erase_person', person::text);
  end if;
  insert into akashi_keys.erasures as e (user_id, key_id, reason, columns)
  values (person, begin_erasure.key_id, begin_erasure.reason, akashi_keys.count_personal(person))
  on conflict (user_id) do update set completed_at = null, certificate = null, columns = excluded.columns
  returning * into begun;
  update akashi_auth.user_sessions s set revoked_at = now() where s.user_id = person and s.revoked_at is null;
  update akashi_auth.api_keys k set is_active = false, revoked_at = now() where k.user_id = person and k.is_active;
  update akashi_auth.users u set
    account_status = 'deleted', username = 'deleted-' || u.id, display_name = null, avatar_url = null,
    subject = null, subject_encrypted = null, subject_index = null,
    email = null, email_encrypted = null, email_index = null, email_masked = null, compliance_tags = '{}'
  where u.id = person;
  delete from akashi_auth.user_roles ur where ur.user_id = person;
  perform akashi_keys.clear_personal(person);
  perform akashi_audit.record_action('erasure_begun', 'erase', 'user', person::text, 'SUCCESS',
    jsonb_build_object('key_id', begin_erasure.key_id, 'reason', begin_erasure.reason), 'confidential', person::text);
  return begun.requested_at;
end
$function$;
alter function akashi_keys.begin_erasure(person uuid, key_id text, reason text) owner to akashi_owner;
comment on function akashi_keys.begin_erasure(person uuid, key_id text, reason text) is 'Deletes the account with its sessions, keys and roles and clears plain values; the caller then destroys the person''s key.';
grant execute on function akashi_keys.begin_erasure(person uuid, key_id text, reason text) to akashi_app;
grant execute on function akashi_keys.begin_erasure(person uuid, key_id text, reason text) to akashi_security_admin;
grant execute on function akashi_keys.begin_erasure(person uuid, key_id text, reason text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_keys.clear_personal(person uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  target record;
  relation regclass;
begin
  for target in
    select schema_name, table_name, person_column, bool_or(at_erasure = 'deleted') as deleted,
           string_agg(format('%I = null', column_name), ', ') as cleared
    from akashi_keys.personal_columns
    where at_erasure in ('cleared', 'deleted') and (schema_name, table_name) <> ('akashi_auth', 'users')
    group by schema_name, table_name, person_column
  loop
    relation := akashi_lifecycle.own_table(target.schema_name, target.table_name);
    if target.deleted then
      execute format('delete from %s where %I = $1', relation, target.person_column) using person;
    else
      execute format('update %s set %s where %I = $1', relation, target.cleared, target.person_column) using person;
    end if;
  end loop;
end
$function$;
alter function akashi_keys.clear_personal(person uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_keys.count_personal(person uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  place akashi_keys.personal_columns;
  result jsonb := '[]';
  counted bigint;
begin
  for place in select * from akashi_keys.personal_columns order by schema_name, table_name, column_name loop
    counted := null;
    if place.at_erasure <> 'kept' then
      execute format('select count(%I) from %s where %I = $1', place.column_name,
        akashi_lifecycle.own_table(place.schema_name, place.table_name), place.person_column) into counted using person;
    end if;
    result := result || jsonb_build_object('schema', place.schema_name, 'table', place.table_name, 'column', place.column_name,
      'form', place.form, 'atErasure', place.at_erasure, 'until', place.until, 'values', counted);
  end loop;
  return result;
end
$function$;
alter function akashi_keys.count_personal(person uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_keys.erase_left_salts()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  person text;
  erased integer := 0;
begin
  perform akashi_keys.require_erasing();
  for person in
    select akashi_audit.salted(array(select e.user_id::text from akashi_keys.erasures e where e.completed_at is not null))
  loop
    erased := erased + akashi_audit.erase_salt(person);
  end loop;
  return erased;
end
$function$;
alter function akashi_keys.erase_left_salts() owner to akashi_owner;
grant execute on function akashi_keys.erase_left_salts() to akashi_app;
grant execute on function akashi_keys.erase_left_salts() to akashi_security_admin;
grant execute on function akashi_keys.erase_left_salts() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_keys.erase_salts(person uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  erased integer;
begin
  perform akashi_keys.require_erasing();
  if not exists (select from akashi_keys.erasures e where e.user_id = person) then
    raise exception 'no erasure of this person was started' using errcode = 'AK003';
  end if;
  erased := akashi_audit.erase_salt(person::text);
  update akashi_keys.erasures e set salts = e.salts + erased where e.user_id = person and erased > 0;
end
$function$;
alter function akashi_keys.erase_salts(person uuid) owner to akashi_owner;
grant execute on function akashi_keys.erase_salts(person uuid) to akashi_app;
grant execute on function akashi_keys.erase_salts(person uuid) to akashi_security_admin;
grant execute on function akashi_keys.erase_salts(person uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_keys.erased_in(schema_name text, table_name text)
 RETURNS TABLE(person_column text, user_id uuid)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select distinct c.person_column::text, e.user_id from akashi_keys.personal_columns c cross join akashi_keys.erasures e
  where (c.schema_name, c.table_name) = (erased_in.schema_name, erased_in.table_name)
$function$;
alter function akashi_keys.erased_in(schema_name text, table_name text) owner to akashi_owner;
comment on function akashi_keys.erased_in(schema_name text, table_name text) is 'Erased people whose rows of a table must not be restored from a backup, by the column that identifies the person.';

CREATE OR REPLACE FUNCTION akashi_keys.erasure_evidence(since timestamp with time zone, until timestamp with time zone, OUT requested bigint, OUT completed bigint, OUT unfinished bigint, OUT overdue bigint, OUT longest_days numeric)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select count(*) filter (where e.requested_at >= since and e.requested_at < until),
         count(*) filter (where e.completed_at >= since and e.completed_at < until),
         count(*) filter (where e.completed_at is null),
         count(*) filter (where e.completed_at is null and e.requested_at < now() - interval '30 days'),
         round(max(extract(epoch from e.completed_at - e.requested_at)) filter (where e.completed_at >= since and e.completed_at < until) / 86400, 1)
  from akashi_keys.erasures e
$function$;
alter function akashi_keys.erasure_evidence(since timestamp with time zone, until timestamp with time zone, OUT requested bigint, OUT completed bigint, OUT unfinished bigint, OUT overdue bigint, OUT longest_days numeric) owner to akashi_owner;
grant execute on function akashi_keys.erasure_evidence(since timestamp with time zone, until timestamp with time zone, OUT requested bigint, OUT completed bigint, OUT unfinished bigint, OUT overdue bigint, OUT longest_days numeric) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_keys.finish_erasure(person uuid, certificate text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  ended akashi_keys.erasures;
begin
  perform akashi_keys.require_erasing();
  update akashi_keys.erasures e set completed_at = now(), certificate = finish_erasure.certificate
  where e.user_id = person and e.completed_at is null returning * into ended;
  if not found then
    return;
  end if;
  perform akashi_audit.record_action('person_erased', 'erase', 'user', person::text, 'SUCCESS',
    jsonb_build_object('key_id', ended.key_id, 'certificate_sha256', encode(sha256(convert_to(certificate, 'UTF8')), 'hex')),
    'confidential', person::text);
  perform akashi_security.record_event(event_type => 'key_shredded', event_category => 'configuration', severity => 'high',
    source_service => 'akashi', resource_type => 'user', resource_id => person::text, action_performed => 'erase',
    result => 'success', ocsf_class_uid => 3004, event_details => jsonb_build_object('key_id', ended.key_id));
end
$function$;
alter function akashi_keys.finish_erasure(person uuid, certificate text) owner to akashi_owner;
grant execute on function akashi_keys.finish_erasure(person uuid, certificate text) to akashi_app;
grant execute on function akashi_keys.finish_erasure(person uuid, certificate text) to akashi_security_admin;
grant execute on function akashi_keys.finish_erasure(person uuid, certificate text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_keys.forget_person(person text, reason text)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  destroyed integer;
begin
  perform akashi_keys.require_erasing();
  if coalesce(person, '') = '' or coalesce(reason, '') = '' or length(reason) > 1000 then
    raise exception 'forgetting a person requires their id and a reason of up to 1,000 characters' using errcode = 'invalid_parameter_value';
  end if;
  if exists (select from akashi_auth.users u where u.id = akashi_auth.try_uuid(person)) then
    raise exception '% has an account', person using errcode = 'AK003', hint = 'erase the account too: akashi keys shred';
  end if;
  destroyed := akashi_audit.erase_salt(person);
  perform akashi_audit.record_action('person_forgotten', 'forget', 'person', person, 'SUCCESS',
    jsonb_build_object('salts', destroyed, 'reason', reason), data_subject => person);
  return destroyed;
end
$function$;
alter function akashi_keys.forget_person(person text, reason text) owner to akashi_owner;
comment on function akashi_keys.forget_person(person text, reason text) is 'Destroys the salt of a person of an application, as identified by --subject: their digests in the trail reveal nothing any more.';
grant execute on function akashi_keys.forget_person(person text, reason text) to akashi_app;
grant execute on function akashi_keys.forget_person(person text, reason text) to akashi_security_admin;
grant execute on function akashi_keys.forget_person(person text, reason text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_keys.is_erased(person uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (select from akashi_keys.erasures e where e.user_id = person)
$function$;
alter function akashi_keys.is_erased(person uuid) owner to akashi_owner;
comment on function akashi_keys.is_erased(person uuid) is 'Whether an erasure of the person was started.';

CREATE OR REPLACE FUNCTION akashi_keys.require_erasing()
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not akashi_auth.is_server() then
    perform akashi_auth.require_permission('keys:admin');
  end if;
end
$function$;
alter function akashi_keys.require_erasing() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.acknowledge_alarm(id uuid, note text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  by_whom constant text := akashi_auth.acting_name();
  alarm akashi_lifecycle.alarms;
begin
  update akashi_lifecycle.alarms a set acknowledged_at = clock_timestamp(), acknowledged_by = by_whom, note = nullif(acknowledge_alarm.note, '')
  where a.id = acknowledge_alarm.id and a.opened_at is not null and a.cleared_at is null
  returning * into alarm;
  if not found then
    raise exception 'no open alarm with id %', id using errcode = 'undefined_object', hint = 'list them with akashi alarms';
  end if;
  perform akashi_audit.record_action('alarm_acknowledged', 'acknowledge', 'alarm', id::text, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('condition', alarm.condition, 'subject', nullif(alarm.subject, ''), 'note', alarm.note)));
end
$function$;
alter function akashi_lifecycle.acknowledge_alarm(id uuid, note text) owner to akashi_owner;
comment on function akashi_lifecycle.acknowledge_alarm(id uuid, note text) is 'Acknowledges an open alarm.';
grant execute on function akashi_lifecycle.acknowledge_alarm(id uuid, note text) to akashi_security_admin;
grant execute on function akashi_lifecycle.acknowledge_alarm(id uuid, note text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.alarms_looked_at()
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select risen_at from akashi_lifecycle.alarm_counters where name = 'rounds'
$function$;
alter function akashi_lifecycle.alarms_looked_at() owner to akashi_owner;
comment on function akashi_lifecycle.alarms_looked_at() is 'When a worker last checked the conditions; null before the first time.';
grant execute on function akashi_lifecycle.alarms_looked_at() to akashi_reader;
grant execute on function akashi_lifecycle.alarms_looked_at() to akashi_security_admin;
grant execute on function akashi_lifecycle.alarms_looked_at() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.analyze_table(schema_name text, table_name text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '100ms'
AS $function$
begin
  if not exists (
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = schema_name and c.relname = table_name and c.relkind in ('r', 'p') and n.nspname like 'akashi\_%'
      and c.relowner = 'akashi_owner'::regrole) then
    raise exception '%.% is not a table of Akashi', schema_name, table_name using errcode = 'undefined_table';
  end if;
  execute format('analyze %I.%I', schema_name, table_name);
end
$function$;
alter function akashi_lifecycle.analyze_table(schema_name text, table_name text) owner to akashi_owner;
comment on function akashi_lifecycle.analyze_table(schema_name text, table_name text) is 'Collects the statistics of a table of Akashi that the planner uses.';
grant execute on function akashi_lifecycle.analyze_table(schema_name text, table_name text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.announce_alarm(alarm akashi_lifecycle.alarms, cleared boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_security.record_event(event_type => case when cleared then 'alarm_cleared' else 'alarm_opened' end,
    event_category => 'system', severity => case when cleared then 'info' else alarm.severity end, source_service => 'akashi',
    description => left(case when cleared then 'cleared: ' else '' end || alarm.detail, 1000), resource_type => 'alarm',
    resource_id => left(alarm.condition || case alarm.subject when '' then '' else '/' || alarm.subject end, 255),
    action_performed => 'watch', result => case when cleared then 'success' else 'failure' end, ocsf_class_uid => 2004,
    event_details => jsonb_strip_nulls(jsonb_build_object('alarm', alarm.id, 'condition', alarm.condition, 'subject', nullif(alarm.subject, ''),
      'severity', alarm.severity, 'value', alarm.value, 'began_at', alarm.began_at, 'opened_at', alarm.opened_at, 'cleared_at', alarm.cleared_at)));
end
$function$;
alter function akashi_lifecycle.announce_alarm(alarm akashi_lifecycle.alarms, cleared boolean) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.announce_jobs()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  perform pg_notify('akashi_jobs', '');
  return null;
end
$function$;
alter function akashi_lifecycle.announce_jobs() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.apply_partitions(as_of timestamp with time zone DEFAULT now(), at_most integer DEFAULT NULL::integer)
 RETURNS SETOF akashi_lifecycle.partition_action
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  step akashi_lifecycle.partition_action;
  made integer := 0;
begin
  for step in select * from akashi_lifecycle.plan_partitions(as_of) loop
    if step.action = 'create' then
      begin
        -- Another process may have created it in the meantime.
        step.action := case when akashi_lifecycle.make_partition(format('%I.%I', step.schema_name, step.table_name)::regclass,
          step.partition_name, step.lower, step.upper) is null then 'exists' else 'created' end;
      exception when others then
        step.action := 'failed';
        step.message := sqlerrm;
      end;
    end if;
    return next step;
    made := made + (step.action = 'created')::integer;
    exit when made = at_most;
  end loop;
end
$function$;
alter function akashi_lifecycle.apply_partitions(as_of timestamp with time zone, at_most integer) owner to akashi_owner;
grant execute on function akashi_lifecycle.apply_partitions(as_of timestamp with time zone, at_most integer) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.apply_shortenings()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  due akashi_lifecycle.shortenings;
  applied integer := 0;
begin
  for due in select * from akashi_lifecycle.shortenings s where s.effective_at <= clock_timestamp() order by 1, 2 for update loop
    update akashi_lifecycle.policies p
    set at_expiry = due.at_expiry, total_retention = due.total_retention, hot_retention = least(p.hot_retention, due.total_retention),
        retention_set_by = due.requested_by, retention_set_at = due.requested_at
    where (p.schema_name, p.table_name) = (due.schema_name, due.table_name);
    delete from akashi_lifecycle.shortenings s where (s.schema_name, s.table_name) = (due.schema_name, due.table_name);
    perform akashi_audit.record_action('lifecycle_policy', 'shorten', format('%I.%I', due.schema_name, due.table_name), null, 'SUCCESS',
      jsonb_strip_nulls(to_jsonb(due)));
    applied := applied + 1;
  end loop;
  return applied;
end
$function$;
alter function akashi_lifecycle.apply_shortenings() owner to akashi_owner;
comment on function akashi_lifecycle.apply_shortenings() is 'Puts shorter retentions into effect whose delay is over; returns how many.';
grant execute on function akashi_lifecycle.apply_shortenings() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.archive_plan(as_of timestamp with time zone, only_schema text DEFAULT NULL::text, only_table text DEFAULT NULL::text)
 RETURNS TABLE(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, step text, held_by text, attached boolean, mutable boolean, csv boolean, state text, row_count bigint, estimated boolean, manifest text, verified_at timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with policy as (
    select p, p.schema_name, p.table_name, c.oid as parent from akashi_lifecycle.policies p
    join pg_catalog.pg_namespace n on n.nspname = p.schema_name
    join pg_catalog.pg_class c on (c.relnamespace, c.relname) = (n.oid, p.table_name)
    where p.at_expiry = 'archive' and (only_schema is null or (p.schema_name, p.table_name) = (only_schema, only_table))
  ), part as (
    select p.p, c.relname::text as name, b.lower, b.upper, true as attached,
           -- Tables that were filled recently may not have been analyzed yet.
           greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::bigint as estimate
    from policy p
    join pg_catalog.pg_inherits i on i.inhparent = p.parent
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
    where isfinite(b.lower) and isfinite(b.upper)
    union all
    select distinct p.p, e.partition_name, e.lower_bound, e.upper_bound, false, 0::bigint
    from akashi_lifecycle.exports e join policy p using (schema_name, table_name) where e.state = 'detached'
  ), due as (
    select part.*, last.*, akashi_lifecycle.held_by(part.p, last.keep_until, as_of) as held,
           part.upper <= now() and part.upper + (part.p).hot_retention <= as_of as expired
    from part left join lateral (
      select (array_agg(e.state order by e.generation desc))[1] as state, max(e.keep_until) as keep_until,
             sum(e.row_count)::bigint as known, (array_agg(e.manifest order by e.generation desc))[1] as manifest,
             max(e.verified_at) as verified_at
      from akashi_lifecycle.exports e
      where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
          = ((part.p).schema_name, (part.p).table_name, part.lower, part.upper) and e.state <> 'superseded'
    ) last on true
    where part.upper + (part.p).lateness <= as_of
  )
  select (p).schema_name, (p).table_name, name, lower, upper,
         case when not attached then case when expired and held is null then 'drop' else 'reattach' end
              when expired and held is null then 'drop'
              when state is distinct from 'verified' then 'export'
              when expired then 'held' end,
         case when not attached and not expired then 'its hot retention is longer now' else held end,
         attached, not (p).append_only, (p).format = 'parquet+csv', state, coalesce(known, estimate), known is null, manifest, verified_at
  from due order by 1, 2, 4, attached
$function$;
alter function akashi_lifecycle.archive_plan(as_of timestamp with time zone, only_schema text, only_table text) owner to akashi_owner;
comment on function akashi_lifecycle.archive_plan(as_of timestamp with time zone, only_schema text, only_table text) is 'What the archive would do with each closed partition at a given time.';
grant execute on function akashi_lifecycle.archive_plan(as_of timestamp with time zone, only_schema text, only_table text) to akashi_security_admin;
grant execute on function akashi_lifecycle.archive_plan(as_of timestamp with time zone, only_schema text, only_table text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.assert_archivable(relation regclass)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  missing constant text := akashi_lifecycle.missing_for_archive(relation);
begin
  if missing is not null then
    raise exception '% cannot be archived as it is', relation using errcode = 'AK003', hint = missing;
  end if;
end
$function$;
alter function akashi_lifecycle.assert_archivable(relation regclass) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.assert_expired(schema_name text, table_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, as_of timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  policy akashi_lifecycle.policies;
  undone integer;
  done integer;
  held timestamptz;
begin
  select * into policy from akashi_lifecycle.policies p
  where (p.schema_name, p.table_name) = (assert_expired.schema_name, assert_expired.table_name);
  if not found or policy.at_expiry <> 'archive' then
    raise exception 'the policy of %.% does not archive', schema_name, table_name using errcode = 'AK003';
  end if;
  if policy.legal_hold then
    raise exception '%.% is under legal hold', schema_name, table_name using errcode = 'AK003',
      hint = 'akashi archive hold --release ends it';
  end if;
  if upper_bound > now() then
    raise exception 'the partition accepts rows until %', upper_bound using errcode = 'AK003';
  end if;
  if upper_bound + policy.hot_retention > as_of then
    raise exception 'the partition is kept in PostgreSQL until %', upper_bound + policy.hot_retention using errcode = 'AK003';
  end if;
  select count(*) filter (where e.state = 'exporting'), count(*) filter (where e.state in ('verified', 'detached')), max(e.keep_until)
  into undone, done, held
  from akashi_lifecycle.exports e
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (assert_expired.schema_name, assert_expired.table_name, assert_expired.lower_bound, assert_expired.upper_bound);
  if done = 0 or undone > 0 then
    raise exception 'the partition has no verified export of all its rows' using errcode = 'AK003';
  end if;
  if held > as_of then
    raise exception 'the partition was restored and is kept until %', held using errcode = 'AK003';
  end if;
end
$function$;
alter function akashi_lifecycle.assert_expired(schema_name text, table_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, as_of timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.assert_retirable(schema_name text, table_name text, upper_bound timestamp with time zone)
 RETURNS akashi_lifecycle.policies
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  policy akashi_lifecycle.policies;
begin
  select * into policy from akashi_lifecycle.policies p
  where (p.schema_name, p.table_name) = (assert_retirable.schema_name, assert_retirable.table_name);
  if not found or policy.at_expiry = 'keep' then
    raise exception 'the policy of %.% keeps everything', schema_name, table_name using errcode = 'AK003';
  end if;
  if policy.legal_hold then
    raise exception '%.% is under legal hold', schema_name, table_name using errcode = 'AK003',
      hint = 'akashi archive hold --release ends it';
  end if;
  if upper_bound + policy.total_retention > now() then
    raise exception 'rows of the period are kept until %', upper_bound + policy.total_retention using errcode = 'AK003';
  end if;
  perform akashi_auth.require_approval('retire_rows', format('%s.%s', schema_name, table_name));
  return policy;
end
$function$;
alter function akashi_lifecycle.assert_retirable(schema_name text, table_name text, upper_bound timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.attach_prepared(parent regclass, child regclass, lower_bound timestamp with time zone, upper_bound timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
begin
  execute format('alter table %s enable row level security', child);
  execute format('alter table %s force row level security', child);
  execute format('revoke all on %s from public', child);
  if policy.append_only then
    perform akashi_audit.guard(child);
  end if;
  perform akashi_audit.protect_partition(child, policy.schema_name, policy.table_name);
  execute format('alter table %s attach partition %s for values from (%L) to (%L)', parent, child, lower_bound, upper_bound);
  execute format('alter table %s drop constraint bounds', child);
  perform akashi_audit.record_relations('partition', array[child]);
end
$function$;
alter function akashi_lifecycle.attach_prepared(parent regclass, child regclass, lower_bound timestamp with time zone, upper_bound timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.attach_restored(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, keep_until timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '100ms'
AS $function$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  -- Five minutes.
  attempts_left integer := 1000;
begin
  loop
    begin
      perform akashi_lifecycle.lock_partitions(parent);
      perform akashi_lifecycle.attach_prepared(parent, child, lower_bound, upper_bound);
      exit;
    exception when lock_not_available then
      attempts_left := attempts_left - 1;
      if attempts_left = 0 then
        raise;
      end if;
      perform pg_sleep(0.2);
    end;
  end loop;
  perform akashi_lifecycle.mark_restored(schema_name, table_name, lower_bound, upper_bound, keep_until, 'dropped');
end
$function$;
alter function akashi_lifecycle.attach_restored(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, keep_until timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.awaited_copy(export uuid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select format('its copy to %s is not made yet', min(p.destination))
  from akashi_lifecycle.owed_copies(now(), awaited_copy.export) o join akashi_lifecycle.copy_policies p on p.id = o.policy
  having count(*) > 0
$function$;
alter function akashi_lifecycle.awaited_copy(export uuid) owner to akashi_owner;
grant execute on function akashi_lifecycle.awaited_copy(export uuid) to akashi_security_admin;
grant execute on function akashi_lifecycle.awaited_copy(export uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.backup_evidence(since timestamp with time zone, until timestamp with time zone, OUT full_backups bigint, OUT incremental_backups bigint, OUT failed_runs bigint, OUT hours_since_backup numeric, OUT max_age_hours numeric, OUT seconds_to_restorable numeric, OUT rpo_limit_seconds numeric, OUT audit_copies bigint)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select count(*) filter (where r.job = 'backup-full' and r.state = 'done'), count(*) filter (where r.job = 'backup-incremental' and r.state = 'done'),
         count(*) filter (where r.state = 'failed'),
         (select round(extract(epoch from now() - max(l.finished_at)) / 3600, 1) from akashi_lifecycle.job_runs l
          where l.job in ('backup-full', 'backup-incremental') and l.state = 'done' and not coalesce(l.result ? 'skipped', false)),
         (akashi_lifecycle.setting('backup.max_age_hours') #>> '{}')::numeric,
         (select round(extract(epoch from l.started_at - (l.result ->> 'restorableTo')::timestamptz)) from akashi_lifecycle.job_runs l
          where l.job = 'backup-watch' and l.state = 'done' and l.result ? 'restorableTo' order by l.started_at desc limit 1),
         (akashi_lifecycle.setting('backup.drill_rpo_limit_seconds') #>> '{}')::numeric,
         count(*) filter (where r.job = 'backup-audit-copy' and r.state = 'done')
  from akashi_lifecycle.job_runs r
  where r.job in ('backup-full', 'backup-incremental', 'backup-audit-copy') and r.started_at >= since and r.started_at < until
    and not coalesce(r.result ? 'skipped', false)
$function$;
alter function akashi_lifecycle.backup_evidence(since timestamp with time zone, until timestamp with time zone, OUT full_backups bigint, OUT incremental_backups bigint, OUT failed_runs bigint, OUT hours_since_backup numeric, OUT max_age_hours numeric, OUT seconds_to_restorable numeric, OUT rpo_limit_seconds numeric, OUT audit_copies bigint) owner to akashi_owner;
grant execute on function akashi_lifecycle.backup_evidence(since timestamp with time zone, until timestamp with time zone, OUT full_backups bigint, OUT incremental_backups bigint, OUT failed_runs bigint, OUT hours_since_backup numeric, OUT max_age_hours numeric, OUT seconds_to_restorable numeric, OUT rpo_limit_seconds numeric, OUT audit_copies bigint) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_lifecycle.begin_copy(policy uuid, export uuid, manifest text)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  begun uuid;
begin
  insert into akashi_lifecycle.copies as c (policy, export, manifest, keep_until)
  select begin_copy.policy, begin_copy.export, begin_copy.manifest, e.upper_bound + p.total_retention
  from akashi_lifecycle.owed_copies(now(), begin_copy.export) o
  join akashi_lifecycle.copy_policies p on p.id = o.policy
  join akashi_lifecycle.exports e on e.id = o.export
  where o.policy = begin_copy.policy
  on conflict on constraint copies_policy_export_key do update set manifest = excluded.manifest
  returning c.id into begun;
  return begun;
end
$function$;
alter function akashi_lifecycle.begin_copy(policy uuid, export uuid, manifest text) owner to akashi_owner;
grant execute on function akashi_lifecycle.begin_copy(policy uuid, export uuid, manifest text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.begin_deleting_copy(copy uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  own akashi_lifecycle.copies;
begin
  select * into own from akashi_lifecycle.copies c where c.id = begin_deleting_copy.copy for update;
  if not found or own.state = 'deleted' then
    return false;
  end if;
  if exists (select from akashi_lifecycle.exports e join akashi_lifecycle.policies p using (schema_name, table_name)
             where e.id = own.export and p.legal_hold) then
    return false;
  end if;
  if own.state = 'copying' then
    if exists (select from akashi_lifecycle.owed_copies(now(), own.export) o where o.policy = own.policy) then
      return false;
    end if;
  elsif own.state = 'verified' and own.keep_until > now() then
    return false;
  end if;
  update akashi_lifecycle.copies c set state = 'deleting' where c.id = own.id and c.state <> 'deleting';
  return true;
end
$function$;
alter function akashi_lifecycle.begin_deleting_copy(copy uuid) owner to akashi_owner;
grant execute on function akashi_lifecycle.begin_deleting_copy(copy uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.begin_restore(table_name text, target text, into_table text, diff boolean, apply_reason text, process text)
 RETURNS uuid
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into akashi_lifecycle.restores (table_name, target, into_table, diff, apply_reason, process, requested_by)
  values (begin_restore.table_name, begin_restore.target, begin_restore.into_table, begin_restore.diff, begin_restore.apply_reason,
          begin_restore.process, coalesce(akashi_auth.current_user_id()::text, session_user))
  returning id
$function$;
alter function akashi_lifecycle.begin_restore(table_name text, target text, into_table text, diff boolean, apply_reason text, process text) owner to akashi_owner;
grant execute on function akashi_lifecycle.begin_restore(table_name text, target text, into_table text, diff boolean, apply_reason text, process text) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_lifecycle.begin_retiring(export uuid, record uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  own akashi_lifecycle.exports;
  own_log text;
begin
  select * into own from akashi_lifecycle.exports e where e.id = begin_retiring.export for update;
  if not found or own.state not in ('dropped', 'superseded', 'retiring') then
    return false;
  end if;
  perform akashi_lifecycle.assert_retirable(own.schema_name, own.table_name, own.upper_bound);
  if own.state <> 'retiring' and akashi_lifecycle.awaited_copy(own.id) is not null then
    raise exception 'an export of %.% cannot be retired: %', own.schema_name, own.table_name, akashi_lifecycle.awaited_copy(own.id) using errcode = 'AK003',
      hint = 'make the copy with akashi archive run';
  end if;
  select l.log into own_log from akashi_audit.logs l where (l.schema_name, l.table_name) = (own.schema_name, own.table_name);
  if own_log is not null and own.row_count > 0
     and not akashi_audit.retention_covers(record, own_log, own.lower_bound, own.upper_bound, own.last_position) then
    raise exception 'the export has no retention record that covers its rows' using errcode = 'AK003';
  end if;
  update akashi_lifecycle.exports e set state = 'retiring', retention_record = record, message = null
  where e.id = begin_retiring.export and e.state in ('dropped', 'superseded');
  return true;
end
$function$;
alter function akashi_lifecycle.begin_retiring(export uuid, record uuid) owner to akashi_owner;
grant execute on function akashi_lifecycle.begin_retiring(export uuid, record uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.begin_run(job text, worker text, due timestamp with time zone)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  wanted akashi_lifecycle.jobs;
  run uuid;
begin
  perform akashi_lifecycle.close_stale_runs();
  select * into wanted from akashi_lifecycle.jobs j where j.name = begin_run.job for update;
  if not found or (wanted.paused and due is distinct from wanted.requested_at) then
    return null;
  end if;
  if exists (select from akashi_lifecycle.job_runs r where r.job = begin_run.job and (r.due_at >= due or r.started_at >= due)
             and akashi_lifecycle.settles(r)) then
    return null;
  end if;
  insert into akashi_lifecycle.job_runs (job, due_at, worker) values (wanted.name, due, begin_run.worker)
  on conflict do nothing
  returning id into run;
  return run;
end
$function$;
alter function akashi_lifecycle.begin_run(job text, worker text, due timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_lifecycle.begin_run(job text, worker text, due timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.cancel_restore(id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_lifecycle.restores r set cancelled_by = coalesce(akashi_auth.current_user_id()::text, session_user)
  where r.id = cancel_restore.id and r.state = 'running';
  if not found then
    raise exception 'no restore % is running', id using errcode = 'undefined_object', hint = 'list them with GET /v1/restores';
  end if;
end
$function$;
alter function akashi_lifecycle.cancel_restore(id uuid) owner to akashi_owner;
grant execute on function akashi_lifecycle.cancel_restore(id uuid) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_lifecycle.cancel_retiring(export uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_lifecycle.exports e set state = 'dropped', retention_record = null
  where e.id = cancel_retiring.export and e.state = 'retiring';
end
$function$;
alter function akashi_lifecycle.cancel_retiring(export uuid) owner to akashi_owner;
grant execute on function akashi_lifecycle.cancel_retiring(export uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.close_dead_restores()
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update akashi_lifecycle.restores set state = 'failed', message = 'the process that carried it out died', phase = 'ended',
    finished_at = clock_timestamp()
  where state = 'running' and seen_at < clock_timestamp() - interval '1 minute'
$function$;
alter function akashi_lifecycle.close_dead_restores() owner to akashi_owner;
grant execute on function akashi_lifecycle.close_dead_restores() to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_lifecycle.close_stale_runs()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  candidate text;
  closed integer := 0;
  step integer;
begin
  for candidate in select distinct worker from akashi_lifecycle.job_runs where state = 'running' loop
    -- Any login can hold an advisory lock: only those of workers count.
    if not exists (
      select from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and pg_has_role(a.usename, 'akashi_worker', 'member')
        and l.database = (select d.oid from pg_database d where d.datname = current_database())
        and (l.classid::bigint << 32 | l.objid::bigint) = akashi_lifecycle.worker_lock(candidate)) then
      update akashi_lifecycle.job_runs
      set state = 'failed', finished_at = clock_timestamp(), message = 'the worker died or lost its connection', cut_short = true
      where worker = candidate and state = 'running';
      get diagnostics step = row_count;
      closed := closed + step;
    end if;
  end loop;
  return closed;
end
$function$;
alter function akashi_lifecycle.close_stale_runs() owner to akashi_owner;
grant execute on function akashi_lifecycle.close_stale_runs() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.code_of_others(relation oid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
  with recursive trusted as (
    select oid from pg_roles where rolsuper or rolname in ('akashi_owner', 'akashi_policy')
  ), part (oid) as (
    select relation union select i.inhrelid from pg_inherits i join part on part.oid = i.inhparent
  ), reached (type) as (
    select a.atttypid from pg_attribute a join part on part.oid = a.attrelid where a.attnum > 0 and not a.attisdropped
    union
    select inner_type from reached
    join pg_type t on t.oid = reached.type
    cross join lateral (
      select t.typelem union all select t.typbasetype union all select r.rngsubtype from pg_range r where r.rngtypid = t.oid
      union all select a.atttypid from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) inner_types (inner_type)
    where inner_type <> 0
  ), used (classid, objid) as (
    select 'pg_attrdef'::regclass::oid, d.oid from pg_attrdef d join part on part.oid = d.adrelid
    union all select 'pg_constraint'::regclass, c.oid from pg_constraint c join part on part.oid = c.conrelid
    union all select 'pg_class'::regclass, i.indexrelid from pg_index i join part on part.oid = i.indrelid
    union all select 'pg_policy'::regclass, p.oid from pg_policy p join part on part.oid = p.polrelid
    union all select 'pg_trigger'::regclass, t.oid from pg_trigger t join part on part.oid = t.tgrelid
  )
  select string_agg(distinct what, ', ') from (
    select format('%s is no table', c.oid::regclass) from pg_class c join part using (oid) where c.relkind not in ('r', 'p')
    union all select format('%s belongs to %s', c.oid::regclass, c.relowner::regrole) from pg_class c join part using (oid)
      where c.relowner not in (select oid from trusted)
    union all select format('rule %s', r.rulename) from pg_rewrite r join part on part.oid = r.ev_class
    union all select format('type %s of %s', t.oid::regtype, t.typowner::regrole) from reached join pg_type t on t.oid = reached.type
      where t.typowner not in (select oid from trusted)
    union all select format('function %s of %s', p.oid::regprocedure, p.proowner::regrole) from used
      join pg_depend d using (classid, objid) join pg_proc p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid
      where p.proowner not in (select oid from trusted)
    union all select format('operator %s of %s', o.oid::regoperator, o.oprowner::regrole) from used
      join pg_depend d using (classid, objid) join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
      where o.oprowner not in (select oid from trusted)
  ) found (what)
$function$;
alter function akashi_lifecycle.code_of_others(relation oid) owner to akashi_owner;
grant execute on function akashi_lifecycle.code_of_others(relation oid) to akashi_security_admin;
grant execute on function akashi_lifecycle.code_of_others(relation oid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.continue_restore(id uuid, phase text)
 RETURNS boolean
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update akashi_lifecycle.restores r set phase = coalesce(continue_restore.phase, r.phase), seen_at = clock_timestamp()
  where r.id = continue_restore.id and r.state = 'running'
  returning r.cancelled_by is not null
$function$;
alter function akashi_lifecycle.continue_restore(id uuid, phase text) owner to akashi_owner;
grant execute on function akashi_lifecycle.continue_restore(id uuid, phase text) to akashi_security_admin;
grant execute on function akashi_lifecycle.continue_restore(id uuid, phase text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.copy_plan(as_of timestamp with time zone, only_schema text DEFAULT NULL::text, only_table text DEFAULT NULL::text)
 RETURNS TABLE(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, generation integer, step text, copy uuid, policy uuid, export uuid, tenant text, class text, destination text, row_count bigint, keep_until timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with due as (
    select 'copy' as step, null::uuid as copy, o.policy, o.export, null::bigint as row_count, null::timestamptz as keep_until
    from akashi_lifecycle.owed_copies(as_of) o
    union all
    select 'delete', c.id, c.policy, c.export, c.row_count, c.keep_until from akashi_lifecycle.copies c
    where c.state = 'deleting' or c.state = 'verified' and c.keep_until <= as_of
       or c.state = 'copying' and not exists (
         select from akashi_lifecycle.owed_copies(as_of) o where (o.policy, o.export) = (c.policy, c.export))
  )
  select e.schema_name, e.table_name, e.partition_name, e.lower_bound, e.upper_bound, e.generation,
         case when d.step = 'delete' and own.legal_hold then 'held' else d.step end, d.copy, d.policy, d.export, p.tenant, p.class, p.destination,
         coalesce(d.row_count, e.row_count), coalesce(d.keep_until, e.upper_bound + p.total_retention)
  from due d
  join akashi_lifecycle.copy_policies p on p.id = d.policy
  join akashi_lifecycle.exports e on e.id = d.export
  join akashi_lifecycle.policies own on (own.schema_name, own.table_name) = (e.schema_name, e.table_name)
  where only_schema is null or (e.schema_name, e.table_name) = (only_schema, only_table)
  order by 1, 2, 4, 6, p.destination, p.tenant nulls first, p.class nulls first
$function$;
alter function akashi_lifecycle.copy_plan(as_of timestamp with time zone, only_schema text, only_table text) owner to akashi_owner;
comment on function akashi_lifecycle.copy_plan(as_of timestamp with time zone, only_schema text, only_table text) is 'Copies that are still to be made, and copies past their retention.';
grant execute on function akashi_lifecycle.copy_plan(as_of timestamp with time zone, only_schema text, only_table text) to akashi_security_admin;
grant execute on function akashi_lifecycle.copy_plan(as_of timestamp with time zone, only_schema text, only_table text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.counter_risen(name text, value double precision)
 RETURNS timestamp with time zone
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into akashi_lifecycle.alarm_counters as c (name, value) values (counter_risen.name, counter_risen.value)
  on conflict on constraint alarm_counters_pkey do update set value = excluded.value,
    risen_at = case when excluded.value > c.value then clock_timestamp() else c.risen_at end
  returning risen_at
$function$;
alter function akashi_lifecycle.counter_risen(name text, value double precision) owner to akashi_owner;
grant execute on function akashi_lifecycle.counter_risen(name text, value double precision) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.create_partition(parent regclass, at timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '100ms'
AS $function$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
  piece tstzrange;
begin
  perform akashi_lifecycle.lock_partitions(parent);
  select p into piece
  from unnest(akashi_lifecycle.uncovered(parent, akashi_lifecycle.partition_from(at, policy.interval), akashi_lifecycle.partition_to(at, policy.interval))) p
  where p @> at;
  if not found then
    return null;
  end if;
  return akashi_lifecycle.make_partition(parent, akashi_lifecycle.piece_name(policy.table_name, policy.interval, piece), lower(piece), upper(piece));
end
$function$;
alter function akashi_lifecycle.create_partition(parent regclass, at timestamp with time zone) owner to akashi_owner;
comment on function akashi_lifecycle.create_partition(parent regclass, at timestamp with time zone) is 'Creates and attaches the partition of a table for a given time, protected like its parent; null if it already exists.';

CREATE OR REPLACE FUNCTION akashi_lifecycle.create_partitions(parent regclass, moments timestamp with time zone[])
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '100ms'
AS $function$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
  missing tstzmultirange;
  piece tstzrange;
  made integer := 0;
begin
  -- Not every reader of the record can parse other years.
  if exists (select from unnest(moments) m where m is null or not isfinite(m) or m < '0001-01-01' or m >= '10000-01-01') then
    raise exception 'partitions can be created for the years 1 to 9999' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_lifecycle.lock_partitions(parent);
  missing := akashi_lifecycle.uncovered(parent,
    (select akashi_lifecycle.partition_from(min(m), policy.interval) from unnest(moments) m),
    (select akashi_lifecycle.partition_to(max(m), policy.interval) from unnest(moments) m));
  for piece in
    select distinct p
    from unnest(moments) m
    cross join lateral unnest(missing * tstzmultirange(tstzrange(
      akashi_lifecycle.partition_from(m, policy.interval), akashi_lifecycle.partition_to(m, policy.interval)))) p
    where p @> m order by p
  loop
    perform akashi_lifecycle.attach_prepared(parent, akashi_lifecycle.prepare_partition(parent,
      akashi_lifecycle.piece_name(policy.table_name, policy.interval, piece), lower(piece), upper(piece)), lower(piece), upper(piece));
    made := made + 1;
  end loop;
  if made > 0 and (select count(*) from pg_inherits i where i.inhparent = parent) > akashi_lifecycle.max_partitions(parent) then
    raise exception '% would have more than % partitions, for which the server has too few locks', parent, akashi_lifecycle.max_partitions(parent)
      using errcode = 'AK003', hint = 'raise max_locks_per_transaction, e.g. to 512, and restart PostgreSQL; or ingest fewer periods at once and archive them first';
  end if;
  return made;
end
$function$;
alter function akashi_lifecycle.create_partitions(parent regclass, moments timestamp with time zone[]) owner to akashi_owner;
grant execute on function akashi_lifecycle.create_partitions(parent regclass, moments timestamp with time zone[]) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.create_partitions(parent regclass, range_from timestamp with time zone, range_to timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  max_partitions constant integer := 4000;
  step text;
  moments timestamptz[] := '{}';
  at timestamptz;
begin
  select p.interval into step from akashi_lifecycle.policies p
  where to_regclass(format('%I.%I', p.schema_name, p.table_name)) = parent;
  if not found then
    raise exception '% has no lifecycle policy', parent
      using errcode = 'undefined_object', hint = 'add a row to akashi_lifecycle.policies first';
  end if;
  if not (isfinite(range_from) and isfinite(range_to) and range_from <= range_to) then
    raise exception '% to % is not a valid time range', range_from, range_to using errcode = 'invalid_parameter_value';
  end if;
  at := akashi_lifecycle.partition_from(range_from, step);
  while at <= range_to loop
    moments := moments || at;
    if cardinality(moments) > max_partitions then
      raise exception 'the range % to % has more than % partitions', range_from, range_to, max_partitions
        using errcode = 'program_limit_exceeded', hint = 'use smaller ranges';
    end if;
    at := akashi_lifecycle.partition_to(at, step);
  end loop;
  return akashi_lifecycle.create_partitions(parent, moments);
end
$function$;
alter function akashi_lifecycle.create_partitions(parent regclass, range_from timestamp with time zone, range_to timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_lifecycle.create_partitions(parent regclass, range_from timestamp with time zone, range_to timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.default_partition(parent regclass)
 RETURNS regclass
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select nullif(p.partdefid, 0)::regclass from pg_catalog.pg_partitioned_table p where p.partrelid = parent
$function$;
alter function akashi_lifecycle.default_partition(parent regclass) owner to akashi_owner;
grant execute on function akashi_lifecycle.default_partition(parent regclass) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.defer_shortening(before akashi_lifecycle.policies, wanted akashi_lifecycle.policies, named boolean, acting text, reason text)
 RETURNS akashi_lifecycle.policies
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  floor constant interval := make_interval(days => (akashi_lifecycle.setting('retention.floor_days') #>> '{}')::integer);
  delay constant interval := make_interval(days => (akashi_lifecycle.setting('retention.shortening_delay_days') #>> '{}')::integer);
  effective constant timestamptz := clock_timestamp() + delay;
  result akashi_lifecycle.policies := wanted;
begin
  if not named then
    return wanted;
  end if;
  if not exists (select from akashi_audit.logs l where (l.schema_name, l.table_name) = (wanted.schema_name, wanted.table_name)) then
    result.retention_set_by := acting;
    result.retention_set_at := clock_timestamp();
    return result;
  end if;
  if wanted.at_expiry <> 'keep' and wanted.total_retention < floor then
    raise exception 'rows of a log must be kept for at least % days', extract(day from floor) using errcode = 'AK003',
      hint = 'the minimum is the setting retention.floor_days, which only an administrator of the database can change';
  end if;
  delete from akashi_lifecycle.shortenings s where (s.schema_name, s.table_name) = (wanted.schema_name, wanted.table_name);
  if wanted.at_expiry = 'keep' or (before.at_expiry <> 'keep' and wanted.total_retention >= before.total_retention) then
    if (wanted.at_expiry, wanted.total_retention) is distinct from (before.at_expiry, before.total_retention) then
      result.retention_set_by := acting;
      result.retention_set_at := clock_timestamp();
    end if;
    return result;
  end if;
  insert into akashi_lifecycle.shortenings (schema_name, table_name, at_expiry, total_retention, reason, requested_by, effective_at)
  values (wanted.schema_name, wanted.table_name, wanted.at_expiry, wanted.total_retention, reason, acting, effective);
  perform akashi_security.record_event(event_type => 'retention_shortened', event_category => 'configuration', severity => 'critical',
    source_service => 'akashi', resource_type => 'table', resource_id => format('%I.%I', wanted.schema_name, wanted.table_name),
    action_performed => 'set', result => 'success', ocsf_class_uid => 3004, event_details => jsonb_strip_nulls(jsonb_build_object(
      'from', before.total_retention, 'to', wanted.total_retention, 'at_expiry', wanted.at_expiry, 'requested_by', acting,
      'effective_at', effective, 'reason', reason)));
  result.at_expiry := before.at_expiry;
  result.total_retention := before.total_retention;
  return result;
end
$function$;
alter function akashi_lifecycle.defer_shortening(before akashi_lifecycle.policies, wanted akashi_lifecycle.policies, named boolean, acting text, reason text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.detach_partition(schema_name text, table_name text, partition_name text, as_of timestamp with time zone DEFAULT now())
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  bounds record;
begin
  perform akashi_lifecycle.lock_partitions(parent);
  if not exists (select from pg_catalog.pg_inherits i where i.inhparent = parent and i.inhrelid = child) then
    raise exception '%.% is not a partition of %', schema_name, partition_name, parent using errcode = 'undefined_object';
  end if;
  select * into bounds from akashi_lifecycle.partition_bounds(child);
  perform akashi_lifecycle.assert_expired(schema_name, table_name, bounds.lower, bounds.upper, as_of);
  execute format('alter table %s detach partition %s', parent, child);
  execute format('alter table %s set schema akashi_archive', child);
  execute format('revoke all on akashi_archive.%I from public, akashi_app, akashi_worker, akashi_reader, akashi_security_admin', partition_name);
  execute format('create policy archived_read on akashi_archive.%I for select to akashi_worker using (true)', partition_name);
  execute format('grant select on akashi_archive.%I to akashi_worker', partition_name);
  perform akashi_audit.guard(format('akashi_archive.%I', partition_name)::regclass);
  execute format('create or replace trigger refuse_insert before insert on akashi_archive.%I
    for each statement execute function akashi_audit.refuse_change()', partition_name);
  execute format('alter table akashi_archive.%I enable always trigger refuse_insert', partition_name);
  perform akashi_audit.record_relations('detach', array[format('akashi_archive.%I', partition_name)::regclass]);
  execute format('comment on table akashi_archive.%I is %L', partition_name,
    format('detached from %s, rows from %s to %s', parent, bounds.lower, bounds.upper));
  update akashi_lifecycle.exports e set state = 'detached', detached_at = clock_timestamp()
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (detach_partition.schema_name, detach_partition.table_name, bounds.lower, bounds.upper) and e.state = 'verified';
end
$function$;
alter function akashi_lifecycle.detach_partition(schema_name text, table_name text, partition_name text, as_of timestamp with time zone) owner to akashi_owner;
comment on function akashi_lifecycle.detach_partition(schema_name text, table_name text, partition_name text, as_of timestamp with time zone) is 'Moves an expired partition with verified exports into schema akashi_archive; read-only there.';
grant execute on function akashi_lifecycle.detach_partition(schema_name text, table_name text, partition_name text, as_of timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.drain_default(parent regclass, batch integer, OUT action text, OUT partition_name text, OUT lower timestamp with time zone, OUT upper timestamp with time zone, OUT moved bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '100ms'
AS $function$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
  fallback constant regclass := akashi_lifecycle.default_partition(parent);
  hidden boolean;
  oldest timestamptz;
  piece tstzrange;
  ends timestamptz;
  child regclass;
  list text;
  own record;
  modes jsonb := '{}';
begin
  if fallback is null then
    action := 'none';
    return;
  end if;
  if batch < 1 then
    raise exception 'a batch must have at least one row' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_lifecycle.lock_partitions(parent);
  partition_name := (select c.relname from pg_catalog.pg_class c where c.oid = fallback);
  -- A reader that waits for the default partition only has already listed the partitions and would miss the new one.
  execute format('lock table only %s in access exclusive mode', parent);
  execute format('lock table only %s in access exclusive mode', fallback);
  hidden := row_security_active(fallback);
  if hidden then
    execute format('create policy akashi_drain on %s to akashi_owner using (true) with check (true)', fallback);
  end if;
  perform akashi_audit.assert_unfiltered(fallback);
  execute format('select min(created_at) from only %s', fallback) into oldest;
  if oldest is null then
    if hidden then
      execute format('drop policy akashi_drain on %s', fallback);
    end if;
    execute format('alter table %s detach partition %s', parent, fallback);
    execute format('comment on table %s is %L', fallback,
      format('was the default partition of %s; empty since %s, nothing uses it', parent, now()));
    action := 'detached';
    moved := 0;
    return;
  end if;
  if not isfinite(oldest) then
    raise exception '% has rows at %, which no partition can hold', fallback, oldest
      using errcode = 'AK003', hint = 'give them a valid time, or remove them';
  end if;
  -- A row in the default partition is in no other partition, so the part with its oldest row is not covered.
  select p into piece
  from unnest(akashi_lifecycle.uncovered(parent, akashi_lifecycle.partition_from(oldest, policy.interval), akashi_lifecycle.partition_to(oldest, policy.interval))) p
  where p @> oldest;
  execute format('select created_at from only %s where created_at < %L order by created_at offset %s limit 1', fallback, upper(piece), batch)
    into ends;
  if ends = oldest then
    execute format('select min(created_at) from only %s where created_at > %L and created_at < %L', fallback, ends, upper(piece)) into ends;
  end if;
  piece := tstzrange(lower(piece), coalesce(ends, upper(piece)));
  partition_name := akashi_lifecycle.piece_name(policy.table_name, policy.interval, piece);
  child := akashi_lifecycle.prepare_partition(parent, partition_name, lower(piece), upper(piece));
  select string_agg(format('%I', a.attname), ', ' order by a.attnum) into list from pg_catalog.pg_attribute a
  where a.attrelid = fallback and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
  execute format('insert into %s (%s) select %s from only %s where created_at >= %L and created_at < %L',
    child, list, list, fallback, lower(piece), upper(piece));
  get diagnostics moved = row_count;
  -- The rows do not change, so nothing must be recorded or refused.
  for own in select t.tgname, t.tgenabled from pg_catalog.pg_trigger t where t.tgrelid = fallback and not t.tgisinternal loop
    modes := modes || jsonb_build_object(own.tgname, own.tgenabled);
    execute format('alter table %s disable trigger %I', fallback, own.tgname);
  end loop;
  execute format('delete from only %s where created_at >= %L and created_at < %L', fallback, lower(piece), upper(piece));
  for own in select key, value from jsonb_each_text(modes) where value <> 'D' loop
    execute format('alter table %s enable %s trigger %I', fallback,
      case own.value when 'A' then 'always' when 'R' then 'replica' else '' end, own.key);
  end loop;
  if hidden then
    execute format('drop policy akashi_drain on %s', fallback);
  end if;
  perform akashi_audit.record_relations('drain', array[fallback]);
  perform akashi_lifecycle.attach_prepared(parent, child, lower(piece), upper(piece));
  action := 'drained';
  lower := lower(piece);
  upper := upper(piece);
end
$function$;
alter function akashi_lifecycle.drain_default(parent regclass, batch integer, OUT action text, OUT partition_name text, OUT lower timestamp with time zone, OUT upper timestamp with time zone, OUT moved bigint) owner to akashi_owner;
comment on function akashi_lifecycle.drain_default(parent regclass, batch integer, OUT action text, OUT partition_name text, OUT lower timestamp with time zone, OUT upper timestamp with time zone, OUT moved bigint) is 'Moves up to about a batch of rows out of a default partition; detaches it once it is empty. Call it until it returns detached.';
grant execute on function akashi_lifecycle.drain_default(parent regclass, batch integer, OUT action text, OUT partition_name text, OUT lower timestamp with time zone, OUT upper timestamp with time zone, OUT moved bigint) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.drill_evidence(since timestamp with time zone, until timestamp with time zone, OUT drills bigint, OUT passed bigint, OUT failed bigint, OUT worst_rpo_seconds numeric, OUT rpo_limit_seconds numeric, OUT worst_rto_seconds numeric, OUT rto_limit_seconds numeric, OUT days_since_passed numeric, OUT max_age_days numeric, OUT days_since_recovery_test numeric)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select count(*), count(*) filter (where d.ok), count(*) filter (where not d.ok),
         round(max(d.rpo_seconds)::numeric, 1), (akashi_lifecycle.setting('backup.drill_rpo_limit_seconds') #>> '{}')::numeric,
         round(max(d.rto_seconds)::numeric, 1), (akashi_lifecycle.setting('backup.drill_rto_limit_seconds') #>> '{}')::numeric,
         (select round(extract(epoch from now() - max(l.finished_at)) / 86400, 1) from akashi_lifecycle.drills l where l.ok),
         (akashi_lifecycle.setting('backup.drill_max_age_days') #>> '{}')::numeric,
         (select round(extract(epoch from now() - max(l.finished_at)) / 86400, 1) from akashi_lifecycle.drills l where l.ok and l.kind = 'recovery_test')
  from akashi_lifecycle.drills d where d.started_at >= since and d.started_at < until
$function$;
alter function akashi_lifecycle.drill_evidence(since timestamp with time zone, until timestamp with time zone, OUT drills bigint, OUT passed bigint, OUT failed bigint, OUT worst_rpo_seconds numeric, OUT rpo_limit_seconds numeric, OUT worst_rto_seconds numeric, OUT rto_limit_seconds numeric, OUT days_since_passed numeric, OUT max_age_days numeric, OUT days_since_recovery_test numeric) owner to akashi_owner;
grant execute on function akashi_lifecycle.drill_evidence(since timestamp with time zone, until timestamp with time zone, OUT drills bigint, OUT passed bigint, OUT failed bigint, OUT worst_rpo_seconds numeric, OUT rpo_limit_seconds numeric, OUT worst_rto_seconds numeric, OUT rto_limit_seconds numeric, OUT days_since_passed numeric, OUT max_age_days numeric, OUT days_since_recovery_test numeric) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_lifecycle.drop_detached(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, fingerprints text[], as_of timestamp with time zone DEFAULT now())
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  expected text[];
begin
  perform akashi_lifecycle.assert_expired(schema_name, table_name, lower_bound, upper_bound, as_of);
  select array_agg(e.fingerprint order by e.generation) into expected from akashi_lifecycle.exports e
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (drop_detached.schema_name, drop_detached.table_name, drop_detached.lower_bound, drop_detached.upper_bound)
    and e.state = 'detached';
  if expected is null or expected is distinct from fingerprints then
    raise exception 'archive.% is not what was exported', partition_name using errcode = 'AK002',
      hint = 'the table is kept; compare it with its Parquet files';
  end if;
  execute format('drop table akashi_archive.%I', partition_name);
  update akashi_lifecycle.exports e set state = 'dropped', dropped_at = clock_timestamp(), message = null
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (drop_detached.schema_name, drop_detached.table_name, drop_detached.lower_bound, drop_detached.upper_bound)
    and e.state = 'detached';
  perform akashi_audit.record_action('archive', 'drop', format('%I.%I', schema_name, table_name), partition_name, 'SUCCESS',
    jsonb_build_object('from', lower_bound, 'to', upper_bound, 'fingerprints', to_jsonb(fingerprints)));
end
$function$;
alter function akashi_lifecycle.drop_detached(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, fingerprints text[], as_of timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_lifecycle.drop_detached(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, fingerprints text[], as_of timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.drop_retired(schema_name text, table_name text, partition_name text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '100ms'
AS $function$
#variable_conflict use_variable
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  bounds record;
  policy akashi_lifecycle.policies;
  counted bigint;
  own_log text;
begin
  perform akashi_lifecycle.lock_partitions(parent);
  if not exists (select from pg_catalog.pg_inherits i where i.inhparent = parent and i.inhrelid = child) then
    raise exception '%.% is not a partition of %', schema_name, partition_name, parent using errcode = 'undefined_object';
  end if;
  select * into bounds from akashi_lifecycle.partition_bounds(child);
  policy := akashi_lifecycle.assert_retirable(schema_name, table_name, bounds.upper);
  if policy.at_expiry <> 'retire' then
    raise exception '%.% is archived, not retired', schema_name, table_name using errcode = 'AK003';
  end if;
  execute format('lock table only %s in access exclusive mode', parent);
  execute format('lock table only %s in access exclusive mode', child);
  if row_security_active(child) then
    execute format('create policy akashi_retire on %s for select to akashi_owner using (true)', child);
  end if;
  execute format('select count(*) from only %s', child) into counted;
  select l.log into own_log from akashi_audit.logs l where (l.schema_name, l.table_name) = (drop_retired.schema_name, drop_retired.table_name);
  if own_log is not null and akashi_audit.has_unrecorded_rows(own_log, child, counted, bounds.lower, bounds.upper) then
    raise exception '%.% has rows that no retention record covers', schema_name, partition_name
      using errcode = 'AK003', hint = 'rows arrived meanwhile: the next run records them too';
  end if;
  execute format('alter table %s detach partition %s', parent, child);
  execute format('drop table %I.%I', schema_name, partition_name);
  perform akashi_audit.record_action('archive', 'retire', format('%I.%I', schema_name, table_name), partition_name, 'SUCCESS',
    jsonb_build_object('from', bounds.lower, 'to', bounds.upper, 'rows', counted));
  return counted;
end
$function$;
alter function akashi_lifecycle.drop_retired(schema_name text, table_name text, partition_name text) owner to akashi_owner;
grant execute on function akashi_lifecycle.drop_retired(schema_name text, table_name text, partition_name text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.end_silence(id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_lifecycle.alarm_silences s
  set ended_at = clock_timestamp(), ended_by = akashi_auth.acting_name()
  where s.id = end_silence.id and s.ended_at is null and s.until > clock_timestamp();
  if not found then
    raise exception 'no current silence with id %', id using errcode = 'undefined_object', hint = 'list them with akashi alarms silences';
  end if;
end
$function$;
alter function akashi_lifecycle.end_silence(id uuid) owner to akashi_owner;
grant execute on function akashi_lifecycle.end_silence(id uuid) to akashi_security_admin;
grant execute on function akashi_lifecycle.end_silence(id uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.fence_partition(schema_name text, table_name text, partition_name text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  execute format('lock table only %I.%I in access exclusive mode', schema_name, table_name);
  execute format('lock table only %I.%I in access exclusive mode', schema_name, partition_name);
end
$function$;
alter function akashi_lifecycle.fence_partition(schema_name text, table_name text, partition_name text) owner to akashi_owner;
grant execute on function akashi_lifecycle.fence_partition(schema_name text, table_name text, partition_name text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.finish_deleting_copy(copy uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  own akashi_lifecycle.copies;
begin
  -- An incomplete copy does not count: it is made again when it is needed again.
  delete from akashi_lifecycle.copies c where c.id = finish_deleting_copy.copy and c.state = 'deleting' and c.verified_at is null;
  update akashi_lifecycle.copies c set state = 'deleted', deleted_at = clock_timestamp(), message = null
  where c.id = finish_deleting_copy.copy and c.state = 'deleting' returning * into own;
  if found then
    perform akashi_audit.record_action('archive', 'delete_copy', (select format('%I.%I', e.schema_name, e.table_name)
        from akashi_lifecycle.exports e where e.id = own.export), own.id::text, 'SUCCESS',
      jsonb_build_object('manifest', own.manifest, 'manifest_sha256', own.manifest_sha256, 'rows', own.row_count, 'keep_until', own.keep_until));
  end if;
end
$function$;
alter function akashi_lifecycle.finish_deleting_copy(copy uuid) owner to akashi_owner;
grant execute on function akashi_lifecycle.finish_deleting_copy(copy uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.finish_restore(id uuid, state text, message text, result jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update akashi_lifecycle.restores r set state = finish_restore.state, message = finish_restore.message, result = finish_restore.result,
    phase = 'ended', finished_at = clock_timestamp(), seen_at = clock_timestamp()
  where r.id = finish_restore.id and r.state = 'running'
$function$;
alter function akashi_lifecycle.finish_restore(id uuid, state text, message text, result jsonb) owner to akashi_owner;
grant execute on function akashi_lifecycle.finish_restore(id uuid, state text, message text, result jsonb) to akashi_security_admin;
grant execute on function akashi_lifecycle.finish_restore(id uuid, state text, message text, result jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.finish_retiring(export uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  own akashi_lifecycle.exports;
begin
  update akashi_lifecycle.exports e set state = 'retired', retired_at = clock_timestamp(), message = null
  where e.id = finish_retiring.export and e.state = 'retiring' returning * into own;
  if found then
    perform akashi_audit.record_action('archive', 'retire', format('%I.%I', own.schema_name, own.table_name), own.partition_name, 'SUCCESS',
      jsonb_build_object('from', own.lower_bound, 'to', own.upper_bound, 'generation', own.generation, 'rows', own.row_count,
        'manifest', own.manifest, 'manifest_sha256', own.manifest_sha256, 'retention_record', own.retention_record));
  end if;
end
$function$;
alter function akashi_lifecycle.finish_retiring(export uuid) owner to akashi_owner;
grant execute on function akashi_lifecycle.finish_retiring(export uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.finish_run(run uuid, worker text, state text, message text, result jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_lifecycle.job_runs r
  set state = finish_run.state, finished_at = clock_timestamp(), message = finish_run.message, result = finish_run.result,
      cut_short = finish_run.state = 'cancelled'
  where r.id = run and r.worker = finish_run.worker and r.state = 'running';
  return found;
end
$function$;
alter function akashi_lifecycle.finish_run(run uuid, worker text, state text, message text, result jsonb) owner to akashi_owner;
grant execute on function akashi_lifecycle.finish_run(run uuid, worker text, state text, message text, result jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.fit_name(parent text, suffix text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select case when octet_length(parent || suffix) <= 63 then parent || suffix else (
    select left(parent, n) || '_' || substr(encode(sha256(convert_to(parent, 'UTF8')), 'hex'), 1, 8) || suffix
    from generate_series(1, length(parent)) n where octet_length(left(parent, n)) + 9 + octet_length(suffix) <= 63
    order by n desc limit 1) end
$function$;
alter function akashi_lifecycle.fit_name(parent text, suffix text) owner to akashi_owner;
grant execute on function akashi_lifecycle.fit_name(parent text, suffix text) to akashi_app;
grant execute on function akashi_lifecycle.fit_name(parent text, suffix text) to akashi_reader;
grant execute on function akashi_lifecycle.fit_name(parent text, suffix text) to akashi_security_admin;
grant execute on function akashi_lifecycle.fit_name(parent text, suffix text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.freeze_detached(partition_name text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  execute format('lock table akashi_archive.%I in share mode', partition_name);
end
$function$;
alter function akashi_lifecycle.freeze_detached(partition_name text) owner to akashi_owner;
grant execute on function akashi_lifecycle.freeze_detached(partition_name text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.group_columns(schema_name text, table_name text, OUT tenant text, OUT class text)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select max(a.attname::text) filter (where a.attname = 'tenant_id'),
         (array_agg(a.attname::text order by k.place) filter (where k.place is not null))[1]
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join (values ('data_classification', 1), ('security_classification', 2), ('event_category', 3)) k (name, place) on k.name = a.attname
  where (n.nspname, c.relname) = (group_columns.schema_name, group_columns.table_name) and a.attnum > 0 and not a.attisdropped
$function$;
alter function akashi_lifecycle.group_columns(schema_name text, table_name text, OUT tenant text, OUT class text) owner to akashi_owner;
comment on function akashi_lifecycle.group_columns(schema_name text, table_name text, OUT tenant text, OUT class text) is 'tenant_id, and data_classification, security_classification or event_category, whichever is first.';
grant execute on function akashi_lifecycle.group_columns(schema_name text, table_name text, OUT tenant text, OUT class text) to akashi_security_admin;
grant execute on function akashi_lifecycle.group_columns(schema_name text, table_name text, OUT tenant text, OUT class text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.held_by(policy akashi_lifecycle.policies, keep_until timestamp with time zone, as_of timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
  select case when policy.legal_hold then 'legal hold'
              when keep_until > as_of then 'restored, kept until ' || to_char(keep_until, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end
$function$;
alter function akashi_lifecycle.held_by(policy akashi_lifecycle.policies, keep_until timestamp with time zone, as_of timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_lifecycle.held_by(policy akashi_lifecycle.policies, keep_until timestamp with time zone, as_of timestamp with time zone) to akashi_security_admin;
grant execute on function akashi_lifecycle.held_by(policy akashi_lifecycle.policies, keep_until timestamp with time zone, as_of timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.hold(schema_name text, table_name text, held boolean, reason text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  -- A process without a user is authorised by its role.
  if akashi_auth.current_user_id() is not null or akashi_auth.current_session_id() is not null then
    perform akashi_auth.require_permission('lifecycle:admin');
  end if;
  if coalesce(reason, '') !~ '\S' then
    raise exception 'a legal hold requires a reason to begin or end' using errcode = 'invalid_parameter_value', hint = 'state the reason';
  end if;
  update akashi_lifecycle.policies p set legal_hold = held
  where (p.schema_name, p.table_name) = (hold.schema_name, hold.table_name) and p.legal_hold <> held;
  if found and not held then
    perform akashi_auth.use_approval('release_hold', format('%s.%s', schema_name, table_name));
  elsif not found and not exists (
    select from akashi_lifecycle.policies p where (p.schema_name, p.table_name) = (hold.schema_name, hold.table_name)) then
    raise exception '%.% has no lifecycle policy', schema_name, table_name using errcode = 'undefined_object';
  end if;
  perform akashi_audit.record_action('archive', case when held then 'hold' else 'release' end, format('%I.%I', schema_name, table_name),
    null, 'SUCCESS', jsonb_strip_nulls(jsonb_build_object('reason', reason)));
end
$function$;
alter function akashi_lifecycle.hold(schema_name text, table_name text, held boolean, reason text) owner to akashi_owner;
comment on function akashi_lifecycle.hold(schema_name text, table_name text, held boolean, reason text) is 'Puts a table under legal hold, or ends the hold. While it lasts, nothing of the table is dropped, retired or deleted.';
grant execute on function akashi_lifecycle.hold(schema_name text, table_name text, held boolean, reason text) to akashi_security_admin;
grant execute on function akashi_lifecycle.hold(schema_name text, table_name text, held boolean, reason text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.installation(OUT installation uuid, OUT token bigint, OUT cluster text, OUT timeline text, OUT database text, OUT copied boolean)
 RETURNS record
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select o.installation, o.token, i.system_identifier::text, i.timeline::text, d.oid::text,
         coalesce((o.system_identifier, o.timeline, o.database_oid) is distinct from (i.system_identifier, i.timeline, d.oid)
                  and o.installation is not null, false)
  from akashi_audit.system_identity() i
  join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
  left join akashi_lifecycle.store_ownership o on true
$function$;
alter function akashi_lifecycle.installation(OUT installation uuid, OUT token bigint, OUT cluster text, OUT timeline text, OUT database text, OUT copied boolean) owner to akashi_owner;
comment on function akashi_lifecycle.installation(OUT installation uuid, OUT token bigint, OUT cluster text, OUT timeline text, OUT database text, OUT copied boolean) is 'The installation, and whether this database is a copy of the original; timeline is null on a standby.';
grant execute on function akashi_lifecycle.installation(OUT installation uuid, OUT token bigint, OUT cluster text, OUT timeline text, OUT database text, OUT copied boolean) to akashi_app;
grant execute on function akashi_lifecycle.installation(OUT installation uuid, OUT token bigint, OUT cluster text, OUT timeline text, OUT database text, OUT copied boolean) to akashi_reader;
grant execute on function akashi_lifecycle.installation(OUT installation uuid, OUT token bigint, OUT cluster text, OUT timeline text, OUT database text, OUT copied boolean) to akashi_security_admin;
grant execute on function akashi_lifecycle.installation(OUT installation uuid, OUT token bigint, OUT cluster text, OUT timeline text, OUT database text, OUT copied boolean) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.is_silenced(condition text, subject text)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (select from akashi_lifecycle.alarm_silences s
                 where s.condition = is_silenced.condition and (s.subject is null or s.subject = is_silenced.subject)
                   and s.ended_at is null and s.until > clock_timestamp())
$function$;
alter function akashi_lifecycle.is_silenced(condition text, subject text) owner to akashi_owner;
grant execute on function akashi_lifecycle.is_silenced(condition text, subject text) to akashi_reader;
grant execute on function akashi_lifecycle.is_silenced(condition text, subject text) to akashi_security_admin;
grant execute on function akashi_lifecycle.is_silenced(condition text, subject text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.job_evidence(since timestamp with time zone, until timestamp with time zone, OUT jobs bigint, OUT runs bigint, OUT failed_runs bigint, OUT failing bigint, OUT paused bigint)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select (select count(*) from akashi_lifecycle.jobs),
         count(*), count(*) filter (where r.state = 'failed'),
         (select count(*) from akashi_lifecycle.jobs j cross join lateral (
            select l.state from akashi_lifecycle.job_runs l where l.job = j.name and l.state in ('done', 'failed')
            order by l.started_at desc limit 1) last where last.state = 'failed' and not j.paused),
         (select count(*) from akashi_lifecycle.jobs j where j.paused)
  from akashi_lifecycle.job_runs r where r.started_at >= since and r.started_at < until
$function$;
alter function akashi_lifecycle.job_evidence(since timestamp with time zone, until timestamp with time zone, OUT jobs bigint, OUT runs bigint, OUT failed_runs bigint, OUT failing bigint, OUT paused bigint) owner to akashi_owner;
grant execute on function akashi_lifecycle.job_evidence(since timestamp with time zone, until timestamp with time zone, OUT jobs bigint, OUT runs bigint, OUT failed_runs bigint, OUT failing bigint, OUT paused bigint) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_lifecycle.keep_copy()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  new.updated_at := clock_timestamp();
  new.last_modified_by := session_user;
  if old.state <> 'copying' and (new.manifest_sha256, new.row_count, new.objects, new.bytes)
     is distinct from (old.manifest_sha256, old.row_count, old.objects, old.bytes) then
    raise exception 'a compared copy cannot be changed' using errcode = 'AK001';
  end if;
  if new.state <> old.state and current_user <> 'akashi_owner' and (old.state, new.state) <> ('copying', 'verified') then
    raise exception 'a copy cannot go from state % to %', old.state, new.state using errcode = 'AK003';
  end if;
  if new.state = 'verified' and old.state = 'copying' then
    new.verified_at := clock_timestamp();
    new.message := null;
  end if;
  return new;
end
$function$;
alter function akashi_lifecycle.keep_copy() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.keep_export()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  new.updated_at := clock_timestamp();
  new.last_modified_by := session_user;
  if (new.schema_name, new.table_name, new.lower_bound, new.upper_bound, new.generation)
     is distinct from (old.schema_name, old.table_name, old.lower_bound, old.upper_bound, old.generation) then
    raise exception 'the partition of an export cannot be changed' using errcode = 'AK001';
  end if;
  if old.state <> 'exporting' and (
    (new.folder, new.manifest, new.manifest_sha256, new.fingerprint, new.row_count, new.objects, new.bytes, new.after_key, new.upto_key)
     is distinct from (old.folder, old.manifest, old.manifest_sha256, old.fingerprint, old.row_count, old.objects, old.bytes, old.after_key, old.upto_key)
    or new.state = 'exporting') then
    raise exception 'a compared export cannot be changed' using errcode = 'AK001';
  end if;
  if new.state <> old.state and current_user <> 'akashi_owner' and (old.state, new.state) <> ('exporting', 'verified') then
    raise exception 'an export cannot go from state % to %', old.state, new.state using errcode = 'AK003';
  end if;
  if new.state = 'verified' and old.state = 'exporting' then
    new.verified_at := clock_timestamp();
  end if;
  return new;
end
$function$;
alter function akashi_lifecycle.keep_export() owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.kept_by(policy akashi_lifecycle.policies)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return case when policy.legal_hold then 'legal hold'
    when not akashi_auth.is_approved('retire_rows', format('%s.%s', policy.schema_name, policy.table_name))
      then format('%s people have to approve it', akashi_auth.policy('approval.people')) end;
end
$function$;
alter function akashi_lifecycle.kept_by(policy akashi_lifecycle.policies) owner to akashi_owner;
grant execute on function akashi_lifecycle.kept_by(policy akashi_lifecycle.policies) to akashi_security_admin;
grant execute on function akashi_lifecycle.kept_by(policy akashi_lifecycle.policies) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.lock_partitions(parent regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  execute format('lock table only %s in share update exclusive mode', parent);
end
$function$;
alter function akashi_lifecycle.lock_partitions(parent regclass) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.make_partition(parent regclass, name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '100ms'
AS $function$
begin
  -- Serialised per table: two concurrent callers would find the same gap, and one would fail.
  perform akashi_lifecycle.lock_partitions(parent);
  if akashi_lifecycle.uncovered(parent, lower_bound, upper_bound) <> tstzmultirange(tstzrange(lower_bound, upper_bound)) then
    return null;
  end if;
  perform akashi_lifecycle.attach_prepared(parent, akashi_lifecycle.prepare_partition(parent, name, lower_bound, upper_bound), lower_bound, upper_bound);
  return name;
end
$function$;
alter function akashi_lifecycle.make_partition(parent regclass, name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.mark_restored(schema_name text, table_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, keep_until timestamp with time zone, was text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
begin
  update akashi_lifecycle.exports e
  set state = 'verified', detached_at = null, dropped_at = null, message = null,
      restored_at = case when mark_restored.keep_until is null then e.restored_at else clock_timestamp() end,
      keep_until = coalesce(mark_restored.keep_until, e.keep_until)
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (mark_restored.schema_name, mark_restored.table_name, mark_restored.lower_bound, mark_restored.upper_bound)
    and e.state = mark_restored.was;
  perform akashi_audit.record_action('archive', case when keep_until is null then 'reattach' else 'restore' end,
    format('%I.%I', schema_name, table_name), null, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('from', lower_bound, 'to', upper_bound, 'keep_until', keep_until)));
end
$function$;
alter function akashi_lifecycle.mark_restored(schema_name text, table_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, keep_until timestamp with time zone, was text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.max_partitions(parent regclass)
 RETURNS integer
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select (current_setting('max_locks_per_transaction')::bigint
      * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)
      / 2 / (1 + (select count(*) from pg_index i where i.indrelid = parent)))::integer
$function$;
alter function akashi_lifecycle.max_partitions(parent regclass) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.missing_for_archive(relation regclass)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select string_agg(statement, '; ' order by place) from (
    select 1, format('grant usage on schema %I to akashi_worker', n.nspname)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = relation and not has_schema_privilege('akashi_worker', n.oid, 'usage')
    union all
    select 2, format('grant usage, create on schema %I to akashi_owner', n.nspname)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = relation and not (has_schema_privilege('akashi_owner', n.oid, 'usage') and has_schema_privilege('akashi_owner', n.oid, 'create'))
    union all
    select 3, format('grant select on %s to akashi_worker', relation) where not has_table_privilege('akashi_worker', relation, 'select')
    union all
    select 4, format('alter table %s add primary key (…)', relation)
    where not exists (select from pg_catalog.pg_index i where i.indrelid = relation and i.indisprimary)
    union all
    select 5, format('alter table %s rename column %I to …', relation, a.attname) from pg_catalog.pg_attribute a
    where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
      and (lower(a.attname) = 'akashi_position' or exists (
        select from pg_catalog.pg_attribute o
        where o.attrelid = relation and o.attnum > 0 and o.attnum < a.attnum and not o.attisdropped and lower(o.attname) = lower(a.attname)))
  ) found (place, statement)
$function$;
alter function akashi_lifecycle.missing_for_archive(relation regclass) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.missing_partitions(parent regclass, as_of timestamp with time zone)
 RETURNS SETOF akashi_lifecycle.partition_action
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
  fallback constant regclass := akashi_lifecycle.default_partition(parent);
  begins constant timestamptz := akashi_lifecycle.partition_from(as_of, policy.interval);
  ends constant timestamptz := akashi_lifecycle.partition_to(
    (begins at time zone 'UTC' + policy.premake * ('1 ' || policy.interval)::interval) at time zone 'UTC', policy.interval);
  missing constant tstzmultirange := akashi_lifecycle.uncovered(parent, begins, ends);
begin
  if not exists (
    select from pg_catalog.pg_partitioned_table t
    join pg_catalog.pg_attribute a on a.attrelid = t.partrelid and a.attnum = t.partattrs[0]
    where t.partrelid = parent and t.partstrat = 'r' and t.partnatts = 1 and a.attname = 'created_at'
      and a.atttypid = 'timestamptz'::regtype
  ) then
    raise exception '% is not partitioned by range of created_at, a timestamptz', parent using errcode = 'wrong_object_type';
  end if;
  if fallback is not null then
    return query select policy.schema_name, policy.table_name, c.relname::text, 'drain', null::timestamptz, null::timestamptz,
      format('about %s rows of the default partition are moved into new partitions', greatest(c.reltuples, 0)::bigint)
    from pg_catalog.pg_class c where c.oid = fallback;
  end if;
  -- Rows in the default partition block only partitions that would contain them.
  return query
    select policy.schema_name, policy.table_name, akashi_lifecycle.piece_name(policy.table_name, policy.interval, piece), 'create',
           lower(piece), upper(piece), null::text
    from generate_series(0, policy.premake) n
    cross join lateral (
      select (begins at time zone 'UTC' + n * ('1 ' || policy.interval)::interval) at time zone 'UTC' as at
    ) step
    cross join lateral unnest(missing * tstzmultirange(tstzrange(step.at, akashi_lifecycle.partition_to(step.at, policy.interval)))) piece
    order by lower(piece);
end
$function$;
alter function akashi_lifecycle.missing_partitions(parent regclass, as_of timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.owed_copies(as_of timestamp with time zone, only_export uuid DEFAULT NULL::uuid)
 RETURNS TABLE(policy uuid, export uuid)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return query
    select p.id, e.id from akashi_lifecycle.copy_policies p
    join akashi_lifecycle.exports e using (schema_name, table_name)
    where (only_export is null or e.id = only_export) and p.ended_at is null and e.state in ('verified', 'detached', 'dropped')
      and e.upper_bound + p.total_retention > as_of
      and not exists (select from akashi_lifecycle.copies c where c.policy = p.id and c.export = e.id and c.state <> 'copying');
end
$function$;
alter function akashi_lifecycle.owed_copies(as_of timestamp with time zone, only_export uuid) owner to akashi_owner;
grant execute on function akashi_lifecycle.owed_copies(as_of timestamp with time zone, only_export uuid) to akashi_security_admin;
grant execute on function akashi_lifecycle.owed_copies(as_of timestamp with time zone, only_export uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.own_table(schema_name text, table_name text)
 RETURNS regclass
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  others text;
  name constant text := format('%I.%I', schema_name, table_name);
begin
  execute format('lock table %s in access share mode', name);
  others := akashi_lifecycle.code_of_others(name::regclass);
  if others is not null then
    raise exception '% would run untrusted code: %', name, others using errcode = 'AK003',
      hint = 'the table must belong to akashi_owner, and its types, triggers and expressions to akashi_owner or a superuser';
  end if;
  return name::regclass;
end
$function$;
alter function akashi_lifecycle.own_table(schema_name text, table_name text) owner to akashi_owner;
comment on function akashi_lifecycle.own_table(schema_name text, table_name text) is 'Locks the table against changes of its definition and returns it; fails when reading or writing it would run untrusted code.';
grant execute on function akashi_lifecycle.own_table(schema_name text, table_name text) to akashi_security_admin;
grant execute on function akashi_lifecycle.own_table(schema_name text, table_name text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  bound text[] := regexp_match(
    (select pg_get_expr(relpartbound, oid) from pg_catalog.pg_class where oid = partition),
    $re$^FOR VALUES FROM \((?:'([^']*)'|(MINVALUE))\) TO \((?:'([^']*)'|(MAXVALUE))\)$re$);
begin
  lower := coalesce(bound[1], case when bound[2] is not null then '-infinity' end)::timestamptz;
  upper := coalesce(bound[3], case when bound[4] is not null then 'infinity' end)::timestamptz;
exception when data_exception then
  lower := null;
  upper := null;
end
$function$;
alter function akashi_lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone) to akashi_app;
grant execute on function akashi_lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone) to akashi_reader;
grant execute on function akashi_lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone) to akashi_security_admin;
grant execute on function akashi_lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.partition_from(at timestamp with time zone, step text)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select date_trunc(step, at at time zone 'UTC') at time zone 'UTC'
$function$;
alter function akashi_lifecycle.partition_from(at timestamp with time zone, step text) owner to akashi_owner;
grant execute on function akashi_lifecycle.partition_from(at timestamp with time zone, step text) to akashi_app;
grant execute on function akashi_lifecycle.partition_from(at timestamp with time zone, step text) to akashi_reader;
grant execute on function akashi_lifecycle.partition_from(at timestamp with time zone, step text) to akashi_security_admin;
grant execute on function akashi_lifecycle.partition_from(at timestamp with time zone, step text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.partition_name(parent text, at timestamp with time zone, step text, piece text DEFAULT ''::text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select akashi_lifecycle.fit_name(parent, case step when 'day' then to_char(at at time zone 'UTC', '"_p"YYYYMMDD')
                                                     else to_char(at at time zone 'UTC', '_YYYY_MM') end || piece)
$function$;
alter function akashi_lifecycle.partition_name(parent text, at timestamp with time zone, step text, piece text) owner to akashi_owner;
comment on function akashi_lifecycle.partition_name(parent text, at timestamp with time zone, step text, piece text) is 'audit_logs_2026_11 for months, security_events_p20261121 for days; long table names are truncated and get a digest.';
grant execute on function akashi_lifecycle.partition_name(parent text, at timestamp with time zone, step text, piece text) to akashi_app;
grant execute on function akashi_lifecycle.partition_name(parent text, at timestamp with time zone, step text, piece text) to akashi_reader;
grant execute on function akashi_lifecycle.partition_name(parent text, at timestamp with time zone, step text, piece text) to akashi_security_admin;
grant execute on function akashi_lifecycle.partition_name(parent text, at timestamp with time zone, step text, piece text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.partition_to(at timestamp with time zone, step text)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select (date_trunc(step, at at time zone 'UTC') + ('1 ' || step)::interval) at time zone 'UTC'
$function$;
alter function akashi_lifecycle.partition_to(at timestamp with time zone, step text) owner to akashi_owner;
grant execute on function akashi_lifecycle.partition_to(at timestamp with time zone, step text) to akashi_app;
grant execute on function akashi_lifecycle.partition_to(at timestamp with time zone, step text) to akashi_reader;
grant execute on function akashi_lifecycle.partition_to(at timestamp with time zone, step text) to akashi_security_admin;
grant execute on function akashi_lifecycle.partition_to(at timestamp with time zone, step text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.pause_job(name text, paused boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_lifecycle.jobs j set paused = pause_job.paused where j.name = pause_job.name;
  if not found then
    raise exception 'job not found: %', name using errcode = 'undefined_object', hint = 'list them with akashi jobs';
  end if;
end
$function$;
alter function akashi_lifecycle.pause_job(name text, paused boolean) owner to akashi_owner;
comment on function akashi_lifecycle.pause_job(name text, paused boolean) is 'Pauses or resumes a job. A running run continues.';
grant execute on function akashi_lifecycle.pause_job(name text, paused boolean) to akashi_security_admin;
grant execute on function akashi_lifecycle.pause_job(name text, paused boolean) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.piece_name(parent text, step text, piece tstzrange)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select akashi_lifecycle.partition_name(parent, lower(piece), step,
    case when lower(piece) = akashi_lifecycle.partition_from(lower(piece), step)
                 and upper(piece) = akashi_lifecycle.partition_to(lower(piece), step) then ''
            else to_char(lower(piece) at time zone 'UTC',
              case step when 'day' then '"_"HH24MISS' else '"_"DDHH24MISS' end
              || case when date_trunc('second', lower(piece)) = lower(piece) then '' else 'US' end) end)
$function$;
alter function akashi_lifecycle.piece_name(parent text, step text, piece tstzrange) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.plan_partitions(as_of timestamp with time zone DEFAULT now())
 RETURNS SETOF akashi_lifecycle.partition_action
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  policy akashi_lifecycle.policies;
  parent regclass;
begin
  for policy in select * from akashi_lifecycle.policies p order by p.schema_name, p.table_name loop
    parent := to_regclass(format('%I.%I', policy.schema_name, policy.table_name));
    continue when parent is null;
    begin
      return query select * from akashi_lifecycle.missing_partitions(parent, as_of);
    exception when others then
      return next (policy.schema_name, policy.table_name, policy.table_name, 'failed', null, null, sqlerrm)::akashi_lifecycle.partition_action;
    end;
  end loop;
end
$function$;
alter function akashi_lifecycle.plan_partitions(as_of timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_lifecycle.plan_partitions(as_of timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.policy_of(parent regclass)
 RETURNS akashi_lifecycle.policies
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  policy akashi_lifecycle.policies;
begin
  select p.* into policy from akashi_lifecycle.policies p
  join pg_catalog.pg_namespace n on n.nspname = p.schema_name
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  where c.oid = parent;
  if not found then
    raise exception '% has no lifecycle policy', parent
      using errcode = 'undefined_object', hint = 'create one with akashi archive policy set';
  end if;
  return policy;
end
$function$;
alter function akashi_lifecycle.policy_of(parent regclass) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.prepare_partition(parent regclass, name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone)
 RETURNS regclass
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
  child constant text := format('%I.%I', policy.schema_name, name);
begin
  execute format('create table %s (like %s including defaults including constraints including generated including storage)',
    child, parent);
  -- With this constraint ATTACH skips its scan; it is dropped afterwards.
  execute format('alter table %s add constraint bounds check (created_at >= %L and created_at < %L)', child, lower_bound, upper_bound);
  return child::regclass;
end
$function$;
alter function akashi_lifecycle.prepare_partition(parent regclass, name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.prepare_restored(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
begin
  if akashi_lifecycle.uncovered(parent, lower_bound, upper_bound) <> tstzmultirange(tstzrange(lower_bound, upper_bound)) then
    raise exception 'rows of the period arrived in %.% after it was archived', schema_name, table_name using errcode = 'AK003',
      hint = 'export and drop them with akashi archive run first; then all rows are restored together';
  end if;
  perform akashi_lifecycle.prepare_partition(parent, partition_name, lower_bound, upper_bound);
end
$function$;
alter function akashi_lifecycle.prepare_restored(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.prune_alarms(keep interval DEFAULT 'P400D'::interval)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  removed integer;
begin
  if keep < interval '1 day' then
    raise exception 'history must be kept for at least one day' using errcode = 'invalid_parameter_value';
  end if;
  delete from akashi_lifecycle.alarms where cleared_at < now() - keep;
  get diagnostics removed = row_count;
  return removed;
end
$function$;
alter function akashi_lifecycle.prune_alarms(keep interval) owner to akashi_owner;
grant execute on function akashi_lifecycle.prune_alarms(keep interval) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.prune_job_runs(keep interval DEFAULT 'P90D'::interval)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  removed integer;
begin
  if keep < interval '1 day' then
    raise exception 'history must be kept for at least one day' using errcode = 'invalid_parameter_value';
  end if;
  delete from akashi_lifecycle.job_runs where started_at < now() - keep and state <> 'running';
  get diagnostics removed = row_count;
  return removed;
end
$function$;
alter function akashi_lifecycle.prune_job_runs(keep interval) owner to akashi_owner;
grant execute on function akashi_lifecycle.prune_job_runs(keep interval) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.prune_restores(keep interval DEFAULT 'P400D'::interval)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  removed integer;
begin
  if keep < interval '1 day' then
    raise exception 'history must be kept for at least one day' using errcode = 'invalid_parameter_value';
  end if;
  delete from akashi_lifecycle.restores where finished_at < now() - keep;
  get diagnostics removed = row_count;
  return removed;
end
$function$;
alter function akashi_lifecycle.prune_restores(keep interval) owner to akashi_owner;
grant execute on function akashi_lifecycle.prune_restores(keep interval) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.reattach_partition(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, keep_until timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '100ms'
AS $function$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('akashi_archive.%I', partition_name)::regclass;
begin
  if not exists (
    select from akashi_lifecycle.exports e
    where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound, e.partition_name, e.state)
        = (reattach_partition.schema_name, reattach_partition.table_name, reattach_partition.lower_bound,
           reattach_partition.upper_bound, reattach_partition.partition_name, 'detached')) then
    raise exception '%.% has no detached partition %', schema_name, table_name, partition_name using errcode = 'undefined_object';
  end if;
  perform akashi_lifecycle.lock_partitions(parent);
  if akashi_lifecycle.uncovered(parent, lower_bound, upper_bound) <> tstzmultirange(tstzrange(lower_bound, upper_bound)) then
    raise exception '%.% has another partition for the time of %', schema_name, table_name, partition_name using errcode = 'AK003',
      hint = format('its rows are in akashi_archive.%I: detach and drop the other partition once its rows are elsewhere', partition_name);
  end if;
  execute format('drop trigger refuse_insert on akashi_archive.%I', partition_name);
  if not (akashi_lifecycle.policy_of(parent)).append_only then
    execute format('drop trigger refuse_change on akashi_archive.%I', partition_name);
  end if;
  execute format('drop policy archived_read on akashi_archive.%I', partition_name);
  execute format('revoke all on akashi_archive.%I from akashi_worker', partition_name);
  -- With this constraint ATTACH skips its scan.
  execute format('alter table akashi_archive.%I add constraint bounds check (created_at >= %L and created_at < %L)',
    partition_name, lower_bound, upper_bound);
  execute format('comment on table akashi_archive.%I is null', partition_name);
  execute format('alter table akashi_archive.%I set schema %I', partition_name, schema_name);
  execute format('alter table %s attach partition %s for values from (%L) to (%L)', parent, child, lower_bound, upper_bound);
  execute format('alter table %s drop constraint bounds', child);
  perform akashi_lifecycle.mark_restored(schema_name, table_name, lower_bound, upper_bound, keep_until, 'detached');
end
$function$;
alter function akashi_lifecycle.reattach_partition(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, keep_until timestamp with time zone) owner to akashi_owner;
comment on function akashi_lifecycle.reattach_partition(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, keep_until timestamp with time zone) is 'Attaches a detached partition to its table again.';
grant execute on function akashi_lifecycle.reattach_partition(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, keep_until timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.recent_drills(until timestamp with time zone)
 RETURNS TABLE(day text, rpo_seconds double precision, rto_seconds double precision, ok boolean)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select to_char(d.started_at, 'YYYY-MM-DD'), d.rpo_seconds, d.rto_seconds, d.ok
  from (select * from akashi_lifecycle.drills l where l.started_at < until order by l.started_at desc limit 12) d order by d.started_at
$function$;
alter function akashi_lifecycle.recent_drills(until timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_lifecycle.recent_drills(until timestamp with time zone) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_lifecycle.report_alarms(looked_at text[], holding jsonb, OUT opened integer, OUT cleared integer)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  alarm akashi_lifecycle.alarms;
  stamp constant timestamptz := clock_timestamp();
begin
  opened := 0;
  cleared := 0;
  insert into akashi_lifecycle.alarm_counters as c (name, value, risen_at) values ('rounds', 1, stamp)
  on conflict on constraint alarm_counters_pkey do update set value = c.value + 1, risen_at = stamp;
  -- Two workers may report at once. An advisory lock could be held by any login.
  lock table akashi_lifecycle.alarms in share row exclusive mode;
  delete from akashi_lifecycle.alarms a
  where a.opened_at is null and a.condition = any (looked_at) and not exists (
    select from jsonb_to_recordset(holding) as f (condition text, subject text) where f.condition = a.condition and f.subject = a.subject);
  for alarm in
    update akashi_lifecycle.alarms a set cleared_at = stamp
    where a.opened_at is not null and a.cleared_at is null and a.condition = any (looked_at) and not exists (
      select from jsonb_to_recordset(holding) as f (condition text, subject text) where f.condition = a.condition and f.subject = a.subject)
    returning a.*
  loop
    cleared := cleared + 1;
    if alarm.announced_at is not null then
      perform akashi_lifecycle.announce_alarm(alarm, true);
    end if;
  end loop;
  insert into akashi_lifecycle.alarms as a (condition, subject, severity, detail, value, began_at, seen_at)
  select distinct on (f.condition, f.subject) f.condition, f.subject, f.severity, left(f.detail, 2000), f.value, stamp, stamp
  from jsonb_to_recordset(holding) as f (condition text, subject text, severity text, detail text, value double precision)
  on conflict (condition, subject) where cleared_at is null
  do update set severity = excluded.severity, detail = excluded.detail, value = excluded.value, seen_at = stamp;
  with due as (
    update akashi_lifecycle.alarms a set opened_at = stamp
    from jsonb_to_recordset(holding) as f (condition text, subject text, seconds double precision)
    where a.condition = f.condition and a.subject = f.subject and a.opened_at is null
      and a.began_at <= stamp - make_interval(secs => f.seconds)
    returning a.id
  )
  select count(*) into opened from due;
  -- Includes alarms whose silence has ended since they opened.
  for alarm in
    update akashi_lifecycle.alarms a set announced_at = stamp
    where a.opened_at is not null and a.cleared_at is null and a.announced_at is null
      and not akashi_lifecycle.is_silenced(a.condition, a.subject)
    returning a.*
  loop
    perform akashi_lifecycle.announce_alarm(alarm, false);
  end loop;
end
$function$;
alter function akashi_lifecycle.report_alarms(looked_at text[], holding jsonb, OUT opened integer, OUT cleared integer) owner to akashi_owner;
comment on function akashi_lifecycle.report_alarms(looked_at text[], holding jsonb, OUT opened integer, OUT cleared integer) is 'Opens and clears alarms of the conditions that were checked.';
grant execute on function akashi_lifecycle.report_alarms(looked_at text[], holding jsonb, OUT opened integer, OUT cleared integer) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.report_progress(run uuid, worker text, progress jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  update akashi_lifecycle.job_runs r set progress = report_progress.progress
  where r.id = run and r.worker = report_progress.worker and r.state = 'running'
$function$;
alter function akashi_lifecycle.report_progress(run uuid, worker text, progress jsonb) owner to akashi_owner;
grant execute on function akashi_lifecycle.report_progress(run uuid, worker text, progress jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.request_job(name text)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  requested timestamptz;
begin
  update akashi_lifecycle.jobs j set requested_at = clock_timestamp() where j.name = request_job.name
  returning j.requested_at into requested;
  if not found then
    raise exception 'job not found: %', name using errcode = 'undefined_object', hint = 'list them with akashi jobs';
  end if;
  return requested;
end
$function$;
alter function akashi_lifecycle.request_job(name text) owner to akashi_owner;
comment on function akashi_lifecycle.request_job(name text) is 'Requests an immediate run, also of a paused job; returns the time of the request.';
grant execute on function akashi_lifecycle.request_job(name text) to akashi_security_admin;
grant execute on function akashi_lifecycle.request_job(name text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.retention_evidence(since timestamp with time zone, until timestamp with time zone, OUT policies bigint, OUT audit_retention_days numeric, OUT event_retention_days numeric, OUT held_tables bigint, OUT short_of_partitions bigint, OUT exports bigint, OUT exported_rows numeric, OUT overdue_exports bigint, OUT retired bigint, OUT pending_shortenings bigint)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select (select count(*) from akashi_lifecycle.policies),
         (select round(extract(epoch from p.total_retention) / 86400) from akashi_lifecycle.policies p
          where (p.schema_name, p.table_name) = ('akashi_audit', 'audit_logs')),
         (select round(extract(epoch from p.total_retention) / 86400) from akashi_lifecycle.policies p
          where (p.schema_name, p.table_name) = ('akashi_security', 'security_events')),
         (select count(*) from akashi_lifecycle.policies p where p.legal_hold),
         (select count(*) from akashi_lifecycle.partition_headroom h where h.covered_until < now() + interval '7 days'),
         (select count(*) from akashi_lifecycle.exports e where e.verified_at >= since and e.verified_at < until),
         (select coalesce(sum(e.row_count), 0) from akashi_lifecycle.exports e where e.verified_at >= since and e.verified_at < until),
         -- The job exports closed partitions once a day.
         (select count(*) from akashi_lifecycle.archive_plan(now() - interval '2 days') a where a.step = 'export' and a.row_count > 0),
         (select count(*) from akashi_lifecycle.exports e where e.retired_at >= since and e.retired_at < until),
         (select count(*) from akashi_lifecycle.shortenings)
$function$;
alter function akashi_lifecycle.retention_evidence(since timestamp with time zone, until timestamp with time zone, OUT policies bigint, OUT audit_retention_days numeric, OUT event_retention_days numeric, OUT held_tables bigint, OUT short_of_partitions bigint, OUT exports bigint, OUT exported_rows numeric, OUT overdue_exports bigint, OUT retired bigint, OUT pending_shortenings bigint) owner to akashi_owner;
grant execute on function akashi_lifecycle.retention_evidence(since timestamp with time zone, until timestamp with time zone, OUT policies bigint, OUT audit_retention_days numeric, OUT event_retention_days numeric, OUT held_tables bigint, OUT short_of_partitions bigint, OUT exports bigint, OUT exported_rows numeric, OUT overdue_exports bigint, OUT retired bigint, OUT pending_shortenings bigint) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_lifecycle.retirement_plan(as_of timestamp with time zone, only_schema text DEFAULT NULL::text, only_table text DEFAULT NULL::text)
 RETURNS TABLE(schema_name text, table_name text, partition_name text, lower_bound timestamp with time zone, upper_bound timestamp with time zone, step text, held_by text, export_id uuid, policy_text text, row_count bigint, estimated boolean, manifest text, generation integer)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with policy as (
    select p.*, c.oid as parent, akashi_lifecycle.kept_by(p) as kept_by, format('%s.%s: kept for %s, %s', p.schema_name, p.table_name, p.total_retention,
             case when p.retention_set_at is null then 'as installed'
               else format('set by %s at %s', regexp_replace(p.retention_set_by, '[[:cntrl:]]', '?', 'g'),
                 to_char(p.retention_set_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) end) as text
    from akashi_lifecycle.policies p
    left join pg_catalog.pg_namespace n on n.nspname = p.schema_name
    left join pg_catalog.pg_class c on (c.relnamespace, c.relname) = (n.oid, p.table_name)
    where p.at_expiry <> 'keep' and (only_schema is null or (p.schema_name, p.table_name) = (only_schema, only_table))
  ), due as (
    select p.schema_name, p.table_name, e.partition_name, e.lower_bound, e.upper_bound,
           coalesce(p.kept_by, akashi_lifecycle.awaited_copy(e.id)) as kept_by, e.id, p.text,
           e.row_count, e.manifest, e.generation
    from akashi_lifecycle.exports e join policy p using (schema_name, table_name)
    where e.upper_bound + p.total_retention <= as_of
      and (e.state in ('dropped', 'retiring') or (e.state = 'superseded' and not exists (
        select from akashi_lifecycle.exports n
        where (n.schema_name, n.table_name, n.lower_bound, n.upper_bound) = (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
          and n.state in ('exporting', 'verified', 'detached'))))
    union all
    select p.schema_name, p.table_name, c.relname::text, b.lower, b.upper, p.kept_by, null, p.text,
           greatest(c.reltuples, 0)::bigint, null, 0
    from policy p
    join pg_catalog.pg_inherits i on i.inhparent = p.parent
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
    where p.at_expiry = 'retire' and isfinite(b.lower) and b.upper + p.total_retention <= as_of
  )
  select due.schema_name, due.table_name, due.partition_name, due.lower_bound, due.upper_bound,
         case when due.kept_by is null then 'retire' else 'held' end, due.kept_by,
         due.id, due.text, due.row_count, due.id is null, due.manifest, due.generation
  from due order by 1, 2, 4, 13
$function$;
alter function akashi_lifecycle.retirement_plan(as_of timestamp with time zone, only_schema text, only_table text) owner to akashi_owner;
comment on function akashi_lifecycle.retirement_plan(as_of timestamp with time zone, only_schema text, only_table text) is 'Data past its total retention at a given time.';
grant execute on function akashi_lifecycle.retirement_plan(as_of timestamp with time zone, only_schema text, only_table text) to akashi_security_admin;
grant execute on function akashi_lifecycle.retirement_plan(as_of timestamp with time zone, only_schema text, only_table text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.server_reading(statement_seconds double precision)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select jsonb_build_object(
    'now', extract(epoch from clock_timestamp()),
    'connections', (select count(*) from pg_stat_activity where backend_type in ('client backend', 'walsender')),
    'maxConnections', current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer,
    'deadlocks', (select coalesce(sum(deadlocks), 0) from pg_stat_database),
    'transactionAge', (select max(age(datfrozenxid)) from pg_database where datallowconn),
    'statements', (select coalesce(jsonb_agg(jsonb_build_object('pid', s.pid, 'login', s.login, 'application', s.application, 'seconds', s.seconds) order by s.seconds desc), '[]')
      from (select a.pid, a.usename as login, a.application_name as application, extract(epoch from clock_timestamp() - a.query_start)::float8 as seconds
            from pg_stat_activity a
            where a.backend_type = 'client backend' and a.state = 'active' and a.pid <> pg_backend_pid()
              and a.application_name <> 'akashi worker' and a.query_start <= clock_timestamp() - make_interval(secs => statement_seconds)
            order by a.query_start limit 20) s),
    'standbys', (select coalesce(jsonb_agg(jsonb_build_object('name', r.application_name, 'pid', r.pid, 'bytes',
        greatest(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
          coalesce(r.replay_lsn, r.flush_lsn, r.write_lsn, r.sent_lsn)), 0),
        'seconds', extract(epoch from r.replay_lag))), '[]')
      from pg_stat_replication r where r.state in ('streaming', 'catchup') and r.application_name not like 'akashi%'))
$function$;
alter function akashi_lifecycle.server_reading(statement_seconds double precision) owner to akashi_owner;
grant execute on function akashi_lifecycle.server_reading(statement_seconds double precision) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.set_copy_policy(schema_name text, table_name text, tenant text, class text, destination text, total_retention interval, reason text DEFAULT NULL::text)
 RETURNS akashi_lifecycle.copy_policies
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  acting constant text := coalesce(akashi_auth.current_user_id()::text, session_user);
  own akashi_lifecycle.policies;
  named record;
  before akashi_lifecycle.copy_policies;
  changed akashi_lifecycle.copy_policies;
begin
  select * into own from akashi_lifecycle.policies p
  where (p.schema_name, p.table_name) = (set_copy_policy.schema_name, set_copy_policy.table_name) for update;
  if not found then
    raise exception '%.% has no lifecycle policy', schema_name, table_name using errcode = 'undefined_object',
      hint = 'create one with akashi archive policy set';
  end if;
  select * into before from akashi_lifecycle.copy_policies p
  where (p.schema_name, p.table_name) = (set_copy_policy.schema_name, set_copy_policy.table_name)
    and p.tenant is not distinct from set_copy_policy.tenant and p.class is not distinct from set_copy_policy.class
    and p.destination = set_copy_policy.destination for update;
  if total_retention is null then
    if before.id is null or before.ended_at is not null then
      raise exception 'this part of %.% is not copied to %', schema_name, table_name, destination using errcode = 'undefined_object',
        hint = 'list copy policies with akashi archive policy list';
    end if;
    update akashi_lifecycle.copy_policies p set ended_at = clock_timestamp(), last_modified_by = acting
    where p.id = before.id returning * into changed;
  else
    if own.at_expiry <> 'archive' then
      raise exception '%.% is not archived, so there is nothing to copy', schema_name, table_name using errcode = 'AK003',
        hint = 'copies are made from the archive: set at_expiry to archive first';
    end if;
    if total_retention not between interval '1 day' and interval '1000 years' then
      raise exception 'a copy must be kept for at least a day and at most 1000 years' using errcode = 'invalid_parameter_value';
    end if;
    select * into named from akashi_lifecycle.group_columns(schema_name, table_name);
    if tenant is not null and named.tenant is null or class is not null and named.class is null then
      raise exception '%.% has no column that names the % of a row', schema_name, table_name,
        case when tenant is not null and named.tenant is null then 'tenant' else 'class' end using errcode = 'invalid_parameter_value',
        hint = 'a tenant is in tenant_id; a class in data_classification, security_classification or event_category';
    end if;
    insert into akashi_lifecycle.copy_policies as p (schema_name, table_name, tenant, class, destination, total_retention, created_by, last_modified_by)
    values (set_copy_policy.schema_name, set_copy_policy.table_name, set_copy_policy.tenant, set_copy_policy.class,
      set_copy_policy.destination, set_copy_policy.total_retention, acting, acting)
    on conflict on constraint copy_policies_schema_name_table_name_tenant_class_destinati_key do update
      set total_retention = excluded.total_retention, ended_at = null, last_modified_by = acting
    returning * into changed;
    update akashi_lifecycle.copies c set keep_until = e.upper_bound + changed.total_retention
    from akashi_lifecycle.exports e
    where e.id = c.export and c.policy = changed.id and c.state in ('copying', 'verified')
      and c.keep_until < e.upper_bound + changed.total_retention;
  end if;
  perform akashi_audit.record_action('lifecycle_policy', case when total_retention is null then 'end_copying' else 'copy' end,
    format('%I.%I', schema_name, table_name), changed.id::text, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('tenant', tenant, 'class', class, 'destination', destination, 'total_retention', total_retention,
      'before', before.total_retention, 'reason', reason)));
  return changed;
end
$function$;
alter function akashi_lifecycle.set_copy_policy(schema_name text, table_name text, tenant text, class text, destination text, total_retention interval, reason text) owner to akashi_owner;
comment on function akashi_lifecycle.set_copy_policy(schema_name text, table_name text, tenant text, class text, destination text, total_retention interval, reason text) is 'Sets how long a part of a table''s archive is kept at a destination; null stops copying.';
grant execute on function akashi_lifecycle.set_copy_policy(schema_name text, table_name text, tenant text, class text, destination text, total_retention interval, reason text) to akashi_security_admin;
grant execute on function akashi_lifecycle.set_copy_policy(schema_name text, table_name text, tenant text, class text, destination text, total_retention interval, reason text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.set_policy(schema_name text, table_name text, changes jsonb, reason text DEFAULT NULL::text)
 RETURNS akashi_lifecycle.policies
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
#variable_conflict use_column
declare
  known constant text[] := array['interval', 'premake', 'hot_retention', 'at_expiry', 'total_retention', 'lateness', 'format'];
  -- Alarms are raised below 7 days or 1 month, so more is kept ahead.
  least_days constant integer := 8;
  least_months constant integer := 2;
  most_steps constant integer := 1200;
  -- From the catalog: a lookup by name fails in a schema that the owner may not use.
  target constant regclass := (
    select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where (n.nspname, c.relname) = (set_policy.schema_name, set_policy.table_name));
  acting constant text := coalesce(akashi_auth.current_user_id()::text, session_user);
  before akashi_lifecycle.policies;
  changed akashi_lifecycle.policies;
  wrong text;
begin
  if target is null then
    raise exception 'table not found: %.%', set_policy.schema_name, set_policy.table_name using errcode = 'undefined_object';
  end if;
  if jsonb_typeof(changes) is distinct from 'object' or changes = '{}' then
    raise exception 'nothing to change' using errcode = 'invalid_parameter_value',
      hint = 'name one of ' || array_to_string(known, ', ');
  end if;
  select key into wrong from jsonb_each(changes) where key <> all (known) order by key limit 1;
  if found then
    raise exception 'a policy has no %', wrong using errcode = 'invalid_parameter_value',
      hint = 'it has ' || array_to_string(known, ', ') || '; use akashi_lifecycle.hold() for a legal hold';
  end if;
  select * into before from akashi_lifecycle.policies p
  where (p.schema_name, p.table_name) = (set_policy.schema_name, set_policy.table_name) for update;
  if not found then
    if not (changes ?& array['interval', 'hot_retention', 'at_expiry', 'total_retention']) then
      raise exception '%.% has no lifecycle policy', set_policy.schema_name, set_policy.table_name
        using errcode = 'undefined_object',
              hint = 'a new policy needs interval, hot_retention, at_expiry and total_retention';
    end if;
    if not exists (
      select from pg_catalog.pg_partitioned_table t
      join pg_catalog.pg_attribute a on a.attrelid = t.partrelid and a.attnum = t.partattrs[0]
      where t.partrelid = target and t.partstrat = 'r' and t.partnatts = 1 and a.attname = 'created_at'
    ) then
      raise exception '% is not partitioned by range of created_at', target using errcode = 'wrong_object_type';
    end if;
    if (select c.relowner from pg_catalog.pg_class c where c.oid = target) <> 'akashi_owner'::regrole then
      raise exception '% is not owned by akashi_owner, which creates and detaches partitions', target
        using errcode = 'AK003', hint = format('alter table %s owner to akashi_owner', target);
    end if;
    if changes ->> 'at_expiry' = 'archive' then
      perform akashi_lifecycle.assert_archivable(target);
    end if;
    perform akashi_lifecycle.own_table(set_policy.schema_name, set_policy.table_name);
    before := jsonb_populate_record(null::akashi_lifecycle.policies, jsonb_build_object('schema_name', set_policy.schema_name,
      'table_name', set_policy.table_name, 'append_only', false, 'legal_hold', false, 'lateness', '1 day', 'format', 'parquet',
      'premake', case changes ->> 'interval' when 'month' then 3 else 30 end, 'created_at', now(), 'updated_at', now()));
    insert into akashi_lifecycle.policies select (jsonb_populate_record(before, changes)).*;
  elsif changes ? 'interval' and changes ->> 'interval' <> before.interval then
    raise exception 'the interval of %.% cannot be changed: its partitions depend on it', set_policy.schema_name, set_policy.table_name
      using errcode = 'AK003';
  end if;
  changed := jsonb_populate_record(before, changes);
  if not (changed.premake between case changed.interval when 'day' then least_days else least_months end and most_steps) then
    raise exception 'partitions must be created % to % % ahead', case changed.interval when 'day' then least_days else least_months end,
      most_steps, changed.interval || 's' using errcode = 'invalid_parameter_value';
  end if;
  if changed.at_expiry not in ('archive', 'retire', 'keep') then
    raise exception 'at_expiry must be archive, retire or keep, not %', changed.at_expiry
      using errcode = 'invalid_parameter_value';
  end if;
  if changed.hot_retention < '1 day' then
    raise exception 'rows must stay in PostgreSQL for at least one day' using errcode = 'invalid_parameter_value';
  end if;
  if greatest(changed.total_retention, changed.lateness) > interval '1000 years' then
    raise exception 'a period in a policy is at most 1000 years' using errcode = 'invalid_parameter_value',
      hint = 'to keep rows forever, set at_expiry to keep';
  end if;
  if changed.total_retention < changed.hot_retention then
    raise exception 'the total retention must not be shorter than the hot retention: % is shorter than %',
      changed.total_retention, changed.hot_retention using errcode = 'invalid_parameter_value';
  end if;
  if changed.lateness < '0' or changed.format not in ('parquet', 'parquet+csv') or changed.interval not in ('day', 'month') then
    raise exception 'the policy is not valid' using errcode = 'invalid_parameter_value',
      hint = 'interval must be day or month, lateness not negative, format parquet or parquet+csv';
  end if;
  if changed.at_expiry = 'archive' then
    perform akashi_lifecycle.assert_archivable(target);
  end if;
  if changes ?| array['at_expiry', 'total_retention'] and changed.at_expiry <> 'keep'
     and (before.at_expiry = 'keep' or changed.total_retention < before.total_retention) then
    perform akashi_auth.use_approval('shorten_retention', format('%s.%s', changed.schema_name, changed.table_name),
      jsonb_build_object('total', changed.total_retention, 'at_expiry', changed.at_expiry));
  end if;
  changed := akashi_lifecycle.defer_shortening(before, changed, changes ?| array['at_expiry', 'total_retention'], acting, reason);
  update akashi_lifecycle.policies p
  set premake = changed.premake, hot_retention = changed.hot_retention, at_expiry = changed.at_expiry,
      total_retention = changed.total_retention, lateness = changed.lateness, format = changed.format,
      retention_set_by = changed.retention_set_by, retention_set_at = changed.retention_set_at,
      last_modified_by = acting
  where (p.schema_name, p.table_name) = (set_policy.schema_name, set_policy.table_name)
  returning * into changed;
  perform akashi_audit.record_action('lifecycle_policy', 'set', format('%I.%I', set_policy.schema_name, set_policy.table_name), null, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('changes', changes, 'before',
      (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(before)) where changes ? key), 'reason', reason)));
  return changed;
end
$function$;
alter function akashi_lifecycle.set_policy(schema_name text, table_name text, changes jsonb, reason text) owner to akashi_owner;
comment on function akashi_lifecycle.set_policy(schema_name text, table_name text, changes jsonb, reason text) is 'Changes the given parts of a table''s policy, or creates it; refuses contradictions and records who changed it and why.';
grant execute on function akashi_lifecycle.set_policy(schema_name text, table_name text, changes jsonb, reason text) to akashi_security_admin;
grant execute on function akashi_lifecycle.set_policy(schema_name text, table_name text, changes jsonb, reason text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.set_store_ownership(installation uuid, token bigint)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into akashi_lifecycle.store_ownership as o (installation, token, system_identifier, timeline, database_oid)
  select set_store_ownership.installation, set_store_ownership.token, i.system_identifier, i.timeline, d.oid
  from akashi_audit.system_identity() i
  join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
  on conflict (one_row) do update set (installation, token, system_identifier, timeline, database_oid, updated_at) =
    (excluded.installation, excluded.token, excluded.system_identifier, excluded.timeline, excluded.database_oid,
     clock_timestamp())
$function$;
alter function akashi_lifecycle.set_store_ownership(installation uuid, token bigint) owner to akashi_owner;
comment on function akashi_lifecycle.set_store_ownership(installation uuid, token bigint) is 'Stores who owns the object store; with a null token it is another installation.';
grant execute on function akashi_lifecycle.set_store_ownership(installation uuid, token bigint) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.setting(key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  found_value jsonb;
begin
  select s.value into found_value from akashi_lifecycle.settings s where s.key = setting.key;
  if not found then
    raise exception 'setting not found: %', key using errcode = 'undefined_object', hint = 'list them with akashi settings list';
  end if;
  return found_value;
end
$function$;
alter function akashi_lifecycle.setting(key text) owner to akashi_owner;
comment on function akashi_lifecycle.setting(key text) is 'The value of a setting; an error if there is none.';
grant execute on function akashi_lifecycle.setting(key text) to akashi_app;
grant execute on function akashi_lifecycle.setting(key text) to akashi_reader;
grant execute on function akashi_lifecycle.setting(key text) to akashi_security_admin;
grant execute on function akashi_lifecycle.setting(key text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.settles(run akashi_lifecycle.job_runs)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select not run.cut_short or (
    select count(*) >= 3 from akashi_lifecycle.job_runs r where r.job = run.job and r.due_at = run.due_at and r.cut_short)
$function$;
alter function akashi_lifecycle.settles(run akashi_lifecycle.job_runs) owner to akashi_owner;
grant execute on function akashi_lifecycle.settles(run akashi_lifecycle.job_runs) to akashi_reader;
grant execute on function akashi_lifecycle.settles(run akashi_lifecycle.job_runs) to akashi_security_admin;
grant execute on function akashi_lifecycle.settles(run akashi_lifecycle.job_runs) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.silence_alarms(condition text, subject text, until timestamp with time zone, reason text)
 RETURNS uuid
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into akashi_lifecycle.alarm_silences (condition, subject, reason, created_by, until)
  values (silence_alarms.condition, silence_alarms.subject, silence_alarms.reason,
          akashi_auth.acting_name(), silence_alarms.until)
  returning id
$function$;
alter function akashi_lifecycle.silence_alarms(condition text, subject text, until timestamp with time zone, reason text) owner to akashi_owner;
comment on function akashi_lifecycle.silence_alarms(condition text, subject text, until timestamp with time zone, reason text) is 'Silences alarms of a condition for 90 days at most; with a null subject, all of them.';
grant execute on function akashi_lifecycle.silence_alarms(condition text, subject text, until timestamp with time zone, reason text) to akashi_security_admin;
grant execute on function akashi_lifecycle.silence_alarms(condition text, subject text, until timestamp with time zone, reason text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.supersede_exports(export uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update akashi_lifecycle.exports e set state = 'superseded', message = null
  from akashi_lifecycle.exports own
  where own.id = supersede_exports.export and own.state = 'verified'
    and (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (own.schema_name, own.table_name, own.lower_bound, own.upper_bound)
    and e.generation < own.generation and e.state = 'verified';
end
$function$;
alter function akashi_lifecycle.supersede_exports(export uuid) owner to akashi_owner;
grant execute on function akashi_lifecycle.supersede_exports(export uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_lifecycle.uncovered(parent regclass, range_from timestamp with time zone, range_to timestamp with time zone)
 RETURNS tstzmultirange
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select tstzmultirange(tstzrange(range_from, range_to))
    - coalesce((select range_agg(tstzrange(b.lower, b.upper))
                from pg_catalog.pg_inherits i, akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b
                where i.inhparent = parent and b.lower < b.upper), '{}')
$function$;
alter function akashi_lifecycle.uncovered(parent regclass, range_from timestamp with time zone, range_to timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_lifecycle.worker_lock(worker text)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select hashtextextended('akashi.worker/' || worker, 0)
$function$;
alter function akashi_lifecycle.worker_lock(worker text) owner to akashi_owner;
grant execute on function akashi_lifecycle.worker_lock(worker text) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_security.close_evidence_session(session_hash bytea)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  delete from akashi_security.evidence_sessions s where s.token_hash = session_hash and akashi_auth.is_server()
$function$;
alter function akashi_security.close_evidence_session(session_hash bytea) owner to akashi_owner;
grant execute on function akashi_security.close_evidence_session(session_hash bytea) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_security.create_evidence_link(token_hash bytea, logs text[], covers_from timestamp with time zone, covers_until timestamp with time zone, reports uuid[], reason text, days integer)
 RETURNS TABLE(link uuid, expires_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  permission text;
begin
  perform akashi_auth.require_permission('evidence:write');
  foreach permission in array akashi_security.evidence_permissions(logs, reports) loop
    perform akashi_auth.require_permission(permission);
  end loop;
  if days is null or days not between 1 and 30 then
    raise exception 'a link is valid for 1 to 30 days' using errcode = 'invalid_parameter_value', hint = 'choose an earlier end';
  end if;
  if exists (select from unnest(reports) r where not akashi_security.has_compliance_report(r)) then
    raise exception 'report not found' using errcode = 'no_data_found', hint = 'list them with akashi report list';
  end if;
  return query insert into akashi_security.evidence_links as l (token_hash, logs, covers_from, covers_until, reports, reason, shared_by, expires_at)
  values (create_evidence_link.token_hash, create_evidence_link.logs, create_evidence_link.covers_from, create_evidence_link.covers_until,
          create_evidence_link.reports, create_evidence_link.reason, akashi_auth.current_user_id(), now() + make_interval(hours => 24 * days))
  returning l.id, l.expires_at;
end
$function$;
alter function akashi_security.create_evidence_link(token_hash bytea, logs text[], covers_from timestamp with time zone, covers_until timestamp with time zone, reports uuid[], reason text, days integer) owner to akashi_owner;
comment on function akashi_security.create_evidence_link(token_hash bytea, logs text[], covers_from timestamp with time zone, covers_until timestamp with time zone, reports uuid[], reason text, days integer) is 'Creates an evidence link. Requires evidence:write and every permission to read what it shows.';
grant execute on function akashi_security.create_evidence_link(token_hash bytea, logs text[], covers_from timestamp with time zone, covers_until timestamp with time zone, reports uuid[], reason text, days integer) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_security.detect_security_anomalies()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  found record;
begin
  -- Two runs at the same moment may both record what they find. A lock that prevents it could be held by any login.
  for found in
    select 'source_ip' as kind, host(e.source_ip) as subject, count(*) as attempts
    from akashi_security.security_events e
    where e.event_type = 'authentication_failure' and e.received_at > now() - interval '5 minutes'
      and e.created_at > now() - interval '1 day' and e.source_ip is not null
    group by e.source_ip having count(*) > 5
    union all
    select 'user_name', e.user_name, count(*)
    from akashi_security.security_events e
    where e.event_type = 'authentication_failure' and e.received_at > now() - interval '5 minutes'
      and e.created_at > now() - interval '1 day' and e.user_name is not null
    group by e.user_name having count(*) > 5
  loop
    continue when exists (
      select from akashi_security.security_events e
      where e.event_type = 'brute_force_detected' and e.created_at > now() - interval '5 minutes'
        and e.event_details @> jsonb_build_object('kind', found.kind, 'subject', found.subject));
    perform akashi_security.record_event(event_type => 'brute_force_detected', event_category => 'authentication', severity => 'high',
      source_service => 'security_monitor', action_performed => 'anomaly_detection', result => 'failure', ocsf_class_uid => 2004,
      source_ip => case found.kind when 'source_ip' then found.subject::inet end,
      user_name => case found.kind when 'user_name' then found.subject end,
      event_details => jsonb_build_object('kind', found.kind, 'subject', found.subject, 'failed_attempts', found.attempts,
        'time_window', '5 minutes'));
  end loop;
  for found in
    select e.user_id as subject, count(*) as accesses, array_agg(distinct e.resource_type) as resources
    from akashi_security.security_events e
    where e.event_category = 'data_access' and e.received_at > now() - interval '1 hour'
      and e.created_at > now() - interval '1 day' and e.user_id is not null and e.source_service <> 'security_monitor'
    group by e.user_id having count(*) > 100
  loop
    continue when exists (
      select from akashi_security.security_events e
      where e.event_type = 'unusual_access_pattern' and e.created_at > now() - interval '1 hour'
        and e.event_details @> jsonb_build_object('subject', found.subject));
    perform akashi_security.record_event(event_type => 'unusual_access_pattern', event_category => 'data_access', severity => 'medium',
      source_service => 'security_monitor', action_performed => 'anomaly_detection', result => 'failure', ocsf_class_uid => 2004,
      user_id => found.subject,
      event_details => jsonb_build_object('subject', found.subject, 'access_count', found.accesses,
        'resources_accessed', found.resources, 'time_window', '1 hour'));
  end loop;
end
$function$;
alter function akashi_security.detect_security_anomalies() owner to akashi_owner;
comment on function akashi_security.detect_security_anomalies() is 'Records brute_force_detected for each address and account with more than 5 failed sign-ins in 5 minutes, and unusual_access_pattern for each user with more than 100 accesses to data in 1 hour; once in that time.';
grant execute on function akashi_security.detect_security_anomalies() to akashi_security_admin;
grant execute on function akashi_security.detect_security_anomalies() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_security.detection_evidence(since timestamp with time zone, until timestamp with time zone, OUT runs bigint, OUT found bigint, OUT closed bigint, OUT open bigint, OUT overdue bigint, OUT median_hours numeric, OUT false_positives bigint)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select (select count(*) from akashi_security.detection_runs r where r.created_at >= since and r.created_at < until),
         count(*) filter (where f.created_at >= since and f.created_at < until),
         count(*) filter (where f.closed_at >= since and f.closed_at < until),
         count(*) filter (where f.closed_at is null),
         count(*) filter (where f.closed_at is null and f.due_at < now()),
         round((percentile_cont(0.5) within group (order by extract(epoch from f.closed_at - f.created_at)::float8)
                  filter (where f.closed_at >= since and f.closed_at < until) / 3600)::numeric, 1),
         count(*) filter (where f.status = 'false_positive' and f.closed_at >= since and f.closed_at < until)
  from akashi_security.detection_findings f
$function$;
alter function akashi_security.detection_evidence(since timestamp with time zone, until timestamp with time zone, OUT runs bigint, OUT found bigint, OUT closed bigint, OUT open bigint, OUT overdue bigint, OUT median_hours numeric, OUT false_positives bigint) owner to akashi_owner;
grant execute on function akashi_security.detection_evidence(since timestamp with time zone, until timestamp with time zone, OUT runs bigint, OUT found bigint, OUT closed bigint, OUT open bigint, OUT overdue bigint, OUT median_hours numeric, OUT false_positives bigint) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_security.event_evidence(since timestamp with time zone, until timestamp with time zone, OUT events bigint, OUT critical bigint, OUT high bigint, OUT unresolved bigint, OUT rejected_lines bigint)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select count(*), count(*) filter (where e.severity = 'critical'), count(*) filter (where e.severity = 'high'),
         count(*) filter (where e.severity = 'critical' and e.remediation_status in ('open', 'in_progress')),
         (select count(*) from akashi_security.ingest_quarantine q where q.received_at >= since and q.received_at < until)
  from akashi_security.v_security_events e where e.created_at >= since and e.created_at < until
$function$;
alter function akashi_security.event_evidence(since timestamp with time zone, until timestamp with time zone, OUT events bigint, OUT critical bigint, OUT high bigint, OUT unresolved bigint, OUT rejected_lines bigint) owner to akashi_owner;
grant execute on function akashi_security.event_evidence(since timestamp with time zone, until timestamp with time zone, OUT events bigint, OUT critical bigint, OUT high bigint, OUT unresolved bigint, OUT rejected_lines bigint) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_security.evidence_link_open(link akashi_security.evidence_links)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select link.revoked_at is null and link.expires_at > clock_timestamp()
    and (link.shared_by is null
      or (select bool_and(akashi_auth.user_has_permission(link.shared_by, p))
          from unnest(array['evidence:write'] || akashi_security.evidence_permissions(link.logs, link.reports)) p))
$function$;
alter function akashi_security.evidence_link_open(link akashi_security.evidence_links) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_security.evidence_permissions(logs text[], reports uuid[])
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select array(select distinct p from unnest(
    array['ledger:read']
    || case when logs && array['audit_logs', 'login_attempts'] then array['audit_logs:read'] else array[]::text[] end
    || case when 'security_events' = any (logs) then array['events:read'] else array[]::text[] end
    || case when cardinality(reports) > 0 then array['reports:read'] else array[]::text[] end) p)
$function$;
alter function akashi_security.evidence_permissions(logs text[], reports uuid[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_security.evidence_session(session_hash bytea)
 RETURNS TABLE(link uuid, logs text[], covers_from timestamp with time zone, covers_until timestamp with time zone, reports uuid[], expires_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select l.id, l.logs, l.covers_from, l.covers_until, l.reports, least(s.expires_at, l.expires_at)
  from akashi_security.evidence_sessions s join akashi_security.evidence_links l on l.id = s.link_id
  where s.token_hash = session_hash and s.expires_at > clock_timestamp() and akashi_security.evidence_link_open(l) and akashi_auth.is_server()
$function$;
alter function akashi_security.evidence_session(session_hash bytea) owner to akashi_owner;
grant execute on function akashi_security.evidence_session(session_hash bytea) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_security.findings_by_severity(since timestamp with time zone, until timestamp with time zone)
 RETURNS TABLE(severity text, found bigint, closed bigint, overdue bigint)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select s.name, count(f.id), count(f.id) filter (where f.closed_at is not null), count(f.id) filter (where f.closed_at is null and f.due_at < now())
  from unnest(array['critical', 'high', 'medium', 'low', 'info']) with ordinality s (name, rank)
  left join akashi_security.detection_findings f on f.severity = s.name and f.created_at >= since and f.created_at < until
  group by s.name, s.rank order by s.rank
$function$;
alter function akashi_security.findings_by_severity(since timestamp with time zone, until timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_security.findings_by_severity(since timestamp with time zone, until timestamp with time zone) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_security.has_compliance_report(report uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (select from akashi_security.compliance_reports r where r.id = report)
$function$;
alter function akashi_security.has_compliance_report(report uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION akashi_security.keep_finding()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  if tg_op = 'UPDATE' then
    if new.event_count < old.event_count or new.first_at > old.first_at or new.last_at < old.last_at then
      raise exception 'the evidence of a finding cannot shrink' using errcode = 'AK001';
    end if;
    if new.status in ('open', 'in_progress') then
      new.closed_at := null;
    elsif old.status in ('open', 'in_progress') then
      new.closed_at := clock_timestamp();
    end if;
  end if;
  return new;
end
$function$;
alter function akashi_security.keep_finding() owner to akashi_owner;
grant execute on function akashi_security.keep_finding() to akashi_security_admin;
grant execute on function akashi_security.keep_finding() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_security.keep_remediation()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
begin
  if tg_op = 'INSERT' then
    select e.severity into new.severity from akashi_security.security_events e
    where e.id = new.event_id and e.created_at = new.event_created_at;
    if not found then
      raise exception 'event not found: % of %', new.event_id, new.event_created_at using errcode = 'no_data_found';
    end if;
  end if;
  if new.remediation_status <> 'resolved' then
    new.resolved_at := null;
  elsif tg_op = 'INSERT' or old.remediation_status <> 'resolved' then
    new.resolved_at := now();
  end if;
  return new;
end
$function$;
alter function akashi_security.keep_remediation() owner to akashi_owner;
grant execute on function akashi_security.keep_remediation() to akashi_security_admin;
grant execute on function akashi_security.keep_remediation() to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_security.list_evidence_links()
 RETURNS TABLE(id uuid, logs text[], covers_from timestamp with time zone, covers_until timestamp with time zone, reports uuid[], reason text, created_at timestamp with time zone, created_by text, expires_at timestamp with time zone, revoked_at timestamp with time zone, revoked_by text, is_open boolean, opened bigint, last_opened_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_auth.require_permission('evidence:read');
  return query
    select l.id, l.logs, l.covers_from, l.covers_until, l.reports, l.reason, l.created_at, l.created_by, l.expires_at, l.revoked_at, l.revoked_by,
           akashi_security.evidence_link_open(l), l.opened, l.last_opened_at
    from akashi_security.evidence_links l
    order by l.created_at desc limit 500;
end
$function$;
alter function akashi_security.list_evidence_links() owner to akashi_owner;
comment on function akashi_security.list_evidence_links() is 'The newest 500 links. Requires evidence:read.';
grant execute on function akashi_security.list_evidence_links() to akashi_app;

CREATE OR REPLACE FUNCTION akashi_security.log_security_event()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET row_security TO 'on'
AS $function$
declare
  who constant akashi_audit.request_context := akashi_audit.request_context();
begin
  perform akashi_security.record_event(
    event_type => 'data_modification', event_category => 'configuration', severity => 'medium',
    source_service => 'application', resource_type => tg_table_name, resource_id => new.id::text,
    action_performed => tg_op, result => 'success', ocsf_class_uid => 3001,
    event_details => jsonb_build_object('table', tg_table_name, 'operation', tg_op,
      'changed_by', case when who.verified and who.user_id is not null then who.user_id else session_user end,
      'changes', (
        select jsonb_object_agg(changed.name, jsonb_build_object('old', changed.old, 'new', changed.new))
        from (values ('security_classification', old.security_classification, new.security_classification),
                     ('account_status', old.account_status, new.account_status)) as changed (name, old, new)
        where changed.old is distinct from changed.new)));
  return null;
end
$function$;
alter function akashi_security.log_security_event() owner to akashi_owner;
comment on function akashi_security.log_security_event() is 'Records a security event when a user''s classification or account status changes.';

CREATE OR REPLACE FUNCTION akashi_security.open_evidence_link(token_hash bytea, session_hash bytea)
 RETURNS TABLE(link uuid, expires_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  found_link akashi_security.evidence_links;
begin
  if not akashi_auth.is_server() then
    raise exception 'only the server opens evidence links' using errcode = 'insufficient_privilege';
  end if;
  select * into found_link from akashi_security.evidence_links l where l.token_hash = open_evidence_link.token_hash for update;
  if not found then
    return;
  end if;
  if not akashi_security.evidence_link_open(found_link) then
    perform akashi_audit.record_action('evidence_link', 'open', 'evidence_link', found_link.id::text, 'FAILURE', null, 'confidential');
    return;
  end if;
  delete from akashi_security.evidence_sessions s where s.expires_at < now();
  update akashi_security.evidence_links l set opened = l.opened + 1, last_opened_at = now() where l.id = found_link.id;
  return query
    insert into akashi_security.evidence_sessions (link_id, token_hash, expires_at)
    values (found_link.id, session_hash, least(found_link.expires_at, now() + interval '1 hour'))
    returning evidence_sessions.link_id, evidence_sessions.expires_at;
end
$function$;
alter function akashi_security.open_evidence_link(token_hash bytea, session_hash bytea) owner to akashi_owner;
grant execute on function akashi_security.open_evidence_link(token_hash bytea, session_hash bytea) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_security.record_event(event_type text, event_category text, severity text, source_service text, description text DEFAULT NULL::text, user_id text DEFAULT NULL::text, user_name text DEFAULT NULL::text, external_user_id text DEFAULT NULL::text, session_id text DEFAULT NULL::text, source_ip inet DEFAULT NULL::inet, resource_type text DEFAULT NULL::text, resource_id text DEFAULT NULL::text, action_performed text DEFAULT NULL::text, result text DEFAULT NULL::text, tenant_id text DEFAULT NULL::text, tenant_name text DEFAULT NULL::text, client_id text DEFAULT NULL::text, client_name text DEFAULT NULL::text, ocsf_class_uid integer DEFAULT NULL::integer, event_details jsonb DEFAULT '{}'::jsonb)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  who     constant akashi_audit.request_context := akashi_audit.request_context();
  trusted constant boolean := who.verified or pg_has_role(akashi_auth.acting_role(), 'akashi_worker', 'member');
  claimed jsonb;
  new_id  constant uuid := akashi_audit.uuid_v7();
begin
  if event_type is null or event_type !~ '^[a-z][a-z0-9_]{0,49}$' then
    raise exception '% is not a valid event type', coalesce(event_type, 'null') using errcode = 'invalid_parameter_value',
      hint = 'use up to 50 lowercase letters, digits and underscores';
  end if;
  if jsonb_typeof(event_details) is distinct from 'object' then
    raise exception 'the details of an event must be an object' using errcode = 'invalid_parameter_value';
  end if;
  -- Sealing prints it in one piece.
  if octet_length(concat(event_details, description)) > 1048576 then
    raise exception 'an event can have at most 1 MiB of description and details' using errcode = 'program_limit_exceeded';
  end if;
  if not who.verified then
    claimed := nullif(jsonb_strip_nulls(jsonb_build_object('user_id', who.user_id, 'session_id', who.session_id,
      'source_ip', host(who.ip_address), 'external_user_id', who.subject, 'tenant_id', who.tenant_id)), '{}');
  end if;
  if claimed is not null then
    event_details := event_details || jsonb_build_object('claimed', claimed, 'db_user', session_user);
  end if;
  insert into akashi_security.security_events (id, created_at, event_type, event_category, severity, source_service, description,
    signed_by, user_id, user_name, external_user_id, session_id, source_ip, user_agent, resource_type, resource_id,
    action_performed, result, tenant_id, tenant_name, client_id, client_name, request_id, trace_id, ocsf_class_uid, event_details)
  values (new_id, clock_timestamp(), event_type, event_category, severity, source_service, description, who.signed_by,
    case when who.verified and who.user_id is not null then who.user_id when trusted then record_event.user_id end,
    user_name,
    case when who.verified and who.subject like 'service:%' then who.subject else external_user_id end,
    case when who.verified and who.session_id is not null then who.session_id when trusted then record_event.session_id end,
    case when who.verified and who.ip_address is not null then who.ip_address when trusted then record_event.source_ip end,
    who.user_agent, resource_type, resource_id, action_performed, result,
    case when who.verified and who.tenant_id is not null then who.tenant_id when trusted then record_event.tenant_id end,
    tenant_name, client_id, client_name, who.request_id, who.trace_id, ocsf_class_uid, event_details);
  return new_id;
end
$function$;
alter function akashi_security.record_event(event_type text, event_category text, severity text, source_service text, description text, user_id text, user_name text, external_user_id text, session_id text, source_ip inet, resource_type text, resource_id text, action_performed text, result text, tenant_id text, tenant_name text, client_id text, client_name text, ocsf_class_uid integer, event_details jsonb) owner to akashi_owner;
comment on function akashi_security.record_event(event_type text, event_category text, severity text, source_service text, description text, user_id text, user_name text, external_user_id text, session_id text, source_ip inet, resource_type text, resource_id text, action_performed text, result text, tenant_id text, tenant_name text, client_id text, client_name text, ocsf_class_uid integer, event_details jsonb) is 'Records a security event in the caller''s transaction, with the actor of the signed context; returns its id.';
grant execute on function akashi_security.record_event(event_type text, event_category text, severity text, source_service text, description text, user_id text, user_name text, external_user_id text, session_id text, source_ip inet, resource_type text, resource_id text, action_performed text, result text, tenant_id text, tenant_name text, client_id text, client_name text, ocsf_class_uid integer, event_details jsonb) to akashi_client;
grant execute on function akashi_security.record_event(event_type text, event_category text, severity text, source_service text, description text, user_id text, user_name text, external_user_id text, session_id text, source_ip inet, resource_type text, resource_id text, action_performed text, result text, tenant_id text, tenant_name text, client_id text, client_name text, ocsf_class_uid integer, event_details jsonb) to akashi_security_admin;
grant execute on function akashi_security.record_event(event_type text, event_category text, severity text, source_service text, description text, user_id text, user_name text, external_user_id text, session_id text, source_ip inet, resource_type text, resource_id text, action_performed text, result text, tenant_id text, tenant_name text, client_id text, client_name text, ocsf_class_uid integer, event_details jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_security.revoke_evidence_link(link uuid, reason text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform akashi_auth.require_permission('evidence:write');
  update akashi_security.evidence_links l set revoked_at = now(), revoked_by = akashi_auth.acting_name(), revoke_reason = revoke_evidence_link.reason
  where l.id = link and l.revoked_at is null;
  if not found and not exists (select from akashi_security.evidence_links l where l.id = link) then
    raise exception 'evidence link not found: %', link using errcode = 'no_data_found', hint = 'list them with akashi evidence links';
  end if;
  delete from akashi_security.evidence_sessions s where s.link_id = link;
end
$function$;
alter function akashi_security.revoke_evidence_link(link uuid, reason text) owner to akashi_owner;
comment on function akashi_security.revoke_evidence_link(link uuid, reason text) is 'Ends a link and every session of it at once. Requires evidence:write.';
grant execute on function akashi_security.revoke_evidence_link(link uuid, reason text) to akashi_app;

CREATE OR REPLACE FUNCTION akashi_security.row_security_evidence(since timestamp with time zone, until timestamp with time zone, OUT tables bigint, OUT unprotected_tables bigint, OUT policies bigint, OUT bypassing_logins bigint)
 RETURNS record
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select count(*), count(*) filter (where not (c.relrowsecurity and c.relforcerowsecurity)),
         (select count(*) from pg_catalog.pg_policy p join pg_catalog.pg_class t on t.oid = p.polrelid
          where t.relnamespace::regnamespace::text like 'akashi\_%'),
         (select count(*) from pg_catalog.pg_roles r where r.rolcanlogin and (r.rolsuper or r.rolbypassrls))
  from pg_catalog.pg_class c
  where c.relkind in ('r', 'p') and not c.relispartition
    -- The migrations' own table has no grants; the job queue's belong to the worker alone.
    and c.relnamespace::regnamespace::text like 'akashi\_%' and c.relnamespace::regnamespace::text <> 'akashi_jobs'
    and c.relname <> 'schema_migrations'
$function$;
alter function akashi_security.row_security_evidence(since timestamp with time zone, until timestamp with time zone, OUT tables bigint, OUT unprotected_tables bigint, OUT policies bigint, OUT bypassing_logins bigint) owner to akashi_owner;
grant execute on function akashi_security.row_security_evidence(since timestamp with time zone, until timestamp with time zone, OUT tables bigint, OUT unprotected_tables bigint, OUT policies bigint, OUT bypassing_logins bigint) to akashi_security_admin;

CREATE OR REPLACE FUNCTION akashi_security.submit_events(events jsonb)
 RETURNS TABLE(place integer, state text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  max_age   constant interval := '7 days';
  max_ahead constant interval := '5 minutes';
  who       constant akashi_audit.request_context := akashi_audit.request_context();
  sender    jsonb;
  missing   timestamptz;
begin
  if not who.verified then
    raise exception 'events are accepted only with a signed request context' using errcode = 'insufficient_privilege',
      hint = 'open the database with the context key';
  end if;
  sender := jsonb_strip_nulls(jsonb_build_object('user_id', who.user_id, 'subject', who.subject,
    'address', host(who.ip_address), 'request_id', who.request_id));
  for missing in
    select distinct akashi_lifecycle.partition_from((e.value ->> 'created_at')::timestamptz, 'day')
    from jsonb_array_elements(events) e
    where (e.value ->> 'created_at')::timestamptz between now() - max_age and now() + max_ahead
  loop
    if to_regclass(format('akashi_security.%I', akashi_lifecycle.partition_name('security_events', missing, 'day'))) is null then
      perform akashi_lifecycle.create_partition('akashi_security.security_events', missing);
    end if;
  end loop;
  return query
  with given as (
    select e.place::integer - 1 as place, r.*
    from jsonb_array_elements(events) with ordinality e (value, place)
    cross join lateral jsonb_to_record(e.value) r (id uuid, created_at timestamptz, event_type text, event_category text,
      severity text, source_service text, description text, user_id text, user_name text, external_user_id text,
      session_id text, source_ip inet, user_agent text, resource_type text, resource_id text, action_performed text,
      result text, tenant_id text, tenant_name text, client_id text, client_name text, request_id text, trace_id text,
      ocsf_class_uid integer, event_details jsonb)
  ), judged as (
    select g.*, case when g.created_at < now() - max_age then 'older than 7 days'
                     when g.created_at > now() + max_ahead then 'more than 5 minutes ahead' end as refusal
    from given g
  ), stored as (
    insert into akashi_security.security_events (id, created_at, event_type, event_category, severity, source_service, description,
      signed_by, user_id, user_name, external_user_id, session_id, source_ip, user_agent, resource_type, resource_id, action_performed,
      result, tenant_id, tenant_name, client_id, client_name, request_id, trace_id, ocsf_class_uid, event_details)
    select distinct on (j.id, j.created_at) j.id, j.created_at, j.event_type, j.event_category, j.severity, j.source_service,
      j.description, who.signed_by, j.user_id, j.user_name, j.external_user_id, j.session_id, j.source_ip, j.user_agent, j.resource_type,
      j.resource_id, j.action_performed, j.result, j.tenant_id, j.tenant_name, j.client_id, j.client_name, j.request_id,
      j.trace_id, j.ocsf_class_uid,
      jsonb_set(j.event_details, '{ingest}', coalesce(j.event_details -> 'ingest', '{}') || jsonb_build_object('sender', sender))
    from judged j where j.refusal is null
    order by j.id, j.created_at, j.place
    on conflict on constraint security_events_pkey do nothing
    returning security_events.id, security_events.created_at
  )
  select j.place, coalesce(j.refusal,
    case when s.id is not null and j.place = min(j.place) over (partition by j.id, j.created_at) then 'stored' else 'known' end)
  from judged j left join stored s on s.id = j.id and s.created_at = j.created_at
  order by j.place;
end
$function$;
alter function akashi_security.submit_events(events jsonb) owner to akashi_owner;
comment on function akashi_security.submit_events(events jsonb) is 'Stores an array of events of services, 7 days old to 5 minutes ahead, each once; returns the outcome of each by position.';
grant execute on function akashi_security.submit_events(events jsonb) to akashi_app;
grant execute on function akashi_security.submit_events(events jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION akashi_security.wrote_alarm(writer xid8, event_type text, at timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select exists (
    select from akashi_security.security_events e
    where e.xid = writer and e.created_at between at - interval '1 day' and at + interval '1 day'
      and e.event_type = wrote_alarm.event_type and e.severity in ('critical', 'high'))
    or case when not exists (
      select from pg_inherits i cross join akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b
      where i.inhparent = 'akashi_security.security_events'::regclass and b.lower <= at and at < b.upper) then null else false end
$function$;
alter function akashi_security.wrote_alarm(writer xid8, event_type text, at timestamp with time zone) owner to akashi_owner;
grant execute on function akashi_security.wrote_alarm(writer xid8, event_type text, at timestamp with time zone) to akashi_security_admin;
grant execute on function akashi_security.wrote_alarm(writer xid8, event_type text, at timestamp with time zone) to akashi_worker;
