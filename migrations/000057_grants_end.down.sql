set local role akashi_owner;

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
  update auth.security_policies p set value = set_policy.value where p.key = set_policy.key;
  perform security.record_event(event_type => 'policy_changed', event_category => 'configuration', severity => 'medium',
    source_service => 'akashi', resource_type => 'policy', resource_id => set_policy.key, action_performed => 'update',
    result => 'success', ocsf_class_uid => 3004, event_details => jsonb_build_object('old', before, 'new', set_policy.value));
end
$$;

drop function auth.refuse_longer_role(auth.roles, timestamptz);
drop function auth.refuse_longer(timestamptz, text[], text);
drop function auth.caller_until(text[], text);
