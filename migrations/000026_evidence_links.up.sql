-- Evidence links: a link that somebody without an account opens to read chosen logs and reports until it expires.
--
--   evidence_links      what a link shows, to when, and who answers for it
--   evidence_sessions   opened links: a browser that presented the token
--
-- Both hold hashes of tokens only. Nothing but the functions below reads or writes them.
set local role akashi_owner;

insert into akashi_auth.permissions (resource, action, tier, description) values
  ('evidence', 'read',  'system', '証拠リンクの閲覧'),
  ('evidence', 'write', 'system', '証拠リンクの作成と取り消し');
insert into akashi_auth.role_permissions (role_id, permission_id)
select r.id, p.id from akashi_auth.roles r cross join akashi_auth.permissions p
where p.resource = 'evidence'
  and (r.name in ('sys_admin', 'security_admin') or (r.name = 'sys_auditor' and p.action = 'read'));

create table akashi_security.evidence_links (
  id               uuid primary key default gen_random_uuid(),
  token_hash       bytea not null unique check (octet_length(token_hash) = 32),
  logs             text[] not null check (cardinality(logs) > 0 and logs <@ array['audit_logs', 'security_events', 'login_attempts']),
  covers_from      timestamptz not null,
  covers_until     timestamptz not null check (covers_until > covers_from),
  reports          uuid[] not null default '{}' check (cardinality(reports) <= 24),
  reason           text not null check (reason ~ '\S' and reason !~ '[\x01-\x1f\x7f]' and length(reason) <= 1000),
  shared_by        uuid,
  expires_at       timestamptz not null,
  opened           bigint not null default 0,
  last_opened_at   timestamptz,
  revoked_at       timestamptz,
  revoked_by       text,
  revoke_reason    text check (revoke_reason ~ '\S' and revoke_reason !~ '[\x01-\x1f\x7f]' and length(revoke_reason) <= 1000),
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint evidence_links_expiry_check check (expires_at > created_at and expires_at <= created_at + interval '720 hours')
);
comment on table akashi_security.evidence_links is 'Links by which somebody without an account reads chosen logs and reports.';
comment on column akashi_security.evidence_links.token_hash is 'SHA-256 of the token, which is only in the link.';
comment on column akashi_security.evidence_links.covers_from is 'Rows of the logs from then on, before covers_until.';
comment on column akashi_security.evidence_links.reports is 'Ids of compliance reports.';
comment on column akashi_security.evidence_links.shared_by is 'The person whose permissions the link borrows: without them it does not open. Null for an administrator of the database.';
create trigger update_updated_at before update on akashi_security.evidence_links for each row execute function akashi_auth.update_updated_at();
alter table akashi_security.evidence_links enable row level security, force row level security;
create policy evidence_links_owner on akashi_security.evidence_links to akashi_owner using (true) with check (true);
select akashi_audit.protect('akashi_security.evidence_links', 'confidential', null, '{"token_hash": "omit"}');

create table akashi_security.evidence_sessions (
  id         uuid primary key default gen_random_uuid(),
  link_id    uuid not null references akashi_security.evidence_links (id),
  token_hash bytea not null unique check (octet_length(token_hash) = 32),
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  created_by text default coalesce(akashi_auth.current_user_id()::text, session_user)
);
create index evidence_sessions_link_idx on akashi_security.evidence_sessions (link_id, expires_at);
comment on table akashi_security.evidence_sessions is 'Browsers that opened an evidence link. They can read what the link shows, and nothing else.';
comment on column akashi_security.evidence_sessions.token_hash is 'SHA-256 of the token in the cookie.';
alter table akashi_security.evidence_sessions enable row level security, force row level security;
create policy evidence_sessions_owner on akashi_security.evidence_sessions to akashi_owner using (true) with check (true);
select akashi_audit.protect('akashi_security.evidence_sessions', 'confidential', null, '{"token_hash": "omit"}');

-- The permissions that reading needs, each once.
create function akashi_security.evidence_permissions(logs text[], reports uuid[]) returns text[]
  language sql immutable set search_path = pg_catalog, pg_temp as $$
  select array(select distinct p from unnest(
    array['ledger:read']
    || case when logs && array['audit_logs', 'login_attempts'] then array['audit_logs:read'] else array[]::text[] end
    || case when 'security_events' = any (logs) then array['events:read'] else array[]::text[] end
    || case when cardinality(reports) > 0 then array['reports:read'] else array[]::text[] end) p)
$$;

-- Whether a link can be read now: neither expired nor revoked, and whoever shared it may still do so and still read it.
create function akashi_security.evidence_link_open(link akashi_security.evidence_links) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select link.revoked_at is null and link.expires_at > clock_timestamp()
    and (link.shared_by is null
      or (select bool_and(akashi_auth.user_has_permission(link.shared_by, p))
          from unnest(array['evidence:write'] || akashi_security.evidence_permissions(link.logs, link.reports)) p))
$$;

create function akashi_security.create_evidence_link(
  token_hash bytea, logs text[], covers_from timestamptz, covers_until timestamptz, reports uuid[], reason text, days integer
) returns table (link uuid, expires_at timestamptz)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  permission text;
begin
  perform akashi_auth.require_permission('evidence:write');
  foreach permission in array akashi_security.evidence_permissions(logs, reports) loop
    perform akashi_auth.require_permission(permission);
  end loop;
  if days is null or days not between 1 and 30 then
    raise exception 'a link is valid for 1 to 30 days' using errcode = 'invalid_parameter_value', hint = 'choose an earlier end';
  end if;
  if exists (select from unnest(reports) r where not akashi_security.has_compliance_report(r)) then
    raise exception 'report not found' using errcode = 'no_data_found', hint = 'list them with akashi report list';
  end if;
  return query insert into akashi_security.evidence_links as l (token_hash, logs, covers_from, covers_until, reports, reason, shared_by, expires_at)
  values (create_evidence_link.token_hash, create_evidence_link.logs, create_evidence_link.covers_from, create_evidence_link.covers_until,
          create_evidence_link.reports, create_evidence_link.reason, akashi_auth.current_user_id(), now() + make_interval(hours => 24 * days))
  returning l.id, l.expires_at;
end
$$;
comment on function akashi_security.create_evidence_link(bytea, text[], timestamptz, timestamptz, uuid[], text, integer) is
  'Creates an evidence link. Requires evidence:write and every permission to read what it shows.';

create function akashi_security.revoke_evidence_link(link uuid, reason text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_auth.require_permission('evidence:write');
  update akashi_security.evidence_links l set revoked_at = now(), revoked_by = akashi_auth.acting_name(), revoke_reason = revoke_evidence_link.reason
  where l.id = link and l.revoked_at is null;
  if not found and not exists (select from akashi_security.evidence_links l where l.id = link) then
    raise exception 'evidence link not found: %', link using errcode = 'no_data_found', hint = 'list them with akashi evidence links';
  end if;
  delete from akashi_security.evidence_sessions s where s.link_id = link;
end
$$;
comment on function akashi_security.revoke_evidence_link(uuid, text) is 'Ends a link and every session of it at once. Requires evidence:write.';

create function akashi_security.list_evidence_links()
  returns table (id uuid, logs text[], covers_from timestamptz, covers_until timestamptz, reports uuid[], reason text, created_at timestamptz,
                 created_by text, expires_at timestamptz, revoked_at timestamptz, revoked_by text, is_open boolean, opened bigint, last_opened_at timestamptz)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_auth.require_permission('evidence:read');
  return query
    select l.id, l.logs, l.covers_from, l.covers_until, l.reports, l.reason, l.created_at, l.created_by, l.expires_at, l.revoked_at, l.revoked_by,
           akashi_security.evidence_link_open(l), l.opened, l.last_opened_at
    from akashi_security.evidence_links l
    order by l.created_at desc limit 500;
end
$$;
comment on function akashi_security.list_evidence_links() is 'The newest 500 links. Requires evidence:read.';

-- Exchanges the token of a link for a session of one hour at most. No row where the link is unknown or cannot be read.
create function akashi_security.open_evidence_link(token_hash bytea, session_hash bytea)
  returns table (link uuid, expires_at timestamptz)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_link akashi_security.evidence_links;
begin
  if not akashi_auth.is_server() then
    raise exception 'only the server opens evidence links' using errcode = 'insufficient_privilege';
  end if;
  select * into found_link from akashi_security.evidence_links l where l.token_hash = open_evidence_link.token_hash for update;
  if not found then
    return;
  end if;
  if not akashi_security.evidence_link_open(found_link) then
    perform akashi_audit.record_action('evidence_link', 'open', 'evidence_link', found_link.id::text, 'FAILURE', null, 'confidential');
    return;
  end if;
  delete from akashi_security.evidence_sessions s where s.expires_at < now();
  update akashi_security.evidence_links l set opened = l.opened + 1, last_opened_at = now() where l.id = found_link.id;
  return query
    insert into akashi_security.evidence_sessions (link_id, token_hash, expires_at)
    values (found_link.id, session_hash, least(found_link.expires_at, now() + interval '1 hour'))
    returning evidence_sessions.link_id, evidence_sessions.expires_at;
end
$$;

-- What the session of a token may read; no row where it may read nothing.
create function akashi_security.evidence_session(session_hash bytea)
  returns table (link uuid, logs text[], covers_from timestamptz, covers_until timestamptz, reports uuid[], expires_at timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select l.id, l.logs, l.covers_from, l.covers_until, l.reports, least(s.expires_at, l.expires_at)
  from akashi_security.evidence_sessions s join akashi_security.evidence_links l on l.id = s.link_id
  where s.token_hash = session_hash and s.expires_at > clock_timestamp() and akashi_security.evidence_link_open(l) and akashi_auth.is_server()
$$;

create function akashi_security.close_evidence_session(session_hash bytea) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from akashi_security.evidence_sessions s where s.token_hash = session_hash and akashi_auth.is_server()
$$;

grant execute on function akashi_security.create_evidence_link(bytea, text[], timestamptz, timestamptz, uuid[], text, integer),
  akashi_security.revoke_evidence_link(uuid, text), akashi_security.list_evidence_links() to akashi_app;
grant execute on function akashi_security.open_evidence_link(bytea, bytea), akashi_security.evidence_session(bytea),
  akashi_security.close_evidence_session(bytea) to akashi_worker;
