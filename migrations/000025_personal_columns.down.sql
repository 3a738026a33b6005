-- Encrypted values cannot be made plain again by SQL: the columns must be empty, or go with --destroy of the table.
do $check$
begin
  if exists (select from auth.users where subject_encrypted is not null or email_encrypted is not null) then
    raise exception 'users have encrypted columns, which would be lost' using errcode = 'object_in_use',
      hint = 'restore a backup from before the migration instead';
  end if;
end
$check$;
drop view auth.masked_users;
revoke insert (id, issuer, subject_encrypted, subject_index, username, display_name, email_encrypted, email_index, email_masked,
    avatar_url, account_status, tenant_id, security_classification, data_residency, compliance_tags),
  update (subject, email, username, display_name, avatar_url, last_login_at, account_status, tenant_id, security_classification,
    data_residency, compliance_tags)
  on auth.users from akashi_worker, akashi_security_admin;
drop policy users_staff_insert on auth.users;
drop policy users_staff_update on auth.users;
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
