-- The signed request context: who a transaction acts for. `app.*` settings can be set by anybody with a
-- connection, so they count only when `app.context_signature` is the HMAC of all of them under a key
-- that the application's process holds and that no login role can read here.
set local role akashi_owner;

create table akashi_auth.context_keys (
  id          text primary key,
  inner_key   bytea not null check (octet_length(inner_key) = 64),
  outer_key   bytea not null check (octet_length(outer_key) = 64),
  application text not null default 'akashi' check (application ~ '^[a-z][a-z0-9_-]{0,62}$'),
  login       text,
  created_at  timestamptz not null default now()
);
comment on column akashi_auth.context_keys.application is
  'Whose users the key speaks for. Only those of akashi have permissions here; the trail keeps the name in signed_by.';
comment on column akashi_auth.context_keys.login is 'The only login whose contexts the key verifies; null for every one.';
comment on table akashi_auth.context_keys is
  'Keys that verify a request context, as the two padded blocks of HMAC-SHA256 (RFC 2104), since the check runs in every audited statement.';

alter table akashi_auth.context_keys enable row level security, force row level security;
create policy context_keys_verify on akashi_auth.context_keys for select to akashi_policy using (true);
create policy context_keys_owner on akashi_auth.context_keys to akashi_owner using (true) with check (true);
grant select on akashi_auth.context_keys to akashi_policy;

-- Takes the raw 32 bytes of a key of the keyring; adding the same key again changes nothing.
create function akashi_auth.add_context_key(key_id text, secret bytea, application text default 'akashi', login text default null)
  returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  inner_key bytea := secret || decode(repeat('00', 32), 'hex');
  outer_key bytea := secret || decode(repeat('00', 32), 'hex');
begin
  if octet_length(secret) is distinct from 32 then
    raise exception 'a context key has 32 bytes, not %', octet_length(secret) using errcode = 'invalid_parameter_value';
  end if;
  for i in 0 .. 63 loop
    inner_key := set_byte(inner_key, i, get_byte(inner_key, i) # 54); -- 0x36
    outer_key := set_byte(outer_key, i, get_byte(outer_key, i) # 92); -- 0x5c
  end loop;
  insert into akashi_auth.context_keys (id, inner_key, outer_key, application, login)
  values (key_id, inner_key, outer_key, application, login)
  on conflict (id) do nothing;
end
$$;

-- A claim that is no valid value is no claim; it must not fail the statement that carries it.
create function akashi_auth.try_uuid(value text) returns uuid
  language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
begin
  return value::uuid;
exception when invalid_text_representation then
  return null;
end
$$;

-- Who acts is named by any text of up to 255 characters without control characters.
create function akashi_auth.try_name(value text) returns text
  language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
  select case when length(value) <= 255 and value !~ '[\x01-\x1f\x7f]' then value end
$$;

create function akashi_auth.try_inet(value text) returns inet
  language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
begin
  return value::inet;
exception when invalid_text_representation then
  return null;
end
$$;

grant create on schema akashi_auth to akashi_policy;
reset role;
set local role akashi_policy;

-- The application whose key signed the context, where the key is known, is one for this login, and the context had
-- not expired when the transaction began; null otherwise.
-- The order of the fields and the separator U+001F are the contract with src/postgres/context.ts.
create function akashi_auth.context_application() returns text
  language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
declare
  signature text := current_setting('app.context_signature', true);
  expires text := current_setting('app.context_expires', true);
  signing akashi_auth.context_keys;
begin
  if signature is null or signature = '' then
    return null;
  end if;
  select * into signing from akashi_auth.context_keys where id = current_setting('app.context_key', true);
  if not found or signing.login <> session_user then
    return null;
  end if;
  if signature <> encode(sha256(signing.outer_key || sha256(signing.inner_key || convert_to(concat_ws(E'\x1f',
    coalesce(current_setting('app.current_user_id', true), ''),
    coalesce(current_setting('app.current_session_id', true), ''),
    coalesce(current_setting('app.subject', true), ''),
    coalesce(current_setting('app.client_ip', true), ''),
    coalesce(current_setting('app.user_agent', true), ''),
    coalesce(current_setting('app.request_id', true), ''),
    coalesce(current_setting('app.trace_id', true), ''),
    coalesce(current_setting('app.correlation_id', true), ''),
    coalesce(current_setting('app.api_endpoint', true), ''),
    coalesce(current_setting('app.application_version', true), ''),
    coalesce(current_setting('app.tenant_id', true), ''),
    coalesce(expires, ''),
    signing.id
  ), 'UTF8'))), 'hex') then
    return null;
  end if;
  -- Only now are the claims known to be ours, and the expiry to be a number.
  return case when expires::bigint >= extract(epoch from now()) then signing.application end;
end
$$;
comment on function akashi_auth.context_application() is
  'The application that signed the app.* settings of this transaction; null when they carry no valid signature.';

create function akashi_auth.context_verified() returns boolean
  language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select akashi_auth.context_application() is not null
$$;
comment on function akashi_auth.context_verified() is
  'Whether the app.* settings of this transaction carry a valid signature. Policies call it as (select …) so that it runs once a statement.';

create function akashi_auth.current_user_id() returns uuid
  language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select case when akashi_auth.context_application() = 'akashi' then akashi_auth.try_uuid(nullif(current_setting('app.current_user_id', true), '')) end
$$;
comment on function akashi_auth.current_user_id() is 'akashi_auth.users.id of a context that Akashi itself signed; null is anonymous, or a user of another application.';

create function akashi_auth.context_user() returns text
  language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select case when akashi_auth.context_verified() then nullif(current_setting('app.current_user_id', true), '') end
$$;
comment on function akashi_auth.context_user() is
  'The user of the verified context as that application names them; an id means something only together with context_application().';

create function akashi_auth.current_session_id() returns uuid
  language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select case when akashi_auth.context_application() = 'akashi' then akashi_auth.try_uuid(nullif(current_setting('app.current_session_id', true), '')) end
$$;
comment on function akashi_auth.current_session_id() is 'akashi_auth.user_sessions.id of the verified context; null where there is none.';

reset role;
revoke create on schema akashi_auth from akashi_policy;
grant execute on function akashi_auth.try_uuid(text), akashi_auth.try_name(text), akashi_auth.try_inet(text) to akashi_policy;
grant execute on function akashi_auth.context_application(), akashi_auth.context_verified(), akashi_auth.context_user(),
  akashi_auth.current_user_id(), akashi_auth.current_session_id(),
  akashi_auth.try_uuid(text), akashi_auth.try_name(text), akashi_auth.try_inet(text)
  to akashi_owner, akashi_app, akashi_worker, akashi_reader, akashi_security_admin;

set local role akashi_owner;

-- Which role a transaction acts as: the one that it took, else the login's own. A login that may act as several has
-- the rights of the one alone, also in what a definer function decides.
create function akashi_auth.acting_role() returns name
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce(nullif(current_setting('role'), 'none'), session_user::text)::name
$$;

-- Every mutable table keeps when and by whom a row last changed.
create function akashi_auth.update_updated_at() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  new.updated_at := now();
  new.last_modified_by := coalesce(akashi_auth.current_user_id()::text, session_user);
  return new;
end
$$;
grant execute on function akashi_auth.update_updated_at() to akashi_app, akashi_worker, akashi_security_admin;
