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

-- What the application's server may write; a user's own columns were granted with the table.
create policy users_staff_insert on auth.users for insert to akashi_worker, akashi_security_admin with check (true);
create policy users_staff_update on auth.users for update to akashi_worker, akashi_security_admin using (true) with check (true);
grant insert (id, issuer, subject_encrypted, subject_index, username, display_name, email_encrypted, email_index, email_masked,
    avatar_url, account_status, tenant_id, security_classification, data_residency, compliance_tags),
  update (subject, subject_encrypted, subject_index, email, email_encrypted, email_index, email_masked, username, display_name,
    avatar_url, last_login_at, account_status, tenant_id, security_classification, data_residency, compliance_tags)
  on auth.users to akashi_worker, akashi_security_admin;
grant update (legal_hold) on auth.users to akashi_security_admin;

-- Ciphertext may stand in the trail, since it goes with its key. Names stay plain in the row, because other
-- people see them, and are digests in the trail. Indexes and masks would outlive the key: they stay out.
select audit.protect('auth.users', 'confidential', 'id',
  '{"subject": "digest", "email": "digest", "username": "digest", "display_name": "digest", "avatar_url": "digest",
    "subject_index": "omit", "email_index": "omit", "email_masked": "omit"}',
  array['last_login_at', 'updated_at', 'last_modified_by']);

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
