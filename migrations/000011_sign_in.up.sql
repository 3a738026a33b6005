-- Signing in: credentials that no login role reads from a table, counting guesses, and sessions looked up by
-- the hash of their token. What these functions decide is decided under row locks, whatever runs beside them.
--
--   local_credentials      password_hash (argon2id or bcrypt), must_change; password_history the hashes before
--   mfa_factors            secret (ciphertext), last_used_step; recovery_codes code_hash, used_at
--   login_attempts         append-only, sealed, by month, kept 6 months
--   login_throttles        counters that live for minutes
--
-- Only functions reach hashes; staff see that there is a credential, and how old it is.
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
comment on table akashi_auth.local_credentials is 'The password of a local account, beside users so that no reader of a person reads it.';
comment on column akashi_auth.local_credentials.password_hash is 'argon2id in PHC form; bcrypt only until the next login.';
comment on column akashi_auth.local_credentials.expires_at is 'End of a one-time password; null for one that the person chose.';
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
comment on table akashi_auth.password_history is 'Passwords that were used before, so that policy can refuse them again.';
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
comment on table akashi_auth.mfa_factors is 'Second factors of a user, their secrets encrypted under the person''s key.';
comment on column akashi_auth.mfa_factors.secret is 'Ciphertext under the person''s key, bound to table, column and row.';
comment on column akashi_auth.mfa_factors.last_used_step is 'Time step of the last code that was taken; it only grows, so no code works twice.';
comment on column akashi_auth.mfa_factors.confirmed_at is 'When a code was first shown; before that the factor counts for nothing.';
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

-- A code of a step that was used, or one before it, is refused by the table itself.
create function akashi_auth.keep_step() returns trigger language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if new.last_used_step < old.last_used_step
     or (new.last_used_step = old.last_used_step and new.last_used_at is distinct from old.last_used_at) then
    raise exception 'a code of this step was used already' using errcode = 'AK003', hint = 'wait for the next code';
  end if;
  return new;
end
$$;
create trigger keep_step before update on akashi_auth.mfa_factors for each row execute function akashi_auth.keep_step();

create table akashi_auth.recovery_codes (
  id         uuid primary key default gen_random_uuid(),
  user_id    uuid not null references akashi_auth.users (id) on delete cascade,
  code_hash  bytea not null unique check (octet_length(code_hash) = 32),
  used_at    timestamptz,
  created_at timestamptz not null default now(),
  created_by text default coalesce(akashi_auth.current_user_id()::text, session_user)
);
comment on table akashi_auth.recovery_codes is 'One use each, in place of a second factor; SHA-256 of random codes.';
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

-- Attempts are written by akashi_auth.settle_login alone: with its own insert the application could make up a success,
-- and a place with one is spared by the lockout of the account.
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
  constraint login_attempts_method_check check (method in ('password', 'totp', 'recovery_code', 'oidc', 'bearer')),
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
comment on column akashi_auth.login_attempts.identifier_hash is 'Keyed digest of the name that was typed: it may be a person''s, or a password typed in the wrong field.';
comment on column akashi_auth.login_attempts.result is 'partial: the credential was right, and did not complete a sign-in: a second factor follows, or it was shown in a session. denied: refused before the credentials were checked, e.g. locked or not allowed by policy.';
comment on column akashi_auth.login_attempts.counted is 'Whether it counts towards a lockout; what policy denied never does.';
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

-- Guesses under way and failed, by account and address, by address, and by account. An attempt is counted
-- before its password is checked and given back when it was right, so that guesses in parallel cannot all
-- pass before the first has failed.
create table akashi_auth.login_throttles (
  key            bytea primary key check (octet_length(key) = 32),
  failures       integer not null default 0 check (failures >= 0),
  window_started timestamptz not null default clock_timestamp(),
  locked_until   timestamptz,
  announced      boolean not null default false,
  expires_at     timestamptz not null
);
comment on table akashi_auth.login_throttles is 'Counters that live for minutes; the record of each attempt is akashi_auth.login_attempts.';
comment on column akashi_auth.login_throttles.key is 'SHA-256 of the counted account or address.';
comment on column akashi_auth.login_throttles.announced is 'The event account_locked was recorded for this lock.';
create index login_throttles_expires_idx on akashi_auth.login_throttles (expires_at);
alter table akashi_auth.login_throttles enable row level security, force row level security;
create policy login_throttles_owner on akashi_auth.login_throttles to akashi_owner using (true) with check (true);
select akashi_audit.exempt('akashi_auth.login_throttles', 'counters that live for minutes; each attempt is a row of akashi_auth.login_attempts');

-- One network of IPv6 (/64) is one place: whoever has one has all its addresses.
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

-- Counts one attempt. Returns the seconds to wait, 0 when the attempt may go on.
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
  -- The row is locked from here on; the time is asked after the wait for it.
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

-- Gives an attempt back. The lock of an account over all addresses stays: the owner, who is served where they
-- signed in before, must not reopen it for others.
create function akashi_auth.release_attempt(throttle bytea, unlock boolean default true) returns void
  language sql set search_path = pg_catalog, pg_temp as $$
  update akashi_auth.login_throttles set failures = greatest(failures - 1, 0), locked_until = case when not unlock then locked_until end
  where key = throttle
$$;

-- The account as it is counted: the name that was typed, whether somebody has it or not, so that a lockout says nothing
-- about who there is; the user where nothing was typed.
create function akashi_auth.throttled_account(user_id uuid, identifier_hash bytea) returns bytea
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select coalesce(identifier_hash, uuid_send(user_id))
$$;

-- Counts an attempt to sign in and returns what it takes to check it. wait_seconds above 0: refused, and
-- nothing else is returned. The address is the one of the signed context. Whoever tries a second factor knows the
-- password: these failures are counted by account over all addresses, and nobody is spared.
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
    raise exception 'signing in needs a signed context' using errcode = 'insufficient_privilege';
  end if;
  delete from akashi_auth.login_throttles where key in (
    select key from akashi_auth.login_throttles where expires_at < clock_timestamp() limit 20 for update skip locked);
  -- Always in this order, so that two attempts cannot wait for each other.
  seconds := akashi_auth.reserve_attempt(pair, (akashi_auth.policy('lockout.threshold'))::integer);
  if seconds = 0 then
    seconds := akashi_auth.reserve_attempt(place, (akashi_auth.policy('lockout.address_threshold'))::integer);
    if seconds > 0 then
      perform akashi_auth.release_attempt(pair);
    else
      seconds := akashi_auth.reserve_attempt(everywhere, threshold);
      -- Guesses from everywhere must not lock the owner out: where they signed in before, they still may.
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

-- Whether a password must be changed before anything else: it was given by somebody else, or policy says so.
create function akashi_auth.password_due(credential akashi_auth.local_credentials) returns boolean
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select credential.must_change
    or ((akashi_auth.policy('password.max_age_days'))::integer > 0
        and credential.changed_at + make_interval(days => (akashi_auth.policy('password.max_age_days'))::integer) <= now())
$$;

-- Ends what begin_login began, and records it. Outcomes:
--   success  signed in: the account's count at this address begins anew
--   partial  right, and no sign-in by it: a second factor is still to come, or the credential was shown again in a
--            session. Given back, so that a known password does not clear the guesses of codes
--   failure  wrong: stays counted
--   denied   right, but policy refuses (suspended, expired): given back, never counts
--   locked   begin_login refused; nothing was counted
-- Methods oidc and bearer are not guesses and count nothing.
create function akashi_auth.settle_login(method text, outcome text, user_id uuid, identifier_hash bytea, issuer text,
  reason text default null, session_id uuid default null) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  who constant akashi_audit.request_context := akashi_audit.request_context();
  account constant bytea := akashi_auth.throttled_account(settle_login.user_id, settle_login.identifier_hash);
  pair constant bytea := akashi_auth.throttle_key('pair', account, who.ip_address);
  guess constant boolean := settle_login.method in ('password', 'totp', 'recovery_code');
  everywhere constant bytea := akashi_auth.throttle_key(
    case when settle_login.method = 'password' then 'account' else 'factor' end, account, null);
  locked boolean := false;
  factor_locked boolean := false;
begin
  if not who.verified then
    raise exception 'signing in needs a signed context' using errcode = 'insufficient_privilege';
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

-- A security event about somebody's credentials, from the signed context. No names: the record cannot forget.
create function akashi_auth.record_authentication(event_type text, severity text, user_id uuid, session_id uuid, details jsonb)
  returns void language sql set search_path = pg_catalog, pg_temp as $$
  select akashi_security.record_event(record_authentication.event_type, 'authentication', record_authentication.severity, 'akashi',
    user_id => record_authentication.user_id::text, session_id => record_authentication.session_id::text,
    resource_type => 'user', resource_id => record_authentication.user_id::text, action_performed => 'sign_in',
    result => case record_authentication.event_type when 'authentication_failure' then 'failure' else 'success' end,
    ocsf_class_uid => case when record_authentication.event_type like 'authentication%' then 3002 else 3001 end,
    event_details => details)
$$;

-- Passwords. What is a good one is the application's to say; these keep it.

-- Hashes of a user's password and of those before it, newest first, as many as policy refuses again.
create function akashi_auth.password_hashes(user_id uuid) returns table (password_hash text)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select c.password_hash from akashi_auth.local_credentials c where c.user_id = password_hashes.user_id
  union all
  (select h.password_hash from akashi_auth.password_history h where h.user_id = password_hashes.user_id
   order by h.created_at desc limit (akashi_auth.policy('password.history'))::integer)
$$;

-- Gives a user a password, chosen by them or a one-time one, and keeps the former hash as history.
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
  perform akashi_auth.record_authentication('password_changed', 'info', set_password.user_id, null, jsonb_build_object('one_time', one_time));
end
$$;

-- The same password under a better hash; nothing happens when it was changed in between.
create function akashi_auth.upgrade_password_hash(user_id uuid, former text, better text) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  update akashi_auth.local_credentials c set password_hash = better
  where c.user_id = upgrade_password_hash.user_id and c.password_hash = former
$$;

-- Sessions.

-- Whether a user's roles ask for a second factor.
create function akashi_auth.needs_factor(user_id uuid) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from akashi_auth.user_roles ur join akashi_auth.roles r on r.id = ur.role_id
    where ur.user_id = needs_factor.user_id and (ur.expires_at is null or ur.expires_at > now())
      and akashi_auth.policy('mfa.required_tiers') ? r.tier)
$$;

-- The session of a token, when it lives and its user may act; no row otherwise. One read by a unique index;
-- the time of the last activity is written at most once a minute.
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

-- Gives the session of the signed context a new token after credentials were shown again; the old one ends. Only a
-- confirmation counts as shown lately.
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

-- Ends all sessions of a user but one; returns how many.
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

create function akashi_auth.has_factor(user_id uuid) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from akashi_auth.mfa_factors f where f.user_id = has_factor.user_id and f.confirmed_at is not null)
$$;

-- Ends every second factor of a user and the codes in their place: for whoever has lost both.
create function akashi_auth.remove_factors(user_id uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from akashi_auth.mfa_factors f where f.user_id = remove_factors.user_id;
  delete from akashi_auth.recovery_codes c where c.user_id = remove_factors.user_id;
  perform akashi_auth.record_authentication('mfa_removed', 'medium', remove_factors.user_id, null, '{}');
end
$$;

-- Whether there is an administrator, one who could sign in or not.
create function akashi_auth.has_administrator() returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from akashi_auth.user_roles ur join akashi_auth.roles r on r.id = ur.role_id where r.name = 'sys_admin')
$$;

-- Makes a user the first administrator. False when there is one: nobody rises this way afterwards.
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

-- Signing in is the work of the server before it knows for whom: akashi_worker, never a user's own queries.
grant execute on function akashi_auth.begin_login(uuid, bytea, boolean), akashi_auth.settle_login(text, text, uuid, bytea, text, text, uuid),
  akashi_auth.password_hashes(uuid), akashi_auth.set_password(uuid, text, boolean), akashi_auth.upgrade_password_hash(uuid, text, text),
  akashi_auth.revoke_sessions(uuid, uuid), akashi_auth.remove_factors(uuid), akashi_auth.has_administrator(), akashi_auth.make_first_administrator(uuid),
  akashi_auth.needs_factor(uuid), akashi_auth.has_factor(uuid)
  to akashi_worker;
grant execute on function akashi_auth.authenticate_session(bytea) to akashi_worker;
grant execute on function akashi_auth.renew_session(bytea, text[], boolean, boolean) to akashi_app;

-- Sets the presence of the session. Written only when something changes or a minute has
-- passed, so that a busy client costs one write a minute.
create function akashi_auth.set_session_status(new_status text, room uuid default null) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new_status not in ('online', 'away', 'offline') then
    raise exception 'presence is online, away or offline' using errcode = 'invalid_parameter_value';
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

-- Joined like a table: the person's own sessions are all that it reads.
create view akashi_auth.presence with (security_invoker = true) as
  select s.user_id, case when bool_or(s.status = 'online') then 'online' when bool_or(s.status = 'away') then 'away'
                         else 'offline' end as status
  from akashi_auth.user_sessions s
  where s.revoked_at is null and s.expires_at > now() and s.last_activity > now() - interval '30 minutes'
  group by s.user_id;
comment on view akashi_auth.presence is 'A person is as present as their most present session; without a row, offline.';

-- The number of people active in the last half hour.
create function akashi_auth.active_user_count() returns bigint
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select count(distinct s.user_id) from akashi_auth.user_sessions s
  where s.status in ('online', 'away') and s.revoked_at is null and s.last_activity > now() - interval '30 minutes'
$$;

-- Which of these sessions still hold: sockets outlive the request that opened them.
create function akashi_auth.valid_sessions(sessions uuid[]) returns uuid[]
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(s.id), '{}') from akashi_auth.user_sessions s join akashi_auth.active_users u on u.id = s.user_id
  where s.id = any (sessions) and s.revoked_at is null and s.expires_at > now()
    and s.last_activity > now() - akashi_auth.policy_minutes('session.idle_minutes')
$$;

-- Sockets that came and went in a round are one statement: a node to which thousands come back at once would
-- otherwise write a transaction for each, before any of them hears a message.
create function akashi_auth.sockets_changed(opened uuid[], closed uuid[], closed_for_ms integer[]) returns setof uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- One order for all nodes, so that none waits for another in a circle.
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
  'Returns the users whose sessions were written. A closed session that was active since has reconnected, maybe to another server.';

grant execute on function akashi_auth.set_session_status(text, uuid), akashi_auth.active_user_count() to akashi_app;
grant execute on function akashi_auth.valid_sessions(uuid[]), akashi_auth.active_user_count(),
  akashi_auth.sockets_changed(uuid[], uuid[], integer[]) to akashi_worker;

-- Expired sessions, and one-time things that nobody used, are removed after the time that the settings say. Each
-- removed row is a row of the trail.
-- Removes at most `batch` rows of each kind; returns how many. Rows that somebody works on wait for the next run.
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
  -- It opens nothing since it ended; without it the account waits for a new one.
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
   'remove sessions that expired long ago, and one-time passwords and second factors that nobody took up');
