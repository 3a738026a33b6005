-- Signing in: credentials that no login role can read from a table, counting of guesses, and sessions, found by the
-- hash of their token. These functions decide under row locks, so that concurrent calls cannot interfere.
--
--   local_credentials      password_hash (argon2id or bcrypt), must_change; password_history former hashes
--   mfa_factors            secret (ciphertext), last_used_step; recovery_codes code_hash, used_at
--   login_attempts         append-only, sealed, by month, kept 6 months
--   login_throttles        counters kept for minutes
--
-- Only functions read hashes; staff see that a credential exists and how old it is.
set local role akashi_owner;

create table akashi_auth.local_credentials (
  user_id          uuid primary key references akashi_auth.users (id) on delete cascade,
  password_hash    text not null,
  must_change      boolean not null default false,
  expires_at       timestamptz,
  changed_at       timestamptz not null default now(),
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint local_credentials_password_hash_check check (password_hash ~ '^\$(argon2id|2[aby])\$')
);
comment on table akashi_auth.local_credentials is 'The password of a local account, in its own table so that reading a user never reads it.';
comment on column akashi_auth.local_credentials.password_hash is 'argon2id in PHC form; bcrypt only until the next login.';
comment on column akashi_auth.local_credentials.expires_at is 'Expiry of a one-time password; null for a password that the person chose.';
create trigger update_updated_at before update on akashi_auth.local_credentials for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.local_credentials enable row level security, force row level security;
create policy local_credentials_owner on akashi_auth.local_credentials to akashi_owner using (true) with check (true);
create policy local_credentials_policy on akashi_auth.local_credentials for select to akashi_policy using (true);
create policy local_credentials_self on akashi_auth.local_credentials for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id()));
create policy local_credentials_staff on akashi_auth.local_credentials for select to akashi_security_admin using (true);
grant select on akashi_auth.local_credentials to akashi_policy;
grant select (user_id, must_change, expires_at, changed_at, created_at, updated_at) on akashi_auth.local_credentials
  to akashi_app, akashi_security_admin;
select akashi_audit.protect('akashi_auth.local_credentials', 'restricted', 'user_id', '{"password_hash": "omit"}');

create table akashi_auth.password_history (
  id            uuid primary key default gen_random_uuid(),
  user_id       uuid not null references akashi_auth.users (id) on delete cascade,
  password_hash text not null check (password_hash ~ '^\$(argon2id|2[aby])\$'),
  created_at    timestamptz not null default now(),
  created_by    text default coalesce(akashi_auth.current_user_id()::text, session_user)
);
comment on table akashi_auth.password_history is 'Former passwords, so that policy can refuse their reuse.';
create index password_history_user_idx on akashi_auth.password_history (user_id, created_at desc);
alter table akashi_auth.password_history enable row level security, force row level security;
create policy password_history_owner on akashi_auth.password_history to akashi_owner using (true) with check (true);
create policy password_history_policy on akashi_auth.password_history for select to akashi_policy using (true);
grant select on akashi_auth.password_history to akashi_policy;
select akashi_audit.protect('akashi_auth.password_history', 'restricted', 'user_id', '{"password_hash": "omit"}');

create table akashi_auth.mfa_factors (
  id               uuid primary key default gen_random_uuid(),
  user_id          uuid not null references akashi_auth.users (id) on delete cascade,
  factor_type      varchar(20) not null default 'totp',
  label            varchar(100),
  secret           bytea not null check (octet_length(secret) > 0),
  last_used_step   bigint not null default -1,
  confirmed_at     timestamptz,
  last_used_at     timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint mfa_factors_type_check check (factor_type in ('totp'))
);
comment on table akashi_auth.mfa_factors is 'Second factors of a user, with secrets encrypted under the person''s key.';
comment on column akashi_auth.mfa_factors.secret is 'Ciphertext under the person''s key, bound to table, column and row.';
comment on column akashi_auth.mfa_factors.last_used_step is 'Time step of the last accepted code; it only increases, so no code works twice.';
comment on column akashi_auth.mfa_factors.confirmed_at is 'When a code was first confirmed; before that the factor is not valid.';
create index mfa_factors_user_idx on akashi_auth.mfa_factors (user_id);
create trigger update_updated_at before update on akashi_auth.mfa_factors for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.mfa_factors enable row level security, force row level security;
create policy mfa_factors_owner on akashi_auth.mfa_factors to akashi_owner using (true) with check (true);
create policy mfa_factors_policy on akashi_auth.mfa_factors for select to akashi_policy using (true);
create policy mfa_factors_self on akashi_auth.mfa_factors to akashi_app
  using (user_id = (select akashi_auth.current_user_id())) with check (user_id = (select akashi_auth.current_user_id()));
create policy mfa_factors_staff on akashi_auth.mfa_factors for select to akashi_security_admin using (true);
grant select on akashi_auth.mfa_factors to akashi_policy;
grant select, insert, delete on akashi_auth.mfa_factors to akashi_app;
grant update (label, last_used_step, confirmed_at, last_used_at) on akashi_auth.mfa_factors to akashi_app;
grant select (id, user_id, factor_type, label, confirmed_at, last_used_at, created_at, updated_at) on akashi_auth.mfa_factors
  to akashi_security_admin;
select akashi_audit.protect('akashi_auth.mfa_factors', 'restricted', 'user_id', '{"secret": "omit"}',
  array['last_used_step', 'last_used_at', 'updated_at', 'last_modified_by']);

-- The table itself refuses a code of a used or earlier step.
create function akashi_auth.keep_step() returns trigger language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if new.last_used_step < old.last_used_step
     or (new.last_used_step = old.last_used_step and new.last_used_at is distinct from old.last_used_at) then
    raise exception 'a code of this step was already used' using errcode = 'AK003', hint = 'wait for the next code';
  end if;
  return new;
end
$$;
create trigger keep_step before update on akashi_auth.mfa_factors for each row execute function akashi_auth.keep_step();

-- Passkeys (WebAuthn): the private key stays with its owner, so nothing stored here can be used to sign in.
create table akashi_auth.passkeys (
  id               uuid primary key default gen_random_uuid(),
  user_id          uuid not null references akashi_auth.users (id) on delete cascade,
  credential_id    bytea not null unique check (octet_length(credential_id) between 1 and 1023),
  public_key       bytea not null check (octet_length(public_key) between 1 and 4096),
  sign_count       bigint not null default 0 check (sign_count >= 0),
  label            varchar(100),
  backed_up        boolean not null,
  last_used_at     timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text
);
comment on table akashi_auth.passkeys is 'WebAuthn credentials of a user: a second factor, and for local accounts a way to sign in alone.';
comment on column akashi_auth.passkeys.credential_id is 'The id given by the authenticator.';
comment on column akashi_auth.passkeys.public_key is 'COSE key.';
comment on column akashi_auth.passkeys.sign_count is 'Signature counter of the authenticator; 0 if it has none. It only increases.';
comment on column akashi_auth.passkeys.backed_up is 'Whether it is synced to other devices of its owner.';
create index passkeys_user_idx on akashi_auth.passkeys (user_id);
create trigger update_updated_at before update on akashi_auth.passkeys for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.passkeys enable row level security, force row level security;
create policy passkeys_owner on akashi_auth.passkeys to akashi_owner using (true) with check (true);
create policy passkeys_self on akashi_auth.passkeys to akashi_app
  using (user_id = (select akashi_auth.current_user_id())) with check (user_id = (select akashi_auth.current_user_id()));
create policy passkeys_staff on akashi_auth.passkeys for select to akashi_security_admin using (true);
grant select, insert, delete on akashi_auth.passkeys to akashi_app;
grant select (id, user_id, label, backed_up, last_used_at, created_at, updated_at) on akashi_auth.passkeys to akashi_security_admin;
select akashi_audit.protect('akashi_auth.passkeys', 'restricted', 'user_id', '{"public_key": "omit", "credential_id": "omit"}',
  array['sign_count', 'last_used_at', 'updated_at', 'last_modified_by']);

-- The data needed to check an assertion; no row for an unknown credential.
create function akashi_auth.passkey_named(credential bytea)
  returns table (id uuid, user_id uuid, issuer text, public_key bytea, sign_count bigint)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select k.id, k.user_id, u.issuer::text, k.public_key, k.sign_count
  from akashi_auth.passkeys k join akashi_auth.users u on u.id = k.user_id where k.credential_id = credential
$$;

-- Accepts a verified assertion. False if its challenge is older than the last use, so that no assertion counts twice,
-- or if the counter did not increase, because then a copy of the authenticator may exist.
create function akashi_auth.use_passkey(passkey uuid, counter bigint, challenged_at timestamptz) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_auth.passkeys k set sign_count = counter, last_used_at = clock_timestamp()
  where k.id = passkey and (k.last_used_at is null or k.last_used_at < challenged_at)
    and (k.sign_count < counter or (k.sign_count = 0 and counter = 0));
  return found;
end
$$;

create table akashi_auth.recovery_codes (
  id         uuid primary key default gen_random_uuid(),
  user_id    uuid not null references akashi_auth.users (id) on delete cascade,
  code_hash  bytea not null unique check (octet_length(code_hash) = 32),
  used_at    timestamptz,
  created_at timestamptz not null default now(),
  created_by text default coalesce(akashi_auth.current_user_id()::text, session_user)
);
comment on table akashi_auth.recovery_codes is 'Single-use codes instead of a second factor, as SHA-256 of random codes.';
create index recovery_codes_user_idx on akashi_auth.recovery_codes (user_id);
alter table akashi_auth.recovery_codes enable row level security, force row level security;
create policy recovery_codes_owner on akashi_auth.recovery_codes to akashi_owner using (true) with check (true);
create policy recovery_codes_policy on akashi_auth.recovery_codes for select to akashi_policy using (true);
create policy recovery_codes_self_read on akashi_auth.recovery_codes for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id()));
create policy recovery_codes_self_make on akashi_auth.recovery_codes for insert to akashi_app
  with check (user_id = (select akashi_auth.current_user_id()) and used_at is null);
create policy recovery_codes_self_use on akashi_auth.recovery_codes for update to akashi_app
  using (user_id = (select akashi_auth.current_user_id()) and used_at is null)
  with check (user_id = (select akashi_auth.current_user_id()) and used_at is not null);
create policy recovery_codes_self_remove on akashi_auth.recovery_codes for delete to akashi_app
  using (user_id = (select akashi_auth.current_user_id()));
grant select on akashi_auth.recovery_codes to akashi_policy;
grant select, insert, delete on akashi_auth.recovery_codes to akashi_app;
grant update (used_at) on akashi_auth.recovery_codes to akashi_app;
select akashi_audit.protect('akashi_auth.recovery_codes', 'restricted', 'user_id', '{"code_hash": "omit"}');

-- Only akashi_auth.settle_login writes attempts: with an insert of its own the application could forge a success, and
-- a place with a success is exempt from the lockout of the account.
create sequence akashi_auth.login_attempts_seq;
create table akashi_auth.login_attempts (
  id              uuid not null default akashi_audit.uuid_v7(),
  created_at      timestamptz not null default clock_timestamp(),
  seq             bigint not null default nextval('akashi_auth.login_attempts_seq'),
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
  constraint login_attempts_method_check check (method in ('password', 'totp', 'recovery_code', 'passkey', 'oidc', 'bearer')),
  constraint login_attempts_result_check check (result in ('success', 'partial', 'failure', 'denied'))
) partition by range (created_at);
do $uuid$
begin
  if current_setting('server_version_num')::integer >= 180000 then
    alter table akashi_auth.login_attempts alter column id set default uuidv7();
  end if;
end
$uuid$;
comment on table akashi_auth.login_attempts is 'Append-only; sealed into the ledger login_attempts; kept 6 months.';
comment on column akashi_auth.login_attempts.identifier_hash is 'Keyed digest of the name that was typed, because it may be personal, or a password typed in the wrong field.';
comment on column akashi_auth.login_attempts.result is 'partial: the credential was correct but did not complete a sign-in: a second factor follows, or it was a step-up in a session. denied: refused before the credentials were checked, e.g. locked or not allowed by policy.';
comment on column akashi_auth.login_attempts.counted is 'Whether it counts towards a lockout; attempts denied by policy never do.';
create index login_attempts_order_idx on akashi_auth.login_attempts (xid, seq);
create index login_attempts_user_idx on akashi_auth.login_attempts (user_id, created_at desc) where user_id is not null;
create index login_attempts_identifier_idx on akashi_auth.login_attempts (identifier_hash, created_at desc) where identifier_hash is not null;
create index login_attempts_ip_idx on akashi_auth.login_attempts (ip_address, created_at desc);
alter table akashi_auth.login_attempts enable row level security, force row level security;
create policy login_attempts_owner on akashi_auth.login_attempts to akashi_owner using (true) with check (true);
create policy login_attempts_policy on akashi_auth.login_attempts for select to akashi_policy using (true);
create policy login_attempts_app on akashi_auth.login_attempts for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id()) or (select akashi_auth.has_permission('audit_logs:read')));
create policy login_attempts_staff on akashi_auth.login_attempts for select to akashi_worker, akashi_security_admin using (true);
grant select on akashi_auth.login_attempts to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;
select akashi_audit.guard('akashi_auth.login_attempts');
insert into akashi_lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
values ('akashi_auth', 'login_attempts', 'month', 3, '6 months', 'retire', '6 months', true);
select akashi_lifecycle.apply_partitions();
select akashi_audit.exempt('akashi_auth.login_attempts', 'append-only and sealed itself');

-- Pending and failed guesses by account and address, by address, and by account. An attempt is counted before its
-- password is checked, and uncounted when it was right, so that parallel guesses cannot all pass before the first one
-- fails.
create table akashi_auth.login_throttles (
  key            bytea primary key check (octet_length(key) = 32),
  failures       integer not null default 0 check (failures >= 0),
  window_started timestamptz not null default clock_timestamp(),
  locked_until   timestamptz,
  announced      boolean not null default false,
  expires_at     timestamptz not null
);
comment on table akashi_auth.login_throttles is 'Short-lived counters; the record of each attempt is akashi_auth.login_attempts.';
comment on column akashi_auth.login_throttles.key is 'SHA-256 of the counted account or address.';
comment on column akashi_auth.login_throttles.announced is 'The event account_locked was recorded for this lock.';
create index login_throttles_expires_idx on akashi_auth.login_throttles (expires_at);
alter table akashi_auth.login_throttles enable row level security, force row level security;
create policy login_throttles_owner on akashi_auth.login_throttles to akashi_owner using (true) with check (true);
select akashi_audit.exempt('akashi_auth.login_throttles', 'counters that live for minutes; each attempt is a row of akashi_auth.login_attempts');

-- An IPv6 network (/64) counts as one place, because its holder has all of its addresses.
create function akashi_auth.place_of(address inet) returns text
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select case when family(address) = 6 then host(network(set_masklen(address, 64))) else host(address) end
$$;

create function akashi_auth.throttle_key(scope text, account bytea, address inet) returns bytea
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select sha256(convert_to(concat_ws('|', scope, encode(account, 'hex'), akashi_auth.place_of(address)), 'UTF8'))
$$;

create function akashi_auth.policy_minutes(key text) returns interval
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select make_interval(mins => (akashi_auth.policy(policy_minutes.key))::integer)
$$;

-- Counts one attempt. Returns the seconds to wait, 0 when the attempt may proceed.
create function akashi_auth.reserve_attempt(throttle bytea, threshold integer) returns integer
  language plpgsql set search_path = pg_catalog, pg_temp as $$
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
$$;

-- Uncounts an attempt. A lock of the account across all addresses stays: the owner, who is exempt at known places,
-- must not lift it for others.
create function akashi_auth.release_attempt(throttle bytea, unlock boolean default true) returns void
  language sql set search_path = pg_catalog, pg_temp as $$
  update akashi_auth.login_throttles set failures = greatest(failures - 1, 0), locked_until = case when not unlock then locked_until end
  where key = throttle
$$;

-- The account for counting: the name that was typed, whether or not it exists, so that a lockout does not reveal
-- accounts; the user when no name was typed.
create function akashi_auth.throttled_account(user_id uuid, identifier_hash bytea) returns bytea
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select coalesce(identifier_hash, uuid_send(user_id))
$$;

-- Counts a sign-in attempt and returns what is needed to check it. With wait_seconds above 0 it is refused and nothing
-- else is returned. The address is that of the signed context. Anyone who tries a second factor knows the password, so
-- these failures are counted by account across all addresses, without exemption.
create function akashi_auth.begin_login(user_id uuid, identifier_hash bytea, second_factor boolean default false)
  returns table (wait_seconds integer, password_hash text, password_changed_at timestamptz, must_change boolean,
    password_expired boolean, account_active boolean, has_factor boolean)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;

-- Whether a password must be changed first: it was set by somebody else, or a policy requires it.
create function akashi_auth.password_due(credential akashi_auth.local_credentials) returns boolean
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select credential.must_change
    or ((akashi_auth.policy('password.max_age_days'))::integer > 0
        and credential.changed_at + make_interval(days => (akashi_auth.policy('password.max_age_days'))::integer) <= now())
$$;

-- Records a sign-in from a place where the person has not signed in before, and more sessions at once than policy expects.
create function akashi_auth.watch_sign_in(person uuid, session uuid, address inet) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
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
$$;

-- Completes what begin_login started, and records it. Outcomes:
--   success  signed in: the account's count at this address begins anew
--   partial  right, and no sign-in by it: a second factor is still to come, or the credential was shown again in a
--            session. Given back, so that a known password does not clear the guesses of codes
--   failure  wrong: stays counted
--   denied   right, but policy refuses (suspended, expired): given back, never counts
--   locked   begin_login refused; nothing was counted
-- Methods oidc and bearer are not guesses and are not counted.
create function akashi_auth.settle_login(method text, outcome text, user_id uuid, identifier_hash bytea, issuer text,
  reason text default null, session_id uuid default null) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;

-- Records a security event about credentials, from the signed context. Without names, which could not be erased from
-- the record.
create function akashi_auth.record_authentication(event_type text, severity text, user_id uuid, session_id uuid, details jsonb)
  returns void language sql set search_path = pg_catalog, pg_temp as $$
  select akashi_security.record_event(record_authentication.event_type, 'authentication', record_authentication.severity, 'akashi',
    user_id => record_authentication.user_id::text, session_id => record_authentication.session_id::text,
    resource_type => 'user', resource_id => record_authentication.user_id::text, action_performed => 'sign_in',
    result => case record_authentication.event_type when 'authentication_failure' then 'failure' else 'success' end,
    ocsf_class_uid => case when record_authentication.event_type like 'authentication%' then 3002 else 3001 end,
    event_details => details)
$$;

-- Passwords. The application decides whether a password is acceptable; these functions store it.

-- Hashes of a user's present and former passwords, newest first, as many as policy forbids to reuse.
create function akashi_auth.password_hashes(user_id uuid) returns table (password_hash text)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select c.password_hash from akashi_auth.local_credentials c where c.user_id = password_hashes.user_id
  union all
  (select h.password_hash from akashi_auth.password_history h where h.user_id = password_hashes.user_id
   order by h.created_at desc limit (akashi_auth.policy('password.history'))::integer)
$$;

-- Sets a user's password, their own choice or a one-time password, and keeps the former hash as history.
create function akashi_auth.set_password(user_id uuid, password_hash text, one_time boolean) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;

-- Gives somebody a one-time password in place of theirs and ends their sessions. False if the user has no password
-- here.
create function akashi_auth.replace_password(user_id uuid, password_hash text) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_auth.managed_user(replace_password.user_id, 'users:admin');
  if not exists (select from akashi_auth.users u where u.id = replace_password.user_id and u.issuer = 'local') then
    return false;
  end if;
  perform akashi_auth.set_password(replace_password.user_id, replace_password.password_hash, true);
  perform akashi_auth.revoke_sessions(replace_password.user_id);
  return true;
end
$$;

-- Ends one session of somebody else, or all; returns how many.
create function akashi_auth.end_sessions_of(user_id uuid, session uuid default null) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;

-- The same password under a better hash; nothing happens when it was changed in between.
create function akashi_auth.upgrade_password_hash(user_id uuid, former text, better text) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  update akashi_auth.local_credentials c set password_hash = better
  where c.user_id = upgrade_password_hash.user_id and c.password_hash = former
$$;

-- Sessions.

-- Whether a user's roles require a second factor.
create function akashi_auth.needs_factor(user_id uuid) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from akashi_auth.user_roles ur join akashi_auth.roles r on r.id = ur.role_id
    where ur.user_id = needs_factor.user_id and (ur.expires_at is null or ur.expires_at > now())
      and akashi_auth.policy('mfa.required_tiers') ? r.tier)
$$;

-- The session of a token if it is active and its user may act; otherwise no row. One read by a unique index; the time
-- of the last activity is written at most once a minute.
create function akashi_auth.authenticate_session(token_hash bytea)
  returns table (session_id uuid, user_id uuid, tenant_id text, must_change boolean, needs_factor boolean, second_factor boolean,
    authenticated_at timestamptz, expires_at timestamptz)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;

-- Replaces the token of the session in the signed context after re-authentication. Only a confirmation counts as
-- recent authentication.
create function akashi_auth.renew_session(token_hash bytea, methods text[], second_factor boolean, confirmed boolean default true) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_auth.user_sessions s set session_token_hash = token_hash,
    authenticated_at = case when confirmed then now() else s.authenticated_at end,
    security_validated = s.security_validated or second_factor,
    authentication_methods = array(select distinct unnest(s.authentication_methods || methods) order by 1)
  where s.id = (select akashi_auth.current_session_id()) and s.user_id = (select akashi_auth.current_user_id()) and s.revoked_at is null;
  return found;
end
$$;

-- Ends all sessions of a user except one; returns how many.
create function akashi_auth.revoke_sessions(user_id uuid, kept uuid default null) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  ended integer;
begin
  update akashi_auth.user_sessions s set revoked_at = now(), status = 'offline'
  where s.user_id = revoke_sessions.user_id and s.revoked_at is null and s.id is distinct from kept;
  get diagnostics ended = row_count;
  return ended;
end
$$;

-- The response of detection to a user; for the worker only. Returns done; unknown, if there is no such active user; or
-- refused, if no administrator would remain. The caller records it.
create function akashi_auth.respond(user_id text, action text) returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;
comment on function akashi_auth.respond(text, text) is
  'Suspends a user, ends their sessions or revokes their API keys because of a finding; never suspends the last administrator.';
grant execute on function akashi_auth.respond(text, text) to akashi_worker;

create function akashi_auth.has_factor(user_id uuid) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from akashi_auth.mfa_factors f where f.user_id = has_factor.user_id and f.confirmed_at is not null)
    or exists (select from akashi_auth.passkeys k where k.user_id = has_factor.user_id)
$$;

-- Removes all second factors and recovery codes of a user, for users who have lost both.
create function akashi_auth.remove_factors(user_id uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_auth.managed_user(remove_factors.user_id, 'users:admin');
  delete from akashi_auth.mfa_factors f where f.user_id = remove_factors.user_id;
  delete from akashi_auth.passkeys k where k.user_id = remove_factors.user_id;
  delete from akashi_auth.recovery_codes c where c.user_id = remove_factors.user_id;
  update akashi_auth.users u set credentials_replaced_at = now() where u.id = remove_factors.user_id;
  perform akashi_auth.record_authentication('mfa_removed', 'medium', remove_factors.user_id, null, '{}');
end
$$;

-- Whether there is an administrator, even one who cannot sign in.
create function akashi_auth.has_administrator() returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from akashi_auth.user_roles ur join akashi_auth.roles r on r.id = ur.role_id where r.name = 'sys_admin')
$$;

-- Makes a user the first administrator. False when there is one already, so that this works only once.
create function akashi_auth.make_first_administrator(user_id uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;

-- The server signs people in before a user is known: akashi_worker, never the queries of a user.
grant execute on function akashi_auth.begin_login(uuid, bytea, boolean), akashi_auth.settle_login(text, text, uuid, bytea, text, text, uuid),
  akashi_auth.password_hashes(uuid), akashi_auth.set_password(uuid, text, boolean), akashi_auth.upgrade_password_hash(uuid, text, text),
  akashi_auth.passkey_named(bytea), akashi_auth.use_passkey(uuid, bigint, timestamptz),
  akashi_auth.replace_password(uuid, text), akashi_auth.end_sessions_of(uuid, uuid),
  akashi_auth.revoke_sessions(uuid, uuid), akashi_auth.remove_factors(uuid), akashi_auth.has_administrator(), akashi_auth.make_first_administrator(uuid),
  akashi_auth.needs_factor(uuid), akashi_auth.has_factor(uuid)
  to akashi_worker;
grant execute on function akashi_auth.authenticate_session(bytea) to akashi_worker;
grant execute on function akashi_auth.renew_session(bytea, text[], boolean, boolean) to akashi_app;

-- Sets the presence of the session. Written only after a change or a minute, so that a busy client causes one write
-- per minute.
create function akashi_auth.set_session_status(new_status text, room uuid default null) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;
comment on function akashi_auth.set_session_status(text, uuid) is 'Returns whether anything was written.';

-- Can be joined like a table; reads only the sessions of the person.
create view akashi_auth.presence with (security_invoker = true) as
  select s.user_id, case when bool_or(s.status = 'online') then 'online' when bool_or(s.status = 'away') then 'away'
                         else 'offline' end as status
  from akashi_auth.user_sessions s
  where s.revoked_at is null and s.expires_at > now() and s.last_activity > now() - interval '30 minutes'
  group by s.user_id;
comment on view akashi_auth.presence is 'The presence of a person is that of their most active session; without a row, offline.';

-- The number of people active in the last half hour.
create function akashi_auth.active_user_count() returns bigint
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select count(distinct s.user_id) from akashi_auth.user_sessions s
  where s.status in ('online', 'away') and s.revoked_at is null and s.last_activity > now() - interval '30 minutes'
$$;

-- Which of these sessions are still valid: sockets outlive the request that opened them.
create function akashi_auth.valid_sessions(sessions uuid[]) returns uuid[]
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(s.id), '{}') from akashi_auth.user_sessions s join akashi_auth.active_users u on u.id = s.user_id
  where s.id = any (sessions) and s.revoked_at is null and s.expires_at > now()
    and s.last_activity > now() - akashi_auth.policy_minutes('session.idle_minutes')
$$;

-- Sockets opened and closed since the last round, in one statement: otherwise thousands of reconnecting clients would
-- cause a transaction each before any of them receives a message.
create function akashi_auth.sockets_changed(opened uuid[], closed uuid[], closed_for_ms integer[]) returns setof uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;
comment on function akashi_auth.sockets_changed(uuid[], uuid[], integer[]) is
  'Returns the users whose sessions were updated. A closed session that has been active since has reconnected, perhaps to another server.';

grant execute on function akashi_auth.set_session_status(text, uuid), akashi_auth.active_user_count() to akashi_app;
grant execute on function akashi_auth.valid_sessions(uuid[]), akashi_auth.active_user_count(),
  akashi_auth.sockets_changed(uuid[], uuid[], integer[]) to akashi_worker;

-- Removes expired sessions and unused one-time credentials after the configured time. Each removal is recorded in the
-- trail. Removes at most `batch` rows of each kind and returns how many; locked rows are left for the next run.
create function akashi_auth.purge_expired(batch integer default 5000) returns table (what text, removed bigint)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
$$;
comment on function akashi_auth.purge_expired(integer) is 'Deletes a batch of expired sessions, one-time passwords and pending factors; call it until nothing is left.';
grant execute on function akashi_auth.purge_expired(integer) to akashi_worker;

insert into akashi_lifecycle.jobs (name, schedule, task, timeout, description) values
  ('identity-purge', '0 18 * * *', 'identity.purge', '1 hour',
   'delete sessions that expired long ago, unused one-time passwords and unconfirmed second factors');

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
-- A second factor of a person of another issuer is that issuer's affair.
create function akashi_auth.access_evidence(since timestamptz, until timestamptz,
  out people bigint, out services bigint, out privileged bigint, out privileged_without_factor bigint, out dormant_privileged bigint, out keys bigint, out unused_keys bigint, out endless_keys bigint, out sign_ins bigint, out failed_sign_ins bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
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
$$;
grant execute on function akashi_auth.access_evidence(timestamptz, timestamptz) to akashi_security_admin;
