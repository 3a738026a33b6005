-- Columns with personal values, and the erasure of persons: plain values are cleared, and the key for the encrypted
-- ones is destroyed. A database restored to a time before an erasure repeats it when it starts. Servers and workers do
-- that with their own login: without a user in the context it may do what managing users allows
-- (akashi_auth.managed_user). On behalf of a user it requires keys:admin.
set local role akashi_owner;

-- Where personal values are, in which form, and what an erasure does with them. Contexts register their columns in
-- their own migrations.
create table akashi_keys.personal_columns (
  schema_name   text not null,
  table_name    text not null,
  column_name   text not null,
  person_column text not null,
  form          text not null check (form in ('encrypted', 'index', 'masked', 'plain')),
  at_erasure    text not null check (at_erasure in ('shredded', 'cleared', 'deleted', 'replaced', 'kept')),
  until         text check (until <> ''),
  created_at    timestamptz not null default now(),
  primary key (schema_name, table_name, column_name),
  check ((at_erasure = 'kept') = (until is not null)),
  check (at_erasure <> 'shredded' or form = 'encrypted')
);
comment on table akashi_keys.personal_columns is 'Which columns hold personal values; the certificate of an erasure is generated from it.';
comment on column akashi_keys.personal_columns.person_column is 'The column that identifies the person: the id of a user.';
comment on column akashi_keys.personal_columns.at_erasure is
  'shredded: stays as bytes that nobody can decrypt; cleared: set to null; deleted: the row is deleted; replaced: emptied by a function of its schema; kept: stays in plain text.';
comment on column akashi_keys.personal_columns.until is 'When and why a kept value is deleted.';
alter table akashi_keys.personal_columns enable row level security, force row level security;
create policy personal_columns_owner on akashi_keys.personal_columns to akashi_owner using (true) with check (true);
select akashi_audit.protect('akashi_keys.personal_columns');

insert into akashi_keys.personal_columns (schema_name, table_name, column_name, person_column, form, at_erasure, until) values
  ('akashi_auth',  'users',             'email_encrypted',   'id',           'encrypted', 'cleared', null),
  ('akashi_auth',  'users',             'subject_encrypted', 'id',           'encrypted', 'cleared', null),
  ('akashi_auth',  'users',             'email_index',       'id',           'index',     'cleared', null),
  ('akashi_auth',  'users',             'subject_index',     'id',           'index',     'cleared', null),
  ('akashi_auth',  'users',             'email_masked',      'id',           'masked',    'cleared', null),
  ('akashi_auth',  'users',             'username',          'id',           'plain',     'cleared', null),
  ('akashi_auth',  'users',             'display_name',      'id',           'plain',     'cleared', null),
  ('akashi_auth',  'users',             'avatar_url',        'id',           'plain',     'cleared', null),
  ('akashi_auth',  'local_credentials', 'password_hash',     'user_id',      'plain',     'deleted', null),
  ('akashi_auth',  'password_history',  'password_hash',     'user_id',      'plain',     'deleted', null),
  ('akashi_auth',  'mfa_factors',       'secret',            'user_id',      'encrypted', 'deleted', null),
  ('akashi_auth',  'passkeys',          'credential_id',     'user_id',      'plain',     'deleted', null),
  ('akashi_auth',  'recovery_codes',    'code_hash',         'user_id',      'plain',     'deleted', null),
  ('akashi_auth',  'user_sessions',     'ip_address',        'user_id',      'plain',     'cleared', null),
  ('akashi_auth',  'user_sessions',     'user_agent',        'user_id',      'plain',     'cleared', null),
  ('akashi_auth',  'privacy_consents',  'ip_address',        'user_id',      'plain',     'kept', 'proof of consent, kept while claims can be made'),
  ('akashi_auth',  'privacy_consents',  'user_agent',        'user_id',      'plain',     'kept', 'proof of consent, kept while claims can be made'),
  ('akashi_auth',  'login_attempts',    'ip_address',        'user_id',      'plain',     'kept', '6 months after the attempt'),
  ('akashi_auth',  'login_attempts',    'user_agent',        'user_id',      'plain',     'kept', '6 months after the attempt'),
  ('akashi_auth',  'login_attempts',    'identifier_hash',   'user_id',      'index',     'kept', '6 months after the attempt'),
  ('akashi_audit', 'audit_logs',        'ip_address',        'user_id',      'plain',     'kept', '2,555 days after the action: who acted from where is part of the record'),
  ('akashi_audit', 'audit_logs',        'user_agent',        'user_id',      'plain',     'kept', '2,555 days after the action: who acted from where is part of the record'),
  ('akashi_audit', 'audit_logs',        'new_values',        'data_subject', 'plain',     'kept', '2,555 days: addresses and devices of sessions; names in it are digests, encrypted columns unreadable'),
  ('akashi_security', 'security_events', 'user_name',        'user_id',      'plain',     'kept', 'the retention of security events'),
  ('akashi_security', 'security_events', 'external_user_id', 'user_id',      'plain',     'kept', 'the retention of security events'),
  ('akashi_security', 'security_events', 'source_ip',        'user_id',      'plain',     'kept', 'the retention of security events'),
  ('akashi_security', 'security_events', 'user_agent',       'user_id',      'plain',     'kept', 'the retention of security events');

-- One row per erased person; unfinished erasures are resumed from here.
create table akashi_keys.erasures (
  user_id          uuid primary key,
  key_id           text not null,
  requested_by     text not null default coalesce(akashi_auth.current_user_id()::text, session_user),
  requested_at     timestamptz not null default now(),
  reason           text not null check (reason <> '' and length(reason) <= 1000),
  columns          jsonb not null,
  salts            integer not null default 0,
  completed_at     timestamptz,
  certificate      text,
  check ((completed_at is null) = (certificate is null))
);
comment on table akashi_keys.erasures is 'People whose key was destroyed. No foreign key: the record outlives the account.';
comment on column akashi_keys.erasures.columns is 'The personal columns with counts of their values when the erasure began.';
comment on column akashi_keys.erasures.salts is 'Number of salts that were destroyed.';
comment on column akashi_keys.erasures.certificate is 'Signed note (C2SP signed-note) that lists what became unreadable and what remains.';
alter table akashi_keys.erasures enable row level security, force row level security;
create policy erasures_owner on akashi_keys.erasures to akashi_owner using (true) with check (true);
create policy erasures_staff on akashi_keys.erasures for select to akashi_worker, akashi_security_admin using (true);
create policy erasures_app on akashi_keys.erasures for select to akashi_app using ((select akashi_auth.has_permission('keys:read')));
grant select on akashi_keys.erasures to akashi_app, akashi_worker, akashi_security_admin;

create function akashi_keys.is_erased(person uuid) returns boolean
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select exists (select from akashi_keys.erasures e where e.user_id = person)
$$;
comment on function akashi_keys.is_erased(uuid) is 'Whether an erasure of the person was started.';
select akashi_audit.protect('akashi_keys.erasures', 'confidential', 'user_id');

-- Personal values of a person by column, as [{schema, table, column, form, atErasure, until, values}]. Values that are
-- kept are not counted, since their tables are large.
create function akashi_keys.count_personal(person uuid) returns jsonb
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
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
$$;

-- Clears columns and deletes rows as registered, in every table except akashi_auth.users.
create function akashi_keys.clear_personal(person uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;

create function akashi_keys.require_erasing() returns void
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not akashi_auth.is_server() then
    perform akashi_auth.require_permission('keys:admin');
  end if;
end
$$;

-- First half of an erasure: everything except the key, in one transaction. Returns when it began. Can be repeated,
-- also when a restored database brought the account back.
create function akashi_keys.begin_erasure(person uuid, key_id text, reason text) returns timestamptz
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;
comment on function akashi_keys.begin_erasure(uuid, text, text) is
  'Deletes the account with its sessions, keys and roles and clears plain values; the caller then destroys the person''s key.';

-- Second half, after the key was destroyed: without the salt the person's digests reveal nothing.
create function akashi_keys.erase_salts(person uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;

-- Erases salts of erased persons that a concurrent transaction created afterwards. Returns how many.
create function akashi_keys.erase_left_salts() returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;

create function akashi_keys.finish_erasure(person uuid, certificate text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;
grant execute on function akashi_keys.begin_erasure(uuid, text, text), akashi_keys.erase_salts(uuid), akashi_keys.erase_left_salts(),
  akashi_keys.finish_erasure(uuid, text)
  to akashi_app, akashi_worker, akashi_security_admin;

-- For a person of an application, who has no account in Akashi: values that the trail holds as digests can no longer be
-- found. The application deletes what its own tables hold. Returns how many salts were destroyed.
create function akashi_keys.forget_person(person text, reason text) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;
comment on function akashi_keys.forget_person(text, text) is
  'Destroys the salt of a person of an application, as identified by --subject: their digests in the trail reveal nothing any more.';
grant execute on function akashi_keys.forget_person(text, text) to akashi_app, akashi_worker, akashi_security_admin;

create function akashi_keys.erased_in(schema_name text, table_name text) returns table (person_column text, user_id uuid)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select distinct c.person_column::text, e.user_id from akashi_keys.personal_columns c cross join akashi_keys.erasures e
  where (c.schema_name, c.table_name) = (erased_in.schema_name, erased_in.table_name)
$$;
comment on function akashi_keys.erased_in(text, text) is
  'Erased people whose rows of a table must not be restored from a backup, by the column that identifies the person.';

-- Intervals of key rotation and of its reminders.
insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('keys.wrapping.rotation_days', '365', '\d{1,6}', 'a whole number of days, or 0 for never',
   'age at which the wrapping key is rotated'),
  ('keys.blind_index.rotation_days', '0', '\d{1,6}', 'a whole number of days, or 0 for never',
   'age at which the blind-index key is rotated, which rewrites every user');
insert into akashi_lifecycle.jobs (name, schedule, task, timeout, description) values
  ('rotate-keys',        '40 18 * * *', 'keys.rotate',    '6 hours',   'rotate keys that are older than their policy, and continue an interrupted rotation'),
  ('key-age',            '50 6 * * *',  'keys.check',     '5 minutes', 'fail when the rotation of a key is a week overdue'),
  ('reconcile-erasures', '20 * * * *',  'keys.reconcile', '2 hours',
   'complete interrupted erasures, and erase again people who came back with a restored database');

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
create function akashi_keys.erasure_evidence(since timestamptz, until timestamptz,
  out requested bigint, out completed bigint, out unfinished bigint, out overdue bigint, out longest_days numeric)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select count(*) filter (where e.requested_at >= since and e.requested_at < until),
         count(*) filter (where e.completed_at >= since and e.completed_at < until),
         count(*) filter (where e.completed_at is null),
         count(*) filter (where e.completed_at is null and e.requested_at < now() - interval '30 days'),
         round(max(extract(epoch from e.completed_at - e.requested_at)) filter (where e.completed_at >= since and e.completed_at < until) / 86400, 1)
  from akashi_keys.erasures e
$$;
grant execute on function akashi_keys.erasure_evidence(timestamptz, timestamptz) to akashi_security_admin;
