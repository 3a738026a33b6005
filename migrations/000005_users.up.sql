-- Users: S1 3.1, S2 and S3 002 in one. The key to a person at an identity provider is (issuer, subject).
set local role akashi_owner;

create table auth.users (
  id                      uuid primary key default gen_random_uuid(),
  issuer                  varchar(255) not null default 'local' check (issuer <> ''),
  subject                 varchar(255) not null check (subject <> ''),
  username                varchar(50) not null unique,
  display_name            varchar(100) check (display_name <> ''),
  email                   varchar(255) not null,
  avatar_url              text check (length(avatar_url) <= 2048),
  last_login_at           timestamptz,
  account_status          varchar(20) not null default 'active',
  is_active               boolean not null generated always as (account_status = 'active') stored,
  is_deleted              boolean not null generated always as (account_status = 'deleted') stored,
  tenant_id               varchar(255),
  security_classification varchar(50) not null default 'internal',
  data_residency          varchar(50) not null default 'ap-northeast-1',
  compliance_tags         jsonb not null default '{}' check (jsonb_typeof(compliance_tags) = 'object'),
  created_at              timestamptz not null default now(),
  updated_at              timestamptz not null default now(),
  created_by              varchar(255) default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by        varchar(255),
  constraint users_issuer_subject_key unique (issuer, subject),
  constraint users_issuer_email_key unique (issuer, email),
  constraint users_username_check check (length(username) >= 3),
  constraint users_email_check check (email ~* '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$'),
  constraint users_account_status_check check (account_status in ('active', 'inactive', 'suspended', 'deleted')),
  constraint users_security_classification_check
    check (security_classification in ('public', 'internal', 'confidential', 'restricted'))
);
comment on table auth.users is 'One row per person and identity provider; local accounts have the issuer local.';
comment on column auth.users.display_name is 'Null means the username.';
comment on column auth.users.tenant_id is 'A label for filters, grouping and retention; tenants are isolated by a database each.';

create index users_account_status_idx on auth.users (account_status);
create index users_created_at_idx on auth.users (created_at);
create index users_last_login_at_idx on auth.users (last_login_at);
create index users_last_modified_by_idx on auth.users (last_modified_by, updated_at);
create index users_security_classification_idx on auth.users (security_classification);
create index users_compliance_tags_idx on auth.users using gin (compliance_tags);

create trigger update_updated_at before update on auth.users
  for each row execute function auth.update_updated_at();

alter table auth.users enable row level security;
alter table auth.users force row level security;
create policy users_self_read on auth.users for select to akashi_app
  using (id = (select auth.current_user_id()));
create policy users_self_update on auth.users for update to akashi_app
  using (id = (select auth.current_user_id())) with check (id = (select auth.current_user_id()));
create policy users_staff_read on auth.users for select to akashi_worker, akashi_security_admin using (true);
create policy users_policy_read on auth.users for select to akashi_policy using (true);
create policy users_owner on auth.users to akashi_owner using (true) with check (true);

-- What a user may change of themselves; state and classification are not among it.
grant select on auth.users to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;
grant update (username, display_name, avatar_url) on auth.users to akashi_app;

-- The public part, for showing names beside what people wrote. A definer view, so it needs no row policy.
grant create on schema auth to akashi_policy;
reset role;
set local role akashi_policy;
create view auth.profiles with (security_barrier = true) as
  select id, username, coalesce(display_name, username) as display_name, avatar_url, is_active
  from auth.users where not is_deleted;
comment on view auth.profiles is 'Names and pictures, visible to every signed-in service; never e-mail, subject or state.';
grant select on auth.profiles to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
reset role;
revoke create on schema auth from akashi_policy;
