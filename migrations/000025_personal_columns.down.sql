-- disposable: keys.personal_columns
-- Encrypted values cannot be made plain again by SQL: the columns must be empty, or go with --destroy of the table.
do $check$
begin
  if exists (select from auth.users where subject_encrypted is not null or email_encrypted is not null) then
    raise exception 'users have encrypted columns, which would be lost' using errcode = 'object_in_use',
      hint = 'restore a backup from before the migration instead';
  end if;
end
$check$;
drop function keys.count_trail(uuid), keys.finish_erasure(uuid, text), keys.erase_salts(uuid), keys.begin_erasure(uuid, text, text),
  keys.clear_personal(uuid), keys.count_personal(uuid);
revoke select on audit.audit_logs from akashi_policy;
revoke usage on schema audit, keys from akashi_policy;
revoke usage on schema keys from akashi_app, akashi_security_admin;
drop policy audit_logs_policy on audit.audit_logs;
delete from audit.protected_tables where schema_name = 'keys';
drop table keys.erasures, keys.personal_columns;
drop view auth.masked_users;
drop trigger keep_last_administrator on auth.users;
drop function auth.keep_last_administrator(), auth.set_classification(uuid, text), auth.set_account_status(uuid, text),
  auth.change_user(uuid, jsonb, bytea, bytea, text), auth.managed_user(uuid, text),
  auth.create_user(uuid, text, bytea, bytea, text, text, bytea, bytea, text, text, text, text, text, jsonb), auth.is_server();
drop policy users_convert on auth.users;
drop policy users_app_read on auth.users;
revoke update (subject, email) on auth.users from akashi_worker;
select audit.protect('auth.users', 'confidential', 'id', '{}', array['last_login_at', 'updated_at', 'last_modified_by']);
drop index auth.users_plain_idx;
alter table auth.users
  drop constraint users_subject_form_check,
  drop constraint users_email_form_check,
  drop constraint users_index_length_check,
  drop column subject_encrypted,
  drop column subject_index,
  drop column email_encrypted,
  drop column email_index,
  drop column email_masked,
  drop column legal_hold,
  alter column subject set not null,
  alter column email set not null;
