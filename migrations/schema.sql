-- What the migrations build, written by scripts/schema-dump.ts for review in diffs. Never run it.

-- Roles

create role akashi_app login;

create role akashi_backup login replication;

create role akashi_owner nologin;

create role akashi_policy nologin;

create role akashi_reader login;

create role akashi_security_admin login;

create role akashi_worker login;

-- Schemas

create schema archive authorization akashi_owner;
comment on schema archive is 'Detached partitions that wait for the end of their time in PostgreSQL.';
grant usage on schema archive to akashi_worker;

create schema audit authorization akashi_owner;
comment on schema audit is 'The audit trail and its ledger.';
grant usage on schema audit to akashi_app;
grant usage on schema audit to akashi_reader;
grant usage on schema audit to akashi_security_admin;
grant usage on schema audit to akashi_worker;

create schema auth authorization akashi_owner;
comment on schema auth is 'Who may do what: users, sessions, roles, and the signed request context.';
grant usage on schema auth to akashi_app;
grant usage on schema auth to akashi_policy;
grant usage on schema auth to akashi_reader;
grant usage on schema auth to akashi_security_admin;
grant usage on schema auth to akashi_worker;

create schema chat authorization akashi_owner;
comment on schema chat is 'The chat application: rooms, messages, files, notifications.';
grant usage on schema chat to akashi_app;
grant usage on schema chat to akashi_policy;
grant usage on schema chat to akashi_security_admin;
grant usage on schema chat to akashi_worker;

create schema keys authorization akashi_owner;
comment on schema keys is 'Ids of keys that live outside the database.';
grant usage on schema keys to akashi_worker;

create schema lifecycle authorization akashi_owner;
comment on schema lifecycle is 'Settings, partition and retention policies, jobs, migrations.';
grant usage on schema lifecycle to akashi_app;
grant usage on schema lifecycle to akashi_reader;
grant usage on schema lifecycle to akashi_security_admin;
grant usage on schema lifecycle to akashi_worker;

create schema security authorization akashi_owner;
comment on schema security is 'Security events of every service, and what was done about them.';
grant usage on schema security to akashi_app;
grant usage on schema security to akashi_reader;
grant usage on schema security to akashi_security_admin;
grant usage on schema security to akashi_worker;

-- Default privileges

alter default privileges for role akashi_owner grant execute on functions to akashi_owner;

alter default privileges for role akashi_policy grant execute on functions to akashi_policy;

-- Types

create type audit.request_context as (verified boolean, user_id uuid, session_id uuid, subject text, ip_address inet, user_agent text, api_endpoint text, request_id text, trace_id text, correlation_id text, application_version text, tenant_id text);
alter type audit.request_context owner to akashi_owner;

create type lifecycle.partition_action as (schema_name text, table_name text, partition_name text, action text, lower timestamp with time zone, upper timestamp with time zone, message text);
alter type lifecycle.partition_action owner to akashi_owner;

-- Sequences

create sequence audit.audit_logs_seq as bigint increment 1 minvalue 1 maxvalue 9223372036854775807 start 1 cache 1;
alter sequence audit.audit_logs_seq owner to akashi_owner;

create sequence security.security_events_seq as bigint increment 1 minvalue 1 maxvalue 9223372036854775807 start 1 cache 1;
alter sequence security.security_events_seq owner to akashi_owner;
grant usage on sequence security.security_events_seq to akashi_app;
grant usage on sequence security.security_events_seq to akashi_worker;

-- Tables

create table audit.audit_logs (
  id uuid default uuidv7() not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  seq bigint default nextval('audit.audit_logs_seq'::regclass) not null,
  xid xid8 default pg_current_xact_id() not null,
  salt bytea default uuid_send(gen_random_uuid()) not null,
  user_id uuid,
  session_id uuid,
  subject text,
  ip_address inet,
  user_agent text,
  context_verified boolean not null,
  db_user text default SESSION_USER not null,
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
alter table audit.audit_logs owner to akashi_owner;
comment on table audit.audit_logs is 'Every change and every recorded action. Append-only; sealed into the ledger audit_logs.';
comment on column audit.audit_logs.xid is 'The transaction; with seq it is the order in which the ledger takes rows.';
comment on column audit.audit_logs.salt is 'Random bytes, so that an entry hash cannot be guessed from the row.';
comment on column audit.audit_logs.context_verified is 'False: user_id to tenant_id are what the connection claimed, unsigned.';
comment on column audit.audit_logs.db_user is 'Who the server says it was, whatever the application said.';
comment on column audit.audit_logs.record_id is 'The primary key as text; a JSON array where it has several columns.';
comment on column audit.audit_logs.data_subject is 'Which person the row is about.';
comment on column audit.audit_logs.old_values is 'UPDATE: the changed columns as they were. DELETE: the whole row.';
comment on column audit.audit_logs.new_values is 'INSERT, UPDATE: the whole row as it is now.';
CREATE INDEX audit_logs_order_idx ON ONLY audit.audit_logs USING btree (xid, seq);
CREATE INDEX audit_logs_record_idx ON ONLY audit.audit_logs USING btree (record_id, table_name);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON audit.audit_logs FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
alter table audit.audit_logs enable always trigger refuse_change;
alter table audit.audit_logs enable row level security;
alter table audit.audit_logs force row level security;
create policy audit_logs_record on audit.audit_logs for insert to akashi_owner with check (true);
create policy audit_logs_self on audit.audit_logs for select to akashi_app using (((user_id = ( SELECT auth.current_user_id() AS current_user_id)) AND context_verified));
create policy audit_logs_staff on audit.audit_logs for select to akashi_security_admin, akashi_worker using (true);
grant select on audit.audit_logs to akashi_app;
grant select on audit.audit_logs to akashi_security_admin;
grant select on audit.audit_logs to akashi_worker;

create table audit.exempt_tables (
  schema_name text not null,
  table_name text not null,
  reason text not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint exempt_tables_pkey PRIMARY KEY (schema_name, table_name),
  constraint exempt_tables_reason_check CHECK ((reason <> ''::text))
);
alter table audit.exempt_tables owner to akashi_owner;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON audit.exempt_tables FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table audit.exempt_tables enable row level security;
alter table audit.exempt_tables force row level security;
create policy exempt_tables_owner on audit.exempt_tables for all to akashi_owner using (true) with check (true);
create policy exempt_tables_read on audit.exempt_tables for select to akashi_app, akashi_security_admin, akashi_worker using (true);
grant select on audit.exempt_tables to akashi_app;
grant select on audit.exempt_tables to akashi_security_admin;
grant select on audit.exempt_tables to akashi_worker;

create table audit.ledger_checkpoints (
  log text not null,
  epoch integer not null,
  size bigint not null,
  root bytea not null,
  note text not null,
  published_at timestamp with time zone default now() not null,
  constraint ledger_checkpoints_pkey PRIMARY KEY (log, epoch, size),
  constraint ledger_checkpoints_root_check CHECK ((octet_length(root) = 32))
);
alter table audit.ledger_checkpoints owner to akashi_owner;
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON audit.ledger_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
alter table audit.ledger_checkpoints enable always trigger refuse_change;
alter table audit.ledger_checkpoints enable row level security;
alter table audit.ledger_checkpoints force row level security;
create policy ledger_checkpoints_owner on audit.ledger_checkpoints for all to akashi_owner using (true) with check (true);
create policy ledger_checkpoints_read on audit.ledger_checkpoints for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_checkpoints_worker on audit.ledger_checkpoints for all to akashi_worker using (true) with check (true);
grant select on audit.ledger_checkpoints to akashi_app;
grant select on audit.ledger_checkpoints to akashi_reader;
grant select on audit.ledger_checkpoints to akashi_security_admin;
grant insert, select on audit.ledger_checkpoints to akashi_worker;

create table audit.ledger_entries (
  log text not null,
  "position" bigint not null,
  row_id uuid not null,
  created_at timestamp with time zone not null,
  entry_hash bytea not null,
  constraint ledger_entries_entry_hash_check CHECK ((octet_length(entry_hash) = 32)),
  constraint ledger_entries_pkey PRIMARY KEY (log, "position"),
  constraint ledger_entries_position_check CHECK (("position" >= 0))
);
alter table audit.ledger_entries owner to akashi_owner;
CREATE INDEX ledger_entries_row_idx ON audit.ledger_entries USING btree (row_id);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON audit.ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
alter table audit.ledger_entries enable always trigger refuse_change;
alter table audit.ledger_entries enable row level security;
alter table audit.ledger_entries force row level security;
create policy ledger_entries_owner on audit.ledger_entries for all to akashi_owner using (true) with check (true);
create policy ledger_entries_read on audit.ledger_entries for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_entries_worker on audit.ledger_entries for all to akashi_worker using (true) with check (true);
grant select on audit.ledger_entries to akashi_app;
grant select on audit.ledger_entries to akashi_reader;
grant select on audit.ledger_entries to akashi_security_admin;
grant insert, select on audit.ledger_entries to akashi_worker;

create table audit.ledger_heads (
  log text not null,
  epoch integer default 1 not null,
  origin text not null,
  size bigint default 0 not null,
  root bytea not null,
  note text,
  last_xid xid8 default '0'::xid8 not null,
  last_seq bigint default 0 not null,
  sealed_at timestamp with time zone,
  constraint ledger_heads_epoch_check CHECK ((epoch > 0)),
  constraint ledger_heads_log_check CHECK ((log ~ '^[a-z_]+$'::text)),
  constraint ledger_heads_pkey PRIMARY KEY (log),
  constraint ledger_heads_root_check CHECK ((octet_length(root) = 32)),
  constraint ledger_heads_size_check CHECK ((size >= 0))
);
alter table audit.ledger_heads owner to akashi_owner;
comment on column audit.ledger_heads.last_xid is 'The frontier: every row at or before (last_xid, last_seq) is in the tree.';
CREATE TRIGGER keep_head BEFORE UPDATE ON audit.ledger_heads FOR EACH ROW EXECUTE FUNCTION audit.keep_head();
alter table audit.ledger_heads enable always trigger keep_head;
alter table audit.ledger_heads enable row level security;
alter table audit.ledger_heads force row level security;
create policy ledger_heads_owner on audit.ledger_heads for all to akashi_owner using (true) with check (true);
create policy ledger_heads_read on audit.ledger_heads for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_heads_worker on audit.ledger_heads for all to akashi_worker using (true) with check (true);
grant select on audit.ledger_heads to akashi_app;
grant select on audit.ledger_heads to akashi_reader;
grant select on audit.ledger_heads to akashi_security_admin;
grant insert, select, update on audit.ledger_heads to akashi_worker;

create table audit.ledger_tiles (
  log text not null,
  level smallint not null,
  tile bigint not null,
  hashes bytea not null,
  constraint ledger_tiles_hashes_check CHECK ((((octet_length(hashes) >= 32) AND (octet_length(hashes) <= 8192)) AND ((octet_length(hashes) % 32) = 0))),
  constraint ledger_tiles_level_check CHECK (((level >= 0) AND (level <= 7))),
  constraint ledger_tiles_pkey PRIMARY KEY (log, level, tile),
  constraint ledger_tiles_tile_check CHECK ((tile >= 0))
);
alter table audit.ledger_tiles owner to akashi_owner;
CREATE TRIGGER keep_tile BEFORE UPDATE ON audit.ledger_tiles FOR EACH ROW EXECUTE FUNCTION audit.keep_tile();
alter table audit.ledger_tiles enable always trigger keep_tile;
alter table audit.ledger_tiles enable row level security;
alter table audit.ledger_tiles force row level security;
create policy ledger_tiles_owner on audit.ledger_tiles for all to akashi_owner using (true) with check (true);
create policy ledger_tiles_read on audit.ledger_tiles for select to akashi_app, akashi_reader, akashi_security_admin using (true);
create policy ledger_tiles_worker on audit.ledger_tiles for all to akashi_worker using (true) with check (true);
grant select on audit.ledger_tiles to akashi_app;
grant select on audit.ledger_tiles to akashi_reader;
grant select on audit.ledger_tiles to akashi_security_admin;
grant insert, select, update on audit.ledger_tiles to akashi_worker;

create table audit.protected_tables (
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
  created_by text default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint protected_tables_classification_check CHECK ((classification = ANY (ARRAY['public'::text, 'internal'::text, 'confidential'::text, 'restricted'::text]))),
  constraint protected_tables_key_columns_check CHECK ((cardinality(key_columns) > 0)),
  constraint protected_tables_pkey PRIMARY KEY (schema_name, table_name)
);
alter table audit.protected_tables owner to akashi_owner;
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON audit.protected_tables REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table audit.protected_tables enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON audit.protected_tables REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table audit.protected_tables enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON audit.protected_tables FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table audit.protected_tables enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON audit.protected_tables REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table audit.protected_tables enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON audit.protected_tables FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table audit.protected_tables enable row level security;
alter table audit.protected_tables force row level security;
create policy protected_tables_owner on audit.protected_tables for all to akashi_owner using (true) with check (true);
create policy protected_tables_read on audit.protected_tables for select to akashi_app, akashi_security_admin, akashi_worker using (true);
grant select on audit.protected_tables to akashi_app;
grant select on audit.protected_tables to akashi_security_admin;
grant select on audit.protected_tables to akashi_worker;

create table audit.verifications (
  id uuid default audit.uuid_v7() not null,
  started_at timestamp with time zone not null,
  finished_at timestamp with time zone default clock_timestamp() not null,
  ok boolean not null,
  report jsonb not null,
  constraint verifications_pkey PRIMARY KEY (id)
);
alter table audit.verifications owner to akashi_owner;
CREATE INDEX verifications_finished_at_idx ON audit.verifications USING btree (finished_at DESC);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON audit.verifications FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
alter table audit.verifications enable always trigger refuse_change;
alter table audit.verifications enable row level security;
alter table audit.verifications force row level security;
create policy verifications_read on audit.verifications for select to akashi_app, akashi_security_admin, akashi_worker using (true);
create policy verifications_worker on audit.verifications for insert to akashi_worker with check (true);
grant select on audit.verifications to akashi_app;
grant select on audit.verifications to akashi_security_admin;
grant insert, select on audit.verifications to akashi_worker;

create table audit.witnesses (
  name text not null,
  url text not null,
  verifier_key text not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint witnesses_name_check CHECK ((name <> ''::text)),
  constraint witnesses_pkey PRIMARY KEY (name),
  constraint witnesses_url_check CHECK ((url ~ '^https?://'::text)),
  constraint witnesses_verifier_key_key UNIQUE (verifier_key)
);
alter table audit.witnesses owner to akashi_owner;
comment on table audit.witnesses is 'Witnesses (C2SP tlog-witness) that are asked to cosign every published head.';
CREATE TRIGGER update_updated_at BEFORE UPDATE ON audit.witnesses FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table audit.witnesses enable row level security;
alter table audit.witnesses force row level security;
create policy witnesses_owner on audit.witnesses for all to akashi_owner using (true) with check (true);
create policy witnesses_read on audit.witnesses for select to akashi_security_admin, akashi_worker using (true);
grant select on audit.witnesses to akashi_security_admin;
grant select on audit.witnesses to akashi_worker;

create table auth.context_keys (
  id text not null,
  inner_key bytea not null,
  outer_key bytea not null,
  created_at timestamp with time zone default now() not null,
  constraint context_keys_inner_key_check CHECK ((octet_length(inner_key) = 64)),
  constraint context_keys_outer_key_check CHECK ((octet_length(outer_key) = 64)),
  constraint context_keys_pkey PRIMARY KEY (id)
);
alter table auth.context_keys owner to akashi_owner;
comment on table auth.context_keys is 'Keys that verify a request context, as the two padded blocks of HMAC-SHA256 (RFC 2104), since the check runs in every audited statement.';
alter table auth.context_keys enable row level security;
alter table auth.context_keys force row level security;
create policy context_keys_owner on auth.context_keys for all to akashi_owner using (true) with check (true);
create policy context_keys_verify on auth.context_keys for select to akashi_policy using (true);
grant select on auth.context_keys to akashi_policy;

create table auth.users (
  id uuid default gen_random_uuid() not null,
  issuer character varying(255) default 'local'::character varying not null,
  subject character varying(255) not null,
  username character varying(50) not null,
  display_name character varying(100),
  email character varying(255) not null,
  avatar_url text,
  last_login_at timestamp with time zone,
  account_status character varying(20) default 'active'::character varying not null,
  is_active boolean generated always as (((account_status)::text = 'active'::text)) stored not null,
  is_deleted boolean generated always as (((account_status)::text = 'deleted'::text)) stored not null,
  tenant_id character varying(255),
  security_classification character varying(50) default 'internal'::character varying not null,
  data_residency character varying(50) default 'ap-northeast-1'::character varying not null,
  compliance_tags jsonb default '{}'::jsonb not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint users_account_status_check CHECK (((account_status)::text = ANY ((ARRAY['active'::character varying, 'inactive'::character varying, 'suspended'::character varying, 'deleted'::character varying])::text[]))),
  constraint users_avatar_url_check CHECK ((length(avatar_url) <= 2048)),
  constraint users_compliance_tags_check CHECK ((jsonb_typeof(compliance_tags) = 'object'::text)),
  constraint users_display_name_check CHECK (((display_name)::text <> ''::text)),
  constraint users_email_check CHECK (((email)::text ~* '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$'::text)),
  constraint users_issuer_check CHECK (((issuer)::text <> ''::text)),
  constraint users_issuer_email_key UNIQUE (issuer, email),
  constraint users_issuer_subject_key UNIQUE (issuer, subject),
  constraint users_pkey PRIMARY KEY (id),
  constraint users_security_classification_check CHECK (((security_classification)::text = ANY ((ARRAY['public'::character varying, 'internal'::character varying, 'confidential'::character varying, 'restricted'::character varying])::text[]))),
  constraint users_subject_check CHECK (((subject)::text <> ''::text)),
  constraint users_username_check CHECK ((length((username)::text) >= 3)),
  constraint users_username_key UNIQUE (username)
);
alter table auth.users owner to akashi_owner;
comment on table auth.users is 'One row per person and identity provider; local accounts have the issuer local.';
comment on column auth.users.display_name is 'Null means the username.';
comment on column auth.users.tenant_id is 'A label for filters, grouping and retention; tenants are isolated by a database each.';
CREATE INDEX users_account_status_idx ON auth.users USING btree (account_status);
CREATE INDEX users_compliance_tags_idx ON auth.users USING gin (compliance_tags);
CREATE INDEX users_created_at_idx ON auth.users USING btree (created_at);
CREATE INDEX users_last_login_at_idx ON auth.users USING btree (last_login_at);
CREATE INDEX users_last_modified_by_idx ON auth.users USING btree (last_modified_by, updated_at);
CREATE INDEX users_security_classification_idx ON auth.users USING btree (security_classification);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON auth.users REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id}', 'id', '{last_login_at,updated_at,last_modified_by}', '{}', '{}');
alter table auth.users enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON auth.users REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id}', 'id', '{last_login_at,updated_at,last_modified_by}', '{}', '{}');
alter table auth.users enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON auth.users FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id}', 'id', '{last_login_at,updated_at,last_modified_by}', '{}', '{}');
alter table auth.users enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON auth.users REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id}', 'id', '{last_login_at,updated_at,last_modified_by}', '{}', '{}');
alter table auth.users enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON auth.users FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table auth.users enable row level security;
alter table auth.users force row level security;
create policy users_owner on auth.users for all to akashi_owner using (true) with check (true);
create policy users_policy_read on auth.users for select to akashi_policy using (true);
create policy users_self_read on auth.users for select to akashi_app using ((id = ( SELECT auth.current_user_id() AS current_user_id)));
create policy users_self_update on auth.users for update to akashi_app using ((id = ( SELECT auth.current_user_id() AS current_user_id))) with check ((id = ( SELECT auth.current_user_id() AS current_user_id)));
create policy users_staff_read on auth.users for select to akashi_security_admin, akashi_worker using (true);
grant select on auth.users to akashi_app;
grant select on auth.users to akashi_policy;
grant select on auth.users to akashi_security_admin;
grant select on auth.users to akashi_worker;
grant update (username) on auth.users to akashi_app;
grant update (display_name) on auth.users to akashi_app;
grant update (avatar_url) on auth.users to akashi_app;

create table chat.file_uploads (
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
  security_classification character varying(50) default 'internal'::character varying not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint file_uploads_check CHECK ((((upload_status)::text <> 'completed'::text) OR virus_scanned)),
  constraint file_uploads_check1 CHECK ((((upload_status)::text = 'failed'::text) = (failure_reason IS NOT NULL))),
  constraint file_uploads_height_check CHECK ((height > 0)),
  constraint file_uploads_original_name_check CHECK (((original_name)::text <> ''::text)),
  constraint file_uploads_pkey PRIMARY KEY (id),
  constraint file_uploads_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.rooms(id) ON DELETE CASCADE,
  constraint file_uploads_security_classification_check CHECK (((security_classification)::text = ANY ((ARRAY['public'::character varying, 'internal'::character varying, 'confidential'::character varying, 'restricted'::character varying])::text[]))),
  constraint file_uploads_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
  constraint file_uploads_size_check CHECK (((file_size >= 1) AND (file_size <= 104857600))),
  constraint file_uploads_upload_status_check CHECK (((upload_status)::text = ANY ((ARRAY['processing'::character varying, 'completed'::character varying, 'failed'::character varying])::text[]))),
  constraint file_uploads_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE,
  constraint file_uploads_width_check CHECK ((width > 0))
);
alter table chat.file_uploads owner to akashi_owner;
comment on table chat.file_uploads is 'Files of rooms; the bytes are in the object store under file_path. Nothing is completed that was not scanned.';
comment on column chat.file_uploads.message_id is 'The message that shows it; without one only its uploader sees it.';
comment on column chat.file_uploads.file_name is 'The name it is stored under; original_name is only ever shown.';
comment on column chat.file_uploads.received_at is 'When all bytes were stored; from then on it waits to be scanned.';
CREATE INDEX file_uploads_created_idx ON chat.file_uploads USING btree (created_at);
CREATE INDEX file_uploads_mime_idx ON chat.file_uploads USING btree (mime_type);
CREATE INDEX file_uploads_status_idx ON chat.file_uploads USING btree (upload_status, created_at);
CREATE INDEX file_uploads_user_idx ON chat.file_uploads USING btree (user_id, created_at DESC);
CREATE INDEX file_uploads_waiting_idx ON chat.file_uploads USING btree (received_at) WHERE ((upload_status)::text = 'processing'::text);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON chat.file_uploads REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{original_name}', '{}');
alter table chat.file_uploads enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON chat.file_uploads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{original_name}', '{}');
alter table chat.file_uploads enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON chat.file_uploads FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{original_name}', '{}');
alter table chat.file_uploads enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON chat.file_uploads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{original_name}', '{}');
alter table chat.file_uploads enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON chat.file_uploads FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table chat.file_uploads enable row level security;
alter table chat.file_uploads force row level security;
create policy file_uploads_owner on chat.file_uploads for all to akashi_owner using (true) with check (true);
create policy file_uploads_shown on chat.file_uploads for select to akashi_app using (((NOT is_deleted) AND ((user_id = ( SELECT auth.current_user_id() AS current_user_id)) OR ((message_id IS NOT NULL) AND ((upload_status)::text = 'completed'::text) AND (room_id = ANY (( SELECT chat.my_rooms() AS my_rooms)::uuid[]))))));
create policy file_uploads_staff on chat.file_uploads for select to akashi_security_admin using (true);
create policy file_uploads_worker on chat.file_uploads for select to akashi_worker using (true);
grant select on chat.file_uploads to akashi_app;
grant select on chat.file_uploads to akashi_security_admin;
grant select on chat.file_uploads to akashi_worker;

create table chat.message_edits (
  id uuid default gen_random_uuid() not null,
  message_id uuid not null,
  room_id uuid not null,
  edited_by uuid,
  kind character varying(10) not null,
  previous_content text not null,
  created_at timestamp with time zone default now() not null,
  constraint message_edits_edited_by_fkey FOREIGN KEY (edited_by) REFERENCES auth.users(id) ON DELETE SET NULL,
  constraint message_edits_kind_check CHECK (((kind)::text = ANY ((ARRAY['edit'::character varying, 'delete'::character varying])::text[]))),
  constraint message_edits_pkey PRIMARY KEY (id),
  constraint message_edits_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.rooms(id) ON DELETE CASCADE
);
alter table chat.message_edits owner to akashi_owner;
comment on table chat.message_edits is 'What a message said before. Members see edits; what was deleted only a security administrator does, with a reason.';
CREATE INDEX message_edits_message_idx ON chat.message_edits USING btree (message_id, created_at);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON chat.message_edits REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id}', 'edited_by', '{}', '{previous_content}', '{}');
alter table chat.message_edits enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON chat.message_edits REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id}', 'edited_by', '{}', '{previous_content}', '{}');
alter table chat.message_edits enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON chat.message_edits FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id}', 'edited_by', '{}', '{previous_content}', '{}');
alter table chat.message_edits enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON chat.message_edits REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id}', 'edited_by', '{}', '{previous_content}', '{}');
alter table chat.message_edits enable always trigger akashi_audit_update;
alter table chat.message_edits enable row level security;
alter table chat.message_edits force row level security;
create policy message_edits_of_my_rooms on chat.message_edits for select to akashi_app using ((((kind)::text = 'edit'::text) AND (room_id = ANY (( SELECT chat.my_rooms() AS my_rooms)::uuid[]))));
create policy message_edits_owner on chat.message_edits for all to akashi_owner using (true) with check (true);
grant select on chat.message_edits to akashi_app;

create table chat.message_reactions (
  id uuid default gen_random_uuid() not null,
  message_id uuid not null,
  room_id uuid not null,
  user_id uuid not null,
  emoji character varying(32) not null,
  created_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  constraint message_reactions_emoji_check CHECK (((emoji)::text <> ''::text)),
  constraint message_reactions_message_id_user_id_emoji_key UNIQUE (message_id, user_id, emoji),
  constraint message_reactions_pkey PRIMARY KEY (id),
  constraint message_reactions_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.rooms(id) ON DELETE CASCADE,
  constraint message_reactions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE
);
alter table chat.message_reactions owner to akashi_owner;
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON chat.message_reactions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table chat.message_reactions enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON chat.message_reactions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table chat.message_reactions enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON chat.message_reactions FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table chat.message_reactions enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON chat.message_reactions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{}', '{}', '{}');
alter table chat.message_reactions enable always trigger akashi_audit_update;
alter table chat.message_reactions enable row level security;
alter table chat.message_reactions force row level security;
create policy message_reactions_of_my_rooms on chat.message_reactions for select to akashi_app using ((room_id = ANY (( SELECT chat.my_rooms() AS my_rooms)::uuid[])));
create policy message_reactions_owner on chat.message_reactions for all to akashi_owner using (true) with check (true);
grant select on chat.message_reactions to akashi_app;

create table chat.messages (
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
  created_by character varying(255) default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint messages_content_check CHECK ((is_deleted OR ((length(content) <= 4000) AND ((length(content) >= 1) OR ((message_type)::text = ANY ((ARRAY['image'::character varying, 'file'::character varying])::text[])))))),
  constraint messages_file_upload_id_fkey FOREIGN KEY (file_upload_id) REFERENCES chat.file_uploads(id) ON DELETE SET NULL,
  constraint messages_message_type_check CHECK (((message_type)::text = ANY ((ARRAY['text'::character varying, 'image'::character varying, 'file'::character varying, 'system'::character varying])::text[]))),
  constraint messages_pkey PRIMARY KEY (id, created_at),
  constraint messages_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.rooms(id) ON DELETE CASCADE,
  constraint messages_security_classification_check CHECK (((security_classification)::text = ANY ((ARRAY['public'::character varying, 'internal'::character varying, 'confidential'::character varying, 'restricted'::character varying])::text[]))),
  constraint messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE SET NULL
) partition by RANGE (created_at);
alter table chat.messages owner to akashi_owner;
comment on column chat.messages.content is 'Empty once deleted; 1 to 4,000 characters otherwise, none with a file.';
comment on column chat.messages.client_id is 'Chosen by the client: the same one sent again is the same message.';
CREATE INDEX messages_client_idx ON ONLY chat.messages USING btree (client_id) WHERE (client_id IS NOT NULL);
CREATE INDEX messages_file_idx ON ONLY chat.messages USING btree (file_upload_id) WHERE (file_upload_id IS NOT NULL);
CREATE INDEX messages_reply_idx ON ONLY chat.messages USING btree (reply_to_id) WHERE (reply_to_id IS NOT NULL);
CREATE INDEX messages_room_created_idx ON ONLY chat.messages USING btree (room_id, created_at DESC);
CREATE INDEX messages_user_idx ON ONLY chat.messages USING btree (user_id, created_at DESC);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON chat.messages REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id,created_at}', 'user_id', '{updated_at,last_modified_by}', '{content}', '{}');
alter table chat.messages enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON chat.messages REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id,created_at}', 'user_id', '{updated_at,last_modified_by}', '{content}', '{}');
alter table chat.messages enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON chat.messages FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id,created_at}', 'user_id', '{updated_at,last_modified_by}', '{content}', '{}');
alter table chat.messages enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON chat.messages REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('confidential', '{id,created_at}', 'user_id', '{updated_at,last_modified_by}', '{content}', '{}');
alter table chat.messages enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON chat.messages FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table chat.messages enable row level security;
alter table chat.messages force row level security;
create policy messages_of_my_rooms on chat.messages for select to akashi_app using ((room_id = ANY (( SELECT chat.my_rooms() AS my_rooms)::uuid[])));
create policy messages_owner on chat.messages for all to akashi_owner using (true) with check (true);
grant select on chat.messages to akashi_app;

create table chat.notifications (
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
  created_by character varying(255) default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint notifications_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES auth.users(id) ON DELETE SET NULL,
  constraint notifications_delivery_status_check CHECK (((delivery_status)::text = ANY ((ARRAY['pending'::character varying, 'delivered'::character varying, 'failed'::character varying])::text[]))),
  constraint notifications_notification_type_check CHECK (((notification_type)::text = ANY ((ARRAY['mention'::character varying, 'reply'::character varying, 'message'::character varying, 'invitation'::character varying])::text[]))),
  constraint notifications_pkey PRIMARY KEY (id),
  constraint notifications_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.rooms(id) ON DELETE CASCADE,
  constraint notifications_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE
);
alter table chat.notifications owner to akashi_owner;
comment on table chat.notifications is 'Says that there is something to read, never what: the message is read under its own policy.';
CREATE INDEX notifications_pending_idx ON chat.notifications USING btree (created_at) WHERE ((delivery_status)::text = 'pending'::text);
CREATE INDEX notifications_user_idx ON chat.notifications USING btree (user_id, created_at DESC);
CREATE TRIGGER update_updated_at BEFORE UPDATE ON chat.notifications FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table chat.notifications enable row level security;
alter table chat.notifications force row level security;
create policy notifications_deliver on chat.notifications for update to akashi_worker using (true) with check (true);
create policy notifications_mine on chat.notifications for select to akashi_app using ((user_id = ( SELECT auth.current_user_id() AS current_user_id)));
create policy notifications_owner on chat.notifications for all to akashi_owner using (true) with check (true);
create policy notifications_read on chat.notifications for update to akashi_app using ((user_id = ( SELECT auth.current_user_id() AS current_user_id))) with check ((user_id = ( SELECT auth.current_user_id() AS current_user_id)));
create policy notifications_worker on chat.notifications for select to akashi_worker using (true);
grant select on chat.notifications to akashi_app;
grant select on chat.notifications to akashi_worker;
grant update (delivery_status) on chat.notifications to akashi_worker;
grant update (delivered_at) on chat.notifications to akashi_worker;
grant update (read_at) on chat.notifications to akashi_app;

create table chat.read_positions (
  room_id uuid not null,
  user_id uuid not null,
  message_id uuid not null,
  read_to timestamp with time zone not null,
  constraint read_positions_pkey PRIMARY KEY (user_id, room_id),
  constraint read_positions_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.rooms(id) ON DELETE CASCADE,
  constraint read_positions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE
) with (fillfactor=70);
alter table chat.read_positions owner to akashi_owner;
comment on column chat.read_positions.read_to is 'created_at of the last message read; what is later is unread.';
alter table chat.read_positions enable row level security;
alter table chat.read_positions force row level security;
create policy read_positions_mine on chat.read_positions for select to akashi_app using ((user_id = ( SELECT auth.current_user_id() AS current_user_id)));
create policy read_positions_owner on chat.read_positions for all to akashi_owner using (true) with check (true);
grant select on chat.read_positions to akashi_app;

create table chat.room_events (
  room_id uuid not null,
  sequence bigint not null,
  event_type character varying(30) not null,
  message_id uuid,
  user_id uuid,
  detail jsonb default '{}'::jsonb not null,
  created_at timestamp with time zone default now() not null,
  constraint room_events_event_type_check CHECK (((event_type)::text = ANY ((ARRAY['message_created'::character varying, 'message_edited'::character varying, 'message_deleted'::character varying, 'reaction_added'::character varying, 'reaction_removed'::character varying, 'member_joined'::character varying, 'member_left'::character varying, 'member_changed'::character varying, 'room_changed'::character varying, 'room_deleted'::character varying])::text[]))),
  constraint room_events_pkey PRIMARY KEY (room_id, sequence),
  constraint room_events_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.rooms(id) ON DELETE CASCADE
);
alter table chat.room_events owner to akashi_owner;
comment on column chat.room_events.user_id is 'Whom it is about: the member, or who reacted.';
CREATE INDEX room_events_created_at_idx ON chat.room_events USING brin (created_at);
alter table chat.room_events enable row level security;
alter table chat.room_events force row level security;
create policy room_events_of_mine on chat.room_events for select to akashi_app using ((room_id = ANY (( SELECT chat.my_rooms() AS my_rooms)::uuid[])));
create policy room_events_owner on chat.room_events for all to akashi_owner using (true) with check (true);
create policy room_events_worker on chat.room_events for select to akashi_worker using (true);
grant select on chat.room_events to akashi_app;
grant select on chat.room_events to akashi_worker;

create table chat.room_invitations (
  id uuid default gen_random_uuid() not null,
  room_id uuid not null,
  invited_user_id uuid not null,
  invited_by uuid,
  status character varying(20) default 'pending'::character varying not null,
  expires_at timestamp with time zone not null,
  responded_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint room_invitations_check CHECK ((((status)::text = 'pending'::text) = (responded_at IS NULL))),
  constraint room_invitations_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES auth.users(id) ON DELETE SET NULL,
  constraint room_invitations_invited_user_id_fkey FOREIGN KEY (invited_user_id) REFERENCES auth.users(id) ON DELETE CASCADE,
  constraint room_invitations_pkey PRIMARY KEY (id),
  constraint room_invitations_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.rooms(id) ON DELETE CASCADE,
  constraint room_invitations_status_check CHECK (((status)::text = ANY ((ARRAY['pending'::character varying, 'accepted'::character varying, 'declined'::character varying, 'revoked'::character varying])::text[])))
);
alter table chat.room_invitations owner to akashi_owner;
comment on table chat.room_invitations is 'An invitation is answered once; past expires_at it is no longer answered at all.';
CREATE UNIQUE INDEX room_invitations_pending_idx ON chat.room_invitations USING btree (room_id, invited_user_id) WHERE ((status)::text = 'pending'::text);
CREATE INDEX room_invitations_user_idx ON chat.room_invitations USING btree (invited_user_id, status);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON chat.room_invitations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'invited_user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.room_invitations enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON chat.room_invitations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'invited_user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.room_invitations enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON chat.room_invitations FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'invited_user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.room_invitations enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON chat.room_invitations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'invited_user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.room_invitations enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON chat.room_invitations FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table chat.room_invitations enable row level security;
alter table chat.room_invitations force row level security;
create policy room_invitations_mine on chat.room_invitations for select to akashi_app using (((invited_user_id = ( SELECT auth.current_user_id() AS current_user_id)) OR (room_id = ANY (( SELECT chat.my_managed_rooms() AS my_managed_rooms)::uuid[]))));
create policy room_invitations_owner on chat.room_invitations for all to akashi_owner using (true) with check (true);
create policy room_invitations_policy_read on chat.room_invitations for select to akashi_policy using (true);
create policy room_invitations_staff on chat.room_invitations for select to akashi_security_admin using (true);
grant select on chat.room_invitations to akashi_app;
grant select on chat.room_invitations to akashi_policy;
grant select on chat.room_invitations to akashi_security_admin;

create table chat.room_members (
  id uuid default gen_random_uuid() not null,
  room_id uuid not null,
  user_id uuid not null,
  role character varying(20) default 'member'::character varying not null,
  notification_level character varying(20) default 'mentions'::character varying not null,
  joined_at timestamp with time zone default now() not null,
  left_at timestamp with time zone,
  is_active boolean default true not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint room_members_check CHECK ((is_active = (left_at IS NULL))),
  constraint room_members_notification_level_check CHECK (((notification_level)::text = ANY ((ARRAY['all'::character varying, 'mentions'::character varying, 'none'::character varying])::text[]))),
  constraint room_members_pkey PRIMARY KEY (id),
  constraint room_members_role_check CHECK (((role)::text = ANY ((ARRAY['owner'::character varying, 'admin'::character varying, 'member'::character varying])::text[]))),
  constraint room_members_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.rooms(id) ON DELETE CASCADE,
  constraint room_members_room_id_user_id_key UNIQUE (room_id, user_id),
  constraint room_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE
);
alter table chat.room_members owner to akashi_owner;
comment on table chat.room_members is 'Who is or was in a room, and with which power.';
CREATE INDEX room_members_role_idx ON chat.room_members USING btree (room_id, role);
CREATE INDEX room_members_room_idx ON chat.room_members USING btree (room_id, is_active);
CREATE INDEX room_members_user_idx ON chat.room_members USING btree (user_id, is_active);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON chat.room_members REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.room_members enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON chat.room_members REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.room_members enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON chat.room_members FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.room_members enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON chat.room_members REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.room_members enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON chat.room_members FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table chat.room_members enable row level security;
alter table chat.room_members force row level security;
create policy room_members_of_mine on chat.room_members for select to akashi_app using (((room_id = ANY (( SELECT chat.my_rooms() AS my_rooms)::uuid[])) OR (user_id = ( SELECT auth.current_user_id() AS current_user_id))));
create policy room_members_owner on chat.room_members for all to akashi_owner using (true) with check (true);
create policy room_members_policy_read on chat.room_members for select to akashi_policy using (true);
create policy room_members_staff on chat.room_members for select to akashi_security_admin, akashi_worker using (true);
grant select on chat.room_members to akashi_app;
grant select on chat.room_members to akashi_policy;
grant select on chat.room_members to akashi_security_admin;
grant select on chat.room_members to akashi_worker;

create table chat.room_sequences (
  room_id uuid not null,
  last_sequence bigint default 0 not null,
  last_message_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  constraint room_sequences_pkey PRIMARY KEY (room_id),
  constraint room_sequences_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.rooms(id) ON DELETE CASCADE
) with (fillfactor=50);
alter table chat.room_sequences owner to akashi_owner;
alter table chat.room_sequences enable row level security;
alter table chat.room_sequences force row level security;
create policy room_sequences_of_mine on chat.room_sequences for select to akashi_app using ((room_id = ANY (( SELECT chat.my_rooms() AS my_rooms)::uuid[])));
create policy room_sequences_owner on chat.room_sequences for all to akashi_owner using (true) with check (true);
create policy room_sequences_worker on chat.room_sequences for select to akashi_worker using (true);
grant select on chat.room_sequences to akashi_app;
grant select on chat.room_sequences to akashi_worker;

create table chat.rooms (
  id uuid default gen_random_uuid() not null,
  name character varying(100) not null,
  description text,
  room_type character varying(20) default 'public'::character varying not null,
  max_members integer default 100 not null,
  direct_key text,
  created_by uuid,
  is_active boolean default true not null,
  is_deleted boolean default false not null,
  security_classification character varying(50) default 'internal'::character varying not null,
  compliance_tags jsonb default '{}'::jsonb not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  last_modified_by character varying(255),
  constraint rooms_check CHECK ((((room_type)::text = 'direct'::text) = (direct_key IS NOT NULL))),
  constraint rooms_compliance_tags_check CHECK ((jsonb_typeof(compliance_tags) = 'object'::text)),
  constraint rooms_created_by_fkey FOREIGN KEY (created_by) REFERENCES auth.users(id) ON DELETE SET NULL,
  constraint rooms_description_check CHECK (((length(description) >= 1) AND (length(description) <= 2000))),
  constraint rooms_direct_key_key UNIQUE (direct_key),
  constraint rooms_max_members_check CHECK (((max_members >= 1) AND (max_members <= 1000))),
  constraint rooms_name_check CHECK (((length((name)::text) >= 1) AND (length((name)::text) <= 100))),
  constraint rooms_pkey PRIMARY KEY (id),
  constraint rooms_room_type_check CHECK (((room_type)::text = ANY ((ARRAY['public'::character varying, 'private'::character varying, 'direct'::character varying])::text[]))),
  constraint rooms_security_classification_check CHECK (((security_classification)::text = ANY ((ARRAY['public'::character varying, 'internal'::character varying, 'confidential'::character varying, 'restricted'::character varying])::text[])))
);
alter table chat.rooms owner to akashi_owner;
comment on table chat.rooms is 'A conversation: public (anybody signed in may join), private (by invitation) or direct (two people).';
comment on column chat.rooms.direct_key is 'Both ids of a direct room, the smaller first: one room a pair.';
comment on column chat.rooms.is_active is 'False: archived; it can be read and no longer written to.';
CREATE INDEX rooms_created_at_idx ON chat.rooms USING btree (created_at);
CREATE INDEX rooms_created_by_idx ON chat.rooms USING btree (created_by);
CREATE INDEX rooms_type_idx ON chat.rooms USING btree (room_type, is_active, is_deleted);
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON chat.rooms REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.rooms enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON chat.rooms REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.rooms enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON chat.rooms FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.rooms enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON chat.rooms REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{id}', '', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.rooms enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON chat.rooms FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table chat.rooms enable row level security;
alter table chat.rooms force row level security;
create policy rooms_owner on chat.rooms for all to akashi_owner using (true) with check (true);
create policy rooms_policy_read on chat.rooms for select to akashi_policy using (true);
create policy rooms_staff on chat.rooms for select to akashi_security_admin, akashi_worker using (true);
create policy rooms_visible on chat.rooms for select to akashi_app using (((NOT is_deleted) AND ((id = ANY (( SELECT chat.my_rooms() AS my_rooms)::uuid[])) OR (id = ANY (( SELECT chat.my_invited_rooms() AS my_invited_rooms)::uuid[])) OR (((room_type)::text = 'public'::text) AND (( SELECT auth.current_user_id() AS current_user_id) IS NOT NULL)))));
grant select on chat.rooms to akashi_app;
grant select on chat.rooms to akashi_policy;
grant select on chat.rooms to akashi_security_admin;
grant select on chat.rooms to akashi_worker;

create table chat.user_preferences (
  user_id uuid not null,
  locale character varying(10) default 'ja'::character varying not null,
  time_zone character varying(64) default 'Asia/Tokyo'::character varying not null,
  theme character varying(10) default 'auto'::character varying not null,
  show_presence boolean default true not null,
  direct_messages character varying(20) default 'everyone'::character varying not null,
  notify_mentions boolean default true not null,
  notify_replies boolean default true not null,
  notify_invitations boolean default true not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by character varying(255) default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by character varying(255),
  constraint user_preferences_direct_messages_check CHECK (((direct_messages)::text = ANY ((ARRAY['everyone'::character varying, 'shared_rooms'::character varying, 'nobody'::character varying])::text[]))),
  constraint user_preferences_locale_check CHECK (((locale)::text = ANY ((ARRAY['ja'::character varying, 'en'::character varying])::text[]))),
  constraint user_preferences_pkey PRIMARY KEY (user_id),
  constraint user_preferences_theme_check CHECK (((theme)::text = ANY ((ARRAY['auto'::character varying, 'light'::character varying, 'dark'::character varying])::text[]))),
  constraint user_preferences_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE
);
alter table chat.user_preferences owner to akashi_owner;
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON chat.user_preferences REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{user_id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.user_preferences enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON chat.user_preferences REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{user_id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.user_preferences enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON chat.user_preferences FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{user_id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.user_preferences enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON chat.user_preferences REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{user_id}', 'user_id', '{updated_at,last_modified_by}', '{}', '{}');
alter table chat.user_preferences enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON chat.user_preferences FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table chat.user_preferences enable row level security;
alter table chat.user_preferences force row level security;
create policy user_preferences_mine on chat.user_preferences for all to akashi_app using ((user_id = ( SELECT auth.current_user_id() AS current_user_id))) with check ((user_id = ( SELECT auth.current_user_id() AS current_user_id)));
create policy user_preferences_owner on chat.user_preferences for all to akashi_owner using (true) with check (true);
grant select on chat.user_preferences to akashi_app;
grant insert (user_id) on chat.user_preferences to akashi_app;
grant insert, update (locale) on chat.user_preferences to akashi_app;
grant insert, update (time_zone) on chat.user_preferences to akashi_app;
grant insert, update (theme) on chat.user_preferences to akashi_app;
grant insert, update (show_presence) on chat.user_preferences to akashi_app;
grant insert, update (direct_messages) on chat.user_preferences to akashi_app;
grant insert, update (notify_mentions) on chat.user_preferences to akashi_app;
grant insert, update (notify_replies) on chat.user_preferences to akashi_app;
grant insert, update (notify_invitations) on chat.user_preferences to akashi_app;

create table keys.digest_salts (
  data_subject text not null,
  salt bytea default (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) not null,
  created_at timestamp with time zone default now() not null,
  constraint digest_salts_pkey PRIMARY KEY (data_subject)
);
alter table keys.digest_salts owner to akashi_owner;
alter table keys.digest_salts enable row level security;
alter table keys.digest_salts force row level security;
create policy digest_salts_owner on keys.digest_salts for all to akashi_owner using (true) with check (true);

create table lifecycle.job_runs (
  id uuid default audit.uuid_v7() not null,
  job text not null,
  due_at timestamp with time zone not null,
  started_at timestamp with time zone default clock_timestamp() not null,
  finished_at timestamp with time zone,
  state text default 'running'::text not null,
  worker text not null,
  message text,
  result jsonb,
  constraint job_runs_check CHECK (((finished_at IS NULL) = (state = 'running'::text))),
  constraint job_runs_pkey PRIMARY KEY (id),
  constraint job_runs_state_check CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text, 'cancelled'::text])))
);
alter table lifecycle.job_runs owner to akashi_owner;
comment on table lifecycle.job_runs is 'Every run of a job, kept 90 days, also of jobs that are gone.';
comment on column lifecycle.job_runs.due_at is 'The moment of the timetable, or the request, that the run answers.';
comment on column lifecycle.job_runs.worker is 'Which process. It holds the advisory lock of lifecycle.worker_lock(worker) for as long as it lives.';
CREATE INDEX job_runs_job_idx ON lifecycle.job_runs USING btree (job, started_at DESC);
CREATE UNIQUE INDEX job_runs_running_idx ON lifecycle.job_runs USING btree (job) WHERE (state = 'running'::text);
CREATE INDEX job_runs_started_idx ON lifecycle.job_runs USING btree (started_at);
alter table lifecycle.job_runs enable row level security;
alter table lifecycle.job_runs force row level security;
create policy job_runs_owner on lifecycle.job_runs for all to akashi_owner using (true) with check (true);
create policy job_runs_read on lifecycle.job_runs for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on lifecycle.job_runs to akashi_reader;
grant select on lifecycle.job_runs to akashi_security_admin;
grant select on lifecycle.job_runs to akashi_worker;

create table lifecycle.jobs (
  name text not null,
  schedule text not null,
  task text not null,
  description text not null,
  paused boolean default false not null,
  timeout interval default 'PT1H'::interval not null,
  requested_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text default COALESCE((auth.current_user_id())::text, (SESSION_USER)::text),
  last_modified_by text,
  constraint jobs_name_check CHECK ((name ~ '^[a-z][a-z0-9-]{0,99}$'::text)),
  constraint jobs_pkey PRIMARY KEY (name),
  constraint jobs_schedule_check CHECK ((schedule ~ '^[0-9*/,-]+( [0-9*/,-]+){4}$'::text)),
  constraint jobs_task_check CHECK ((task ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'::text)),
  constraint jobs_timeout_check CHECK ((timeout >= 'PT1S'::interval))
);
alter table lifecycle.jobs owner to akashi_owner;
comment on table lifecycle.jobs is 'What runs when, without anybody asking.';
comment on column lifecycle.jobs.schedule is 'Five fields of cron (minute, hour, day of month, month, day of week) in UTC.';
comment on column lifecycle.jobs.task is 'Name of the code that runs; several jobs may share one.';
comment on column lifecycle.jobs.timeout is 'A run is cancelled after this long.';
comment on column lifecycle.jobs.requested_at is 'When somebody last asked for a run out of turn; any run begun since answers it.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON lifecycle.jobs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{name}', '', '{}', '{}', '{}');
alter table lifecycle.jobs enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON lifecycle.jobs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{name}', '', '{}', '{}', '{}');
alter table lifecycle.jobs enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON lifecycle.jobs FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{name}', '', '{}', '{}', '{}');
alter table lifecycle.jobs enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON lifecycle.jobs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{name}', '', '{}', '{}', '{}');
alter table lifecycle.jobs enable always trigger akashi_audit_update;
CREATE TRIGGER announce_jobs AFTER INSERT OR DELETE OR UPDATE ON lifecycle.jobs FOR EACH STATEMENT EXECUTE FUNCTION lifecycle.announce_jobs();
CREATE TRIGGER update_updated_at BEFORE UPDATE ON lifecycle.jobs FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table lifecycle.jobs enable row level security;
alter table lifecycle.jobs force row level security;
create policy jobs_owner on lifecycle.jobs for all to akashi_owner using (true) with check (true);
create policy jobs_read on lifecycle.jobs for select to akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on lifecycle.jobs to akashi_reader;
grant select on lifecycle.jobs to akashi_security_admin;
grant select on lifecycle.jobs to akashi_worker;

create table lifecycle.policies (
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
  constraint policies_at_expiry_check CHECK ((at_expiry = ANY (ARRAY['archive'::text, 'retire'::text, 'keep'::text]))),
  constraint policies_check CHECK ((total_retention >= hot_retention)),
  constraint policies_hot_retention_check CHECK ((hot_retention > 'PT0S'::interval)),
  constraint policies_interval_check CHECK (("interval" = ANY (ARRAY['day'::text, 'month'::text]))),
  constraint policies_pkey PRIMARY KEY (schema_name, table_name),
  constraint policies_premake_check CHECK (((premake >= 1) AND (premake <= 1200)))
);
alter table lifecycle.policies owner to akashi_owner;
comment on table lifecycle.policies is 'One row per partitioned table: how it is cut, how far ahead, how long hot, what then, how long in all.';
comment on column lifecycle.policies.premake is 'Partitions that exist ahead of the current one.';
comment on column lifecycle.policies.at_expiry is 'archive: exported, verified, dropped; retire: dropped with a signed retention record; keep: stays.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON lifecycle.policies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table lifecycle.policies enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON lifecycle.policies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table lifecycle.policies enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON lifecycle.policies FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table lifecycle.policies enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON lifecycle.policies REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{schema_name,table_name}', '', '{}', '{}', '{}');
alter table lifecycle.policies enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON lifecycle.policies FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table lifecycle.policies enable row level security;
alter table lifecycle.policies force row level security;
create policy policies_owner on lifecycle.policies for all to akashi_owner using (true) with check (true);
create policy policies_read on lifecycle.policies for select to akashi_app, akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on lifecycle.policies to akashi_app;
grant select on lifecycle.policies to akashi_reader;
grant select on lifecycle.policies to akashi_security_admin;
grant select on lifecycle.policies to akashi_worker;

create table lifecycle.settings (
  key text not null,
  value jsonb not null,
  description text not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  created_by text,
  last_modified_by text,
  constraint settings_key_check CHECK ((key ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'::text)),
  constraint settings_pkey PRIMARY KEY (key)
);
alter table lifecycle.settings owner to akashi_owner;
comment on table lifecycle.settings is 'One row per setting; changed by administrators, read by everybody.';
CREATE TRIGGER akashi_audit_delete AFTER DELETE ON lifecycle.settings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{key}', '', '{}', '{}', '{}');
alter table lifecycle.settings enable always trigger akashi_audit_delete;
CREATE TRIGGER akashi_audit_insert AFTER INSERT ON lifecycle.settings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{key}', '', '{}', '{}', '{}');
alter table lifecycle.settings enable always trigger akashi_audit_insert;
CREATE TRIGGER akashi_audit_truncate AFTER TRUNCATE ON lifecycle.settings FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{key}', '', '{}', '{}', '{}');
alter table lifecycle.settings enable always trigger akashi_audit_truncate;
CREATE TRIGGER akashi_audit_update AFTER UPDATE ON lifecycle.settings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.log_changes('internal', '{key}', '', '{}', '{}', '{}');
alter table lifecycle.settings enable always trigger akashi_audit_update;
CREATE TRIGGER update_updated_at BEFORE UPDATE ON lifecycle.settings FOR EACH ROW EXECUTE FUNCTION auth.update_updated_at();
alter table lifecycle.settings enable row level security;
alter table lifecycle.settings force row level security;
create policy settings_owner on lifecycle.settings for all to akashi_owner using (true) with check (true);
create policy settings_read on lifecycle.settings for select to akashi_app, akashi_reader, akashi_security_admin, akashi_worker using (true);
grant select on lifecycle.settings to akashi_app;
grant select on lifecycle.settings to akashi_reader;
grant select on lifecycle.settings to akashi_security_admin;
grant select on lifecycle.settings to akashi_worker;

create table security.ingest_batches (
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
alter table security.ingest_batches owner to akashi_owner;
comment on table security.ingest_batches is 'One row per batch of events taken in, by the SHA-256 of their ids: exactly once also after archiving.';
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON security.ingest_batches FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
alter table security.ingest_batches enable always trigger refuse_change;
alter table security.ingest_batches enable row level security;
alter table security.ingest_batches force row level security;
create policy ingest_batches_owner on security.ingest_batches for all to akashi_owner using (true) with check (true);
create policy ingest_batches_read on security.ingest_batches for select to akashi_security_admin using (true);
create policy ingest_batches_worker on security.ingest_batches for all to akashi_worker using (true) with check (true);
grant select on security.ingest_batches to akashi_security_admin;
grant insert, select on security.ingest_batches to akashi_worker;

create table security.security_events (
  id uuid default uuidv7() not null,
  created_at timestamp with time zone default now() not null,
  received_at timestamp with time zone default clock_timestamp() not null,
  seq bigint default nextval('security.security_events_seq'::regclass) not null,
  xid xid8 default pg_current_xact_id() not null,
  salt bytea default uuid_send(gen_random_uuid()) not null,
  event_type character varying(50) not null,
  event_category character varying(50) not null,
  severity character varying(20) not null,
  source_service character varying(50) not null,
  description text,
  user_id uuid,
  user_name text,
  external_user_id text,
  session_id uuid,
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
  constraint security_events_severity_check CHECK (((severity)::text = ANY ((ARRAY['info'::character varying, 'low'::character varying, 'medium'::character varying, 'high'::character varying, 'critical'::character varying])::text[])))
) partition by RANGE (created_at);
alter table security.security_events owner to akashi_owner;
comment on table security.security_events is 'Append-only; sealed into the ledger security_events.';
comment on column security.security_events.created_at is 'When it happened.';
comment on column security.security_events.received_at is 'When it arrived here; live detectors count by it.';
CREATE INDEX security_events_ip_idx ON ONLY security.security_events USING btree (source_ip, created_at DESC);
CREATE INDEX security_events_order_idx ON ONLY security.security_events USING btree (xid, seq);
CREATE INDEX security_events_type_idx ON ONLY security.security_events USING btree (event_type, severity, created_at DESC);
CREATE INDEX security_events_user_idx ON ONLY security.security_events USING btree (user_id, created_at DESC) WHERE (user_id IS NOT NULL);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON security.security_events FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
alter table security.security_events enable always trigger refuse_change;
alter table security.security_events enable row level security;
alter table security.security_events force row level security;
create policy security_events_record on security.security_events for insert to akashi_app, akashi_owner, akashi_worker with check (true);
create policy security_events_self on security.security_events for select to akashi_app using ((user_id = ( SELECT auth.current_user_id() AS current_user_id)));
create policy security_events_staff on security.security_events for select to akashi_security_admin, akashi_worker using (true);
grant insert, select on security.security_events to akashi_app;
grant select on security.security_events to akashi_security_admin;
grant insert, select on security.security_events to akashi_worker;

-- Views

create view audit.coverage with (security_invoker=true) as
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
     LEFT JOIN audit.protected_tables p ON (((p.schema_name = n.nspname) AND (p.table_name = c.relname))))
     LEFT JOIN audit.exempt_tables e ON (((e.schema_name = n.nspname) AND (e.table_name = c.relname))))
  WHERE ((c.relkind = ANY (ARRAY['r'::"char", 'p'::"char"])) AND (NOT c.relispartition) AND (c.relpersistence = 'p'::"char") AND (n.nspname <> ALL (ARRAY['pg_catalog'::name, 'information_schema'::name, 'archive'::name, 'graphile_worker'::name])) AND (n.nspname !~~ 'pg\_%'::text));
alter view audit.coverage owner to akashi_owner;
grant select on audit.coverage to akashi_app;
grant select on audit.coverage to akashi_security_admin;
grant select on audit.coverage to akashi_worker;

create view audit.v_security_audit_summary with (security_invoker=true) as
 SELECT date_trunc('hour'::text, created_at) AS audit_hour,
    table_name,
    operation,
    data_classification,
    count(*) AS operation_count,
    count(DISTINCT user_id) AS unique_users,
    count(DISTINCT ip_address) AS unique_ips,
    array_agg(DISTINCT subject) FILTER (WHERE (subject IS NOT NULL)) AS affected_users
   FROM audit.audit_logs
  WHERE (created_at >= (now() - 'PT24H'::interval))
  GROUP BY (date_trunc('hour'::text, created_at)), table_name, operation, data_classification
  ORDER BY (date_trunc('hour'::text, created_at)) DESC;
alter view audit.v_security_audit_summary owner to akashi_owner;
comment on view audit.v_security_audit_summary is 'The last 24 hours; an action that is no change of a row has neither table nor operation. Its reader sees what row-level security shows them.';
grant select on audit.v_security_audit_summary to akashi_app;
grant select on audit.v_security_audit_summary to akashi_security_admin;
grant select on audit.v_security_audit_summary to akashi_worker;

create view auth.profiles with (security_barrier=true) as
 SELECT id,
    username,
    COALESCE(display_name, username) AS display_name,
    avatar_url,
    is_active
   FROM auth.users
  WHERE (NOT is_deleted);
alter view auth.profiles owner to akashi_policy;
comment on view auth.profiles is 'Names and pictures, visible to every signed-in service; never e-mail, subject or state.';
grant select on auth.profiles to akashi_app;
grant select on auth.profiles to akashi_reader;
grant select on auth.profiles to akashi_security_admin;
grant select on auth.profiles to akashi_worker;

create view lifecycle.partition_headroom with (security_invoker=true) as
 SELECT p.schema_name,
    p.table_name,
    p."interval",
    p.premake,
    count(b.upper) AS partitions,
    max(b.upper) FILTER (WHERE isfinite(b.upper)) AS covered_until,
    (max(b.upper) FILTER (WHERE isfinite(b.upper)) - now()) AS headroom
   FROM ((lifecycle.policies p
     LEFT JOIN pg_inherits i ON ((i.inhparent = (to_regclass(format('%I.%I'::text, p.schema_name, p.table_name)))::oid)))
     LEFT JOIN LATERAL lifecycle.partition_bounds((i.inhrelid)::regclass) b(lower, upper) ON (true))
  GROUP BY p.schema_name, p.table_name, p."interval", p.premake;
alter view lifecycle.partition_headroom owner to akashi_owner;
grant select on lifecycle.partition_headroom to akashi_reader;
grant select on lifecycle.partition_headroom to akashi_security_admin;
grant select on lifecycle.partition_headroom to akashi_worker;

-- Functions

CREATE OR REPLACE FUNCTION audit.alert_audit_log_tampering(report jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  insert into security.security_events (event_type, event_category, severity, source_service, action_performed, result, event_details)
  values ('audit_log_tampering', 'integrity', 'critical', 'akashi', 'verify', 'failure', report);
  perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
    'message', 'verification of the audit ledger failed', 'timestamp', now())::text);
end
$function$;
alter function audit.alert_audit_log_tampering(report jsonb) owner to akashi_owner;
grant execute on function audit.alert_audit_log_tampering(report jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION audit.assert_unfiltered(target regclass)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
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
alter function audit.assert_unfiltered(target regclass) owner to akashi_owner;
comment on function audit.assert_unfiltered(target regclass) is 'Fails unless the caller sees every row of the table.';
grant execute on function audit.assert_unfiltered(target regclass) to akashi_security_admin;
grant execute on function audit.assert_unfiltered(target regclass) to akashi_worker;

CREATE OR REPLACE FUNCTION audit.attach_triggers(target regclass, policy audit.protected_tables)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;
alter function audit.attach_triggers(target regclass, policy audit.protected_tables) owner to akashi_owner;

CREATE OR REPLACE FUNCTION audit.composite_key(record jsonb, key_columns text[])
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO ''
AS $function$
begin
  return (select jsonb_agg(record -> key order by place) from unnest(key_columns) with ordinality as k (key, place));
end
$function$;
alter function audit.composite_key(record jsonb, key_columns text[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION audit.exempt(target regclass, reason text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into audit.exempt_tables as e (schema_name, table_name, reason)
  select n.nspname, c.relname, exempt.reason
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = target
  on conflict (schema_name, table_name) do update set reason = excluded.reason;
end
$function$;
alter function audit.exempt(target regclass, reason text) owner to akashi_owner;
comment on function audit.exempt(target regclass, reason text) is 'Says why a table needs no audit.';

CREATE OR REPLACE FUNCTION audit.guard(target regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  execute format('create or replace trigger refuse_change before update or delete or truncate on %s
    for each statement execute function audit.refuse_change()', target);
  execute format('alter table %s enable always trigger refuse_change', target);
end
$function$;
alter function audit.guard(target regclass) owner to akashi_owner;
comment on function audit.guard(target regclass) is 'Makes a table append-only: UPDATE, DELETE and TRUNCATE are refused, also for its owner.';

CREATE OR REPLACE FUNCTION audit.keep_head()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if new.log is distinct from old.log or new.size < old.size or new.epoch < old.epoch
     or (new.epoch = old.epoch and (new.last_xid, new.last_seq) < (old.last_xid, old.last_seq)) then
    raise exception 'the head of log % cannot go back', old.log
      using errcode = 'AK001', hint = 'the ledger is append-only; run verify';
  end if;
  return new;
end
$function$;
alter function audit.keep_head() owner to akashi_owner;

CREATE OR REPLACE FUNCTION audit.keep_tile()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if (new.log, new.level, new.tile) is distinct from (old.log, old.level, old.tile)
     or substring(new.hashes from 1 for octet_length(old.hashes)) is distinct from old.hashes then
    raise exception 'tile % of level % of log % holds other hashes already', old.tile, old.level, old.log
      using errcode = 'AK001', hint = 'the ledger is append-only; run verify';
  end if;
  return new;
end
$function$;
alter function audit.keep_tile() owner to akashi_owner;

CREATE OR REPLACE FUNCTION audit.log_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET "TimeZone" TO 'UTC'
 SET "DateStyle" TO 'ISO, YMD'
 SET "IntervalStyle" TO 'iso_8601'
 SET bytea_output TO 'hex'
 SET extra_float_digits TO '1'
 SET lc_monetary TO 'C'
AS $function$
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
$function$;
alter function audit.log_changes() owner to akashi_owner;

CREATE OR REPLACE FUNCTION audit.protect(target regclass, classification text DEFAULT 'internal'::text, subject text DEFAULT NULL::text, columns jsonb DEFAULT '{}'::jsonb, ignore text[] DEFAULT '{}'::text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;
alter function audit.protect(target regclass, classification text, subject text, columns jsonb, ignore text[]) owner to akashi_owner;
comment on function audit.protect(target regclass, classification text, subject text, columns jsonb, ignore text[]) is 'Puts a table under audit: every change writes a row of audit.audit_logs in its own transaction. The caller must own the table.';

CREATE OR REPLACE FUNCTION audit.record_access(resource text, resource_ids text[], reason text DEFAULT NULL::text, data_classification text DEFAULT 'confidential'::text)
 RETURNS uuid
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select audit.record_action('data_access', 'read', resource, case when cardinality(resource_ids) = 1 then resource_ids[1] end,
    'SUCCESS', jsonb_strip_nulls(jsonb_build_object('records', to_jsonb(resource_ids), 'reason', reason)), data_classification)
$function$;
alter function audit.record_access(resource text, resource_ids text[], reason text, data_classification text) owner to akashi_owner;
comment on function audit.record_access(resource text, resource_ids text[], reason text, data_classification text) is 'Records that somebody read confidential data.';
grant execute on function audit.record_access(resource text, resource_ids text[], reason text, data_classification text) to akashi_app;
grant execute on function audit.record_access(resource text, resource_ids text[], reason text, data_classification text) to akashi_security_admin;
grant execute on function audit.record_access(resource text, resource_ids text[], reason text, data_classification text) to akashi_worker;

CREATE OR REPLACE FUNCTION audit.record_action(event_type text, action text, resource text DEFAULT NULL::text, resource_id text DEFAULT NULL::text, result text DEFAULT 'SUCCESS'::text, detail jsonb DEFAULT NULL::jsonb, data_classification text DEFAULT 'internal'::text, data_subject text DEFAULT NULL::text, error_code text DEFAULT NULL::text, error_message text DEFAULT NULL::text, compliance_context jsonb DEFAULT NULL::jsonb)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
alter function audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) owner to akashi_owner;
comment on function audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) is 'Records an action in the trail, in the caller''s transaction; answers the row''s id.';
grant execute on function audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) to akashi_app;
grant execute on function audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) to akashi_security_admin;
grant execute on function audit.record_action(event_type text, action text, resource text, resource_id text, result text, detail jsonb, data_classification text, data_subject text, error_code text, error_message text, compliance_context jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION audit.redact(record jsonb, about text, digest_columns text[], omitted_columns text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;
alter function audit.redact(record jsonb, about text, digest_columns text[], omitted_columns text[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION audit.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  raise exception 'rows of %.% cannot be changed or removed: % refused', tg_table_schema, tg_table_name, lower(tg_op)
    using errcode = 'AK001',
          hint = 'the record is append-only; retention removes whole partitions, with a signed record';
end
$function$;
alter function audit.refuse_change() owner to akashi_owner;

CREATE OR REPLACE FUNCTION audit.request_context()
 RETURNS audit.request_context
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
alter function audit.request_context() owner to akashi_owner;

CREATE OR REPLACE FUNCTION audit.trigger_problems(log text)
 RETURNS TABLE("table" text, problem text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with guarded as (
    select part.relid::oid as relid, null::text as name, 'refuse_change' as trigger_name,
           'audit.refuse_change'::regproc::oid as function, '' ::bytea as arguments
    from lifecycle.policies p
    cross join lateral pg_catalog.pg_partition_tree(to_regclass(format('%I.%I', p.schema_name, p.table_name))) part
    where p.append_only and p.table_name = log
    union all
    select to_regclass(own.name), own.name, own.trigger_name, own.function::regproc, ''
    from (values ('audit.ledger_entries', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_checkpoints', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_tiles', 'keep_tile', 'audit.keep_tile'),
                 ('audit.ledger_heads', 'keep_head', 'audit.keep_head')) as own (name, trigger_name, function)
  ), recorded as (
    select part.relid::oid, format('%I.%I', p.schema_name, p.table_name), 'akashi_audit_' || event, 'audit.log_changes'::regproc,
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
$function$;
alter function audit.trigger_problems(log text) owner to akashi_owner;
grant execute on function audit.trigger_problems(log text) to akashi_security_admin;
grant execute on function audit.trigger_problems(log text) to akashi_worker;

CREATE OR REPLACE FUNCTION audit.unprotect(target regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;
alter function audit.unprotect(target regclass) owner to akashi_owner;
comment on function audit.unprotect(target regclass) is 'Removes the triggers of audit.protect and keeps the trail.';

CREATE OR REPLACE FUNCTION audit.uuid_v7()
 RETURNS uuid
 LANGUAGE sql
 PARALLEL SAFE
 SET search_path TO ''
AS $function$
  select encode(set_bit(set_bit(overlay(
    uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
    from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$function$;
alter function audit.uuid_v7() owner to akashi_owner;
grant execute on function audit.uuid_v7() to akashi_app;
grant execute on function audit.uuid_v7() to akashi_worker;

CREATE OR REPLACE FUNCTION auth.add_context_key(key_id text, secret bytea)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
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
  insert into auth.context_keys (id, inner_key, outer_key)
  values (key_id, inner_key, outer_key)
  on conflict (id) do nothing;
end
$function$;
alter function auth.add_context_key(key_id text, secret bytea) owner to akashi_owner;

CREATE OR REPLACE FUNCTION auth.context_verified()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  signature text := current_setting('app.context_signature', true);
  expires text := current_setting('app.context_expires', true);
  signing auth.context_keys;
begin
  if signature is null or signature = '' then
    return false;
  end if;
  select * into signing from auth.context_keys where id = current_setting('app.context_key', true);
  if not found then
    return false;
  end if;
  if signature <> encode(sha256(signing.outer_key || sha256(signing.inner_key || convert_to(concat_ws(E'\x1f',
    coalesce(current_setting('app.current_user_id', true), ''),
    coalesce(current_setting('app.current_session_id', true), ''),
    coalesce(current_setting('app.subject', true), ''),
    coalesce(current_setting('app.client_ip', true), ''),
    coalesce(current_setting('app.user_agent', true), ''),
    coalesce(current_setting('app.request_id', true), ''),
    coalesce(current_setting('app.trace_id', true), ''),
    coalesce(current_setting('app.correlation_id', true), ''),
    coalesce(current_setting('app.api_endpoint', true), ''),
    coalesce(current_setting('app.application_version', true), ''),
    coalesce(current_setting('app.tenant_id', true), ''),
    coalesce(expires, ''),
    signing.id
  ), 'UTF8'))), 'hex') then
    return false;
  end if;
  -- Only now are the claims known to be ours, and the expiry to be a number.
  return expires::bigint >= extract(epoch from now());
end
$function$;
alter function auth.context_verified() owner to akashi_policy;
comment on function auth.context_verified() is 'Whether the app.* settings of this transaction carry a valid signature. Policies call it as (select …) so that it runs once a statement.';
grant execute on function auth.context_verified() to akashi_app;
grant execute on function auth.context_verified() to akashi_owner;
grant execute on function auth.context_verified() to akashi_reader;
grant execute on function auth.context_verified() to akashi_security_admin;
grant execute on function auth.context_verified() to akashi_worker;

CREATE OR REPLACE FUNCTION auth.current_session_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select case when auth.context_verified() then auth.try_uuid(nullif(current_setting('app.current_session_id', true), '')) end
$function$;
alter function auth.current_session_id() owner to akashi_policy;
comment on function auth.current_session_id() is 'auth.user_sessions.id of the verified context; null where there is none.';
grant execute on function auth.current_session_id() to akashi_app;
grant execute on function auth.current_session_id() to akashi_owner;
grant execute on function auth.current_session_id() to akashi_reader;
grant execute on function auth.current_session_id() to akashi_security_admin;
grant execute on function auth.current_session_id() to akashi_worker;

CREATE OR REPLACE FUNCTION auth.current_user_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select case when auth.context_verified() then auth.try_uuid(nullif(current_setting('app.current_user_id', true), '')) end
$function$;
alter function auth.current_user_id() owner to akashi_policy;
comment on function auth.current_user_id() is 'auth.users.id of the verified context; null is anonymous.';
grant execute on function auth.current_user_id() to akashi_app;
grant execute on function auth.current_user_id() to akashi_owner;
grant execute on function auth.current_user_id() to akashi_reader;
grant execute on function auth.current_user_id() to akashi_security_admin;
grant execute on function auth.current_user_id() to akashi_worker;

CREATE OR REPLACE FUNCTION auth.try_inet(value text)
 RETURNS inet
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO ''
AS $function$
begin
  return value::inet;
exception when invalid_text_representation then
  return null;
end
$function$;
alter function auth.try_inet(value text) owner to akashi_owner;
grant execute on function auth.try_inet(value text) to akashi_app;
grant execute on function auth.try_inet(value text) to akashi_policy;
grant execute on function auth.try_inet(value text) to akashi_reader;
grant execute on function auth.try_inet(value text) to akashi_security_admin;
grant execute on function auth.try_inet(value text) to akashi_worker;

CREATE OR REPLACE FUNCTION auth.try_uuid(value text)
 RETURNS uuid
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO ''
AS $function$
begin
  return value::uuid;
exception when invalid_text_representation then
  return null;
end
$function$;
alter function auth.try_uuid(value text) owner to akashi_owner;
grant execute on function auth.try_uuid(value text) to akashi_app;
grant execute on function auth.try_uuid(value text) to akashi_policy;
grant execute on function auth.try_uuid(value text) to akashi_reader;
grant execute on function auth.try_uuid(value text) to akashi_security_admin;
grant execute on function auth.try_uuid(value text) to akashi_worker;

CREATE OR REPLACE FUNCTION auth.update_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.updated_at := now();
  new.last_modified_by := coalesce(auth.current_user_id()::text, session_user);
  return new;
end
$function$;
alter function auth.update_updated_at() owner to akashi_owner;
grant execute on function auth.update_updated_at() to akashi_app;
grant execute on function auth.update_updated_at() to akashi_security_admin;
grant execute on function auth.update_updated_at() to akashi_worker;

CREATE OR REPLACE FUNCTION chat.accepts_direct(person uuid, from_user uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select case coalesce((select p.direct_messages from chat.user_preferences p where p.user_id = person), 'everyone')
    when 'everyone' then true
    when 'nobody' then false
    else exists (select from chat.room_members a join chat.room_members b using (room_id)
                 where a.user_id = person and b.user_id = from_user and a.is_active and b.is_active)
  end
$function$;
alter function chat.accepts_direct(person uuid, from_user uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.add_member(room chat.rooms, person uuid, as_role text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if (select count(*) from chat.room_members m where m.room_id = room.id and m.is_active) >= room.max_members then
    raise exception 'the room is full: % members', room.max_members using errcode = 'AK003', hint = 'an owner can raise max_members, to at most 1000';
  end if;
  insert into chat.room_members as m (room_id, user_id, role) values (room.id, person, as_role)
  on conflict (room_id, user_id) do update set role = excluded.role, is_active = true, left_at = null, joined_at = now();
  perform chat.append_event(room.id, 'member_joined', null, person, jsonb_build_object('role', as_role));
end
$function$;
alter function chat.add_member(room chat.rooms, person uuid, as_role text) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.add_reaction(message uuid, reaction text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
begin
  select * into held from chat.lock_message(message);
  -- Distinct reactions on one message; enough for every use, and few enough to show.
  if (select count(distinct r.emoji) from chat.message_reactions r where r.message_id = message and r.emoji <> reaction) >= 20 then
    raise exception 'a message takes 20 different reactions' using errcode = 'AK003';
  end if;
  insert into chat.message_reactions (message_id, room_id, user_id, emoji)
  values (message, (held.target).room_id, (held.mine).user_id, reaction) on conflict (message_id, user_id, emoji) do nothing;
  if found then
    perform chat.append_event((held.target).room_id, 'reaction_added', message, (held.mine).user_id, jsonb_build_object('emoji', reaction));
  end if;
end
$function$;
alter function chat.add_reaction(message uuid, reaction text) owner to akashi_owner;
grant execute on function chat.add_reaction(message uuid, reaction text) to akashi_app;

CREATE OR REPLACE FUNCTION chat.answer_invitation(invitation uuid, accept boolean)
 RETURNS chat.room_invitations
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  me uuid := chat.require_user();
  answered chat.room_invitations;
  room chat.rooms;
begin
  select * into answered from chat.room_invitations i where i.id = invitation and i.invited_user_id = me;
  if not found then
    raise exception 'there is no such invitation' using errcode = 'no_data_found';
  end if;
  -- The room first, then the invitation: the order in which chat.invite takes them.
  perform from chat.room_sequences s where s.room_id = answered.room_id for update;
  update chat.room_invitations i set status = case when accept then 'accepted' else 'declined' end, responded_at = now()
  where i.id = invitation and i.status = 'pending' and i.expires_at > now() returning * into answered;
  if not found then
    raise exception 'this invitation was answered, revoked or has expired' using errcode = 'AK003', hint = 'ask for a new one';
  end if;
  if accept then
    select * into room from chat.rooms r where r.id = answered.room_id and not r.is_deleted;
    if not found then
      raise exception 'there is no such room' using errcode = 'no_data_found';
    end if;
    perform chat.refuse_if_inactive(room);
    if not exists (select from chat.room_members m where m.room_id = room.id and m.user_id = me and m.is_active) then
      perform chat.add_member(room, me, 'member');
    end if;
  end if;
  return answered;
end
$function$;
alter function chat.answer_invitation(invitation uuid, accept boolean) owner to akashi_owner;
grant execute on function chat.answer_invitation(invitation uuid, accept boolean) to akashi_app;

CREATE OR REPLACE FUNCTION chat.append_event(room uuid, kind text, message uuid, person uuid, details jsonb DEFAULT '{}'::jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  turn bigint;
begin
  update chat.room_sequences s set last_sequence = s.last_sequence + 1 where s.room_id = room returning s.last_sequence into strict turn;
  insert into chat.room_events (room_id, sequence, event_type, message_id, user_id, detail)
  values (room, turn, kind, message, person, details);
  return turn;
end
$function$;
alter function chat.append_event(room uuid, kind text, message uuid, person uuid, details jsonb) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.begin_upload(room uuid, original_name text, file_size bigint, mime_type text)
 RETURNS chat.file_uploads
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
  upload chat.file_uploads;
begin
  select * into held from chat.lock_room(room);
  perform chat.refuse_unless_role(held.mine, 'owner', 'admin', 'member'), chat.refuse_if_inactive(held.target);
  upload.id := gen_random_uuid();
  insert into chat.file_uploads (id, user_id, room_id, original_name, file_name, file_size, mime_type, file_path, security_classification)
  values (upload.id, (held.mine).user_id, room, begin_upload.original_name, upload.id::text, begin_upload.file_size,
    begin_upload.mime_type, format('chat/%s/%s', room, upload.id), (held.target).security_classification)
  returning * into upload;
  return upload;
end
$function$;
alter function chat.begin_upload(room uuid, original_name text, file_size bigint, mime_type text) owner to akashi_owner;
grant execute on function chat.begin_upload(room uuid, original_name text, file_size bigint, mime_type text) to akashi_app;

CREATE OR REPLACE FUNCTION chat.create_room(name text, room_type text DEFAULT 'public'::text, description text DEFAULT NULL::text, max_members integer DEFAULT 100)
 RETURNS chat.rooms
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  me uuid := chat.require_user();
  room chat.rooms;
begin
  if create_room.room_type not in ('public', 'private') then
    raise exception 'a room is public or private' using errcode = 'invalid_parameter_value', hint = 'a direct room is opened with a person';
  end if;
  insert into chat.rooms (name, room_type, description, max_members, created_by)
  values (btrim(create_room.name), create_room.room_type, nullif(btrim(create_room.description), ''), create_room.max_members, me)
  returning * into room;
  insert into chat.room_sequences (room_id) values (room.id);
  perform chat.add_member(room, me, 'owner');
  return room;
end
$function$;
alter function chat.create_room(name text, room_type text, description text, max_members integer) owner to akashi_owner;
comment on function chat.create_room(name text, room_type text, description text, max_members integer) is 'The caller becomes the owner.';
grant execute on function chat.create_room(name text, room_type text, description text, max_members integer) to akashi_app;

CREATE OR REPLACE FUNCTION chat.delete_message(message uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
begin
  select * into held from chat.lock_message(message);
  if (held.target).user_id is distinct from (held.mine).user_id then
    perform chat.refuse_unless_role(held.mine, 'owner', 'admin');
  end if;
  insert into chat.message_edits (message_id, room_id, edited_by, kind, previous_content)
  values (message, (held.target).room_id, (held.mine).user_id, 'delete', (held.target).content);
  update chat.messages m set content = '', is_deleted = true, mentioned_user_ids = '{}'
  where m.id = message and m.created_at = chat.message_time(message);
  update chat.file_uploads f set is_deleted = true where f.id = (held.target).file_upload_id;
  delete from chat.message_reactions r where r.message_id = message;
  delete from chat.notifications n where n.message_id = message;
  perform chat.append_event((held.target).room_id, 'message_deleted', message, (held.mine).user_id);
end
$function$;
alter function chat.delete_message(message uuid) owner to akashi_owner;
comment on function chat.delete_message(message uuid) is 'By its author, or by an owner or admin of the room.';
grant execute on function chat.delete_message(message uuid) to akashi_app;

CREATE OR REPLACE FUNCTION chat.delete_room(room uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
begin
  select * into held from chat.lock_room(room);
  perform chat.refuse_unless_role(held.mine, 'owner'), chat.refuse_direct(held.target);
  perform chat.append_event(room, 'room_deleted', null, (held.mine).user_id);
  update chat.rooms r set is_deleted = true, is_active = false where r.id = room;
end
$function$;
alter function chat.delete_room(room uuid) owner to akashi_owner;
grant execute on function chat.delete_room(room uuid) to akashi_app;

CREATE OR REPLACE FUNCTION chat.edit_message(message uuid, new_content text, mentions uuid[] DEFAULT '{}'::uuid[])
 RETURNS chat.messages
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
  edited chat.messages;
begin
  select * into held from chat.lock_message(message);
  if (held.target).user_id is distinct from (held.mine).user_id or (held.target).message_type = 'system' then
    raise exception 'a message is edited by its author' using errcode = 'insufficient_privilege';
  end if;
  if (held.target).content = new_content then
    return held.target;
  end if;
  insert into chat.message_edits (message_id, room_id, edited_by, kind, previous_content)
  values (message, (held.target).room_id, (held.mine).user_id, 'edit', (held.target).content);
  update chat.messages m set content = new_content, is_edited = true, mentioned_user_ids = array(
    select p.user_id from chat.room_members p where p.room_id = m.room_id and p.is_active and p.user_id = any (mentions) order by 1)
  where m.id = message and m.created_at = chat.message_time(message) returning * into edited;
  perform chat.append_event(edited.room_id, 'message_edited', message, edited.user_id);
  return edited;
end
$function$;
alter function chat.edit_message(message uuid, new_content text, mentions uuid[]) owner to akashi_owner;
grant execute on function chat.edit_message(message uuid, new_content text, mentions uuid[]) to akashi_app;

CREATE OR REPLACE FUNCTION chat.end_membership(member chat.room_members)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update chat.room_members m set is_active = false, left_at = now(), role = 'member' where m.id = member.id;
  perform chat.append_event(member.room_id, 'member_left', null, member.user_id);
end
$function$;
alter function chat.end_membership(member chat.room_members) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.erase_person(person uuid, batch integer DEFAULT 1000)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  erased bigint;
begin
  with theirs as (
    select m.id, m.created_at from chat.messages m where m.user_id = person limit batch),
  blanked as (
    update chat.messages m set content = '', is_deleted = true, user_id = null, mentioned_user_ids = '{}'
    from theirs where m.id = theirs.id and m.created_at = theirs.created_at returning m.id),
  edits as (delete from chat.message_edits e using blanked where e.message_id = blanked.id)
  select count(*) into erased from blanked;
  if erased < batch then
    update chat.file_uploads f set is_deleted = true, original_name = 'erased' where f.user_id = person and not f.is_deleted;
    delete from chat.message_reactions r where r.user_id = person;
    delete from chat.notifications n where n.user_id = person or n.actor_id = person;
    delete from chat.read_positions p where p.user_id = person;
    delete from chat.user_preferences p where p.user_id = person;
    update chat.room_members m set is_active = false, left_at = now() where m.user_id = person and m.is_active;
  end if;
  return erased;
end
$function$;
alter function chat.erase_person(person uuid, batch integer) owner to akashi_owner;
comment on function chat.erase_person(person uuid, batch integer) is 'Messages erased in this piece; repeat until fewer than the batch.';
grant execute on function chat.erase_person(person uuid, batch integer) to akashi_worker;

CREATE OR REPLACE FUNCTION chat.finish_upload(upload uuid, outcome jsonb)
 RETURNS chat.file_uploads
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  finished chat.file_uploads;
begin
  update chat.file_uploads f set
    upload_status = outcome ->> 'upload_status',
    virus_scanned = coalesce((outcome ->> 'virus_scanned')::boolean, false),
    failure_reason = outcome ->> 'failure_reason',
    mime_type = coalesce(outcome ->> 'mime_type', f.mime_type),
    file_size = coalesce((outcome ->> 'file_size')::bigint, f.file_size),
    sha256 = coalesce(outcome ->> 'sha256', f.sha256),
    thumbnail_path = outcome ->> 'thumbnail_path',
    width = (outcome ->> 'width')::integer,
    height = (outcome ->> 'height')::integer
  where f.id = upload and f.upload_status = 'processing' returning * into finished;
  if not found then
    raise exception 'there is no such upload under way' using errcode = 'no_data_found';
  end if;
  if finished.message_id is not null then
    perform chat.append_event(finished.room_id, 'message_edited', finished.message_id, finished.user_id);
  end if;
  return finished;
end
$function$;
alter function chat.finish_upload(upload uuid, outcome jsonb) owner to akashi_owner;
comment on function chat.finish_upload(upload uuid, outcome jsonb) is 'outcome: upload_status (completed or failed), virus_scanned, failure_reason, mime_type, file_size, sha256, thumbnail_path, width, height.';
grant execute on function chat.finish_upload(upload uuid, outcome jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION chat.invite(room uuid, person uuid, valid_for interval DEFAULT 'P7D'::interval)
 RETURNS chat.room_invitations
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
  invitation chat.room_invitations;
begin
  select * into held from chat.lock_room(room);
  perform chat.refuse_direct(held.target), chat.refuse_if_inactive(held.target);
  if (held.target).room_type = 'private' then
    perform chat.refuse_unless_role(held.mine, 'owner', 'admin');
  else
    perform chat.refuse_unless_role(held.mine, 'owner', 'admin', 'member');
  end if;
  if valid_for not between interval '1 minute' and interval '90 days' then
    raise exception 'an invitation is valid for a minute to 90 days' using errcode = 'invalid_parameter_value';
  end if;
  if not exists (select from auth.users u where u.id = person and u.is_active) then
    raise exception 'there is no such user' using errcode = 'no_data_found';
  end if;
  if exists (select from chat.room_members m where m.room_id = room and m.user_id = person and m.is_active) then
    raise exception 'this person is a member already' using errcode = 'AK003';
  end if;
  insert into chat.room_invitations as i (room_id, invited_user_id, invited_by, expires_at)
  values (room, person, (held.mine).user_id, now() + valid_for)
  on conflict (room_id, invited_user_id) where status = 'pending'
  do update set expires_at = excluded.expires_at, invited_by = excluded.invited_by
  returning * into invitation;
  perform chat.notify_person(person, 'invitation', room, null, (held.mine).user_id);
  return invitation;
end
$function$;
alter function chat.invite(room uuid, person uuid, valid_for interval) owner to akashi_owner;
grant execute on function chat.invite(room uuid, person uuid, valid_for interval) to akashi_app;

CREATE OR REPLACE FUNCTION chat.join_room(room uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
begin
  select * into held from chat.lock_room(room);
  perform chat.refuse_if_inactive(held.target);
  if (held.mine).id is not null then
    return;
  end if;
  if (held.target).room_type <> 'public' then
    raise exception 'a private room is entered by invitation' using errcode = 'insufficient_privilege', hint = 'accept the invitation';
  end if;
  perform chat.add_member(held.target, chat.require_user(), 'member');
end
$function$;
alter function chat.join_room(room uuid) owner to akashi_owner;
grant execute on function chat.join_room(room uuid) to akashi_app;

CREATE OR REPLACE FUNCTION chat.leave_room(room uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
begin
  select * into held from chat.lock_room(room);
  if (held.mine).id is null then
    return;
  end if;
  perform chat.refuse_direct(held.target);
  if (held.mine).role = 'owner' and not exists (
    select from chat.room_members m where m.room_id = room and m.is_active and m.role = 'owner' and m.id <> (held.mine).id) then
    raise exception 'the last owner cannot leave' using errcode = 'AK003', hint = 'make another member owner first, or delete the room';
  end if;
  perform chat.end_membership(held.mine);
end
$function$;
alter function chat.leave_room(room uuid) owner to akashi_owner;
grant execute on function chat.leave_room(room uuid) to akashi_app;

CREATE OR REPLACE FUNCTION chat.lock_message(message uuid, OUT target chat.messages, OUT mine chat.room_members)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  me uuid := chat.require_user();
  room uuid;
begin
  select m.room_id into room from chat.messages m where m.id = message and m.created_at = chat.message_time(message);
  select * into mine from chat.room_members m where m.room_id = room and m.user_id = me and m.is_active;
  if mine.id is null or not room = any (chat.my_rooms()) then
    raise exception 'there is no such message' using errcode = 'no_data_found';
  end if;
  perform from chat.room_sequences s where s.room_id = room for update;
  perform chat.refuse_if_inactive(r) from chat.rooms r where r.id = room;
  select * into target from chat.messages m where m.id = message and m.created_at = chat.message_time(message);
  if target.is_deleted then
    raise exception 'the message was deleted' using errcode = 'AK003';
  end if;
end
$function$;
alter function chat.lock_message(message uuid, OUT target chat.messages, OUT mine chat.room_members) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.lock_room(room uuid, OUT target chat.rooms, OUT mine chat.room_members)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  me uuid := chat.require_user();
begin
  perform from chat.room_sequences s where s.room_id = room for update;
  select * into target from chat.rooms r where r.id = room and not r.is_deleted;
  select * into mine from chat.room_members m where m.room_id = room and m.user_id = me and m.is_active;
  if target.id is null or (mine.id is null and target.room_type <> 'public' and not room = any (chat.my_invited_rooms())) then
    raise exception 'there is no such room' using errcode = 'no_data_found';
  end if;
end
$function$;
alter function chat.lock_room(room uuid, OUT target chat.rooms, OUT mine chat.room_members) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.mark_read(message uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  me uuid := chat.require_user();
  room uuid;
begin
  select m.room_id into room from chat.messages m where m.id = message and m.created_at = chat.message_time(message);
  if room is null or not room = any (chat.my_rooms()) then
    raise exception 'there is no such message' using errcode = 'no_data_found';
  end if;
  insert into chat.read_positions as p (room_id, user_id, message_id, read_to) values (room, me, message, chat.message_time(message))
  on conflict (user_id, room_id) do update set message_id = excluded.message_id, read_to = excluded.read_to
  where excluded.read_to > p.read_to;
  update chat.notifications n set read_at = now()
  where n.user_id = me and n.room_id = room and n.read_at is null and n.message_id is not null and chat.message_time(n.message_id) <= chat.message_time(message);
end
$function$;
alter function chat.mark_read(message uuid) owner to akashi_owner;
comment on function chat.mark_read(message uuid) is 'Moves the caller''s read position forward, never back, and reads the notifications up to it.';
grant execute on function chat.mark_read(message uuid) to akashi_app;

CREATE OR REPLACE FUNCTION chat.message_id(at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 STRICT
 SET search_path TO ''
AS $function$
  select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send(round(extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$function$;
alter function chat.message_id(at timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.message_time(id uuid)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO ''
AS $function$
  select to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0::double precision)
$function$;
alter function chat.message_time(id uuid) owner to akashi_owner;
grant execute on function chat.message_time(id uuid) to akashi_app;
grant execute on function chat.message_time(id uuid) to akashi_security_admin;
grant execute on function chat.message_time(id uuid) to akashi_worker;

CREATE OR REPLACE FUNCTION chat.my_invited_rooms()
 RETURNS uuid[]
 LANGUAGE sql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select coalesce(array_agg(i.room_id), '{}')
  from chat.room_invitations i
  join auth.users u on u.id = i.invited_user_id
  where i.invited_user_id = auth.current_user_id() and u.is_active and i.status = 'pending' and i.expires_at > now()
$function$;
alter function chat.my_invited_rooms() owner to akashi_policy;
comment on function chat.my_invited_rooms() is 'Rooms that the verified user is invited to, to see what they are before answering.';
grant execute on function chat.my_invited_rooms() to akashi_app;
grant execute on function chat.my_invited_rooms() to akashi_owner;

CREATE OR REPLACE FUNCTION chat.my_managed_rooms()
 RETURNS uuid[]
 LANGUAGE sql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select coalesce(array_agg(m.room_id), '{}')
  from chat.room_members m
  where m.user_id = auth.current_user_id() and m.is_active and m.role in ('owner', 'admin')
    and m.room_id = any (chat.my_rooms())
$function$;
alter function chat.my_managed_rooms() owner to akashi_policy;
comment on function chat.my_managed_rooms() is 'Rooms in which the verified user is owner or admin.';
grant execute on function chat.my_managed_rooms() to akashi_app;
grant execute on function chat.my_managed_rooms() to akashi_owner;

CREATE OR REPLACE FUNCTION chat.my_rooms()
 RETURNS uuid[]
 LANGUAGE sql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select coalesce(array_agg(m.room_id), '{}')
  from chat.room_members m
  join chat.rooms r on r.id = m.room_id
  join auth.users u on u.id = m.user_id
  where m.user_id = auth.current_user_id() and m.is_active and u.is_active and not r.is_deleted
$function$;
alter function chat.my_rooms() owner to akashi_policy;
comment on function chat.my_rooms() is 'Rooms of the verified user, while the account is active.';
grant execute on function chat.my_rooms() to akashi_app;
grant execute on function chat.my_rooms() to akashi_owner;

CREATE OR REPLACE FUNCTION chat.notify_members(message chat.messages, replied_to uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select chat.notify_person(m.user_id, case when m.user_id = replied_to then 'reply'
    when m.user_id = any (message.mentioned_user_ids) then 'mention' else 'message' end, message.room_id, message.id, message.user_id)
  from chat.room_members m
  where m.room_id = message.room_id and m.is_active and m.notification_level <> 'none'
    and (m.user_id = replied_to or m.user_id = any (message.mentioned_user_ids) or m.notification_level = 'all')
$function$;
alter function chat.notify_members(message chat.messages, replied_to uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.notify_person(person uuid, kind text, room uuid, message uuid, actor uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  insert into chat.notifications (user_id, notification_type, room_id, message_id, actor_id)
  select person, kind, room, message, actor
  where person is distinct from actor and coalesce((
    select case kind when 'mention' then p.notify_mentions when 'reply' then p.notify_replies
                     when 'invitation' then p.notify_invitations else true end
    from chat.user_preferences p where p.user_id = person), true)
$function$;
alter function chat.notify_person(person uuid, kind text, room uuid, message uuid, actor uuid) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.open_direct_room(with_user uuid)
 RETURNS chat.rooms
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  me uuid := chat.require_user();
  pair text := least(me::text, with_user::text) || ':' || greatest(me::text, with_user::text);
  room chat.rooms;
begin
  if with_user = me then
    raise exception 'a direct room is for two people' using errcode = 'invalid_parameter_value';
  end if;
  select * into room from chat.rooms r where r.direct_key = pair;
  if found then
    return room;
  end if;
  if not exists (select from auth.users u where u.id = with_user and u.is_active) or not chat.accepts_direct(with_user, me) then
    raise exception 'this person cannot be written to' using errcode = 'no_data_found';
  end if;
  insert into chat.rooms (name, room_type, max_members, direct_key, created_by)
  values ('direct', 'direct', 2, pair, me) on conflict (direct_key) do nothing returning * into room;
  if not found then -- the other one opened it just now
    select * into strict room from chat.rooms r where r.direct_key = pair;
    return room;
  end if;
  insert into chat.room_sequences (room_id) values (room.id);
  perform chat.add_member(room, me, 'member'), chat.add_member(room, with_user, 'member');
  return room;
end
$function$;
alter function chat.open_direct_room(with_user uuid) owner to akashi_owner;
comment on function chat.open_direct_room(with_user uuid) is 'The one direct room of a pair, made on first use; answers the same from both sides.';
grant execute on function chat.open_direct_room(with_user uuid) to akashi_app;

CREATE OR REPLACE FUNCTION chat.post_message(room uuid, content text, message_type text DEFAULT 'text'::text, file_upload uuid DEFAULT NULL::uuid, reply_to uuid DEFAULT NULL::uuid, mentions uuid[] DEFAULT '{}'::uuid[], client uuid DEFAULT NULL::uuid)
 RETURNS chat.messages
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  me uuid := chat.require_user();
  target chat.rooms;
  previous timestamptz;
  at timestamptz;
  replied_to uuid;
  upload chat.file_uploads;
  message chat.messages;
begin
  select s.last_message_at into previous from chat.room_sequences s where s.room_id = room for update;
  if not found or not exists (select from chat.room_members m where m.room_id = room and m.user_id = me and m.is_active) then
    raise exception 'there is no such room' using errcode = 'no_data_found';
  end if;
  if client is not null then
    select * into message from chat.messages m where m.client_id = client and m.room_id = room and m.user_id = me;
    if found then
      return message;
    end if;
  end if;
  select * into target from chat.rooms r where r.id = room;
  if target.is_deleted then
    raise exception 'there is no such room' using errcode = 'no_data_found';
  end if;
  perform chat.refuse_if_inactive(target);
  if message_type not in ('text', 'image', 'file') then
    raise exception 'a message is text, image or file' using errcode = 'invalid_parameter_value';
  end if;
  if (message_type = 'text') = (file_upload is not null) then
    raise exception 'a file belongs to a message of type image or file, and every such message has one'
      using errcode = 'invalid_parameter_value';
  end if;
  if reply_to is not null then
    select m.user_id into replied_to from chat.messages m
    where m.id = reply_to and m.created_at = chat.message_time(reply_to) and m.room_id = room;
    if not found then
      raise exception 'there is no such message to reply to' using errcode = 'no_data_found';
    end if;
  end if;
  at := greatest(date_trunc('milliseconds', clock_timestamp()), previous + interval '1 millisecond');
  insert into chat.messages (id, room_id, user_id, sequence, content, message_type, file_upload_id, reply_to_id,
    mentioned_user_ids, client_id, security_classification, created_at, updated_at)
  values (chat.message_id(at), room, me, chat.take_turn(room, at), post_message.content, post_message.message_type,
    file_upload, reply_to, array(select m.user_id from chat.room_members m
      where m.room_id = room and m.is_active and m.user_id = any (mentions) order by 1),
    client, target.security_classification, at, at)
  returning * into message;
  if file_upload is not null then
    update chat.file_uploads f set message_id = message.id
    where f.id = file_upload and f.user_id = me and f.room_id = room and f.message_id is null
      and f.upload_status <> 'failed' and not f.is_deleted
    returning * into upload;
    if not found then
      raise exception 'there is no such file to send' using errcode = 'no_data_found';
    end if;
  end if;
  insert into chat.room_events (room_id, sequence, event_type, message_id, user_id)
  values (room, message.sequence, 'message_created', message.id, me);
  perform chat.notify_members(message, replied_to);
  return message;
end
$function$;
alter function chat.post_message(room uuid, content text, message_type text, file_upload uuid, reply_to uuid, mentions uuid[], client uuid) owner to akashi_owner;
comment on function chat.post_message(room uuid, content text, message_type text, file_upload uuid, reply_to uuid, mentions uuid[], client uuid) is 'Sent again with the same client id it answers the message that is there, and writes nothing.';
grant execute on function chat.post_message(room uuid, content text, message_type text, file_upload uuid, reply_to uuid, mentions uuid[], client uuid) to akashi_app;

CREATE OR REPLACE FUNCTION chat.public_rooms(matching text DEFAULT ''::text, after_name text DEFAULT NULL::text, after_id uuid DEFAULT NULL::uuid, page_size integer DEFAULT 50)
 RETURNS TABLE(id uuid, name character varying, description text, member_count bigint, max_members integer, is_member boolean, created_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select r.id, r.name, r.description,
    (select count(*) from chat.room_members m where m.room_id = r.id and m.is_active), r.max_members,
    r.id = any ((select chat.my_rooms())::uuid[]), r.created_at
  from chat.rooms r
  where chat.require_user() is not null and r.room_type = 'public' and r.is_active and not r.is_deleted
    and (matching = '' or strpos(lower(r.name), lower(matching)) > 0 or strpos(lower(r.description), lower(matching)) > 0)
    and (after_name is null or (r.name, r.id) > (after_name, after_id))
  order by r.name, r.id limit least(greatest(page_size, 1), 200)
$function$;
alter function chat.public_rooms(matching text, after_name text, after_id uuid, page_size integer) owner to akashi_owner;
grant execute on function chat.public_rooms(matching text, after_name text, after_id uuid, page_size integer) to akashi_app;

CREATE OR REPLACE FUNCTION chat.purge_expired(batch integer DEFAULT 1000)
 RETURNS TABLE(what text, removed bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  what := 'deleted messages';
  with gone as (
    delete from chat.messages m using (
      select d.id, d.created_at from chat.messages d where d.is_deleted and d.updated_at < now() - interval '365 days' limit batch) old
    where m.id = old.id and m.created_at = old.created_at returning m.id),
  edits as (delete from chat.message_edits e using gone where e.message_id = gone.id)
  select count(*) into removed from gone;
  return next;
  what := 'uploads given up';
  with gone as (
    update chat.file_uploads f set upload_status = 'failed', failure_reason = 'incomplete'
    where f.id in (select u.id from chat.file_uploads u where u.upload_status = 'processing' and u.received_at is null
                   and u.created_at < now() - interval '1 day' limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'failed uploads';
  with gone as (
    update chat.file_uploads f set is_deleted = true
    where f.id in (select u.id from chat.file_uploads u where u.upload_status = 'failed' and not u.is_deleted
                   and u.created_at < now() - interval '7 days' limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'room events';
  with gone as (
    delete from chat.room_events e using (
      select o.room_id, o.sequence from chat.room_events o where o.created_at < now() - interval '7 days' limit batch) old
    where e.room_id = old.room_id and e.sequence = old.sequence returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'notifications';
  with gone as (
    delete from chat.notifications n where n.id in (
      select o.id from chat.notifications o where o.created_at < now() - interval '90 days' limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
end
$function$;
alter function chat.purge_expired(batch integer) owner to akashi_owner;
grant execute on function chat.purge_expired(batch integer) to akashi_worker;

CREATE OR REPLACE FUNCTION chat.read_as_security_admin(room uuid, reason text, before timestamp with time zone DEFAULT 'infinity'::timestamp with time zone, page_size integer DEFAULT 50)
 RETURNS SETOF chat.messages
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if length(btrim(reason)) < 10 then
    raise exception 'a reason of 10 characters or more is needed' using errcode = 'invalid_parameter_value';
  end if;
  perform audit.record_access('chat.messages', array[room::text], reason, 'confidential');
  return query select * from chat.messages m where m.room_id = room and m.created_at < before
    order by m.created_at desc limit least(greatest(page_size, 1), 200);
end
$function$;
alter function chat.read_as_security_admin(room uuid, reason text, before timestamp with time zone, page_size integer) owner to akashi_owner;
grant execute on function chat.read_as_security_admin(room uuid, reason text, before timestamp with time zone, page_size integer) to akashi_security_admin;

CREATE OR REPLACE FUNCTION chat.receive_upload(upload uuid, file_size bigint, sha256 text)
 RETURNS chat.file_uploads
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  received chat.file_uploads;
begin
  update chat.file_uploads f set file_size = receive_upload.file_size, sha256 = receive_upload.sha256, received_at = now()
  where f.id = upload and f.user_id = chat.require_user() and f.upload_status = 'processing' and f.received_at is null
  returning * into received;
  if not found then
    raise exception 'there is no such upload under way' using errcode = 'no_data_found';
  end if;
  return received;
end
$function$;
alter function chat.receive_upload(upload uuid, file_size bigint, sha256 text) owner to akashi_owner;
comment on function chat.receive_upload(upload uuid, file_size bigint, sha256 text) is 'All bytes are stored. The worker that scans them decides what becomes of the file.';
grant execute on function chat.receive_upload(upload uuid, file_size bigint, sha256 text) to akashi_app;

CREATE OR REPLACE FUNCTION chat.refuse_direct(room chat.rooms)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if room.room_type = 'direct' then
    raise exception 'the members of a direct room stay the same' using errcode = 'AK003';
  end if;
end
$function$;
alter function chat.refuse_direct(room chat.rooms) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.refuse_if_inactive(room chat.rooms)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if not room.is_active then
    raise exception 'the room is archived' using errcode = 'AK003', hint = 'an owner can open it again';
  end if;
end
$function$;
alter function chat.refuse_if_inactive(room chat.rooms) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.refuse_unless_role(mine chat.room_members, VARIADIC allowed text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if mine.role is null or mine.role <> all (allowed) then
    raise exception 'this needs the role % in the room', array_to_string(allowed, ' or ')
      using errcode = 'insufficient_privilege', hint = 'ask an owner of the room';
  end if;
end
$function$;
alter function chat.refuse_unless_role(mine chat.room_members, VARIADIC allowed text[]) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.remove_member(room uuid, person uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
  member chat.room_members;
begin
  select * into held from chat.lock_room(room);
  perform chat.refuse_unless_role(held.mine, 'owner', 'admin'), chat.refuse_direct(held.target);
  select * into member from chat.room_members m where m.room_id = room and m.user_id = person and m.is_active;
  if not found then
    raise exception 'there is no such member' using errcode = 'no_data_found';
  end if;
  if person = (held.mine).user_id then
    raise exception 'nobody removes themselves' using errcode = 'AK003', hint = 'leave the room instead';
  end if;
  if member.role <> 'member' then
    perform chat.refuse_unless_role(held.mine, 'owner');
  end if;
  perform chat.end_membership(member);
end
$function$;
alter function chat.remove_member(room uuid, person uuid) owner to akashi_owner;
comment on function chat.remove_member(room uuid, person uuid) is 'Owners remove anybody, admins only members.';
grant execute on function chat.remove_member(room uuid, person uuid) to akashi_app;

CREATE OR REPLACE FUNCTION chat.remove_reaction(message uuid, reaction text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
begin
  select * into held from chat.lock_message(message);
  delete from chat.message_reactions r where r.message_id = message and r.user_id = (held.mine).user_id and r.emoji = reaction;
  if found then
    perform chat.append_event((held.target).room_id, 'reaction_removed', message, (held.mine).user_id, jsonb_build_object('emoji', reaction));
  end if;
end
$function$;
alter function chat.remove_reaction(message uuid, reaction text) owner to akashi_owner;
grant execute on function chat.remove_reaction(message uuid, reaction text) to akashi_app;

CREATE OR REPLACE FUNCTION chat.require_user()
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  me uuid := auth.current_user_id();
begin
  if me is null or not exists (select from auth.users u where u.id = me and u.is_active) then
    raise exception 'chat is for users who are signed in' using errcode = 'insufficient_privilege', hint = 'sign in first';
  end if;
  return me;
end
$function$;
alter function chat.require_user() owner to akashi_policy;
grant execute on function chat.require_user() to akashi_owner;

CREATE OR REPLACE FUNCTION chat.revoke_invitation(invitation uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
  wanted chat.room_invitations;
begin
  select * into wanted from chat.room_invitations i where i.id = invitation;
  if not found or not wanted.room_id = any (chat.my_rooms()) then
    raise exception 'there is no such invitation' using errcode = 'no_data_found';
  end if;
  select * into held from chat.lock_room(wanted.room_id);
  if wanted.invited_by is distinct from (held.mine).user_id then
    perform chat.refuse_unless_role(held.mine, 'owner', 'admin');
  end if;
  update chat.room_invitations i set status = 'revoked', responded_at = now() where i.id = invitation and i.status = 'pending';
end
$function$;
alter function chat.revoke_invitation(invitation uuid) owner to akashi_owner;
grant execute on function chat.revoke_invitation(invitation uuid) to akashi_app;

CREATE OR REPLACE FUNCTION chat.set_member_role(room uuid, person uuid, new_role text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
  member chat.room_members;
begin
  select * into held from chat.lock_room(room);
  perform chat.refuse_unless_role(held.mine, 'owner'), chat.refuse_direct(held.target);
  select * into member from chat.room_members m where m.room_id = room and m.user_id = person and m.is_active;
  if not found then
    raise exception 'there is no such member' using errcode = 'no_data_found';
  end if;
  if member.role = 'owner' and new_role <> 'owner' and not exists (
    select from chat.room_members m where m.room_id = room and m.is_active and m.role = 'owner' and m.id <> member.id) then
    raise exception 'a room has an owner' using errcode = 'AK003', hint = 'make another member owner first';
  end if;
  update chat.room_members m set role = new_role where m.id = member.id and m.role <> new_role;
  if found then
    perform chat.append_event(room, 'member_changed', null, person, jsonb_build_object('role', new_role));
  end if;
end
$function$;
alter function chat.set_member_role(room uuid, person uuid, new_role text) owner to akashi_owner;
grant execute on function chat.set_member_role(room uuid, person uuid, new_role text) to akashi_app;

CREATE OR REPLACE FUNCTION chat.set_notification_level(room uuid, level text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  update chat.room_members m set notification_level = level
  where m.room_id = room and m.user_id = chat.require_user() and m.is_active;
  if not found then
    raise exception 'there is no such room' using errcode = 'no_data_found';
  end if;
end
$function$;
alter function chat.set_notification_level(room uuid, level text) owner to akashi_owner;
grant execute on function chat.set_notification_level(room uuid, level text) to akashi_app;

CREATE OR REPLACE FUNCTION chat.take_turn(room uuid, at timestamp with time zone)
 RETURNS bigint
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  update chat.room_sequences s set last_sequence = s.last_sequence + 1, last_message_at = at where s.room_id = room returning s.last_sequence
$function$;
alter function chat.take_turn(room uuid, at timestamp with time zone) owner to akashi_owner;

CREATE OR REPLACE FUNCTION chat.update_room(room uuid, changes jsonb)
 RETURNS chat.rooms
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  held record;
  changed chat.rooms;
begin
  select * into held from chat.lock_room(room);
  perform chat.refuse_unless_role(held.mine, 'owner', 'admin'), chat.refuse_direct(held.target);
  if changes ?| array['max_members', 'room_type', 'is_active'] then
    perform chat.refuse_unless_role(held.mine, 'owner');
  end if;
  if coalesce(changes ->> 'room_type', 'public') not in ('public', 'private') then
    raise exception 'a room is public or private' using errcode = 'invalid_parameter_value';
  end if;
  if (changes ->> 'max_members')::integer < (select count(*) from chat.room_members m where m.room_id = room and m.is_active) then
    raise exception 'the room has more members than that' using errcode = 'AK003';
  end if;
  update chat.rooms r set
    name = coalesce(btrim(changes ->> 'name'), r.name),
    description = case when changes ? 'description' then nullif(btrim(changes ->> 'description'), '') else r.description end,
    room_type = coalesce(changes ->> 'room_type', r.room_type),
    max_members = coalesce((changes ->> 'max_members')::integer, r.max_members),
    is_active = coalesce((changes ->> 'is_active')::boolean, r.is_active)
  where r.id = room returning * into changed;
  perform chat.append_event(room, 'room_changed', null, (held.mine).user_id);
  return changed;
end
$function$;
alter function chat.update_room(room uuid, changes jsonb) owner to akashi_owner;
comment on function chat.update_room(room uuid, changes jsonb) is 'changes: any of name, description (owner or admin), max_members, room_type, is_active (owner).';
grant execute on function chat.update_room(room uuid, changes jsonb) to akashi_app;

CREATE OR REPLACE FUNCTION lifecycle.announce_jobs()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform pg_notify('akashi_jobs', '');
  return null;
end
$function$;
alter function lifecycle.announce_jobs() owner to akashi_owner;

CREATE OR REPLACE FUNCTION lifecycle.apply_partitions(as_of timestamp with time zone DEFAULT now())
 RETURNS SETOF lifecycle.partition_action
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  step lifecycle.partition_action;
begin
  for step in select * from lifecycle.plan_partitions(as_of) loop
    begin
      if lifecycle.create_partition(format('%I.%I', step.schema_name, step.table_name)::regclass, step.lower) is not null then
        step.action := 'created';
      else
        -- Somebody else made it meanwhile, or a partition of other bounds is in the way.
        select format('partition %s covers a part of it', i.inhrelid::regclass) into step.message
        from pg_catalog.pg_inherits i, lifecycle.partition_bounds(i.inhrelid::regclass) b
        where i.inhparent = format('%I.%I', step.schema_name, step.table_name)::regclass
          and b.lower < step.upper and b.upper > step.lower
          and not (b.lower <= step.lower and b.upper >= step.upper)
        order by b.lower limit 1;
        step.action := case when step.message is null then 'exists' else 'failed' end;
      end if;
    exception when others then
      step.action := 'failed';
      step.message := sqlerrm;
    end;
    return next step;
  end loop;
end
$function$;
alter function lifecycle.apply_partitions(as_of timestamp with time zone) owner to akashi_owner;
grant execute on function lifecycle.apply_partitions(as_of timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.begin_run(job text, worker text, due timestamp with time zone)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  wanted lifecycle.jobs;
  run uuid;
begin
  perform lifecycle.close_stale_runs();
  select * into wanted from lifecycle.jobs j where j.name = begin_run.job for update;
  if not found or (wanted.paused and due is distinct from wanted.requested_at) then
    return null;
  end if;
  if exists (select from lifecycle.job_runs r where r.job = begin_run.job and (r.due_at >= due or r.started_at >= due)) then
    return null;
  end if;
  insert into lifecycle.job_runs (job, due_at, worker) values (wanted.name, due, begin_run.worker)
  on conflict do nothing
  returning id into run;
  return run;
end
$function$;
alter function lifecycle.begin_run(job text, worker text, due timestamp with time zone) owner to akashi_owner;
grant execute on function lifecycle.begin_run(job text, worker text, due timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.close_stale_runs()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  candidate text;
  closed integer := 0;
  step integer;
begin
  for candidate in select distinct worker from lifecycle.job_runs where state = 'running' loop
    if pg_try_advisory_xact_lock(lifecycle.worker_lock(candidate)) then
      update lifecycle.job_runs
      set state = 'failed', finished_at = clock_timestamp(), message = 'the worker died or lost its connection'
      where worker = candidate and state = 'running';
      get diagnostics step = row_count;
      closed := closed + step;
    end if;
  end loop;
  return closed;
end
$function$;
alter function lifecycle.close_stale_runs() owner to akashi_owner;
grant execute on function lifecycle.close_stale_runs() to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.create_partition(parent regclass, at timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '100ms'
AS $function$
declare
  policy lifecycle.policies;
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
  execute format('alter table %s attach partition %s for values from (%L) to (%L)', parent, child, lower_bound, upper_bound);
  execute format('alter table %s drop constraint bounds', child);
  return child_name;
end
$function$;
alter function lifecycle.create_partition(parent regclass, at timestamp with time zone) owner to akashi_owner;
comment on function lifecycle.create_partition(parent regclass, at timestamp with time zone) is 'Makes and attaches the partition of a table that holds a moment, guarded like its parent; null when it is there already.';

CREATE OR REPLACE FUNCTION lifecycle.create_partitions(parent regclass, range_from timestamp with time zone, range_to timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  max_partitions constant integer := 4000;
  step text;
  at timestamptz;
  made integer := 0;
begin
  select p.interval into step from lifecycle.policies p
  where to_regclass(format('%I.%I', p.schema_name, p.table_name)) = parent;
  if not found then
    raise exception '% has no lifecycle policy', parent
      using errcode = 'undefined_object', hint = 'add a row to lifecycle.policies first';
  end if;
  if not (isfinite(range_from) and isfinite(range_to) and range_from <= range_to) then
    raise exception 'the range % to % is not a range of time', range_from, range_to using errcode = 'invalid_parameter_value';
  end if;
  at := lifecycle.partition_from(range_from, step);
  while at <= range_to loop
    if lifecycle.create_partition(parent, at) is not null then
      made := made + 1;
      if made > max_partitions then
        raise exception 'the range % to % needs more than % partitions', range_from, range_to, max_partitions
          using errcode = 'program_limit_exceeded', hint = 'take it in in smaller ranges';
      end if;
    end if;
    at := lifecycle.partition_to(at, step);
  end loop;
  return made;
end
$function$;
alter function lifecycle.create_partitions(parent regclass, range_from timestamp with time zone, range_to timestamp with time zone) owner to akashi_owner;
grant execute on function lifecycle.create_partitions(parent regclass, range_from timestamp with time zone, range_to timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.finish_run(run uuid, worker text, state text, message text, result jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  update lifecycle.job_runs r
  set state = finish_run.state, finished_at = clock_timestamp(), message = finish_run.message, result = finish_run.result
  where r.id = run and r.worker = finish_run.worker and r.state = 'running';
  return found;
end
$function$;
alter function lifecycle.finish_run(run uuid, worker text, state text, message text, result jsonb) owner to akashi_owner;
grant execute on function lifecycle.finish_run(run uuid, worker text, state text, message text, result jsonb) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  bound text[] := regexp_match(
    (select pg_get_expr(relpartbound, oid) from pg_catalog.pg_class where oid = partition),
    $re$^FOR VALUES FROM \((?:'([^']*)'|(MINVALUE))\) TO \((?:'([^']*)'|(MAXVALUE))\)$re$);
begin
  lower := coalesce(bound[1], case when bound[2] is not null then '-infinity' end)::timestamptz;
  upper := coalesce(bound[3], case when bound[4] is not null then 'infinity' end)::timestamptz;
end
$function$;
alter function lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone) owner to akashi_owner;
grant execute on function lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone) to akashi_app;
grant execute on function lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone) to akashi_reader;
grant execute on function lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone) to akashi_security_admin;
grant execute on function lifecycle.partition_bounds(partition regclass, OUT lower timestamp with time zone, OUT upper timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.partition_from(at timestamp with time zone, step text)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select date_trunc(step, at at time zone 'UTC') at time zone 'UTC'
$function$;
alter function lifecycle.partition_from(at timestamp with time zone, step text) owner to akashi_owner;
grant execute on function lifecycle.partition_from(at timestamp with time zone, step text) to akashi_app;
grant execute on function lifecycle.partition_from(at timestamp with time zone, step text) to akashi_reader;
grant execute on function lifecycle.partition_from(at timestamp with time zone, step text) to akashi_security_admin;
grant execute on function lifecycle.partition_from(at timestamp with time zone, step text) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.partition_name(parent text, at timestamp with time zone, step text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select parent || case step when 'day' then to_char(at at time zone 'UTC', '"_p"YYYYMMDD')
                             else to_char(at at time zone 'UTC', '_YYYY_MM') end
$function$;
alter function lifecycle.partition_name(parent text, at timestamp with time zone, step text) owner to akashi_owner;
comment on function lifecycle.partition_name(parent text, at timestamp with time zone, step text) is 'audit_logs_2026_11 for months (S1, S3), security_events_p20261121 for days (S4).';
grant execute on function lifecycle.partition_name(parent text, at timestamp with time zone, step text) to akashi_app;
grant execute on function lifecycle.partition_name(parent text, at timestamp with time zone, step text) to akashi_reader;
grant execute on function lifecycle.partition_name(parent text, at timestamp with time zone, step text) to akashi_security_admin;
grant execute on function lifecycle.partition_name(parent text, at timestamp with time zone, step text) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.partition_to(at timestamp with time zone, step text)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select (date_trunc(step, at at time zone 'UTC') + ('1 ' || step)::interval) at time zone 'UTC'
$function$;
alter function lifecycle.partition_to(at timestamp with time zone, step text) owner to akashi_owner;
grant execute on function lifecycle.partition_to(at timestamp with time zone, step text) to akashi_app;
grant execute on function lifecycle.partition_to(at timestamp with time zone, step text) to akashi_reader;
grant execute on function lifecycle.partition_to(at timestamp with time zone, step text) to akashi_security_admin;
grant execute on function lifecycle.partition_to(at timestamp with time zone, step text) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.pause_job(name text, paused boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  update lifecycle.jobs j set paused = pause_job.paused where j.name = pause_job.name;
  if not found then
    raise exception 'there is no job %', name using errcode = 'undefined_object', hint = 'list them: akashi jobs';
  end if;
end
$function$;
alter function lifecycle.pause_job(name text, paused boolean) owner to akashi_owner;
comment on function lifecycle.pause_job(name text, paused boolean) is 'Stops a job from being started by the timetable, or lets it again. A run under way goes on.';
grant execute on function lifecycle.pause_job(name text, paused boolean) to akashi_security_admin;
grant execute on function lifecycle.pause_job(name text, paused boolean) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.plan_partitions(as_of timestamp with time zone DEFAULT now())
 RETURNS SETOF lifecycle.partition_action
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
 SET "TimeZone" TO 'UTC'
AS $function$
  select p.schema_name, p.table_name, lifecycle.partition_name(p.table_name, step.at, p.interval), 'create',
         step.at, lifecycle.partition_to(step.at, p.interval), null::text
  from lifecycle.policies p
  cross join lateral (
    select (lifecycle.partition_from(as_of, p.interval) at time zone 'UTC' + n * ('1 ' || p.interval)::interval) at time zone 'UTC' as at
    from generate_series(0, p.premake) n
  ) step
  where to_regclass(format('%I.%I', p.schema_name, p.table_name)) is not null
    and not exists (
      select from pg_catalog.pg_inherits i, lifecycle.partition_bounds(i.inhrelid::regclass) b
      where i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
        and b.lower <= step.at and b.upper > step.at
    )
  order by 1, 2, 5
$function$;
alter function lifecycle.plan_partitions(as_of timestamp with time zone) owner to akashi_owner;
grant execute on function lifecycle.plan_partitions(as_of timestamp with time zone) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.prune_job_runs(keep interval DEFAULT 'P90D'::interval)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  removed integer;
begin
  if keep < interval '1 day' then
    raise exception 'history is kept for a day at least' using errcode = 'invalid_parameter_value';
  end if;
  delete from lifecycle.job_runs where started_at < now() - keep and state <> 'running';
  get diagnostics removed = row_count;
  return removed;
end
$function$;
alter function lifecycle.prune_job_runs(keep interval) owner to akashi_owner;
grant execute on function lifecycle.prune_job_runs(keep interval) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.request_job(name text)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  requested timestamptz;
begin
  update lifecycle.jobs j set requested_at = clock_timestamp() where j.name = request_job.name
  returning j.requested_at into requested;
  if not found then
    raise exception 'there is no job %', name using errcode = 'undefined_object', hint = 'list them: akashi jobs';
  end if;
  return requested;
end
$function$;
alter function lifecycle.request_job(name text) owner to akashi_owner;
comment on function lifecycle.request_job(name text) is 'Asks the workers for a run out of turn, also of a paused job; answers when it was asked.';
grant execute on function lifecycle.request_job(name text) to akashi_security_admin;
grant execute on function lifecycle.request_job(name text) to akashi_worker;

CREATE OR REPLACE FUNCTION lifecycle.worker_lock(worker text)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select hashtextextended('akashi.worker/' || worker, 0)
$function$;
alter function lifecycle.worker_lock(worker text) owner to akashi_owner;
grant execute on function lifecycle.worker_lock(worker text) to akashi_worker;
