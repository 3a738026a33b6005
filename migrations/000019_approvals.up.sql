-- Irreversible operations need the approval of as many people as the policy approval.people says: ending a legal hold,
-- shortening a retention, deleting archived rows or backups, erasing a person, and lowering that number.
--
--   approvals               one row per request: action, target, detail, reason, requester, expiry
--   approval_confirmations  who approved it; a signed-in requester approves by requesting
--
-- The functions that carry out these operations call akashi_auth.use_approval() or is_approved(); nothing else writes
-- the tables. Only people in a session approve; keys, tokens, services and operators of a machine can only request.
set local role akashi_owner;

insert into akashi_auth.security_policies (key, value, default_value, value_type, minimum, maximum, allowed, unit, description)
values
  ('approval.people', '1', '1', 'integer', 1, 5, null, 'people',
   'how many people approve an irreversible operation; 1: whoever has the permission does it alone'),
  ('approval.lifetime_hours', '72', '72', 'integer', 1, 720, null, 'hours', 'how long an approval is valid after it was requested'),
  ('approval.settling_hours', '72', '72', 'integer', 0, 8760, null, 'hours',
   'how long a person cannot approve after receiving the permission, or after somebody else replaced their password or factors');

create table akashi_auth.approvals (
  id             uuid primary key default gen_random_uuid(),
  action         text not null,
  target         text not null default '' check (length(target) <= 255),
  detail         jsonb not null default '{}' check (jsonb_typeof(detail) = 'object'),
  reason         text not null check (reason ~ '\S' and reason !~ '[\x01-\x1f\x7f]' and length(reason) <= 1000),
  requested_by   text not null,
  requested_at   timestamptz not null default clock_timestamp(),
  expires_at     timestamptz not null,
  used_at        timestamptz,
  used_by        text,
  withdrawn_at   timestamptz,
  withdrawn_by   text,
  constraint approvals_action_check check (action in
    ('release_hold', 'shorten_retention', 'retire_rows', 'prune_backups', 'erase_person', 'lower_approval')),
  check (used_at is null or withdrawn_at is null)
);
comment on table akashi_auth.approvals is 'Requests to approve an irreversible operation.';
comment on column akashi_auth.approvals.target is 'schema.table, the id of a user, or empty.';
comment on column akashi_auth.approvals.detail is 'For shorten_retention: total and at_expiry, as in a policy; empty for all others.';
comment on column akashi_auth.approvals.requested_by is 'The requester: the id of a user, service:NAME, operator:NAME, or a database login.';
comment on column akashi_auth.approvals.used_at is 'When the operation was carried out. Null for deletions of rows and backups, which continue until the approval expires.';
create index approvals_open_idx on akashi_auth.approvals (action, target) where used_at is null and withdrawn_at is null;
alter table akashi_auth.approvals enable row level security, force row level security;
create policy approvals_owner on akashi_auth.approvals to akashi_owner using (true) with check (true);
create policy approvals_staff on akashi_auth.approvals for select to akashi_worker, akashi_security_admin using (true);
create policy approvals_app on akashi_auth.approvals for select to akashi_app using ((select akashi_auth.has_permission('approvals:read')));
grant select on akashi_auth.approvals to akashi_app, akashi_worker, akashi_security_admin;
select akashi_audit.protect('akashi_auth.approvals', 'confidential');

create table akashi_auth.approval_confirmations (
  approval_id  uuid not null references akashi_auth.approvals (id) on delete cascade,
  user_id      uuid not null,
  confirmed_at timestamptz not null default clock_timestamp(),
  primary key (approval_id, user_id)
);
comment on table akashi_auth.approval_confirmations is 'Who approved a request. No foreign key to the person: the record outlives the account.';
alter table akashi_auth.approval_confirmations enable row level security, force row level security;
create policy approval_confirmations_owner on akashi_auth.approval_confirmations to akashi_owner using (true) with check (true);
create policy approval_confirmations_staff on akashi_auth.approval_confirmations for select to akashi_worker, akashi_security_admin using (true);
create policy approval_confirmations_app on akashi_auth.approval_confirmations for select to akashi_app
  using ((select akashi_auth.has_permission('approvals:read')));
grant select on akashi_auth.approval_confirmations to akashi_app, akashi_worker, akashi_security_admin;
select akashi_audit.protect('akashi_auth.approval_confirmations', 'confidential', 'user_id');

-- The permission that requesting and approving an action require.
create function akashi_auth.approval_permission(action text) returns text
  language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case action
    when 'release_hold' then 'lifecycle:admin'
    when 'shorten_retention' then 'lifecycle:write'
    when 'retire_rows' then 'lifecycle:admin'
    when 'prune_backups' then 'backup:admin'
    when 'erase_person' then 'keys:admin'
    when 'lower_approval' then 'auth_config:admin' end
$$;

-- The name of the caller in the record: the id of the user, else the subject of the context, else the login.
create function akashi_auth.acting_name() returns text
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(akashi_auth.current_user_id()::text,
    case when akashi_auth.context_application() = 'akashi' then nullif(current_setting('app.subject', true), '') end, session_user)
$$;

-- Whether the caller is a person in their own session, with a recent confirmation.
create function akashi_auth.confirmed_person() returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from akashi_auth.user_sessions s
    where s.id = akashi_auth.current_session_id() and s.user_id = akashi_auth.current_user_id()
      and s.revoked_at is null and s.expires_at > now()
      and s.authenticated_at > now() - akashi_auth.policy_minutes('session.step_up_minutes')
      and (s.security_validated or not akashi_auth.needs_factor(s.user_id)))
$$;

-- Whether a person has had a permission, and their present credentials, long enough to approve with it. Otherwise whoever
-- administers accounts could create the second approver.
create function akashi_auth.is_settled(person uuid, permission text) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with since as (
    select now() - make_interval(hours => (akashi_auth.policy('approval.settling_hours'))::integer) as at
  )
  select exists (
    select from since, akashi_auth.users u
    join akashi_auth.user_roles ur on ur.user_id = u.id
    join akashi_auth.role_permissions rp on rp.role_id = ur.role_id
    join akashi_auth.permissions p on p.id = rp.permission_id
    where u.id = person and u.is_active and p.resource = split_part(permission, ':', 1)
      and p.action in (split_part(permission, ':', 2), 'admin')
      and (ur.expires_at is null or ur.expires_at > now())
      and greatest(ur.assigned_at, rp.granted_at, u.credentials_replaced_at) <= since.at)
$$;

-- Approves for the caller. Returns false if the caller is no person in a session, or is not settled.
create function akashi_auth.add_confirmation(approval akashi_auth.approvals) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  permission constant text := akashi_auth.approval_permission(approval.action);
begin
  if not akashi_auth.confirmed_person() or not akashi_auth.has_permission(permission)
     or not akashi_auth.is_settled(akashi_auth.current_user_id(), permission) then
    return false;
  end if;
  insert into akashi_auth.approval_confirmations (approval_id, user_id) values (approval.id, akashi_auth.current_user_id())
  on conflict do nothing;
  if not found then
    raise exception 'you have already approved this' using errcode = 'AK003', hint = 'another person must approve it too';
  end if;
  return true;
end
$$;

create function akashi_auth.record_approval(event text, approval akashi_auth.approvals) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  select akashi_security.record_event(event_type => event, event_category => 'authorization', severity => 'high',
    source_service => 'akashi', resource_type => 'approval', resource_id => approval.id::text, action_performed => approval.action,
    result => 'success', ocsf_class_uid => 3005, event_details => jsonb_build_object('action', approval.action,
      'target', approval.target, 'detail', approval.detail, 'reason', approval.reason, 'requested_by', approval.requested_by))
$$;

create function akashi_auth.request_approval(action text, target text, detail jsonb, reason text) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  permission constant text := akashi_auth.approval_permission(action);
  made akashi_auth.approvals;
begin
  if permission is null then
    raise exception '% is not an action that can be approved', action using errcode = 'invalid_parameter_value',
      hint = 'use release_hold, shorten_retention, retire_rows, prune_backups, erase_person or lower_approval';
  end if;
  perform akashi_auth.require_permission(permission);
  if coalesce(reason, '') !~ '\S' then
    raise exception 'a request for approval needs a reason' using errcode = 'invalid_parameter_value', hint = 'state the reason';
  end if;
  if action = 'shorten_retention' then
    if (detail ->> 'total')::interval is null or coalesce(detail ->> 'at_expiry', '') not in ('archive', 'retire') then
      raise exception 'shorten_retention needs total and at_expiry' using errcode = 'invalid_parameter_value',
        hint = 'total is an interval such as 800 days, at_expiry is archive or retire';
    end if;
  elsif detail <> '{}' then
    raise exception 'only shorten_retention has a detail' using errcode = 'invalid_parameter_value';
  end if;
  if (action in ('prune_backups', 'lower_approval')) <> (target = '') then
    raise exception '% %', action, case when target = '' then 'needs a target' else 'has no target' end
      using errcode = 'invalid_parameter_value', hint = 'a table as schema.table, or the id of a user';
  end if;
  insert into akashi_auth.approvals (action, target, detail, reason, requested_by, expires_at)
  values (request_approval.action, request_approval.target, request_approval.detail, request_approval.reason, akashi_auth.acting_name(),
    clock_timestamp() + make_interval(hours => (akashi_auth.policy('approval.lifetime_hours'))::integer))
  returning * into made;
  -- A requester in a session approves by requesting.
  perform akashi_auth.add_confirmation(made);
  perform akashi_auth.record_approval('approval_requested', made);
  return made.id;
end
$$;

-- Locks and returns a request that can still be decided.
create function akashi_auth.open_approval(approval uuid) returns akashi_auth.approvals
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_row akashi_auth.approvals;
begin
  select * into found_row from akashi_auth.approvals a where a.id = approval for update;
  if not found then
    raise exception 'approval not found: %', approval using errcode = 'no_data_found';
  end if;
  perform akashi_auth.require_permission(akashi_auth.approval_permission(found_row.action));
  if found_row.used_at is not null or found_row.withdrawn_at is not null or found_row.expires_at <= clock_timestamp() then
    raise exception 'the approval was used, withdrawn or has expired' using errcode = 'AK003', hint = 'request it again';
  end if;
  return found_row;
end
$$;

create function akashi_auth.confirm_approval(approval uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  opened constant akashi_auth.approvals := akashi_auth.open_approval(approval);
begin
  if not akashi_auth.add_confirmation(opened) then
    raise exception 'you cannot approve this yet' using errcode = 'insufficient_privilege',
      hint = format('approving takes a session with a recent confirmation, and the permission and one''s present credentials for %s hours', akashi_auth.policy('approval.settling_hours'));
  end if;
  perform akashi_auth.record_approval('approval_given', opened);
end
$$;

-- Withdraws a request: by its requester, or by somebody who could approve it and refuses.
create function akashi_auth.withdraw_approval(approval uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  opened constant akashi_auth.approvals := akashi_auth.open_approval(approval);
begin
  update akashi_auth.approvals a set withdrawn_at = clock_timestamp(), withdrawn_by = akashi_auth.acting_name() where a.id = opened.id;
  perform akashi_auth.record_approval('approval_withdrawn', opened);
end
$$;

-- How many people have approved a request and are still allowed to.
create function akashi_auth.approving(approval akashi_auth.approvals) returns bigint
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select count(*) from akashi_auth.approval_confirmations c
  where c.approval_id = approval.id
    and akashi_auth.is_settled(c.user_id, akashi_auth.approval_permission(approval.action))
$$;

-- The id of a valid approval by enough people, or null.
create function akashi_auth.approval_of(action text, target text, detail jsonb default '{}') returns uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select a.id from akashi_auth.approvals a
  where a.action = approval_of.action and a.target = approval_of.target
    and a.used_at is null and a.withdrawn_at is null and a.expires_at > clock_timestamp()
    and (a.action <> 'shorten_retention' or (a.detail ->> 'at_expiry' = approval_of.detail ->> 'at_expiry'
      and (a.detail ->> 'total')::interval <= (approval_of.detail ->> 'total')::interval))
    and akashi_auth.approving(a) >= (akashi_auth.policy('approval.people'))::integer
  order by a.requested_at limit 1
$$;

-- Whether an operation may be carried out now: no approval is required, or there is one.
create function akashi_auth.is_approved(action text, target text) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select (akashi_auth.policy('approval.people'))::integer <= 1 or akashi_auth.approval_of(action, target) is not null
$$;

create function akashi_auth.refuse_unapproved(action text, target text) returns void
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '% people must approve this', akashi_auth.policy('approval.people') using errcode = 'AK003',
    hint = format('request it with akashi approvals request %s %s, or POST /v1/approvals', action, target);
end
$$;

-- Fails unless the operation is approved, where approval is required. The approval stays valid until it expires.
create function akashi_auth.require_approval(action text, target text) returns void
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not akashi_auth.is_approved(action, target) then
    perform akashi_auth.refuse_unapproved(action, target);
  end if;
end
$$;

-- As require_approval(), and uses the approval up.
create function akashi_auth.use_approval(action text, target text, detail jsonb default '{}') returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  used akashi_auth.approvals;
begin
  if (akashi_auth.policy('approval.people'))::integer <= 1 then
    return;
  end if;
  update akashi_auth.approvals a set used_at = clock_timestamp(), used_by = akashi_auth.acting_name()
  where a.id = akashi_auth.approval_of(use_approval.action, use_approval.target, use_approval.detail) and a.used_at is null and a.withdrawn_at is null
  returning * into used;
  if used.id is null then
    perform akashi_auth.refuse_unapproved(action, target);
  end if;
  perform akashi_auth.record_approval('approval_used', used);
end
$$;

-- The hold and retention of backups, and the limits on the retention of logs, are settings; changing them needs approval too.
create function akashi_auth.approve_setting() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if new.key = 'backup.hold' and old.value = 'true' and new.value = 'false' then
    perform akashi_auth.use_approval('release_hold', new.key);
  elsif new.key in ('backup.retention_days', 'backup.audit_near_days', 'backup.audit_cold_days', 'retention.floor_days',
        'retention.shortening_delay_days') and new.value < old.value then
    perform akashi_auth.use_approval('shorten_retention', new.key,
      jsonb_build_object('total', make_interval(days => new.value::integer), 'at_expiry', 'retire'));
  end if;
  return new;
end
$$;
create trigger approve_setting before update on akashi_lifecycle.settings for each row execute function akashi_auth.approve_setting();

grant execute on function akashi_auth.request_approval(text, text, jsonb, text), akashi_auth.confirm_approval(uuid),
  akashi_auth.withdraw_approval(uuid) to akashi_app;
grant execute on function akashi_auth.approving(akashi_auth.approvals) to akashi_app, akashi_security_admin;
grant execute on function akashi_auth.is_approved(text, text), akashi_auth.require_approval(text, text) to akashi_worker, akashi_security_admin;
