-- Who may write security events, and as whom. Everybody but the intake of logs goes through functions that
-- take the actor from the signed context, so that nobody writes an event in another's name.
set local role akashi_owner;

alter policy security_events_record on security.security_events to akashi_worker, akashi_owner;
revoke insert on security.security_events from akashi_app, akashi_worker;
revoke usage on sequence security.security_events_seq from akashi_app;
revoke execute on function audit.uuid_v7() from akashi_app;
-- When it arrived, its place in the ledger and its salt are never the writer's to say.
grant insert (id, created_at, event_type, event_category, severity, source_service, description, user_id, user_name,
  external_user_id, session_id, source_ip, user_agent, resource_type, resource_id, action_performed, result, tenant_id,
  tenant_name, client_id, client_name, request_id, trace_id, ocsf_class_uid, event_details)
  on security.security_events to akashi_worker;

-- One event, now, in the caller's transaction; answers its id.
--
-- What the context says wins. What it leaves open may be given where the context is signed, or by the
-- worker: a login is recorded before its session exists, a detector writes about others. Of an unsigned
-- context nothing is believed; it stands in event_details.claimed.
create function security.record_event(
  event_type       text,
  event_category   text,
  severity         text,
  source_service   text,
  description      text default null,
  user_id          uuid default null,
  user_name        text default null,
  external_user_id text default null,
  session_id       uuid default null,
  source_ip        inet default null,
  resource_type    text default null,
  resource_id      text default null,
  action_performed text default null,
  result           text default null,
  tenant_id        text default null,
  tenant_name      text default null,
  client_id        text default null,
  client_name      text default null,
  ocsf_class_uid   integer default null,
  event_details    jsonb default '{}'
) returns uuid
  language plpgsql security definer set search_path = '' as $$
declare
  who     constant audit.request_context := audit.request_context();
  trusted constant boolean := who.verified or pg_has_role(session_user, 'akashi_worker', 'member');
  claimed jsonb;
  new_id  constant uuid := audit.uuid_v7();
begin
  if event_type is null or event_type !~ '^[a-z][a-z0-9_]{0,49}$' then
    raise exception '% is no event type', coalesce(event_type, 'null') using errcode = 'invalid_parameter_value',
      hint = 'use up to 50 lowercase letters, digits and underscores';
  end if;
  if jsonb_typeof(event_details) is distinct from 'object' then
    raise exception 'the details of an event are an object' using errcode = 'invalid_parameter_value';
  end if;
  if not who.verified then
    claimed := nullif(jsonb_strip_nulls(jsonb_build_object('user_id', who.user_id, 'session_id', who.session_id,
      'source_ip', host(who.ip_address), 'external_user_id', who.subject, 'tenant_id', who.tenant_id)), '{}');
  end if;
  if claimed is not null then
    event_details := event_details || jsonb_build_object('claimed', claimed, 'db_user', session_user);
  end if;
  insert into security.security_events (id, created_at, event_type, event_category, severity, source_service, description,
    user_id, user_name, external_user_id, session_id, source_ip, user_agent, resource_type, resource_id,
    action_performed, result, tenant_id, tenant_name, client_id, client_name, request_id, trace_id, ocsf_class_uid, event_details)
  values (new_id, clock_timestamp(), event_type, event_category, severity, source_service, description,
    case when who.verified and who.user_id is not null then who.user_id when trusted then record_event.user_id end,
    user_name,
    case when who.verified and who.subject is not null then who.subject else external_user_id end,
    case when who.verified and who.session_id is not null then who.session_id when trusted then record_event.session_id end,
    case when who.verified and who.ip_address is not null then who.ip_address when trusted then record_event.source_ip end,
    who.user_agent, resource_type, resource_id, action_performed, result,
    case when who.verified and who.tenant_id is not null then who.tenant_id when trusted then record_event.tenant_id end,
    tenant_name, client_id, client_name, who.request_id, who.trace_id, ocsf_class_uid, event_details);
  return new_id;
end
$$;
comment on function security.record_event is
  'Records a security event in the caller''s transaction, with the actor of the signed context; answers its id.';
grant execute on function security.record_event to akashi_app, akashi_worker, akashi_security_admin;

-- S1 4.1: a user's classification or the state of their account changed. Whoever did it is the actor of the
-- context; whom it happened to is the resource.
create function security.log_security_event() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  who constant audit.request_context := audit.request_context();
begin
  perform security.record_event(
    event_type => 'data_modification', event_category => 'configuration', severity => 'medium',
    source_service => 'application', resource_type => tg_table_name, resource_id => new.id::text,
    action_performed => tg_op, result => 'success', ocsf_class_uid => 3001,
    event_details => jsonb_build_object('table', tg_table_name, 'operation', tg_op,
      'changed_by', case when who.verified and who.user_id is not null then who.user_id::text else session_user end,
      'changes', (
        select jsonb_object_agg(changed.name, jsonb_build_object('old', changed.old, 'new', changed.new))
        from (values ('security_classification', old.security_classification, new.security_classification),
                     ('account_status', old.account_status, new.account_status)) as changed (name, old, new)
        where changed.old is distinct from changed.new)));
  return null;
end
$$;
comment on function security.log_security_event() is 'Makes a security event of a change of who a user is to security.';
create trigger users_security_event_trigger after update on auth.users for each row
  when (old.security_classification is distinct from new.security_classification
        or old.account_status is distinct from new.account_status)
  execute function security.log_security_event();
alter table auth.users enable always trigger users_security_event_trigger;

-- As in 000008, with the class of the Open Cybersecurity Schema Framework: a detection finding.
create or replace function audit.alert_audit_log_tampering(report jsonb) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  insert into security.security_events (event_type, event_category, severity, source_service, action_performed, result,
    ocsf_class_uid, event_details)
  values ('audit_log_tampering', 'integrity', 'critical', 'akashi', 'verify', 'failure', 2004, report);
  perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
    'message', 'verification of the audit ledger failed', 'timestamp', now())::text);
end
$$;
