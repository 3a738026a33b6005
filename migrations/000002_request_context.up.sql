-- The signed request context: on whose behalf a transaction runs. Any connection can set `app.*` settings, so they
-- count only after akashi_auth.accept_context() has checked that `app.context_signature` is the HMAC of all of them,
-- under a key that the application's process has and that no login role can read here. docs/request-context.md
-- specifies the signed bytes.
set local role akashi_owner;

create table akashi_auth.context_keys (
  id          text primary key,
  inner_key   bytea not null check (octet_length(inner_key) = 64),
  outer_key   bytea not null check (octet_length(outer_key) = 64),
  application text not null check (application ~ '^[a-z][a-z0-9_-]{0,62}$'),
  login       text check (login <> ''),
  created_at  timestamptz not null default now(),
  expires_at  timestamptz,
  check ((application = 'akashi') = (login is null))
);
comment on column akashi_auth.context_keys.application is
  'The application whose users the key signs for. Only users of akashi have permissions; the trail records the name in signed_by.';
comment on column akashi_auth.context_keys.login is 'The only login whose contexts the key verifies; null for the keys of akashi itself.';
comment on column akashi_auth.context_keys.expires_at is 'When a replaced key stops verifying new contexts; null for a key in use.';
comment on table akashi_auth.context_keys is
  'Keys that verify a request context, as the two padded blocks of HMAC-SHA256 (RFC 2104), since the check runs in every audited statement.';

alter table akashi_auth.context_keys enable row level security, force row level security;
create policy context_keys_verify on akashi_auth.context_keys for select to akashi_policy using (true);
create policy context_keys_owner on akashi_auth.context_keys to akashi_owner using (true) with check (true);
grant select on akashi_auth.context_keys to akashi_policy;

-- Takes the raw 32 bytes of a key; adding the same key again changes nothing.
create function akashi_auth.add_context_key(key_id text, secret bytea, application text, login text) returns void
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

-- A malformed value is ignored: it must not fail the statement that carries it.
create function akashi_auth.try_uuid(value text) returns uuid
  language plpgsql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
begin
  return value::uuid;
exception when invalid_text_representation then
  return null;
end
$$;

-- An actor is any text of up to 255 characters without control characters.
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

-- Whom a context is signed for: this database, this login, and this start of the server, so that it counts in no other
-- database and for no other login, and in no copy. Names are quoted so that a slash in one cannot be mistaken.
create function akashi_auth.context_audience() returns text language sql stable parallel restricted
  return format('%I/%I/%s', current_database(), session_user, encode(timestamptz_send(pg_postmaster_start_time()), 'hex'));
comment on function akashi_auth.context_audience() is
  'Database, login and start of the server, as a signed context names them: constant for a connection.';

-- HMAC-SHA256 of the app.* settings of this transaction: the signature of a context, or with the transaction the
-- receipt that it was accepted there. No signed value holds U+001F, so two different lists never join to the same text.
-- One expression, which becomes part of the statement that names it: it is computed in every audited statement.
create function akashi_auth.context_hmac(signing akashi_auth.context_keys, purpose text, transaction text) returns text
  language sql stable parallel restricted
  return encode(sha256(signing.outer_key || sha256(signing.inner_key || convert_to(concat_ws(E'\x1f',
    purpose,
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
    coalesce(current_setting('app.context_expires', true), ''),
    signing.id,
    akashi_auth.context_audience(),
    transaction
  ), 'UTF8'))), 'hex');

-- A value that only this transaction has.
create function akashi_auth.transaction_name() returns text language sql stable parallel restricted
  return pg_backend_pid() || '/' || encode(timestamptz_send(now()), 'hex');

-- Accepts the context in the app.* settings if it is signed for this audience and time, and sets a receipt that is
-- valid in this transaction only. The present time counts, not the start of the transaction: a transaction that is
-- held open cannot accept an old context, and a long one keeps the context that it accepted.
create function akashi_auth.accept_context() returns text
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
declare
  -- Upper bound of the time during which a signed context can be replayed.
  max_validity constant interval := '60 seconds';
  expires text := current_setting('app.context_expires', true);
  signing akashi_auth.context_keys;
begin
  select * into signing from akashi_auth.context_keys where id = current_setting('app.context_key', true);
  if found and (signing.login is null or signing.login = session_user)
     and (signing.expires_at is null or signing.expires_at > clock_timestamp())
     and akashi_auth.context_hmac(signing, 'akashi-context/1', null) = current_setting('app.context_signature', true)
     and expires ~ '^[0-9]{1,12}$'
     and to_timestamp(expires::double precision) between clock_timestamp() and clock_timestamp() + max_validity then
    perform set_config('app.context_receipt',
      akashi_auth.context_hmac(signing, 'akashi-receipt/1', akashi_auth.transaction_name()), true);
    return signing.application;
  end if;
  perform set_config('app.context_receipt', '', true);
  return null;
end
$$;
comment on function akashi_auth.accept_context() is
  'Accepts the signed context in the app.* settings for this transaction. Returns the application that signed it, or null if it is not valid.';

-- Sets and accepts a context in one statement: separate set_config() calls would be parsed and planned again in every
-- transaction. Statements sent after it do not run without a context.
create function akashi_auth.set_context(context text[]) returns text
  language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  settings constant text[] := array['app.current_user_id', 'app.current_session_id', 'app.subject', 'app.client_ip',
    'app.user_agent', 'app.request_id', 'app.trace_id', 'app.correlation_id', 'app.api_endpoint',
    'app.application_version', 'app.tenant_id', 'app.context_expires', 'app.context_key', 'app.context_signature'];
  application text;
begin
  if cardinality(context) is distinct from cardinality(settings) then
    raise exception 'a request context has % values, not %', cardinality(settings), coalesce(cardinality(context), 0)
      using errcode = 'invalid_parameter_value', hint = 'pass them in the order of docs/request-context.md, the empty string for a missing value';
  end if;
  for i in 1 .. cardinality(settings) loop
    -- Most are empty, and are so already.
    if coalesce(current_setting(settings[i], true), '') <> coalesce(context[i], '') then
      perform set_config(settings[i], coalesce(context[i], ''), true);
    end if;
  end loop;
  application := akashi_auth.accept_context();
  if application is null then
    raise exception 'the request context is not accepted' using errcode = 'AK005',
      hint = 'read akashi_auth.context_audience() and sign again; if that is refused too, the key is revoked or was created for another login';
  end if;
  return application;
end
$$;
comment on function akashi_auth.set_context(text[]) is
  'Sets the app.* settings to the values of a signed context, in the order in which they are signed with the signature last, and accepts it for this transaction, or fails with AK005. Returns the application that signed it.';

create function akashi_auth.context_application() returns text
  language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if coalesce(current_setting('app.context_receipt', true), '') = '' then
    return null;
  end if;
  -- Someone who learned a replaced key could also make receipts, but not for a transaction that began in time.
  return (select k.application from akashi_auth.context_keys k
          where k.id = current_setting('app.context_key', true) and (k.expires_at is null or k.expires_at > now())
            and current_setting('app.context_receipt', true) = akashi_auth.context_hmac(k, 'akashi-receipt/1', akashi_auth.transaction_name()));
end
$$;
comment on function akashi_auth.context_application() is
  'The application whose signed context this transaction accepted; null if there is none, or if the app.* settings have changed since.';

create function akashi_auth.context_verified() returns boolean
  language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select akashi_auth.context_application() is not null
$$;
comment on function akashi_auth.context_verified() is
  'Whether the app.* settings are a signed context that this transaction accepted. Policies call it as (select …) so that it runs once a statement.';

create function akashi_auth.current_user_id() returns uuid
  language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select case when akashi_auth.context_application() = 'akashi' then akashi_auth.try_uuid(nullif(current_setting('app.current_user_id', true), '')) end
$$;
comment on function akashi_auth.current_user_id() is 'akashi_auth.users.id of a context that Akashi itself signed; null is anonymous, or a user of another application.';

create function akashi_auth.context_user() returns text
  language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select case when akashi_auth.context_verified() then nullif(current_setting('app.current_user_id', true), '') end
$$;
comment on function akashi_auth.context_user() is
  'The user of the verified context as that application names them; an id means something only together with context_application().';

create function akashi_auth.current_session_id() returns uuid
  language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select case when akashi_auth.context_application() = 'akashi' then akashi_auth.try_uuid(nullif(current_setting('app.current_session_id', true), '')) end
$$;
comment on function akashi_auth.current_session_id() is 'akashi_auth.user_sessions.id of the verified context; null where there is none.';

reset role;
revoke create on schema akashi_auth from akashi_policy;
grant execute on function akashi_auth.try_uuid(text), akashi_auth.try_name(text), akashi_auth.try_inet(text) to akashi_policy;
grant execute on function akashi_auth.accept_context(), akashi_auth.set_context(text[]), akashi_auth.context_audience(), akashi_auth.context_application(),
  akashi_auth.context_verified(), akashi_auth.context_user(), akashi_auth.current_user_id(), akashi_auth.current_session_id(),
  akashi_auth.try_uuid(text), akashi_auth.try_name(text), akashi_auth.try_inet(text)
  to akashi_owner, akashi_client, akashi_worker, akashi_reader, akashi_security_admin;
grant execute on function akashi_auth.accept_context(), akashi_auth.context_audience() to akashi_restorer;

set local role akashi_owner;

-- The role that a transaction acts as: the one that it set, otherwise that of the login. A login that is a member of
-- several roles has only the rights of that one, also in definer functions.
create function akashi_auth.acting_role() returns name
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce(nullif(current_setting('role'), 'none'), session_user::text)::name
$$;

-- Sets when and by whom a row was last changed, for every mutable table.
create function akashi_auth.update_updated_at() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  new.updated_at := now();
  new.last_modified_by := coalesce(akashi_auth.current_user_id()::text, session_user);
  return new;
end
$$;
grant execute on function akashi_auth.update_updated_at() to akashi_app, akashi_worker, akashi_security_admin;
