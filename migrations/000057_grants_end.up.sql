-- Nothing that is given lasts longer than what the giver has: somebody who administers until Friday gives
-- roles until Friday, and puts nothing into roles, since those have no end. What counts is the end of every
-- right that the gift takes at the moment of giving; a key acts with the ends of its owner's roles.
set local role akashi_owner;

-- Until when the caller has every one of these permissions and a role of the tier; infinity is for good,
-- -infinity not at all.
create function auth.caller_until(permissions text[], tier text) returns timestamptz
  language plpgsql stable security definer set search_path = '' as $$
declare
  key auth.api_keys;
  caller uuid := auth.current_user_id();
  ends timestamptz;
begin
  if auth.is_administrator() then
    return 'infinity';
  end if;
  select * into key from auth.api_keys k where k.id = auth.current_session_id();
  if found then
    caller := key.user_id;
  end if;
  with held as (
    select r.id, r.tier, coalesce(g.expires_at, 'infinity') as until
    from (select ur.role_id, ur.expires_at from auth.user_roles ur where ur.user_id = caller
          union all
          select sr.role_id, sr.expires_at from auth.service_account_roles sr
          where sr.service_account_id = key.service_account_id) g
    join auth.roles r on r.id = g.role_id
    where g.expires_at is null or g.expires_at > now()
  ), needed as (
    select coalesce(max(held.until), '-infinity') as until from held
    where auth.tier_rank(held.tier) >= auth.tier_rank(caller_until.tier)
    union all
    select coalesce((
      select max(held.until) from held
      join auth.role_permissions rp on rp.role_id = held.id join auth.permissions p on p.id = rp.permission_id
      where p.resource = split_part(wanted.permission, ':', 1) and p.action in (split_part(wanted.permission, ':', 2), 'admin')
    ), '-infinity')
    from unnest(caller_until.permissions) as wanted (permission)
  )
  select min(needed.until) into ends from needed;
  return ends;
end
$$;

-- Fails when what is given, until null for good, would last longer than the caller's own.
create function auth.refuse_longer(until timestamptz, permissions text[], tier text) returns void
  language plpgsql stable security definer set search_path = '' as $$
declare
  own constant timestamptz := auth.caller_until(permissions, tier);
begin
  if coalesce(until, 'infinity') > own then
    raise exception 'this would last longer than what the caller has, which ends %', own using errcode = 'insufficient_privilege',
      hint = 'give it an end no later than that, or let somebody give it who has it for good';
  end if;
end
$$;

create function auth.refuse_longer_role(role auth.roles, until timestamptz) returns void
  language sql stable security definer set search_path = '' as $$
  select auth.refuse_longer(until, array(
    select 'roles:write' union
    select p.resource || ':' || p.action from auth.role_permissions rp join auth.permissions p on p.id = rp.permission_id
    where rp.role_id = role.id), role.tier)
$$;

create or replace function auth.grant_role(user_id uuid, role_name text, expires_at timestamptz default null) returns uuid
  language plpgsql security definer set search_path = '' as $$
declare
  role constant auth.roles := auth.role_to_grant(role_name);
  grant_id uuid;
begin
  if grant_role.user_id = auth.current_user_id() then
    raise exception 'nobody gives a role to themselves' using errcode = 'insufficient_privilege',
      hint = 'somebody else has to do it';
  end if;
  if grant_role.expires_at <= now() then
    raise exception 'the end of a role is in the past' using errcode = 'invalid_parameter_value';
  end if;
  perform auth.refuse_longer_role(role, grant_role.expires_at);
  if not exists (select from auth.users u where u.id = grant_role.user_id and not u.is_deleted) then
    raise exception 'there is no user %', grant_role.user_id using errcode = 'no_data_found';
  end if;
  insert into auth.user_roles as ur (user_id, role_id, assigned_by, expires_at)
  values (grant_role.user_id, role.id, auth.current_user_id(), grant_role.expires_at)
  on conflict on constraint user_roles_user_id_role_id_key do update
    set assigned_by = excluded.assigned_by, assigned_at = now(), expires_at = excluded.expires_at
  returning ur.id into grant_id;
  perform auth.record_grant('role_granted', role, 'user', grant_role.user_id, jsonb_build_object('expires_at', grant_role.expires_at));
  return grant_id;
end
$$;

create or replace function auth.grant_service_role(account_name text, role_name text, expires_at timestamptz default null) returns uuid
  language plpgsql security definer set search_path = '' as $$
declare
  account constant auth.service_accounts := auth.service_account_named(account_name);
  role constant auth.roles := auth.role_to_grant(role_name);
  grant_id uuid;
begin
  if exists (select from auth.api_keys k where k.id = auth.current_session_id() and k.service_account_id = account.id) then
    raise exception 'nobody gives a role to themselves' using errcode = 'insufficient_privilege',
      hint = 'somebody else has to do it';
  end if;
  if grant_service_role.expires_at <= now() then
    raise exception 'the end of a role is in the past' using errcode = 'invalid_parameter_value';
  end if;
  perform auth.refuse_longer_role(role, grant_service_role.expires_at);
  insert into auth.service_account_roles as sr (service_account_id, role_id, assigned_by, expires_at)
  values (account.id, role.id, auth.current_user_id(), grant_service_role.expires_at)
  on conflict on constraint service_account_roles_service_account_id_role_id_key do update
    set assigned_by = excluded.assigned_by, assigned_at = now(), expires_at = excluded.expires_at
  returning sr.id into grant_id;
  perform auth.record_grant('role_granted', role, 'service_account', account.id, jsonb_build_object('expires_at', grant_service_role.expires_at));
  return grant_id;
end
$$;

create or replace function auth.grant_permission(role_name text, permission text) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  role auth.roles;
begin
  perform auth.require_permission('roles:admin');
  select * into role from auth.roles r where r.name = role_name for no key update;
  if not found then
    raise exception 'there is no role %', role_name using errcode = 'undefined_object', hint = 'akashi roles list shows them';
  end if;
  perform auth.refuse_tier(role.tier);
  if not auth.is_administrator() and not auth.has_permission(permission) then
    raise exception 'the caller does not have %', permission using errcode = 'insufficient_privilege',
      hint = 'give only what you have yourself';
  end if;
  perform auth.refuse_longer(null, array['roles:admin', permission], role.tier);
  insert into auth.role_permissions (role_id, permission_id) values (role.id, auth.permission_id(permission))
  on conflict on constraint role_permissions_role_id_permission_id_key do nothing;
end
$$;

create or replace function auth.set_policy(key text, value jsonb) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  before jsonb;
begin
  perform auth.require_permission('auth_config:write');
  select p.value into before from auth.security_policies p where p.key = set_policy.key for update;
  if not found then
    raise exception 'there is no policy %', set_policy.key using errcode = 'undefined_object';
  end if;
  if before = set_policy.value then
    return;
  end if;
  -- It is given to whoever comes, for good.
  if set_policy.key = 'account.default_role' and set_policy.value #>> '{}' <> '' then
    perform auth.refuse_longer_role(auth.role_to_grant(set_policy.value #>> '{}'), null);
  end if;
  update auth.security_policies p set value = set_policy.value where p.key = set_policy.key;
  perform security.record_event(event_type => 'policy_changed', event_category => 'configuration', severity => 'medium',
    source_service => 'akashi', resource_type => 'policy', resource_id => set_policy.key, action_performed => 'update',
    result => 'success', ocsf_class_uid => 3004, event_details => jsonb_build_object('old', before, 'new', set_policy.value));
end
$$;
