-- Security events of every service: S1 3.7, S4 and S5 in one immutable table. What was done about an
-- event is kept beside it, never in it.
set local role akashi_owner;

create sequence security.security_events_seq;

create table security.security_events (
  id               uuid not null default audit.uuid_v7(),
  created_at       timestamptz not null default now(),
  received_at      timestamptz not null default clock_timestamp(),
  seq              bigint not null default nextval('security.security_events_seq'),
  xid              xid8 not null default pg_current_xact_id(),
  salt             bytea not null default uuid_send(gen_random_uuid()),
  event_type       varchar(50) not null,
  event_category   varchar(50) not null,
  severity         varchar(20) not null,
  source_service   varchar(50) not null,
  description      text,
  user_id          uuid,
  user_name        text,
  external_user_id text,
  session_id       uuid,
  source_ip        inet,
  user_agent       text,
  resource_type    varchar(50),
  resource_id      varchar(255),
  action_performed varchar(100),
  result           varchar(20),
  tenant_id        text,
  tenant_name      text,
  client_id        text,
  client_name      text,
  request_id       text,
  trace_id         text,
  ocsf_class_uid   integer,
  event_details    jsonb not null default '{}',
  primary key (id, created_at),
  constraint security_events_finite check (isfinite(created_at) and isfinite(received_at)),
  constraint security_events_category_check check (event_category in
    ('authentication', 'authorization', 'data_access', 'configuration', 'network', 'system', 'integrity')),
  constraint security_events_severity_check check (severity in ('info', 'low', 'medium', 'high', 'critical')),
  constraint security_events_result_check check (result in ('success', 'failure'))
) partition by range (created_at);
do $uuid$
begin
  if current_setting('server_version_num')::integer >= 180000 then
    alter table security.security_events alter column id set default uuidv7();
  end if;
end
$uuid$;
comment on table security.security_events is 'Append-only; sealed into the ledger security_events.';
comment on column security.security_events.created_at is 'When it happened.';
comment on column security.security_events.received_at is 'When it arrived here; live detectors count by it.';

create index security_events_order_idx on security.security_events (xid, seq);
create index security_events_type_idx on security.security_events (event_type, severity, created_at desc);
create index security_events_ip_idx on security.security_events (source_ip, created_at desc);
create index security_events_user_idx on security.security_events (user_id, created_at desc) where user_id is not null;

alter table security.security_events enable row level security;
alter table security.security_events force row level security;
create policy security_events_record on security.security_events for insert to akashi_app, akashi_worker, akashi_owner with check (true);
create policy security_events_self on security.security_events for select to akashi_app
  using (user_id = (select auth.current_user_id()));
create policy security_events_staff on security.security_events for select to akashi_worker, akashi_security_admin using (true);
grant insert on security.security_events to akashi_app, akashi_worker;
grant select on security.security_events to akashi_app, akashi_worker, akashi_security_admin;
grant usage on sequence security.security_events_seq to akashi_app, akashi_worker;
grant execute on function audit.uuid_v7() to akashi_app, akashi_worker;
select audit.guard('security.security_events');

insert into lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
values ('security', 'security_events', 'day', 30, '90 days', 'archive', '2555 days', true);
select lifecycle.apply_partitions();
select audit.exempt('security.security_events', 'append-only and sealed itself');

-- S5's alarm: whoever listens on the channel learns of tampering in the moment it is found, and the event
-- stays in the record.
create function audit.alert_audit_log_tampering(report jsonb) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  insert into security.security_events (event_type, event_category, severity, source_service, action_performed, result, event_details)
  values ('audit_log_tampering', 'integrity', 'critical', 'akashi', 'verify', 'failure', report);
  perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
    'message', 'verification of the audit ledger failed', 'timestamp', now())::text);
end
$$;
grant execute on function audit.alert_audit_log_tampering(jsonb) to akashi_worker;
