-- A database that was restored to before an erasure erases the person again when it starts. Servers and
-- workers do that with their own login: it may, as long as it acts for nobody, what managing people is to it
-- already (auth.managed_user). Whoever acts for somebody needs keys:admin, as before.
set local role akashi_owner;

create function keys.require_erasing() returns void
  language plpgsql stable security definer set search_path = '' as $$
begin
  if not auth.is_server() then
    perform auth.require_permission('keys:admin');
  end if;
end
$$;

create or replace function keys.begin_erasure(person uuid, key_id text, reason text) returns timestamptz
  language plpgsql security definer set search_path = '' as $$
declare
  begun keys.erasures;
  account auth.users;
  held text;
begin
  perform keys.require_erasing();
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

create or replace function keys.erase_salts(person uuid) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  erased integer;
begin
  perform keys.require_erasing();
  if not exists (select from keys.erasures e where e.user_id = person) then
    raise exception 'no erasure of this person has begun' using errcode = 'AK003';
  end if;
  delete from keys.digest_salts s where s.data_subject = person::text;
  get diagnostics erased = row_count;
  update keys.erasures e set salts = e.salts + erased where e.user_id = person and erased > 0;
end
$$;

create or replace function keys.finish_erasure(person uuid, certificate text) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  ended keys.erasures;
begin
  perform keys.require_erasing();
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

-- Also for one who came back by rows that were brought back into a database that knows of the erasure.
drop trigger erase_chat on keys.erasures;
create trigger erase_chat after insert or update of columns on keys.erasures for each row
  when (new.completed_at is null) execute function chat.erase_with_person();

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('reconcile-erasures', '20 * * * *', 'keys.reconcile', '2 hours',
   'complete erasures that were cut short, and erase again who came back with a restored database');
