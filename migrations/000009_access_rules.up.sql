-- Granting of roles and permissions. Login roles do not write these tables: these functions do, after checking the
-- caller with akashi_auth.has_permission. Nobody gains a higher tier:
--
--   a role contains only permissions of its tier or lower         (trigger, also for the owner)
--   a tier never changes                                          (trigger)
--   a caller grants only roles of their own tier or lower, and only permissions that they have themselves
--   users cannot grant anything to themselves
--   an API key's scopes and tier are within those of its owner and its creator
--
-- A database administrator without a signed context may do all of this.
set local role akashi_owner;

create function akashi_auth.is_administrator() returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(akashi_auth.context_application(), 'akashi') = 'akashi'
    and akashi_auth.current_user_id() is null and akashi_auth.current_session_id() is null
    and pg_has_role(akashi_auth.acting_role(), 'akashi_owner', 'member')
$$;
comment on function akashi_auth.is_administrator() is 'Whether the caller is a database administrator without a signed context.';

create function akashi_auth.require_permission(permission text) returns void
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not akashi_auth.is_administrator() and not akashi_auth.has_permission(permission) then
    raise exception 'the permission % is required', permission using errcode = 'insufficient_privilege',
      hint = 'ask somebody who may grant roles';
  end if;
end
$$;
comment on function akashi_auth.require_permission(text) is 'Fails unless the caller has the permission, or administers the database.';

-- The highest tier of the active roles: 3 system, 2 business, 1 service, 0 none.
create function akashi_auth.user_rank(user_id uuid) returns integer
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(max(akashi_auth.tier_rank(r.tier)), 0)
  from akashi_auth.user_roles ur
  join akashi_auth.roles r on r.id = ur.role_id
  join akashi_auth.users u on u.id = ur.user_id
  where ur.user_id = user_rank.user_id and u.is_active and (ur.expires_at is null or ur.expires_at > now())
$$;

create function akashi_auth.service_account_rank(service_account_id uuid) returns integer
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(max(akashi_auth.tier_rank(r.tier)), 0)
  from akashi_auth.service_account_roles sr
  join akashi_auth.roles r on r.id = sr.role_id
  join akashi_auth.service_accounts a on a.id = sr.service_account_id
  where sr.service_account_id = service_account_rank.service_account_id and a.is_active
    and (sr.expires_at is null or sr.expires_at > now())
$$;

create function akashi_auth.caller_rank() returns integer
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  key akashi_auth.api_keys;
begin
  if akashi_auth.is_administrator() then
    return akashi_auth.tier_rank('system');
  end if;
  select * into key from akashi_auth.api_keys k where k.id = akashi_auth.current_session_id();
  if found then
    return least(akashi_auth.tier_rank(key.tier), case when key.user_id is null
      then akashi_auth.service_account_rank(key.service_account_id) else akashi_auth.user_rank(key.user_id) end);
  end if;
  return akashi_auth.user_rank(akashi_auth.current_user_id());
end
$$;

create function akashi_auth.refuse_tier(tier text) returns void
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if akashi_auth.tier_rank(tier) is null then
    raise exception '% is not a tier', tier using errcode = 'invalid_parameter_value', hint = 'use system, business or service';
  end if;
  if akashi_auth.tier_rank(tier) > akashi_auth.caller_rank() then
    raise exception 'the tier % is above the caller''s own', tier using errcode = 'insufficient_privilege',
      hint = 'somebody of that tier has to do this';
  end if;
end
$$;

-- The role of that name if the caller may grant it. Locked, so that it gains no permissions meanwhile.
create function akashi_auth.role_to_grant(role_name text) returns akashi_auth.roles
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  role akashi_auth.roles;
  missing text;
begin
  perform akashi_auth.require_permission('roles:write');
  select * into role from akashi_auth.roles r where r.name = role_name for share;
  if not found then
    raise exception 'role not found: %', role_name using errcode = 'undefined_object', hint = 'list them with akashi roles list';
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  if not akashi_auth.is_administrator() then
    select p.resource || ':' || p.action into missing
    from akashi_auth.role_permissions rp join akashi_auth.permissions p on p.id = rp.permission_id
    where rp.role_id = role.id and not akashi_auth.has_permission(p.resource || ':' || p.action)
    order by 1 limit 1;
    if found then
      raise exception 'the role % has %, which the caller does not have', role_name, missing
        using errcode = 'insufficient_privilege', hint = 'you can grant only what you have yourself';
    end if;
  end if;
  return role;
end
$$;

create function akashi_auth.record_grant(event text, role akashi_auth.roles, target_type text, target_id uuid, detail jsonb) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_audit.record_action(event, case event when 'role_granted' then 'grant' else 'revoke' end, 'role', role.name,
    'SUCCESS', detail || jsonb_build_object(target_type, target_id, 'tier', role.tier),
    data_subject => case target_type when 'user' then target_id::text end);
  perform akashi_security.record_event(event_type => event, event_category => 'authorization',
    severity => case when event = 'role_revoked' then 'low' when role.tier = 'system' then 'high' when role.tier = 'business' then 'medium' else 'info' end,
    source_service => 'akashi', resource_type => target_type, resource_id => target_id::text,
    action_performed => event, result => 'success', ocsf_class_uid => 3005,
    event_details => detail || jsonb_build_object('role', role.name, 'tier', role.tier));
end
$$;

-- A grant never lasts longer than the rights of the grantor: an administrator whose role ends on Friday grants roles
-- until Friday, and adds nothing to roles, since those have no end. The earliest end of the rights that the grant
-- requires counts; a key ends with its owner's roles.

-- Until when the caller has all of these permissions and a role of the tier; infinity without an end, -infinity if not
-- at all.
create function akashi_auth.caller_until(permissions text[], tier text) returns timestamptz
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  key akashi_auth.api_keys;
  caller uuid := akashi_auth.current_user_id();
  ends timestamptz;
begin
  if akashi_auth.is_administrator() then
    return 'infinity';
  end if;
  select * into key from akashi_auth.api_keys k where k.id = akashi_auth.current_session_id();
  if found then
    caller := key.user_id;
  end if;
  with held as (
    select r.id, r.tier, coalesce(g.expires_at, 'infinity') as until
    from (select ur.role_id, ur.expires_at from akashi_auth.user_roles ur where ur.user_id = caller
          union all
          select sr.role_id, sr.expires_at from akashi_auth.service_account_roles sr
          where sr.service_account_id = key.service_account_id) g
    join akashi_auth.roles r on r.id = g.role_id
    where g.expires_at is null or g.expires_at > now()
  ), needed as (
    select coalesce(max(held.until), '-infinity') as until from held
    where akashi_auth.tier_rank(held.tier) >= akashi_auth.tier_rank(caller_until.tier)
    union all
    select coalesce((
      select max(held.until) from held
      join akashi_auth.role_permissions rp on rp.role_id = held.id join akashi_auth.permissions p on p.id = rp.permission_id
      where p.resource = split_part(wanted.permission, ':', 1) and p.action in (split_part(wanted.permission, ':', 2), 'admin')
    ), '-infinity')
    from unnest(caller_until.permissions) as wanted (permission)
  )
  select min(needed.until) into ends from needed;
  return ends;
end
$$;

-- Fails when a grant (until null without an end) would outlast the caller's own rights.
create function akashi_auth.refuse_longer(until timestamptz, permissions text[], tier text) returns void
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  own constant timestamptz := akashi_auth.caller_until(permissions, tier);
begin
  if coalesce(until, 'infinity') > own then
    raise exception 'this would last longer than the caller''s own rights, which end %', own using errcode = 'insufficient_privilege',
      hint = 'set an earlier expiry, or let a user grant it whose own role does not expire';
  end if;
end
$$;

create function akashi_auth.refuse_longer_role(role akashi_auth.roles, until timestamptz) returns void
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select akashi_auth.refuse_longer(until, array(
    select 'roles:write' union
    select p.resource || ':' || p.action from akashi_auth.role_permissions rp join akashi_auth.permissions p on p.id = rp.permission_id
    where rp.role_id = role.id), role.tier)
$$;

-- Grants a role to a user, or changes when the grant expires. Returns the grant's id.
create function akashi_auth.grant_role(user_id uuid, role_name text, expires_at timestamptz default null) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  role constant akashi_auth.roles := akashi_auth.role_to_grant(role_name);
  grant_id uuid;
begin
  if grant_role.user_id = akashi_auth.current_user_id() then
    raise exception 'users cannot grant roles to themselves' using errcode = 'insufficient_privilege',
      hint = 'somebody else has to do this';
  end if;
  if grant_role.expires_at <= now() then
    raise exception 'the expiry of a role is in the past' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_auth.refuse_longer_role(role, grant_role.expires_at);
  if not exists (select from akashi_auth.users u where u.id = grant_role.user_id and not u.is_deleted) then
    raise exception 'user not found: %', grant_role.user_id using errcode = 'no_data_found';
  end if;
  insert into akashi_auth.user_roles as ur (user_id, role_id, assigned_by, expires_at)
  values (grant_role.user_id, role.id, akashi_auth.current_user_id(), grant_role.expires_at)
  on conflict on constraint user_roles_user_id_role_id_key do update
    set assigned_by = excluded.assigned_by, assigned_at = now(), expires_at = excluded.expires_at
  returning ur.id into grant_id;
  perform akashi_auth.record_grant('role_granted', role, 'user', grant_role.user_id, jsonb_build_object('expires_at', grant_role.expires_at));
  return grant_id;
end
$$;
comment on function akashi_auth.grant_role(uuid, text, timestamptz) is
  'Grants a user a role of the caller''s tier or a lower one, with only permissions that the caller has; never to the caller.';

-- Revokes a role from a user; false when they did not have it. The last administrator is kept.
create function akashi_auth.revoke_role(user_id uuid, role_name text) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  role akashi_auth.roles;
begin
  perform akashi_auth.require_permission('roles:write');
  -- Serialised per role, so that two callers cannot revoke the last two together.
  select * into role from akashi_auth.roles r where r.name = role_name for no key update;
  if not found then
    raise exception 'role not found: %', role_name using errcode = 'undefined_object', hint = 'list them with akashi roles list';
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  delete from akashi_auth.user_roles ur where ur.user_id = revoke_role.user_id and ur.role_id = role.id;
  if not found then
    return false;
  end if;
  if role.name = 'sys_admin' and not exists (
    select from akashi_auth.user_roles ur join akashi_auth.users u on u.id = ur.user_id
    where ur.role_id = role.id and u.is_active and (ur.expires_at is null or ur.expires_at > now())
  ) then
    raise exception 'the last sys_admin cannot be removed' using errcode = 'AK003', hint = 'grant the role to another user first';
  end if;
  perform akashi_auth.record_grant('role_revoked', role, 'user', revoke_role.user_id, '{}');
  return true;
end
$$;

-- The default role of new users, by policy. Called by functions that create users, never by a login role.
create function akashi_auth.assign_default_role(user_id uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  role akashi_auth.roles;
begin
  select * into role from akashi_auth.roles r where r.name = akashi_auth.policy('account.default_role') #>> '{}';
  if found and role.tier <> 'service' then
    raise exception 'the default role % is not of the service tier', role.name using errcode = 'AK003',
      hint = 'set the policy account.default_role to one that is';
  end if;
  if found then
    insert into akashi_auth.user_roles (user_id, role_id) values (assign_default_role.user_id, role.id)
    on conflict on constraint user_roles_user_id_role_id_key do nothing;
  end if;
end
$$;

create function akashi_auth.create_role(name text, tier text, description text default null) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  role_id uuid;
begin
  perform akashi_auth.require_permission('roles:admin');
  perform akashi_auth.refuse_tier(tier);
  insert into akashi_auth.roles (name, tier, description) values (create_role.name, create_role.tier, create_role.description)
  returning id into role_id;
  return role_id;
end
$$;

-- Deletes a role and its grants. Built-in roles cannot be deleted.
create function akashi_auth.delete_role(role_name text) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  role akashi_auth.roles;
begin
  perform akashi_auth.require_permission('roles:delete');
  select * into role from akashi_auth.roles r where r.name = role_name for update;
  if not found then
    return false;
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  if role.name in ('sys_admin', 'sys_operator', 'sys_auditor', 'security_admin', 'viewer') then
    raise exception 'the role % is built in', role_name using errcode = 'AK003', hint = 'revoke its grants instead';
  end if;
  delete from akashi_auth.roles r where r.id = role.id;
  return true;
end
$$;

create function akashi_auth.permission_id(permission text) returns uuid
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_id uuid;
begin
  select p.id into found_id from akashi_auth.permissions p
  where p.resource = split_part(permission, ':', 1) and p.action = split_part(permission, ':', 2);
  if not found then
    raise exception 'permission not found: %', permission using errcode = 'undefined_object',
      hint = 'list them with akashi roles permissions';
  end if;
  return found_id;
end
$$;

-- Adds a permission to a role.
create function akashi_auth.grant_permission(role_name text, permission text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  role akashi_auth.roles;
begin
  perform akashi_auth.require_permission('roles:admin');
  select * into role from akashi_auth.roles r where r.name = role_name for no key update;
  if not found then
    raise exception 'role not found: %', role_name using errcode = 'undefined_object', hint = 'list them with akashi roles list';
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  if not akashi_auth.is_administrator() and not akashi_auth.has_permission(permission) then
    raise exception 'the caller does not have %', permission using errcode = 'insufficient_privilege',
      hint = 'you can grant only what you have yourself';
  end if;
  perform akashi_auth.refuse_longer(null, array['roles:admin', permission], role.tier);
  insert into akashi_auth.role_permissions (role_id, permission_id) values (role.id, akashi_auth.permission_id(permission))
  on conflict on constraint role_permissions_role_id_permission_id_key do nothing;
end
$$;

-- Removes a permission from a role; false when it was not there.
create function akashi_auth.revoke_permission(role_name text, permission text) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  role akashi_auth.roles;
begin
  perform akashi_auth.require_permission('roles:admin');
  select * into role from akashi_auth.roles r where r.name = role_name for no key update;
  if not found then
    raise exception 'role not found: %', role_name using errcode = 'undefined_object', hint = 'list them with akashi roles list';
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  if role.name = 'sys_admin' then
    raise exception 'sys_admin always has every permission' using errcode = 'AK003', hint = 'create a role with fewer permissions instead';
  end if;
  delete from akashi_auth.role_permissions rp where rp.role_id = role.id and rp.permission_id = akashi_auth.permission_id(permission);
  return found;
end
$$;

-- The caller's permissions as resource:action: those of their roles, limited by an API key.
create function akashi_auth.current_permissions() returns setof text
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select p.resource || ':' || p.action from akashi_auth.permissions p
  where akashi_auth.has_permission(p.resource || ':' || p.action) order by 1
$$;

create function akashi_auth.set_policy(key text, value jsonb) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  before jsonb;
begin
  perform akashi_auth.require_permission('auth_config:write');
  select p.value into before from akashi_auth.security_policies p where p.key = set_policy.key for update;
  if not found then
    raise exception 'policy not found: %', set_policy.key using errcode = 'undefined_object';
  end if;
  if before = set_policy.value then
    return;
  end if;
  if set_policy.key in ('approval.people', 'approval.settling_hours') and set_policy.value < before then
    perform akashi_auth.use_approval('lower_approval', '');
  end if;
  -- Every new user gets it, without an expiry.
  if set_policy.key = 'account.default_role' and set_policy.value #>> '{}' <> '' then
    perform akashi_auth.refuse_longer_role(akashi_auth.role_to_grant(set_policy.value #>> '{}'), null);
  end if;
  update akashi_auth.security_policies p set value = set_policy.value where p.key = set_policy.key;
  perform akashi_security.record_event(event_type => 'policy_changed', event_category => 'configuration', severity => 'medium',
    source_service => 'akashi', resource_type => 'policy', resource_id => set_policy.key, action_performed => 'update',
    result => 'success', ocsf_class_uid => 3004, event_details => jsonb_build_object('old', before, 'new', set_policy.value));
end
$$;

create function akashi_auth.create_service_account(name text, tier text default 'service', description text default null,
  roles text[] default '{}') returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  account_id uuid;
  role_name text;
begin
  perform akashi_auth.require_permission('api_keys:write');
  perform akashi_auth.refuse_tier(tier);
  insert into akashi_auth.service_accounts (name, tier, description)
  values (create_service_account.name, create_service_account.tier, create_service_account.description)
  returning id into account_id;
  foreach role_name in array roles loop
    perform akashi_auth.grant_service_role(create_service_account.name, role_name);
  end loop;
  return account_id;
end
$$;

-- The service account of that name if the caller may manage it.
create function akashi_auth.service_account_named(account_name text) returns akashi_auth.service_accounts
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  account akashi_auth.service_accounts;
begin
  perform akashi_auth.require_permission('api_keys:write');
  select * into account from akashi_auth.service_accounts a where a.name = account_name for no key update;
  if not found then
    raise exception 'service account not found: %', account_name using errcode = 'undefined_object';
  end if;
  perform akashi_auth.refuse_tier(account.tier);
  return account;
end
$$;

create function akashi_auth.set_service_account_active(account_name text, active boolean) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  account constant akashi_auth.service_accounts := akashi_auth.service_account_named(account_name);
begin
  update akashi_auth.service_accounts a set is_active = active where a.id = account.id;
end
$$;

create function akashi_auth.grant_service_role(account_name text, role_name text, expires_at timestamptz default null) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  account constant akashi_auth.service_accounts := akashi_auth.service_account_named(account_name);
  role constant akashi_auth.roles := akashi_auth.role_to_grant(role_name);
  grant_id uuid;
begin
  if exists (select from akashi_auth.api_keys k where k.id = akashi_auth.current_session_id() and k.service_account_id = account.id) then
    raise exception 'users cannot grant roles to themselves' using errcode = 'insufficient_privilege',
      hint = 'somebody else has to do this';
  end if;
  if grant_service_role.expires_at <= now() then
    raise exception 'the expiry of a role is in the past' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_auth.refuse_longer_role(role, grant_service_role.expires_at);
  insert into akashi_auth.service_account_roles as sr (service_account_id, role_id, assigned_by, expires_at)
  values (account.id, role.id, akashi_auth.current_user_id(), grant_service_role.expires_at)
  on conflict on constraint service_account_roles_service_account_id_role_id_key do update
    set assigned_by = excluded.assigned_by, assigned_at = now(), expires_at = excluded.expires_at
  returning sr.id into grant_id;
  perform akashi_auth.record_grant('role_granted', role, 'service_account', account.id, jsonb_build_object('expires_at', grant_service_role.expires_at));
  return grant_id;
end
$$;

create function akashi_auth.revoke_service_role(account_name text, role_name text) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  account constant akashi_auth.service_accounts := akashi_auth.service_account_named(account_name);
  role akashi_auth.roles;
begin
  perform akashi_auth.require_permission('roles:write');
  select * into role from akashi_auth.roles r where r.name = role_name;
  if not found then
    raise exception 'role not found: %', role_name using errcode = 'undefined_object', hint = 'list them with akashi roles list';
  end if;
  perform akashi_auth.refuse_tier(role.tier);
  delete from akashi_auth.service_account_roles sr where sr.service_account_id = account.id and sr.role_id = role.id;
  if not found then
    return false;
  end if;
  perform akashi_auth.record_grant('role_revoked', role, 'service_account', account.id, '{}');
  return true;
end
$$;

-- API keys. The application creates the key and stores only its SHA-256 and prefix. A key is created for oneself or
-- for a service account; a key for another person would act in their name.
create function akashi_auth.key_owner_has(key akashi_auth.api_keys, permission text) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select case when key.user_id is null then akashi_auth.service_account_has_permission(key.service_account_id, permission)
              else akashi_auth.user_has_permission(key.user_id, permission) end
$$;

-- Fails unless both owner and caller have every scope and the tier. `key` need not be stored yet.
create function akashi_auth.check_key(key akashi_auth.api_keys) returns void
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  scope text;
  scope_tier text;
begin
  if key.tier not in ('system', 'business', 'service') or akashi_auth.tier_rank(key.tier) > greatest(1,
      case when key.user_id is null then akashi_auth.service_account_rank(key.service_account_id) else akashi_auth.user_rank(key.user_id) end) then
    raise exception 'the tier % is above the owner''s own', key.tier using errcode = 'insufficient_privilege',
      hint = 'use a lower tier';
  end if;
  if key.tier <> 'service' then
    perform akashi_auth.refuse_tier(key.tier);
  end if;
  for scope in select jsonb_array_elements_text(key.permissions) loop
    select p.tier into scope_tier from akashi_auth.permissions p where p.id = akashi_auth.permission_id(scope);
    if not akashi_auth.key_owner_has(key, scope) then
      raise exception 'the owner of the key does not have %', scope using errcode = 'insufficient_privilege',
        hint = 'the scopes of a key must be within the permissions of its owner';
    end if;
    if akashi_auth.tier_rank(scope_tier) > akashi_auth.tier_rank(key.tier) then
      raise exception 'a key of the % tier cannot have %', key.tier, scope using errcode = 'insufficient_privilege',
        hint = 'give the key a higher tier';
    end if;
    if not akashi_auth.is_administrator() and not akashi_auth.has_permission(scope) then
      raise exception 'the caller does not have %', scope using errcode = 'insufficient_privilege',
        hint = 'you can grant only what you have yourself';
    end if;
  end loop;
end
$$;

-- Whether the caller is the key's owner, using a session and not another key.
create function akashi_auth.owns_key(key akashi_auth.api_keys) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(key.user_id = akashi_auth.current_user_id(), false)
    and not exists (select from akashi_auth.api_keys k where k.id = akashi_auth.current_session_id())
$$;

create function akashi_auth.create_api_key(
  name            text,
  key_hash        text,
  key_prefix      text,
  scopes          text[] default '{}',
  service_account text default null,
  owner           uuid default null,
  tier            text default null,
  service_name    text default null,
  expires_at      timestamptz default null
) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  key akashi_auth.api_keys;
  rank integer;
  active integer;
begin
  key.user_id := case when service_account is null then coalesce(owner, akashi_auth.current_user_id()) end;
  if service_account is not null then
    if owner is not null then
      raise exception 'a key can have only one owner' using errcode = 'invalid_parameter_value';
    end if;
    key.service_account_id := (akashi_auth.service_account_named(service_account)).id;
    rank := akashi_auth.service_account_rank(key.service_account_id);
  elsif key.user_id is null then
    raise exception 'a key needs an owner' using errcode = 'invalid_parameter_value', hint = 'name a user or a service account';
  elsif not akashi_auth.is_administrator() and key.user_id <> coalesce(akashi_auth.current_user_id(), '00000000-0000-0000-0000-000000000000') then
    raise exception 'users cannot create keys for another person' using errcode = 'insufficient_privilege',
      hint = 'create it for a service account';
  else
    if not akashi_auth.is_administrator() and not akashi_auth.owns_key(key) then
      perform akashi_auth.require_permission('api_keys:write');
    end if;
    -- Locked, so that the limit also holds for concurrent callers.
    perform from akashi_auth.users u where u.id = key.user_id and u.is_active for no key update;
    if not found then
      raise exception 'active user not found: %', key.user_id using errcode = 'no_data_found';
    end if;
    rank := akashi_auth.user_rank(key.user_id);
  end if;
  key.id := gen_random_uuid();
  key.tier := coalesce(create_api_key.tier, case least(rank, akashi_auth.caller_rank()) when 3 then 'system' when 2 then 'business' else 'service' end);
  key.permissions := to_jsonb(array(select distinct scope from unnest(scopes) scope order by scope));
  key.expires_at := coalesce(create_api_key.expires_at, now() + (akashi_auth.policy('api_key.default_lifetime_days')::text || ' days')::interval);
  if key.expires_at <= now() or key.expires_at > now() + (akashi_auth.policy('api_key.max_lifetime_days')::text || ' days')::interval then
    raise exception 'a key must expire within % days', akashi_auth.policy('api_key.max_lifetime_days')
      using errcode = 'invalid_parameter_value', hint = 'rotate it instead';
  end if;
  perform akashi_auth.check_key(key);
  select count(*) into active from akashi_auth.api_keys k
  where (k.user_id = key.user_id or k.service_account_id = key.service_account_id) and k.is_active and k.expires_at > now();
  if active >= akashi_auth.policy('api_key.max_per_owner')::integer then
    raise exception 'the owner already has % keys', active using errcode = 'AK003', hint = 'revoke unused keys';
  end if;
  insert into akashi_auth.api_keys (id, name, key_hash, key_prefix, service_name, tier, permissions, user_id, service_account_id,
    expires_at, created_by)
  values (key.id, create_api_key.name, create_api_key.key_hash, create_api_key.key_prefix,
    coalesce(create_api_key.service_name, service_account, 'user'), key.tier, key.permissions, key.user_id, key.service_account_id,
    key.expires_at, akashi_auth.current_user_id());
  perform akashi_audit.record_action('api_key_created', 'create', 'api_key', key.id::text, 'SUCCESS',
    jsonb_build_object('prefix', create_api_key.key_prefix, 'scopes', key.permissions, 'tier', key.tier, 'expires_at', key.expires_at),
    data_subject => key.user_id::text);
  return key.id;
end
$$;
comment on function akashi_auth.create_api_key is
  'Stores a key by its SHA-256. Its scopes and tier must be within those of owner and caller; owner is for administrators of the database.';

-- Creates the successor of a key with the same owner, scopes and lifetime. The old key remains valid for an overlap. A
-- key that rotates itself keeps its expiry; otherwise its holder could prolong it forever.
create function akashi_auth.rotate_api_key(key_id uuid, key_hash text, key_prefix text, overlap interval default null) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  key akashi_auth.api_keys;
  new_id constant uuid := gen_random_uuid();
  longest constant interval := (akashi_auth.policy('api_key.rotation_overlap_hours')::text || ' hours')::interval;
begin
  select * into key from akashi_auth.api_keys k where k.id = key_id for update;
  if not found then
    raise exception 'API key not found: %', key_id using errcode = 'no_data_found';
  end if;
  if not (akashi_auth.is_administrator() or akashi_auth.owns_key(key) or akashi_auth.current_session_id() is not distinct from key.id) then
    if key.user_id is not null and key.user_id is distinct from akashi_auth.current_user_id() then
      raise exception 'users cannot create keys for another person' using errcode = 'insufficient_privilege',
        hint = 'only the owner can rotate it; others can revoke it';
    end if;
    perform akashi_auth.require_permission('api_keys:write');
    perform akashi_auth.check_key(key);
  end if;
  if not key.is_active or key.expires_at <= now() then
    raise exception 'the key is revoked or has expired' using errcode = 'AK003', hint = 'create a new one';
  end if;
  if exists (select from akashi_auth.api_keys k where k.replaces = key.id and k.is_active) then
    raise exception 'the key was already rotated' using errcode = 'AK003', hint = 'rotate its successor';
  end if;
  if coalesce(overlap, longest) not between interval '0' and longest then
    raise exception 'an overlap can be at most %', longest using errcode = 'invalid_parameter_value';
  end if;
  insert into akashi_auth.api_keys (id, name, key_hash, key_prefix, service_name, tier, permissions, user_id, service_account_id,
    replaces, expires_at, created_by)
  values (new_id, key.name, rotate_api_key.key_hash, rotate_api_key.key_prefix, key.service_name, key.tier, key.permissions,
    key.user_id, key.service_account_id, key.id,
    case when akashi_auth.current_session_id() is not distinct from key.id then key.expires_at
      else now() + least(key.expires_at - key.created_at, (akashi_auth.policy('api_key.max_lifetime_days')::text || ' days')::interval) end,
    akashi_auth.current_user_id());
  update akashi_auth.api_keys k set expires_at = least(k.expires_at, now() + coalesce(overlap, longest)) where k.id = key.id;
  perform akashi_audit.record_action('api_key_rotated', 'rotate', 'api_key', key.id::text, 'SUCCESS',
    jsonb_build_object('successor', new_id, 'prefix', rotate_api_key.key_prefix), data_subject => key.user_id::text);
  return new_id;
end
$$;

-- Revokes a key and its successors immediately; false when they were already revoked or expired. Allowed for the
-- owner, the key itself and api_keys:delete.
create function akashi_auth.revoke_api_key(key_id uuid, reason text default null) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  key akashi_auth.api_keys;
begin
  select * into key from akashi_auth.api_keys k where k.id = key_id for update;
  if not found then
    raise exception 'API key not found: %', key_id using errcode = 'no_data_found';
  end if;
  if not (akashi_auth.is_administrator() or akashi_auth.owns_key(key) or akashi_auth.current_session_id() is not distinct from key.id) then
    perform akashi_auth.require_permission('api_keys:delete');
  end if;
  with recursive line as (
    select key.id as id union select k.id from akashi_auth.api_keys k join line on k.replaces = line.id)
  update akashi_auth.api_keys k set is_active = false, revoked_at = now()
  from line where k.id = line.id and k.is_active;
  if not found then
    return false;
  end if;
  perform akashi_audit.record_action('api_key_revoked', 'revoke', 'api_key', key.id::text, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('reason', reason)), data_subject => key.user_id::text);
  return true;
end
$$;

-- Revokes every key of a user; returns how many. The caller has checked the right to do so.
create function akashi_auth.revoke_api_keys_of(user_id uuid, reason text) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  ended integer;
begin
  update akashi_auth.api_keys k set is_active = false, revoked_at = now()
  where k.user_id = revoke_api_keys_of.user_id and k.is_active;
  get diagnostics ended = row_count;
  if ended > 0 then
    perform akashi_audit.record_action('api_key_revoked', 'revoke', 'user', revoke_api_keys_of.user_id::text, 'SUCCESS',
      jsonb_build_object('keys', ended, 'reason', reason), data_subject => revoke_api_keys_of.user_id::text);
  end if;
  return ended;
end
$$;
grant execute on function akashi_auth.revoke_api_keys_of(uuid, text) to akashi_worker;

-- Stores times of use, many at once; never moves a time back.
create function akashi_auth.touch_api_keys(key_ids uuid[], used_at timestamptz[]) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  update akashi_auth.api_keys k set last_used_at = used.at
  from (select id, max(at) as at from unnest(key_ids, used_at) as u (id, at) group by id) used
  where k.id = used.id and used.at <= now() + interval '1 minute' and (k.last_used_at is null or k.last_used_at < used.at)
$$;

grant create on schema akashi_auth to akashi_policy;
reset role;
set local role akashi_policy;

-- The owners of keys, by hash: one read for any number of callers. state is valid, revoked, expired or owner_inactive;
-- an unknown hash has no row.
create function akashi_auth.verify_api_keys(hashes text[])
  returns table (key_hash text, id uuid, name text, service_name text, tier text, permissions jsonb, user_id uuid,
                 service_account_id uuid, expires_at timestamptz, state text)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select k.key_hash, k.id, k.name, k.service_name, k.tier, k.permissions, k.user_id, k.service_account_id, k.expires_at,
         case when not k.is_active then 'revoked'
              when k.expires_at <= now() then 'expired'
              when not coalesce(u.is_active, a.is_active) then 'owner_inactive'
              else 'valid' end
  from akashi_auth.api_keys k
  left join akashi_auth.users u on u.id = k.user_id
  left join akashi_auth.service_accounts a on a.id = k.service_account_id
  where k.key_hash = any (hashes)
$$;

reset role;
revoke create on schema akashi_auth from akashi_policy;
grant execute on function akashi_auth.verify_api_keys(text[]) to akashi_app;
set local role akashi_owner;
grant execute on function akashi_auth.require_permission(text), akashi_auth.current_permissions(), akashi_auth.grant_role(uuid, text, timestamptz),
  akashi_auth.revoke_role(uuid, text), akashi_auth.create_role(text, text, text), akashi_auth.delete_role(text), akashi_auth.grant_permission(text, text),
  akashi_auth.revoke_permission(text, text), akashi_auth.set_policy(text, jsonb), akashi_auth.create_service_account(text, text, text, text[]),
  akashi_auth.set_service_account_active(text, boolean), akashi_auth.grant_service_role(text, text, timestamptz),
  akashi_auth.revoke_service_role(text, text), akashi_auth.create_api_key, akashi_auth.rotate_api_key(uuid, text, text, interval),
  akashi_auth.revoke_api_key(uuid, text), akashi_auth.touch_api_keys(uuid[], timestamptz[])
  to akashi_app;

-- Whether the caller is the server itself: it acts as the worker, which signs people in, and the context has no user.
create function akashi_auth.is_server() returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(akashi_auth.context_application(), 'akashi') = 'akashi'
    and akashi_auth.current_user_id() is null and akashi_auth.current_session_id() is null
    and pg_has_role(akashi_auth.acting_role(), 'akashi_worker', 'member')
$$;

-- Creates a user with the default role. For the server and users:write; a classification other than internal requires
-- users:admin.
create function akashi_auth.create_user(
  id uuid, issuer text, subject_encrypted bytea, subject_index bytea, username text, display_name text, email_encrypted bytea,
  email_index bytea, email_masked text, avatar_url text, account_status text, security_classification text, tenant_id text,
  compliance_tags jsonb
) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not akashi_auth.is_server() then
    perform akashi_auth.require_permission('users:write');
  end if;
  if create_user.security_classification <> 'internal' and not akashi_auth.is_server() then
    perform akashi_auth.require_permission('users:admin');
  end if;
  insert into akashi_auth.users (id, issuer, subject_encrypted, subject_index, username, display_name, email_encrypted, email_index,
    email_masked, avatar_url, account_status, security_classification, tenant_id, compliance_tags)
  values (create_user.id, create_user.issuer, create_user.subject_encrypted, create_user.subject_index, create_user.username,
    create_user.display_name, create_user.email_encrypted, create_user.email_index, create_user.email_masked,
    create_user.avatar_url, create_user.account_status, create_user.security_classification, create_user.tenant_id,
    create_user.compliance_tags);
  perform akashi_auth.assign_default_role(create_user.id);
end
$$;

-- The row of another user whom the caller may manage: existing, not erased, of no higher tier, and with no permission
-- above the service tier that the caller lacks. Locked.
create function akashi_auth.managed_user(user_id uuid, permission text) returns akashi_auth.users
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  person akashi_auth.users;
  missing text;
begin
  if not akashi_auth.is_server() then
    perform akashi_auth.require_permission(permission);
  end if;
  select * into person from akashi_auth.users u where u.id = user_id for no key update;
  if not found or person.is_deleted then
    raise exception 'user not found, or erased' using errcode = 'no_data_found';
  end if;
  if person.id = akashi_auth.current_user_id() then
    raise exception 'users cannot do this to themselves' using errcode = 'insufficient_privilege',
      hint = 'somebody else has to do this';
  end if;
  if not akashi_auth.is_server() and akashi_auth.user_rank(person.id) > akashi_auth.caller_rank() then
    raise exception 'the user is of a higher tier than the caller' using errcode = 'insufficient_privilege',
      hint = 'somebody of that tier has to do this';
  end if;
  if not akashi_auth.is_server() and not akashi_auth.is_administrator() then
    select p.resource || ':' || p.action into missing from akashi_auth.permissions p
    where p.tier <> 'service' and akashi_auth.user_has_permission(person.id, p.resource || ':' || p.action)
      and not akashi_auth.has_permission(p.resource || ':' || p.action)
    order by 1 limit 1;
    if found then
      raise exception 'the user has %, which the caller does not have', missing using errcode = 'insufficient_privilege',
        hint = 'somebody with this permission has to do this';
    end if;
  end if;
  return person;
end
$$;

-- changes: username, display_name, avatar_url; others stay unchanged. A missing e-mail stays unchanged, too.
create function akashi_auth.change_user(user_id uuid, changes jsonb, email_encrypted bytea, email_index bytea, email_masked text)
  returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- Users change only names of their own. An e-mail address is used for signing in and for notifications, so it is set
  -- by the administrator or provider that has verified it.
  if user_id is distinct from akashi_auth.current_user_id() or change_user.email_index is not null then
    perform akashi_auth.managed_user(user_id, 'users:write');
  end if;
  -- At sign-in it would be taken for an e-mail address.
  if user_id = akashi_auth.current_user_id() and changes ->> 'username' like '%@%' then
    raise exception 'a username chosen by its user cannot contain @' using errcode = 'invalid_parameter_value',
      hint = 'leave it out';
  end if;
  update akashi_auth.users u set
    username = case when changes ? 'username' then changes ->> 'username' else u.username end,
    display_name = case when changes ? 'display_name' then changes ->> 'display_name' else u.display_name end,
    avatar_url = case when changes ? 'avatar_url' then changes ->> 'avatar_url' else u.avatar_url end,
    email = case when change_user.email_index is null then u.email end,
    email_encrypted = coalesce(change_user.email_encrypted, u.email_encrypted),
    email_index = coalesce(change_user.email_index, u.email_index),
    email_masked = coalesce(change_user.email_masked, u.email_masked)
  where u.id = user_id and not u.is_deleted;
  if not found then
    raise exception 'user not found, or erased' using errcode = 'no_data_found';
  end if;
end
$$;

create function akashi_auth.set_account_status(user_id uuid, account_status text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_auth.managed_user(user_id, 'users:write');
  if set_account_status.account_status = 'deleted' then
    raise exception 'an account is deleted by erasing the person' using errcode = 'invalid_parameter_value',
      hint = 'use akashi keys shred; it cannot be undone';
  end if;
  update akashi_auth.users u set account_status = set_account_status.account_status where u.id = user_id;
end
$$;

create function akashi_auth.set_classification(user_id uuid, security_classification text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_auth.managed_user(user_id, 'users:admin');
  update akashi_auth.users u set security_classification = set_classification.security_classification where u.id = user_id;
end
$$;

grant execute on function akashi_auth.create_user, akashi_auth.change_user, akashi_auth.set_account_status(uuid, text), akashi_auth.set_classification(uuid, text)
  to akashi_app, akashi_worker;

-- Keys of contexts. Returns the ids of the present signing keys, by which a process checks that it has the keyring of
-- this database.
create function akashi_auth.active_context_keys() returns setof text
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select id from akashi_auth.context_keys where application = 'akashi' and expires_at is null
$$;
grant execute on function akashi_auth.active_context_keys() to akashi_app, akashi_worker, akashi_security_admin;

-- Makes this key the one that Akashi signs with. Signatures of the former keys remain valid for the overlap, until
-- every transaction has learned of the change; transactions that began with them continue.
create function akashi_auth.use_context_key(key_id text, secret bytea) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  overlap constant interval := '10 seconds';
  -- How long a replaced key remains for transactions that began with it.
  longest_transaction constant interval := '1 day';
  replaced text[];
begin
  lock table akashi_auth.context_keys in share row exclusive mode;
  if exists (select from akashi_auth.context_keys k where k.id = key_id and k.expires_at is not null) then
    raise exception 'the context key % was replaced', key_id using errcode = 'AK003',
      hint = 'the keyring is older than the database: use its newest copy, or run akashi keys rotate --purpose context';
  end if;
  delete from akashi_auth.context_keys k where k.expires_at < clock_timestamp() - longest_transaction;
  if exists (select from akashi_auth.context_keys k where k.id = key_id) then
    return;
  end if;
  with former as (
    update akashi_auth.context_keys k set expires_at = clock_timestamp() + overlap
    where k.application = 'akashi' and k.expires_at is null returning k.id
  ) select array_agg(id) into replaced from former;
  perform akashi_auth.add_context_key(key_id, secret, 'akashi', null);
  perform akashi_audit.record_action('context_key_added', 'rotate', 'context_key', key_id, 'SUCCESS',
    jsonb_build_object('application', 'akashi', 'replaces', replaced), 'confidential');
end
$$;

-- Creates a key for the contexts of an application. The secret is generated here and returned once, so that it appears
-- in no statement.
create function akashi_auth.create_context_key(application text, login text) returns table (key_id text, secret bytea)
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if application is null or application = 'akashi' or application !~ '^[a-z][a-z0-9_-]{0,62}$' then
    raise exception '% is not a valid application name', coalesce(quote_literal(application), 'null')
      using errcode = 'invalid_parameter_value',
            hint = 'use up to 63 lowercase letters, digits, - and _, and not akashi, which signs for its own users';
  end if;
  if not exists (select from pg_roles where rolname = login and rolcanlogin) then
    raise exception 'there is no login %', coalesce(quote_ident(login), 'null') using errcode = 'no_data_found',
      hint = 'create it first: create role … login, then grant akashi_client to it';
  end if;
  if not pg_has_role(login, 'akashi_client', 'usage') then
    raise exception 'the login % may not use contexts', quote_ident(login) using errcode = 'invalid_parameter_value',
      hint = format('grant akashi_client to %I', login);
  end if;
  key_id := application || '-' || encode(substring(uuid_send(gen_random_uuid()) for 4), 'hex');
  secret := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
  perform akashi_auth.add_context_key(key_id, secret, application, login);
  perform akashi_audit.record_action('context_key_added', 'create', 'context_key', key_id, 'SUCCESS',
    jsonb_build_object('application', application, 'login', login), 'confidential');
  return next;
end
$$;

-- Takes effect immediately, also for transactions that began with the key: further changes are recorded as claimed.
create function akashi_auth.revoke_context_key(key_id text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  revoked akashi_auth.context_keys;
begin
  delete from akashi_auth.context_keys k where k.id = key_id and k.application <> 'akashi' returning * into revoked;
  if revoked.id is null then
    raise exception 'there is no context key % of an application', key_id using errcode = 'no_data_found',
      hint = 'list them with akashi context-key list; rotate the keys of Akashi itself with akashi keys rotate --purpose context';
  end if;
  perform akashi_audit.record_action('context_key_revoked', 'revoke', 'context_key', key_id, 'SUCCESS',
    jsonb_build_object('application', revoked.application, 'login', revoked.login), 'confidential');
end
$$;
