-- E-mail and subject of users are encrypted by the application under the person's key (src/keys), which SQL
-- does not hold: what was plain stays until `akashi keys convert` or the next start has encrypted it, row by
-- row, and then is null. A row that SQL alone writes with plain columns is taken in the same way.
set local role akashi_owner;

alter table auth.users
  alter column subject drop not null,
  alter column email drop not null,
  add column subject_encrypted bytea,
  add column subject_index bytea,
  add column email_encrypted bytea,
  add column email_index bytea,
  add column email_masked varchar(255),
  add column legal_hold text check (legal_hold <> ''),
  add constraint users_subject_form_check check (
    (subject is null or subject_index is null)
    and (subject_encrypted is null) = (subject_index is null)
    and (subject is not null or subject_index is not null or account_status = 'deleted')) not valid,
  add constraint users_email_form_check check (
    (email is null or email_index is null)
    and (email_encrypted is null) = (email_index is null) and (email_masked is null) = (email_index is null)
    and (email is not null or email_index is not null or account_status = 'deleted')) not valid,
  add constraint users_index_length_check check (
    octet_length(subject_index) = 32 and octet_length(email_index) = 32) not valid;
comment on column auth.users.subject is 'Plain only until it is encrypted; then null.';
comment on column auth.users.email is 'Plain only until it is encrypted; then null.';
comment on column auth.users.subject_encrypted is 'AES-256-GCM under the person''s key, bound to table, column and row.';
comment on column auth.users.subject_index is 'Blind index of the subject: HMAC-SHA-256. Unique with the issuer.';
comment on column auth.users.email_encrypted is 'AES-256-GCM under the person''s key, bound to table, column and row.';
comment on column auth.users.email_index is 'Blind index of the e-mail in lowercase: HMAC-SHA-256. Unique with the issuer.';
comment on column auth.users.email_masked is 'Such as t***@example.com: what a reader sees, who has no keys.';
comment on column auth.users.legal_hold is 'Why the person may not be erased now; null where nothing forbids it.';

-- Few rows, those that are still plain: the conversion asks again and again.
create index users_plain_idx on auth.users (id) where subject is not null or email is not null;

-- The worker encrypts what is plain. Everything else that happens to users goes through the functions below,
-- which ask whether the caller may; what users change of themselves was granted with the table.
create policy users_convert on auth.users for update to akashi_worker using (true) with check (true);
grant update (subject, subject_encrypted, subject_index, email, email_encrypted, email_index, email_masked) on auth.users
  to akashi_worker;
create policy users_app_read on auth.users for select to akashi_app using ((select auth.has_permission('users:read')));

-- Ciphertext may stand in the trail, since it goes with its key. Names stay plain in the row, because other
-- people see them, and are digests in the trail. Indexes and masks would outlive the key: they stay out.
select audit.protect('auth.users', 'confidential', 'id',
  '{"subject": "digest", "email": "digest", "username": "digest", "display_name": "digest", "avatar_url": "digest",
    "subject_index": "omit", "email_index": "omit", "email_masked": "omit"}',
  array['last_login_at', 'updated_at', 'last_modified_by']);

-- The caller is the server itself: the worker's login, which signs people in, and nobody named by the context.
create function auth.is_server() returns boolean
  language sql stable security definer set search_path = '' as $$
  select auth.current_user_id() is null and auth.current_session_id() is null
    and pg_has_role(session_user, 'akashi_worker', 'member')
$$;

-- Makes a user, with the role that policy gives to every new one. The server may, users:write may; a
-- classification other than internal takes users:admin.
create function auth.create_user(
  id uuid, issuer text, subject_encrypted bytea, subject_index bytea, username text, display_name text, email_encrypted bytea,
  email_index bytea, email_masked text, avatar_url text, account_status text, security_classification text, tenant_id text,
  compliance_tags jsonb
) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  if not auth.is_server() then
    perform auth.require_permission('users:write');
  end if;
  if create_user.security_classification <> 'internal' and not auth.is_server() then
    perform auth.require_permission('users:admin');
  end if;
  insert into auth.users (id, issuer, subject_encrypted, subject_index, username, display_name, email_encrypted, email_index,
    email_masked, avatar_url, account_status, security_classification, tenant_id, compliance_tags)
  values (create_user.id, create_user.issuer, create_user.subject_encrypted, create_user.subject_index, create_user.username,
    create_user.display_name, create_user.email_encrypted, create_user.email_index, create_user.email_masked,
    create_user.avatar_url, create_user.account_status, create_user.security_classification, create_user.tenant_id,
    create_user.compliance_tags);
  perform auth.assign_default_role(create_user.id);
end
$$;

-- The row of somebody else whom the caller may manage: there, not erased, and of no higher tier. Locked.
create function auth.managed_user(user_id uuid, permission text) returns auth.users
  language plpgsql security definer set search_path = '' as $$
declare
  person auth.users;
begin
  if not auth.is_server() then
    perform auth.require_permission(permission);
  end if;
  select * into person from auth.users u where u.id = user_id for no key update;
  if not found or person.is_deleted then
    raise exception 'there is no such user, or they were erased' using errcode = 'no_data_found';
  end if;
  if person.id = auth.current_user_id() then
    raise exception 'nobody does this to themselves' using errcode = 'insufficient_privilege',
      hint = 'somebody else has to do it';
  end if;
  if not auth.is_server() and auth.user_rank(person.id) > auth.caller_rank() then
    raise exception 'the user is of a higher tier than the caller' using errcode = 'insufficient_privilege',
      hint = 'somebody of that tier has to do it';
  end if;
  return person;
end
$$;

-- changes: username, display_name, avatar_url; what is not named stays. Without an e-mail, that stays too.
create function auth.change_user(user_id uuid, changes jsonb, email_encrypted bytea, email_index bytea, email_masked text)
  returns void language plpgsql security definer set search_path = '' as $$
begin
  -- Of themselves people change names; an e-mail only through the worker's login, which has verified it.
  if user_id is distinct from auth.current_user_id()
     or (change_user.email_index is not null and not pg_has_role(session_user, 'akashi_worker', 'member')) then
    perform auth.managed_user(user_id, 'users:write');
  end if;
  update auth.users u set
    username = case when changes ? 'username' then changes ->> 'username' else u.username end,
    display_name = case when changes ? 'display_name' then changes ->> 'display_name' else u.display_name end,
    avatar_url = case when changes ? 'avatar_url' then changes ->> 'avatar_url' else u.avatar_url end,
    email = case when change_user.email_index is null then u.email end,
    email_encrypted = coalesce(change_user.email_encrypted, u.email_encrypted),
    email_index = coalesce(change_user.email_index, u.email_index),
    email_masked = coalesce(change_user.email_masked, u.email_masked)
  where u.id = user_id and not u.is_deleted;
  if not found then
    raise exception 'there is no such user, or they were erased' using errcode = 'no_data_found';
  end if;
end
$$;

create function auth.set_account_status(user_id uuid, account_status text) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  perform auth.managed_user(user_id, 'users:write');
  if set_account_status.account_status = 'deleted' then
    raise exception 'a person is deleted by erasing them' using errcode = 'invalid_parameter_value',
      hint = 'akashi keys shred does it, and cannot be taken back';
  end if;
  update auth.users u set account_status = set_account_status.account_status where u.id = user_id;
end
$$;

create function auth.set_classification(user_id uuid, security_classification text) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  perform auth.managed_user(user_id, 'users:admin');
  update auth.users u set security_classification = set_classification.security_classification where u.id = user_id;
end
$$;

-- Somebody must be able to administer, whoever suspends or erases whom. One at a time, by the role's lock.
create function auth.keep_last_administrator() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  administrator uuid;
begin
  select r.id into administrator from auth.roles r where r.name = 'sys_admin' for no key update;
  if exists (select from auth.user_roles ur where ur.user_id = old.id and ur.role_id = administrator
             and (ur.expires_at is null or ur.expires_at > now()))
     and not exists (
       select from auth.user_roles ur join auth.users u on u.id = ur.user_id
       where ur.role_id = administrator and u.id <> old.id and u.is_active and (ur.expires_at is null or ur.expires_at > now()))
  then
    raise exception 'the last sys_admin stays active' using errcode = 'AK003', hint = 'give the role to somebody else first';
  end if;
  return new;
end
$$;
create trigger keep_last_administrator before update on auth.users for each row
  when (old.account_status = 'active' and new.account_status <> 'active')
  execute function auth.keep_last_administrator();
alter table auth.users enable always trigger keep_last_administrator;

grant execute on function auth.create_user, auth.change_user, auth.set_account_status(uuid, text), auth.set_classification(uuid, text)
  to akashi_app, akashi_worker;

-- How a reader sees people: enough to tell them apart and to see that an address is there.
grant create on schema auth to akashi_policy;
reset role;
set local role akashi_policy;
create view auth.masked_users with (security_barrier = true) as
  select id, issuer, '***'::text as subject, left(username, 1) || '***' as username, left(display_name, 1) || '***' as display_name,
         coalesce(email_masked, regexp_replace(email, '^(.).*(@.*)$', '\1***\2')) as email,
         last_login_at, account_status, is_active, is_deleted, tenant_id, security_classification, data_residency,
         compliance_tags, created_at, updated_at
  from auth.users;
comment on view auth.masked_users is 'Users under their own column names, with personal values masked (S2 data masking).';
grant select on auth.masked_users to akashi_reader, akashi_worker, akashi_security_admin;
reset role;
revoke create on schema auth from akashi_policy;

set local role akashi_owner;
-- Where values of persons stand, in which form, and what becomes of them when a person is erased. Contexts
-- name their own columns in the migration that makes them.
create table keys.personal_columns (
  schema_name   text not null,
  table_name    text not null,
  column_name   text not null,
  person_column text not null,
  form          text not null check (form in ('encrypted', 'index', 'masked', 'plain')),
  at_erasure    text not null check (at_erasure in ('shredded', 'cleared', 'deleted', 'kept')),
  until         text check (until <> ''),
  created_at    timestamptz not null default now(),
  primary key (schema_name, table_name, column_name),
  check ((at_erasure = 'kept') = (until is not null)),
  check (at_erasure <> 'shredded' or form = 'encrypted')
);
comment on table keys.personal_columns is 'Which columns hold values of persons; the certificate of an erasure is made from it.';
comment on column keys.personal_columns.person_column is 'The column that says whose: the id of a user.';
comment on column keys.personal_columns.at_erasure is
  'shredded: stays as bytes that nobody can open; cleared: set to null; deleted: the row goes; kept: stays plain.';
comment on column keys.personal_columns.until is 'When and why a kept value goes.';
alter table keys.personal_columns enable row level security;
alter table keys.personal_columns force row level security;
create policy personal_columns_owner on keys.personal_columns to akashi_owner using (true) with check (true);
select audit.protect('keys.personal_columns');

insert into keys.personal_columns (schema_name, table_name, column_name, person_column, form, at_erasure, until) values
  ('auth',  'users',             'email_encrypted',   'id',           'encrypted', 'cleared', null),
  ('auth',  'users',             'subject_encrypted', 'id',           'encrypted', 'cleared', null),
  ('auth',  'users',             'email_index',       'id',           'index',     'cleared', null),
  ('auth',  'users',             'subject_index',     'id',           'index',     'cleared', null),
  ('auth',  'users',             'email_masked',      'id',           'masked',    'cleared', null),
  ('auth',  'users',             'username',          'id',           'plain',     'cleared', null),
  ('auth',  'users',             'display_name',      'id',           'plain',     'cleared', null),
  ('auth',  'users',             'avatar_url',        'id',           'plain',     'cleared', null),
  ('auth',  'local_credentials', 'password_hash',     'user_id',      'plain',     'deleted', null),
  ('auth',  'password_history',  'password_hash',     'user_id',      'plain',     'deleted', null),
  ('auth',  'mfa_factors',       'secret',            'user_id',      'encrypted', 'deleted', null),
  ('auth',  'recovery_codes',    'code_hash',         'user_id',      'plain',     'deleted', null),
  ('auth',  'user_sessions',     'ip_address',        'user_id',      'plain',     'cleared', null),
  ('auth',  'user_sessions',     'user_agent',        'user_id',      'plain',     'cleared', null),
  ('auth',  'privacy_consents',  'ip_address',        'user_id',      'plain',     'kept', 'proof of consent, kept while claims can be made'),
  ('auth',  'privacy_consents',  'user_agent',        'user_id',      'plain',     'kept', 'proof of consent, kept while claims can be made'),
  ('auth',  'login_attempts',    'ip_address',        'user_id',      'plain',     'kept', '6 months after the attempt'),
  ('auth',  'login_attempts',    'user_agent',        'user_id',      'plain',     'kept', '6 months after the attempt'),
  ('auth',  'login_attempts',    'identifier_hash',   'user_id',      'index',     'kept', '6 months after the attempt'),
  ('audit', 'audit_logs',        'ip_address',        'user_id',      'plain',     'kept', '2,555 days after the act: who acted from where is the record'),
  ('audit', 'audit_logs',        'user_agent',        'user_id',      'plain',     'kept', '2,555 days after the act: who acted from where is the record'),
  ('audit', 'audit_logs',        'new_values',        'data_subject', 'plain',     'kept', '2,555 days: addresses and devices of sessions; names in it are digests, encrypted columns unreadable'),
  ('security', 'security_events', 'user_name',        'user_id',      'plain',     'kept', 'the retention of security events'),
  ('security', 'security_events', 'external_user_id', 'user_id',      'plain',     'kept', 'the retention of security events'),
  ('security', 'security_events', 'source_ip',        'user_id',      'plain',     'kept', 'the retention of security events'),
  ('security', 'security_events', 'user_agent',       'user_id',      'plain',     'kept', 'the retention of security events');

-- One row a person who was erased, or is being: what was begun is gone on with from here.
create table keys.erasures (
  user_id          uuid primary key,
  key_id           text not null,
  requested_by     text not null default coalesce(auth.current_user_id()::text, session_user),
  requested_at     timestamptz not null default now(),
  reason           text not null check (reason <> '' and length(reason) <= 1000),
  columns          jsonb not null,
  salts            integer not null default 0,
  completed_at     timestamptz,
  certificate      text,
  check ((completed_at is null) = (certificate is null))
);
comment on table keys.erasures is 'Persons whose key was destroyed. No foreign key: the record outlives the account.';
comment on column keys.erasures.columns is 'What stood where when it began: the personal columns with counts of values.';
comment on column keys.erasures.salts is 'Salts of digests that were destroyed.';
comment on column keys.erasures.certificate is 'Signed note (C2SP signed-note) that says what became unreadable and what remains.';
alter table keys.erasures enable row level security;
alter table keys.erasures force row level security;
create policy erasures_owner on keys.erasures to akashi_owner using (true) with check (true);
create policy erasures_staff on keys.erasures for select to akashi_worker, akashi_security_admin using (true);
create policy erasures_app on keys.erasures for select to akashi_app using ((select auth.has_permission('keys:read')));
grant usage on schema keys to akashi_app, akashi_security_admin;
grant select on keys.erasures to akashi_app, akashi_worker, akashi_security_admin;
select audit.protect('keys.erasures', 'confidential', 'user_id');

-- Values of a person by personal column, as [{schema, table, column, form, atErasure, until, values}]. What is
-- kept is not counted: those tables are large, and their rows stay.
create function keys.count_personal(person uuid) returns jsonb
  language plpgsql stable security definer set search_path = '' as $$
declare
  place keys.personal_columns;
  result jsonb := '[]';
  counted bigint;
begin
  for place in select * from keys.personal_columns order by schema_name, table_name, column_name loop
    counted := null;
    if place.at_erasure <> 'kept' then
      execute format('select count(%I) from %I.%I where %I = $1', place.column_name, place.schema_name, place.table_name,
        place.person_column) into counted using person;
    end if;
    result := result || jsonb_build_object('schema', place.schema_name, 'table', place.table_name, 'column', place.column_name,
      'form', place.form, 'atErasure', place.at_erasure, 'until', place.until, 'values', counted);
  end loop;
  return result;
end
$$;

-- Sets to null what is to be cleared and deletes what is to go, in every table but auth.users.
create function keys.clear_personal(person uuid) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  target record;
begin
  for target in
    select schema_name, table_name, person_column, bool_or(at_erasure = 'deleted') as deleted,
           string_agg(format('%I = null', column_name), ', ') as cleared
    from keys.personal_columns
    where at_erasure in ('cleared', 'deleted') and (schema_name, table_name) <> ('auth', 'users')
    group by schema_name, table_name, person_column
  loop
    if target.deleted then
      execute format('delete from %I.%I where %I = $1', target.schema_name, target.table_name, target.person_column) using person;
    else
      execute format('update %I.%I set %s where %I = $1', target.schema_name, target.table_name, target.cleared,
        target.person_column) using person;
    end if;
  end loop;
end
$$;

-- First half of an erasure: everything but the key, in one transaction. Answers when it began; again, for one
-- that has begun, also when the account has come back with a restored database.
create function keys.begin_erasure(person uuid, key_id text, reason text) returns timestamptz
  language plpgsql security definer set search_path = '' as $$
declare
  begun keys.erasures;
  account auth.users;
  held text;
begin
  perform auth.require_permission('keys:admin');
  select * into begun from keys.erasures e where e.user_id = person for update;
  select * into account from auth.users u where u.id = person for update;
  if account.id is null and begun.user_id is null then
    raise exception 'there is no such user' using errcode = 'no_data_found';
  end if;
  if begun.user_id is not null and (account.id is null or account.is_deleted) then
    return begun.requested_at;
  end if;
  perform auth.managed_user(person, 'keys:admin');
  select coalesce(account.legal_hold, min(p.schema_name || '.' || p.table_name || ' is under legal hold')) into held
  from lifecycle.policies p
  join keys.personal_columns c using (schema_name, table_name)
  where p.legal_hold;
  if held is not null then
    raise exception 'the person is under legal hold: %', held using errcode = 'AK003', hint = 'erase when the hold is lifted';
  end if;
  insert into keys.erasures as e (user_id, key_id, reason, columns)
  values (person, begin_erasure.key_id, begin_erasure.reason, keys.count_personal(person))
  on conflict (user_id) do update set completed_at = null, certificate = null, columns = excluded.columns
  returning * into begun;
  update auth.user_sessions s set revoked_at = now() where s.user_id = person and s.revoked_at is null;
  update auth.api_keys k set is_active = false, revoked_at = now() where k.user_id = person and k.is_active;
  update auth.users u set
    account_status = 'deleted', username = 'deleted-' || u.id, display_name = null, avatar_url = null,
    subject = null, subject_encrypted = null, subject_index = null,
    email = null, email_encrypted = null, email_index = null, email_masked = null, compliance_tags = '{}'
  where u.id = person;
  delete from auth.user_roles ur where ur.user_id = person;
  perform keys.clear_personal(person);
  perform audit.record_action('erasure_begun', 'erase', 'user', person::text, 'SUCCESS',
    jsonb_build_object('key_id', begin_erasure.key_id, 'reason', begin_erasure.reason), 'confidential', person::text);
  return begun.requested_at;
end
$$;
comment on function keys.begin_erasure(uuid, text, text) is
  'Ends the account, its sessions, keys and roles and clears what is plain; the caller then destroys the person''s key.';

-- Second half, once the key is destroyed: without their salt the digests of the person say nothing.
create function keys.erase_salts(person uuid) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  erased integer;
begin
  perform auth.require_permission('keys:admin');
  if not exists (select from keys.erasures e where e.user_id = person) then
    raise exception 'no erasure of this person has begun' using errcode = 'AK003';
  end if;
  delete from keys.digest_salts s where s.data_subject = person::text;
  get diagnostics erased = row_count;
  update keys.erasures e set salts = e.salts + erased where e.user_id = person and erased > 0;
end
$$;

create function keys.finish_erasure(person uuid, certificate text) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  ended keys.erasures;
begin
  perform auth.require_permission('keys:admin');
  update keys.erasures e set completed_at = now(), certificate = finish_erasure.certificate
  where e.user_id = person and e.completed_at is null returning * into ended;
  if not found then
    return;
  end if;
  perform audit.record_action('person_erased', 'erase', 'user', person::text, 'SUCCESS',
    jsonb_build_object('key_id', ended.key_id, 'certificate_sha256', encode(sha256(convert_to(certificate, 'UTF8')), 'hex')),
    'confidential', person::text);
  perform security.record_event(event_type => 'key_shredded', event_category => 'configuration', severity => 'high',
    source_service => 'akashi', resource_type => 'user', resource_id => person::text, action_performed => 'erase',
    result => 'success', ocsf_class_uid => 3004, event_details => jsonb_build_object('key_id', ended.key_id));
end
$$;

-- The policy role reads the trail, to count what is about a person; nobody else's view of it changes.
create policy audit_logs_policy on audit.audit_logs for select to akashi_policy using (true);
grant usage on schema audit, keys to akashi_policy;
grant select on audit.audit_logs to akashi_policy;
grant create on schema keys to akashi_policy;
reset role;
set local role akashi_policy;
create function keys.count_trail(person uuid) returns bigint
  language sql stable security definer set search_path = '' as $$
  select count(*) from audit.audit_logs where data_subject = person::text
$$;
comment on function keys.count_trail(uuid) is 'Rows of the trail in PostgreSQL that are about a person. Reads all of it.';
reset role;
revoke create on schema keys from akashi_policy;
grant execute on function keys.count_trail(uuid) to akashi_owner, akashi_app, akashi_worker, akashi_security_admin;
set local role akashi_owner;
grant execute on function keys.begin_erasure(uuid, text, text), keys.erase_salts(uuid), keys.finish_erasure(uuid, text)
  to akashi_app, akashi_worker, akashi_security_admin;
