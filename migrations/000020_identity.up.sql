-- Who may do what, and how they show who they are: S3 003–007, S5 and S1 3.5 in one. No login role writes
-- roles, grants, credentials or keys: functions of the owner do, and they decide (000023).
--
--   roles                  name, tier (system > business > service)
--   permissions            resource, action, tier: the lowest tier of a role that may hold it; written resource:action
--   role_permissions       role_id, permission_id
--   user_roles             user_id, role_id, assigned_by, expires_at
--   service_accounts       name, tier, is_active; service_account_roles like user_roles
--   api_keys               key_hash (SHA-256, hex), key_prefix, permissions (scopes), exactly one owner: user_id or service_account_id
--   user_sessions          session_token_hash (SHA-256, bytes), device, address, room_id, status, expires_at, revoked_at
--   local_credentials      password_hash (argon2id or bcrypt), must_change; password_history the hashes before
--   mfa_factors            secret (ciphertext), last_used_step; recovery_codes code_hash, used_at
--   login_attempts         append-only, sealed, by month, kept 6 months
--   security_policies      key, value, value_type, default_value, minimum, maximum
--   privacy_consents       one row a decision; current_consents shows the latest
set local role akashi_owner;

create function auth.tier_rank(tier text) returns integer
  language sql immutable strict parallel safe set search_path = '' as $$
  select case tier when 'system' then 3 when 'business' then 2 when 'service' then 1 end
$$;
comment on function auth.tier_rank(text) is 'system 3, business 2, service 1; nothing crosses to a higher one.';

create table auth.roles (
  id               uuid primary key default gen_random_uuid(),
  name             varchar(100) not null unique check (name ~ '^[a-z][a-z0-9_]*$'),
  description      text,
  tier             varchar(20) not null,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint roles_tier_check check (tier in ('system', 'business', 'service'))
);
create index roles_tier_idx on auth.roles (tier);

create table auth.permissions (
  id               uuid primary key default gen_random_uuid(),
  resource         varchar(255) not null check (resource ~ '^[a-z][a-z0-9_]*$'),
  action           varchar(50) not null,
  description      text,
  tier             varchar(20) not null default 'system',
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint permissions_resource_action_key unique (resource, action),
  constraint permissions_action_check check (action in ('read', 'write', 'delete', 'admin')),
  constraint permissions_tier_check check (tier in ('system', 'business', 'service'))
);
comment on table auth.permissions is 'Written resource:action; the action admin holds read, write and delete of its resource.';
comment on column auth.permissions.tier is 'The lowest tier of a role that may hold it.';

create table auth.user_roles (
  id               uuid primary key default gen_random_uuid(),
  user_id          uuid not null references auth.users (id) on delete cascade,
  role_id          uuid not null references auth.roles (id) on delete cascade,
  assigned_by      uuid references auth.users (id) on delete set null,
  assigned_at      timestamptz not null default now(),
  expires_at       timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint user_roles_user_id_role_id_key unique (user_id, role_id)
);
comment on column auth.user_roles.expires_at is 'Null is for good; an expired role decides nothing.';
create index user_roles_role_id_idx on auth.user_roles (role_id);
create index user_roles_assigned_by_idx on auth.user_roles (assigned_by) where assigned_by is not null;

create table auth.role_permissions (
  id               uuid primary key default gen_random_uuid(),
  role_id          uuid not null references auth.roles (id) on delete cascade,
  permission_id    uuid not null references auth.permissions (id) on delete cascade,
  granted_at       timestamptz not null default now(),
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint role_permissions_role_id_permission_id_key unique (role_id, permission_id)
);
create index role_permissions_permission_id_idx on auth.role_permissions (permission_id, role_id);

create table auth.service_accounts (
  id               uuid primary key default gen_random_uuid(),
  name             varchar(255) not null unique check (name ~ '^[a-z][a-z0-9_.-]*$'),
  description      text,
  tier             varchar(20) not null default 'service',
  is_active        boolean not null default true,
  tenant_id        varchar(255),
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint service_accounts_tier_check check (tier in ('system', 'business', 'service'))
);
comment on table auth.service_accounts is 'Callers that are no person: no password, no session, only API keys.';
comment on column auth.service_accounts.tier is 'The highest tier of a role that it may be given.';

create table auth.service_account_roles (
  id                 uuid primary key default gen_random_uuid(),
  service_account_id uuid not null references auth.service_accounts (id) on delete cascade,
  role_id            uuid not null references auth.roles (id) on delete cascade,
  assigned_by        uuid references auth.users (id) on delete set null,
  assigned_at        timestamptz not null default now(),
  expires_at         timestamptz,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  created_by         text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by   text,
  constraint service_account_roles_service_account_id_role_id_key unique (service_account_id, role_id)
);
create index service_account_roles_role_id_idx on auth.service_account_roles (role_id);
create index service_account_roles_assigned_by_idx on auth.service_account_roles (assigned_by) where assigned_by is not null;

create table auth.api_keys (
  id                 uuid primary key default gen_random_uuid(),
  name               varchar(255) not null check (name <> ''),
  key_hash           varchar(255) not null unique check (key_hash ~ '^[0-9a-f]{64}$'),
  key_prefix         varchar(10) not null check (key_prefix ~ '^[0-9A-Za-z]{10}$'),
  service_name       varchar(255) not null check (service_name <> ''),
  tier               varchar(20) not null,
  permissions        jsonb not null default '[]' check (jsonb_typeof(permissions) = 'array'),
  user_id            uuid references auth.users (id) on delete cascade,
  service_account_id uuid references auth.service_accounts (id) on delete cascade,
  replaces           uuid references auth.api_keys (id) on delete set null,
  expires_at         timestamptz,
  last_used_at       timestamptz,
  is_active          boolean not null default true,
  revoked_at         timestamptz,
  created_by         uuid references auth.users (id) on delete set null,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  last_modified_by   text,
  constraint api_keys_tier_check check (tier in ('system', 'business', 'service')),
  constraint api_keys_owner_check check (num_nonnulls(user_id, service_account_id) = 1),
  constraint api_keys_revoked_check check (is_active = (revoked_at is null))
);
comment on column auth.api_keys.key_hash is 'SHA-256 of the whole key, in hex; the key itself is shown once and kept nowhere.';
comment on column auth.api_keys.key_prefix is 'The ten characters after akashi_: says which key it is, opens nothing.';
comment on column auth.api_keys.permissions is 'Scopes as resource:action; what counts is what the owner has of them at each use.';
comment on column auth.api_keys.replaces is 'The key that this one was made to replace by rotation.';
comment on column auth.api_keys.last_used_at is 'Written in batches, so up to a minute late.';
create index api_keys_service_name_idx on auth.api_keys (service_name);
create index api_keys_key_prefix_idx on auth.api_keys (key_prefix);
create index api_keys_expires_at_idx on auth.api_keys (expires_at) where expires_at is not null;
create index api_keys_user_id_idx on auth.api_keys (user_id) where user_id is not null;
create index api_keys_service_account_id_idx on auth.api_keys (service_account_id) where service_account_id is not null;
create index api_keys_replaces_idx on auth.api_keys (replaces) where replaces is not null;
create index api_keys_created_by_idx on auth.api_keys (created_by) where created_by is not null;

create table auth.user_sessions (
  id                     uuid primary key default gen_random_uuid(),
  user_id                uuid not null references auth.users (id) on delete cascade,
  room_id                uuid,
  session_token_hash     bytea not null unique check (octet_length(session_token_hash) = 32),
  device_type            varchar(50),
  user_agent             text,
  ip_address             inet,
  status                 varchar(20) not null default 'online',
  last_activity          timestamptz not null default now(),
  expires_at             timestamptz not null,
  security_validated     boolean not null default false,
  authentication_methods text[] not null default '{}',
  authenticated_at       timestamptz not null default now(),
  revoked_at             timestamptz,
  created_at             timestamptz not null default now(),
  updated_at             timestamptz not null default now(),
  created_by             text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by       text,
  constraint user_sessions_status_check check (status in ('online', 'away', 'offline'))
);
comment on column auth.user_sessions.room_id is 'The room on the screen; written by chat, no foreign key.';
comment on column auth.user_sessions.session_token_hash is 'SHA-256 of the token; the token itself is kept nowhere.';
comment on column auth.user_sessions.expires_at is 'The end whatever happens; the idle limit counts from last_activity.';
comment on column auth.user_sessions.security_validated is 'A second factor was shown in this session.';
comment on column auth.user_sessions.authentication_methods is 'How, by the names of RFC 8176: pwd, otp, …';
comment on column auth.user_sessions.authenticated_at is 'When credentials were last shown: what a step-up renews.';
create index user_sessions_user_idx on auth.user_sessions (user_id, status);
create index user_sessions_room_idx on auth.user_sessions (room_id, status);
create index user_sessions_expires_idx on auth.user_sessions (expires_at);
create index user_sessions_activity_idx on auth.user_sessions (last_activity);

create table auth.local_credentials (
  user_id          uuid primary key references auth.users (id) on delete cascade,
  password_hash    text not null,
  must_change      boolean not null default false,
  expires_at       timestamptz,
  changed_at       timestamptz not null default now(),
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint local_credentials_password_hash_check check (password_hash ~ '^\$(argon2id|2[aby])\$')
);
comment on table auth.local_credentials is 'The password of a local account, beside users so that no reader of a person reads it.';
comment on column auth.local_credentials.password_hash is 'argon2id in PHC form; bcrypt only until the next login.';
comment on column auth.local_credentials.expires_at is 'End of a one-time password; null for one that the person chose.';

create table auth.password_history (
  id            uuid primary key default gen_random_uuid(),
  user_id       uuid not null references auth.users (id) on delete cascade,
  password_hash text not null check (password_hash ~ '^\$(argon2id|2[aby])\$'),
  created_at    timestamptz not null default now(),
  created_by    text default coalesce(auth.current_user_id()::text, session_user)
);
comment on table auth.password_history is 'Passwords that were used before, so that policy can refuse them again.';
create index password_history_user_idx on auth.password_history (user_id, created_at desc);

create table auth.mfa_factors (
  id               uuid primary key default gen_random_uuid(),
  user_id          uuid not null references auth.users (id) on delete cascade,
  factor_type      varchar(20) not null default 'totp',
  label            varchar(100),
  secret           bytea not null check (octet_length(secret) > 0),
  last_used_step   bigint not null default -1,
  confirmed_at     timestamptz,
  last_used_at     timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint mfa_factors_type_check check (factor_type in ('totp'))
);
comment on column auth.mfa_factors.secret is 'Ciphertext under the person''s key, bound to table, column and row.';
comment on column auth.mfa_factors.last_used_step is 'Time step of the last code that was taken; it only grows, so no code works twice.';
comment on column auth.mfa_factors.confirmed_at is 'When a code was first shown; before that the factor counts for nothing.';
create index mfa_factors_user_idx on auth.mfa_factors (user_id);

create table auth.recovery_codes (
  id         uuid primary key default gen_random_uuid(),
  user_id    uuid not null references auth.users (id) on delete cascade,
  code_hash  bytea not null unique check (octet_length(code_hash) = 32),
  used_at    timestamptz,
  created_at timestamptz not null default now(),
  created_by text default coalesce(auth.current_user_id()::text, session_user)
);
comment on table auth.recovery_codes is 'One use each, in place of a second factor; SHA-256 of random codes.';
create index recovery_codes_user_idx on auth.recovery_codes (user_id);

create sequence auth.login_attempts_seq;
create table auth.login_attempts (
  id              uuid not null default audit.uuid_v7(),
  created_at      timestamptz not null default clock_timestamp(),
  seq             bigint not null default nextval('auth.login_attempts_seq'),
  xid             xid8 not null default pg_current_xact_id(),
  salt            bytea not null default uuid_send(gen_random_uuid()),
  user_id         uuid,
  issuer          varchar(255),
  identifier_hash bytea,
  method          varchar(20) not null,
  result          varchar(20) not null,
  failure_reason  varchar(50),
  counted         boolean not null default true,
  ip_address      inet,
  user_agent      text,
  session_id      uuid,
  request_id      text,
  trace_id        text,
  tenant_id       text,
  primary key (id, created_at),
  constraint login_attempts_finite check (isfinite(created_at)),
  constraint login_attempts_method_check check (method in ('password', 'totp', 'recovery_code', 'oidc', 'bearer')),
  constraint login_attempts_result_check check (result in ('success', 'failure', 'denied'))
) partition by range (created_at);
do $uuid$
begin
  if current_setting('server_version_num')::integer >= 180000 then
    alter table auth.login_attempts alter column id set default uuidv7();
  end if;
end
$uuid$;
comment on table auth.login_attempts is 'Append-only; sealed into the ledger login_attempts; kept 6 months.';
comment on column auth.login_attempts.identifier_hash is 'Keyed digest of the name that was typed: it may be a person''s, or a password typed in the wrong field.';
comment on column auth.login_attempts.result is 'denied: refused before a credential was looked at, e.g. locked or not allowed by policy.';
comment on column auth.login_attempts.counted is 'Whether it counts towards a lockout; what policy denied never does.';
create index login_attempts_order_idx on auth.login_attempts (xid, seq);
create index login_attempts_user_idx on auth.login_attempts (user_id, created_at desc) where user_id is not null;
create index login_attempts_identifier_idx on auth.login_attempts (identifier_hash, created_at desc) where identifier_hash is not null;
create index login_attempts_ip_idx on auth.login_attempts (ip_address, created_at desc);

-- Whether a value is one that a policy may have. minimum and maximum bound integers; allowed bounds texts.
create function auth.policy_value_fits(value jsonb, value_type text, minimum bigint, maximum bigint, allowed text[])
  returns boolean language sql immutable parallel safe set search_path = '' as $$
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
$$;

create table auth.security_policies (
  key              text primary key check (key ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$'),
  category         text not null generated always as (split_part(key, '.', 1)) stored,
  value            jsonb not null,
  default_value    jsonb not null,
  value_type       text not null check (value_type in ('boolean', 'integer', 'text', 'text[]')),
  minimum          bigint,
  maximum          bigint,
  allowed          text[],
  unit             text,
  description      text not null,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint security_policies_value_check
    check (auth.policy_value_fits(value, value_type, minimum, maximum, allowed)),
  constraint security_policies_default_check
    check (auth.policy_value_fits(default_value, value_type, minimum, maximum, allowed))
);
comment on table auth.security_policies is 'One row a rule; the defaults follow OWASP ASVS 5.0.';

insert into auth.security_policies (key, value, default_value, value_type, minimum, maximum, allowed, unit, description)
select key, value::jsonb, value::jsonb, value_type, minimum, maximum, allowed::text[], unit, description
from (values
  ('password.local_login',           'true',  'boolean', null::bigint, null::bigint, null, null, 'local accounts may sign in by password; false leaves OIDC alone'),
  ('password.min_length',            '12',    'integer', 8, 64, null, 'characters', 'shortest password (ASVS 6.2.1)'),
  ('password.max_length',            '128',   'integer', 64, 1024, null, 'characters', 'longest password (ASVS 6.2.9)'),
  ('password.history',               '5',     'integer', 0, 24, null, 'passwords', 'passwords before this one that are refused'),
  ('password.check_breached',        'true',  'boolean', null, null, null, null, 'passwords of known breaches are refused (ASVS 6.2.12)'),
  ('password.require_composition',   'false', 'boolean', null, null, null, null, 'letters, digits and signs are demanded; off, since it makes passwords worse (ASVS 6.2.5)'),
  ('password.max_age_days',          '0',     'integer', 0, 3650, null, 'days', 'a password must be changed after; 0 is never (ASVS 6.2.10)'),
  ('password.one_time_hours',        '24',    'integer', 1, 168, null, 'hours', 'life of a one-time password'),
  ('lockout.threshold',              '5',     'integer', 1, 100, null, 'failures', 'failures of one account from one address within the window that slow it down (ASVS 6.3.1)'),
  ('lockout.window_minutes',         '15',    'integer', 1, 1440, null, 'minutes', 'how far back failures count'),
  ('lockout.duration_minutes',       '15',    'integer', 1, 1440, null, 'minutes', 'how long an address waits after the threshold'),
  ('lockout.address_threshold',      '50',    'integer', 1, 10000, null, 'failures', 'failures of one address over all accounts within the window'),
  ('session.idle_minutes',           '720',   'integer', 5, 43200, null, 'minutes', 'a session ends after so long without activity (ASVS 7.3.1)'),
  ('session.absolute_hours',         '168',   'integer', 1, 720, null, 'hours', 'a session ends after so long in all (ASVS 7.3.2)'),
  ('session.max_per_user',           '20',    'integer', 1, 1000, null, 'sessions', 'sessions that one user may have; the oldest ends first'),
  ('session.step_up_minutes',        '15',    'integer', 1, 1440, null, 'minutes', 'dangerous actions need credentials that were shown within'),
  ('mfa.required_tiers',             '["system"]', 'text[]', null, null, '{system,business,service}', null, 'holders of a role of these tiers need a second factor (ASVS 6.3.3)'),
  ('mfa.totp_skew_steps',            '1',     'integer', 0, 2, null, 'steps of 30 s', 'how far a clock may be off'),
  ('mfa.recovery_codes',             '10',    'integer', 5, 20, null, 'codes', 'recovery codes that are made at once'),
  ('api_key.default_lifetime_days',  '90',    'integer', 1, 3650, null, 'days', 'life of a key where none is asked for'),
  ('api_key.max_lifetime_days',      '365',   'integer', 1, 3650, null, 'days', 'longest life of a key'),
  ('api_key.rotation_overlap_hours', '24',    'integer', 0, 720, null, 'hours', 'how long the old key still works after a rotation'),
  ('api_key.max_per_owner',          '50',    'integer', 1, 10000, null, 'keys', 'active keys that one owner may have'),
  ('account.default_role',           '"viewer"', 'text', null, null, null, null, 'role of the service tier that every new user gets (S5); empty for none')
) as rule (key, value, value_type, minimum, maximum, allowed, unit, description);

-- The value of a policy; an unknown key is a mistake of the caller.
create function auth.policy(key text) returns jsonb
  language plpgsql stable parallel safe security definer set search_path = '' as $$
declare
  found_value jsonb;
begin
  select p.value into found_value from auth.security_policies p where p.key = policy.key;
  if not found then
    raise exception 'there is no policy %', policy.key using errcode = 'undefined_object';
  end if;
  return found_value;
end
$$;

create table auth.privacy_consents (
  id               uuid primary key default gen_random_uuid(),
  user_id          uuid not null references auth.users (id) on delete cascade,
  purpose          varchar(100) not null check (purpose ~ '^[a-z][a-z0-9_]*$'),
  decision         varchar(20) not null,
  document_version varchar(50) not null check (document_version <> ''),
  regulation       varchar(20) not null,
  ip_address       inet,
  user_agent       text,
  created_at       timestamptz not null default clock_timestamp(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  constraint privacy_consents_decision_check check (decision in ('granted', 'withdrawn')),
  constraint privacy_consents_regulation_check check (regulation in ('gdpr', 'appi', 'other'))
);
comment on table auth.privacy_consents is 'Each row is a decision and stays: the history is the record (S1 8.1).';
comment on column auth.privacy_consents.document_version is 'Version of the text that was agreed to.';
comment on column auth.privacy_consents.regulation is 'gdpr, or appi: Japan''s act on the protection of personal information.';
create index privacy_consents_user_idx on auth.privacy_consents (user_id, purpose, created_at desc);

create view auth.current_consents with (security_invoker = true) as
  select distinct on (user_id, purpose) id, user_id, purpose, decision, document_version, regulation, created_at
  from auth.privacy_consents order by user_id, purpose, created_at desc;
comment on view auth.current_consents is 'The latest decision for each purpose.';

-- A code of a step that was used, or one before it, is refused by the table itself.
create function auth.keep_step() returns trigger language plpgsql set search_path = '' as $$
begin
  if new.last_used_step < old.last_used_step
     or (new.last_used_step = old.last_used_step and new.last_used_at is distinct from old.last_used_at) then
    raise exception 'a code of this step was used already' using errcode = 'AK003', hint = 'wait for the next code';
  end if;
  return new;
end
$$;
create trigger keep_step before update on auth.mfa_factors for each row execute function auth.keep_step();

do $tables$
declare
  name text;
  mutable constant text[] := array['roles', 'permissions', 'user_roles', 'role_permissions', 'service_accounts',
    'service_account_roles', 'api_keys', 'user_sessions', 'local_credentials', 'mfa_factors', 'security_policies'];
  others constant text[] := array['password_history', 'recovery_codes', 'login_attempts', 'privacy_consents'];
begin
  foreach name in array mutable || others loop
    execute format('alter table auth.%I enable row level security', name);
    execute format('alter table auth.%I force row level security', name);
    execute format('create policy %I on auth.%I to akashi_owner using (true) with check (true)', name || '_owner', name);
    execute format('create policy %I on auth.%I for select to akashi_policy using (true)', name || '_policy', name);
    execute format('grant select on auth.%I to akashi_policy', name);
  end loop;
  foreach name in array mutable loop
    execute format('create trigger update_updated_at before update on auth.%I for each row execute function auth.update_updated_at()', name);
  end loop;
end
$tables$;

select audit.guard('auth.login_attempts');
insert into lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
values ('auth', 'login_attempts', 'month', 3, '6 months', 'retire', '6 months', true);
select lifecycle.apply_partitions();

select audit.protect('auth.roles'), audit.protect('auth.permissions'), audit.protect('auth.role_permissions'),
       audit.protect('auth.security_policies'), audit.protect('auth.service_accounts'), audit.protect('auth.service_account_roles'),
       audit.protect('auth.user_roles', 'internal', 'user_id'),
       audit.protect('auth.api_keys', 'confidential', 'user_id', '{"key_hash": "omit"}',
         array['last_used_at', 'updated_at', 'last_modified_by']),
       audit.protect('auth.user_sessions', 'confidential', 'user_id', '{"session_token_hash": "omit"}',
         array['status', 'room_id', 'last_activity', 'updated_at', 'last_modified_by']),
       audit.protect('auth.local_credentials', 'restricted', 'user_id', '{"password_hash": "omit"}'),
       audit.protect('auth.password_history', 'restricted', 'user_id', '{"password_hash": "omit"}'),
       audit.protect('auth.mfa_factors', 'restricted', 'user_id', '{"secret": "omit"}',
         array['last_used_step', 'last_used_at', 'updated_at', 'last_modified_by']),
       audit.protect('auth.recovery_codes', 'restricted', 'user_id', '{"code_hash": "omit"}'),
       audit.protect('auth.privacy_consents', 'confidential', 'user_id', '{"ip_address": "digest", "user_agent": "omit"}'),
       audit.exempt('auth.login_attempts', 'append-only and sealed itself');

-- The one decision. Functions of akashi_policy, which reads every row of the tables that they need.
grant execute on function auth.tier_rank(text) to akashi_policy;
grant create on schema auth to akashi_policy;
reset role;
set local role akashi_policy;

-- Whether one of these roles holds a permission. Both sides are arrays, so that a denial is one walk along
-- the index however many roles there are: a join probes it once for each role that somebody has.
create function auth.roles_hold(roles uuid[], permission text) returns boolean
  language plpgsql stable parallel safe security definer set search_path = '' as $$
declare
  wanted constant uuid[] := array(
    select p.id from auth.permissions p
    where p.resource = split_part(permission, ':', 1) and p.action in (split_part(permission, ':', 2), 'admin')
      and exists (select from auth.permissions named
                  where named.resource = p.resource and named.action = split_part(permission, ':', 2)));
begin
  return exists (
    select from auth.role_permissions rp where rp.permission_id = any (wanted) and rp.role_id = any (roles));
end
$$;

create function auth.user_has_permission(user_id uuid, permission text) returns boolean
  language plpgsql stable parallel safe security definer set search_path = '' as $$
begin
  return exists (select from auth.users u where u.id = user_has_permission.user_id and u.is_active)
    and auth.roles_hold(array(
      select ur.role_id from auth.user_roles ur
      where ur.user_id = user_has_permission.user_id and (ur.expires_at is null or ur.expires_at > now())), permission);
end
$$;
comment on function auth.user_has_permission(uuid, text) is
  'Whether an active user has a permission (resource:action) through a role that has not expired.';

create function auth.service_account_has_permission(service_account_id uuid, permission text) returns boolean
  language plpgsql stable parallel safe security definer set search_path = '' as $$
begin
  return exists (
      select from auth.service_accounts a where a.id = service_account_has_permission.service_account_id and a.is_active)
    and auth.roles_hold(array(
      select sr.role_id from auth.service_account_roles sr
      where sr.service_account_id = service_account_has_permission.service_account_id
        and (sr.expires_at is null or sr.expires_at > now())), permission);
end
$$;

-- What a key's scopes and tier leave of a permission, whatever its owner has.
create function auth.key_allows(key auth.api_keys, permission text) returns boolean
  language sql stable parallel safe security definer set search_path = '' as $$
  select key.is_active and (key.expires_at is null or key.expires_at > now())
    and key.permissions ?| array[permission, split_part(permission, ':', 1) || ':admin']
    and exists (
      select from auth.permissions p
      where p.resource = split_part(permission, ':', 1) and p.action = split_part(permission, ':', 2)
        and auth.tier_rank(p.tier) <= auth.tier_rank(key.tier))
$$;

-- Decides for the verified context. current_session_id names what the caller showed: a session that lives,
-- or an API key, which narrows its owner to its scopes. Anything else named there is refused; without one
-- the context is the process's own.
create function auth.has_permission(permission text) returns boolean
  language plpgsql stable parallel safe security definer set search_path = '' as $$
declare
  caller uuid;
  shown uuid;
  key auth.api_keys;
begin
  if not auth.context_verified() then
    return false;
  end if;
  caller := auth.try_uuid(nullif(current_setting('app.current_user_id', true), ''));
  shown := auth.try_uuid(nullif(current_setting('app.current_session_id', true), ''));
  if shown is null then
    return caller is not null and auth.user_has_permission(caller, permission);
  end if;
  select * into key from auth.api_keys k where k.id = shown;
  if found then
    return key.user_id is not distinct from caller and auth.key_allows(key, permission)
      and case when caller is null then auth.service_account_has_permission(key.service_account_id, permission)
               else auth.user_has_permission(caller, permission) end;
  end if;
  return exists (
      select from auth.user_sessions s
      where s.id = shown and s.user_id = caller and s.revoked_at is null and s.expires_at > now())
    and auth.user_has_permission(caller, permission);
end
$$;
comment on function auth.has_permission(text) is
  'Whether the caller of the verified context may: resource:action. Policies call it as (select auth.has_permission(''…'')).';

reset role;
revoke create on schema auth from akashi_policy;
grant execute on function auth.has_permission(text) to akashi_owner, akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
grant execute on function auth.user_has_permission(uuid, text), auth.service_account_has_permission(uuid, text)
  to akashi_owner, akashi_worker, akashi_security_admin;
grant execute on function auth.key_allows(auth.api_keys, text) to akashi_owner;

set local role akashi_owner;
grant execute on function auth.policy(text) to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;
grant execute on function auth.tier_rank(text) to akashi_app, akashi_worker, akashi_security_admin;

-- Definitions: any signed-in caller reads what roles there are.
grant select on auth.roles, auth.permissions, auth.role_permissions to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
create policy roles_signed_in on auth.roles for select to akashi_app
  using ((select auth.current_user_id()) is not null or (select auth.current_session_id()) is not null);
create policy permissions_signed_in on auth.permissions for select to akashi_app
  using ((select auth.current_user_id()) is not null or (select auth.current_session_id()) is not null);
create policy role_permissions_signed_in on auth.role_permissions for select to akashi_app
  using ((select auth.current_user_id()) is not null or (select auth.current_session_id()) is not null);
create policy roles_staff on auth.roles for select to akashi_worker, akashi_reader, akashi_security_admin using (true);
create policy permissions_staff on auth.permissions for select to akashi_worker, akashi_reader, akashi_security_admin using (true);
create policy role_permissions_staff on auth.role_permissions for select to akashi_worker, akashi_reader, akashi_security_admin using (true);

-- Who has which role: one's own, and for whoever may read roles.
grant select on auth.user_roles, auth.service_accounts, auth.service_account_roles to akashi_app, akashi_worker, akashi_security_admin;
create policy user_roles_app on auth.user_roles for select to akashi_app
  using (user_id = (select auth.current_user_id()) or (select auth.has_permission('roles:read')));
create policy user_roles_staff on auth.user_roles for select to akashi_worker, akashi_security_admin using (true);
create policy service_accounts_app on auth.service_accounts for select to akashi_app
  using ((select auth.has_permission('api_keys:read')));
create policy service_accounts_staff on auth.service_accounts for select to akashi_worker, akashi_security_admin using (true);
create policy service_account_roles_app on auth.service_account_roles for select to akashi_app
  using ((select auth.has_permission('api_keys:read')));
create policy service_account_roles_staff on auth.service_account_roles for select to akashi_worker, akashi_security_admin using (true);

-- Keys, without their hashes.
grant select (id, name, key_prefix, service_name, tier, permissions, user_id, service_account_id, replaces, expires_at,
  last_used_at, is_active, revoked_at, created_by, created_at, updated_at, last_modified_by)
  on auth.api_keys to akashi_app, akashi_worker, akashi_security_admin;
create policy api_keys_app on auth.api_keys for select to akashi_app
  using (user_id = (select auth.current_user_id()) or (select auth.has_permission('api_keys:read')));
create policy api_keys_staff on auth.api_keys for select to akashi_worker, akashi_security_admin using (true);

-- Sessions, without their token hashes. A revoked one never changes again; maintenance deletes old ones.
grant select (id, user_id, room_id, device_type, user_agent, ip_address, status, last_activity, expires_at, security_validated,
  authentication_methods, authenticated_at, revoked_at, created_at, updated_at, created_by, last_modified_by)
  on auth.user_sessions to akashi_app, akashi_worker, akashi_security_admin;
grant insert (id, user_id, session_token_hash, device_type, user_agent, ip_address, status, expires_at, security_validated,
  authentication_methods) on auth.user_sessions to akashi_app;
grant update (room_id, status, last_activity, security_validated, authentication_methods, authenticated_at, revoked_at)
  on auth.user_sessions to akashi_app;
grant delete on auth.user_sessions to akashi_worker;
create policy user_sessions_self on auth.user_sessions for select to akashi_app
  using (user_id = (select auth.current_user_id()) or (select auth.has_permission('sessions:read')));
create policy user_sessions_begin on auth.user_sessions for insert to akashi_app
  with check (user_id = (select auth.current_user_id()));
create policy user_sessions_change on auth.user_sessions for update to akashi_app
  using (user_id = (select auth.current_user_id()) and revoked_at is null)
  with check (user_id = (select auth.current_user_id()));
create policy user_sessions_staff on auth.user_sessions for select to akashi_worker, akashi_security_admin using (true);
create policy user_sessions_expired on auth.user_sessions for delete to akashi_worker using (expires_at < (select now()));

-- Credentials: only functions reach hashes; staff see that there is one, and how old it is.
grant select (user_id, must_change, expires_at, changed_at, created_at, updated_at) on auth.local_credentials
  to akashi_app, akashi_security_admin;
create policy local_credentials_self on auth.local_credentials for select to akashi_app
  using (user_id = (select auth.current_user_id()));
create policy local_credentials_staff on auth.local_credentials for select to akashi_security_admin using (true);

grant select, insert, delete on auth.mfa_factors, auth.recovery_codes to akashi_app;
grant update (label, last_used_step, confirmed_at, last_used_at) on auth.mfa_factors to akashi_app;
grant update (used_at) on auth.recovery_codes to akashi_app;
grant select (id, user_id, factor_type, label, confirmed_at, last_used_at, created_at, updated_at) on auth.mfa_factors
  to akashi_security_admin;
create policy mfa_factors_self on auth.mfa_factors to akashi_app
  using (user_id = (select auth.current_user_id())) with check (user_id = (select auth.current_user_id()));
create policy mfa_factors_staff on auth.mfa_factors for select to akashi_security_admin using (true);
create policy recovery_codes_self_read on auth.recovery_codes for select to akashi_app
  using (user_id = (select auth.current_user_id()));
create policy recovery_codes_self_make on auth.recovery_codes for insert to akashi_app
  with check (user_id = (select auth.current_user_id()) and used_at is null);
create policy recovery_codes_self_use on auth.recovery_codes for update to akashi_app
  using (user_id = (select auth.current_user_id()) and used_at is null)
  with check (user_id = (select auth.current_user_id()) and used_at is not null);
create policy recovery_codes_self_remove on auth.recovery_codes for delete to akashi_app
  using (user_id = (select auth.current_user_id()));

grant insert (user_id, issuer, identifier_hash, method, result, failure_reason, counted, ip_address, user_agent, session_id,
  request_id, trace_id, tenant_id) on auth.login_attempts to akashi_app;
grant select on auth.login_attempts to akashi_app, akashi_worker, akashi_security_admin;
grant usage on sequence auth.login_attempts_seq to akashi_app;
create policy login_attempts_record on auth.login_attempts for insert to akashi_app with check (true);
create policy login_attempts_app on auth.login_attempts for select to akashi_app
  using (user_id = (select auth.current_user_id()) or (select auth.has_permission('audit_logs:read')));
create policy login_attempts_staff on auth.login_attempts for select to akashi_worker, akashi_security_admin using (true);

grant select on auth.security_policies to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
create policy security_policies_read on auth.security_policies for select
  to akashi_app, akashi_worker, akashi_reader, akashi_security_admin using (true);

grant select, insert on auth.privacy_consents to akashi_app;
grant select on auth.privacy_consents to akashi_worker, akashi_security_admin;
grant select on auth.current_consents to akashi_app, akashi_worker, akashi_security_admin;
create policy privacy_consents_self on auth.privacy_consents for select to akashi_app
  using (user_id = (select auth.current_user_id()) or (select auth.has_permission('users:read')));
create policy privacy_consents_decide on auth.privacy_consents for insert to akashi_app
  with check (user_id = (select auth.current_user_id()));
create policy privacy_consents_staff on auth.privacy_consents for select to akashi_worker, akashi_security_admin using (true);
