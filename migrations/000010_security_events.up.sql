-- Security events of every service in one immutable table. Remediations and responses of hooks are stored separately.
-- Views join them under the names that the source applications use.
set local role akashi_owner;

create sequence akashi_security.security_events_seq;

create table akashi_security.security_events (
  id               uuid not null default akashi_audit.uuid_v7(),
  created_at       timestamptz not null default now(),
  received_at      timestamptz not null default clock_timestamp(),
  seq              bigint not null default nextval('akashi_security.security_events_seq'),
  xid              xid8 not null default pg_current_xact_id(),
  salt             bytea not null default uuid_send(gen_random_uuid()),
  event_type       varchar(50) not null,
  event_category   varchar(50) not null,
  severity         varchar(20) not null,
  source_service   varchar(50) not null,
  description      text,
  signed_by        text,
  user_id          text,
  user_name        text,
  external_user_id text,
  session_id       text,
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
  constraint security_events_user_check check (length(user_id) <= 255),
  constraint security_events_session_check check (length(session_id) <= 255),
  constraint security_events_result_check check (result in ('success', 'failure')),
  -- An event that is too long to be output as text could not be sealed. Short values are not measured: 2 KiB become at
  -- most 26 MB.
  constraint security_events_size_check check (octet_length(description) <= 1048576 and
    (pg_column_compression(event_details) is null and pg_column_size(event_details) <= 2048 or octet_length(event_details::text) <= 33554432))
) partition by range (created_at);
do $uuid$
begin
  if current_setting('server_version_num')::integer >= 180000 then
    alter table akashi_security.security_events alter column id set default uuidv7();
  end if;
end
$uuid$;
comment on table akashi_security.security_events is 'Append-only; sealed into the ledger security_events.';
comment on column akashi_security.security_events.signed_by is
  'The application whose signed context was recorded with the event; null for events that arrived in logs.';
comment on column akashi_security.security_events.created_at is 'When it happened.';
comment on column akashi_security.security_events.received_at is 'When Akashi received it; live detectors use this time.';

create index security_events_order_idx on akashi_security.security_events (xid, seq);
-- Pages and timelines are read newest first.
create index security_events_created_idx on akashi_security.security_events (created_at desc, id desc);
-- Indexes by type and by address took a third of the server's time per event, and more as the day grew. Events of one
-- address or user are close together, so a Bloom filter per column and block of pages suffices. Autovacuum creates it
-- when the block is full, at no cost for the INSERT. Blocks that are not full are scanned.
create index security_events_blocks_idx on akashi_security.security_events using brin (
  event_type text_bloom_ops (n_distinct_per_range = 50),
  source_ip inet_bloom_ops (n_distinct_per_range = 400),
  user_id text_bloom_ops (n_distinct_per_range = 400),
  user_name text_bloom_ops (n_distinct_per_range = 400)
) with (pages_per_range = 64, autosummarize = on);

alter table akashi_security.security_events enable row level security, force row level security;
-- Everything except the ingestion of logs writes security events through functions that take the actor from the signed
-- context, so that nobody can write an event in another's name.
create policy security_events_record on akashi_security.security_events for insert to akashi_worker, akashi_owner with check (true);
create policy security_events_self on akashi_security.security_events for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id())::text and coalesce(signed_by, 'akashi') = 'akashi');
create policy security_events_staff on akashi_security.security_events for select to akashi_worker, akashi_security_admin using (true);
-- For submit_events, which distinguishes new events from known ones.
create policy security_events_owner on akashi_security.security_events for select to akashi_owner using (true);
-- Auditors see every event without columns that may contain names or input of persons.
create policy security_events_auditor on akashi_security.security_events for select to akashi_reader using (true);
grant select (id, created_at, received_at, seq, xid, event_type, event_category, severity, source_service, signed_by, user_id, session_id,
  source_ip, resource_type, resource_id, action_performed, result, tenant_id, tenant_name, client_id, client_name,
  request_id, trace_id, ocsf_class_uid) on akashi_security.security_events to akashi_reader;
grant select on akashi_security.security_events to akashi_app, akashi_worker, akashi_security_admin;
-- Time of arrival, place in the ledger and salt cannot be set by the writer.
grant insert (id, created_at, event_type, event_category, severity, source_service, description, user_id, user_name,
  external_user_id, session_id, source_ip, user_agent, resource_type, resource_id, action_performed, result, tenant_id,
  tenant_name, client_id, client_name, request_id, trace_id, ocsf_class_uid, event_details)
  on akashi_security.security_events to akashi_worker;
grant usage on sequence akashi_security.security_events_seq to akashi_worker;
select akashi_audit.guard('akashi_security.security_events');
-- Events are accepted over HTTP up to seven days late.
insert into akashi_lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only, lateness)
values ('akashi_security', 'security_events', 'day', 30, '90 days', 'archive', '2555 days', true, '7 days');
select akashi_lifecycle.apply_partitions();
select akashi_audit.exempt('akashi_security.security_events', 'append-only and sealed itself');

-- Records an event at the present time, in the caller's transaction; returns its id.
--
-- Values of the context take precedence. Others may be passed with a signed context or by the worker: a login is
-- recorded before its session exists, and a detector writes about others. Values of an unsigned context are only
-- stored as event_details.claimed.
create function akashi_security.record_event(
  event_type       text,
  event_category   text,
  severity         text,
  source_service   text,
  description      text default null,
  user_id          text default null,
  user_name        text default null,
  external_user_id text default null,
  session_id       text default null,
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
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  who     constant akashi_audit.request_context := akashi_audit.request_context();
  trusted constant boolean := who.verified or pg_has_role(akashi_auth.acting_role(), 'akashi_worker', 'member');
  claimed jsonb;
  new_id  constant uuid := akashi_audit.uuid_v7();
begin
  if event_type is null or event_type !~ '^[a-z][a-z0-9_]{0,49}$' then
    raise exception '% is not a valid event type', coalesce(event_type, 'null') using errcode = 'invalid_parameter_value',
      hint = 'use up to 50 lowercase letters, digits and underscores';
  end if;
  if jsonb_typeof(event_details) is distinct from 'object' then
    raise exception 'the details of an event must be an object' using errcode = 'invalid_parameter_value';
  end if;
  -- Sealing prints it in one piece.
  if octet_length(concat(event_details, description)) > 1048576 then
    raise exception 'an event can have at most 1 MiB of description and details' using errcode = 'program_limit_exceeded';
  end if;
  if not who.verified then
    claimed := nullif(jsonb_strip_nulls(jsonb_build_object('user_id', who.user_id, 'session_id', who.session_id,
      'source_ip', host(who.ip_address), 'external_user_id', who.subject, 'tenant_id', who.tenant_id)), '{}');
  end if;
  if claimed is not null then
    event_details := event_details || jsonb_build_object('claimed', claimed, 'db_user', session_user);
  end if;
  insert into akashi_security.security_events (id, created_at, event_type, event_category, severity, source_service, description,
    signed_by, user_id, user_name, external_user_id, session_id, source_ip, user_agent, resource_type, resource_id,
    action_performed, result, tenant_id, tenant_name, client_id, client_name, request_id, trace_id, ocsf_class_uid, event_details)
  values (new_id, clock_timestamp(), event_type, event_category, severity, source_service, description, who.signed_by,
    case when who.verified and who.user_id is not null then who.user_id when trusted then record_event.user_id end,
    user_name,
    case when who.verified and who.subject like 'service:%' then who.subject else external_user_id end,
    case when who.verified and who.session_id is not null then who.session_id when trusted then record_event.session_id end,
    case when who.verified and who.ip_address is not null then who.ip_address when trusted then record_event.source_ip end,
    who.user_agent, resource_type, resource_id, action_performed, result,
    case when who.verified and who.tenant_id is not null then who.tenant_id when trusted then record_event.tenant_id end,
    tenant_name, client_id, client_name, who.request_id, who.trace_id, ocsf_class_uid, event_details);
  return new_id;
end
$$;
comment on function akashi_security.record_event is
  'Records a security event in the caller''s transaction, with the actor of the signed context; returns its id.';
grant execute on function akashi_security.record_event to akashi_client, akashi_worker, akashi_security_admin;

-- Events sent by services over HTTP, in one transaction; the caller has checked their shape. The sender is taken from
-- the signed context and stored in addition to what the event says. Returns the result for each: stored; known, when
-- the id exists; or the reason for refusing it. The time window keeps a sender from writing history, and is never
-- archived yet.
create function akashi_security.submit_events(events jsonb) returns table (place integer, state text)
  language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  max_age   constant interval := '7 days';
  max_ahead constant interval := '5 minutes';
  who       constant akashi_audit.request_context := akashi_audit.request_context();
  sender    jsonb;
  missing   timestamptz;
begin
  if not who.verified then
    raise exception 'events are accepted only with a signed request context' using errcode = 'insufficient_privilege',
      hint = 'open the database with the context key';
  end if;
  sender := jsonb_strip_nulls(jsonb_build_object('user_id', who.user_id, 'subject', who.subject,
    'address', host(who.ip_address), 'request_id', who.request_id));
  for missing in
    select distinct akashi_lifecycle.partition_from((e.value ->> 'created_at')::timestamptz, 'day')
    from jsonb_array_elements(events) e
    where (e.value ->> 'created_at')::timestamptz between now() - max_age and now() + max_ahead
  loop
    if to_regclass(format('akashi_security.%I', akashi_lifecycle.partition_name('security_events', missing, 'day'))) is null then
      perform akashi_lifecycle.create_partition('akashi_security.security_events', missing);
    end if;
  end loop;
  return query
  with given as (
    select e.place::integer - 1 as place, r.*
    from jsonb_array_elements(events) with ordinality e (value, place)
    cross join lateral jsonb_to_record(e.value) r (id uuid, created_at timestamptz, event_type text, event_category text,
      severity text, source_service text, description text, user_id text, user_name text, external_user_id text,
      session_id text, source_ip inet, user_agent text, resource_type text, resource_id text, action_performed text,
      result text, tenant_id text, tenant_name text, client_id text, client_name text, request_id text, trace_id text,
      ocsf_class_uid integer, event_details jsonb)
  ), judged as (
    select g.*, case when g.created_at < now() - max_age then 'older than 7 days'
                     when g.created_at > now() + max_ahead then 'more than 5 minutes ahead' end as refusal
    from given g
  ), stored as (
    insert into akashi_security.security_events (id, created_at, event_type, event_category, severity, source_service, description,
      signed_by, user_id, user_name, external_user_id, session_id, source_ip, user_agent, resource_type, resource_id, action_performed,
      result, tenant_id, tenant_name, client_id, client_name, request_id, trace_id, ocsf_class_uid, event_details)
    select distinct on (j.id, j.created_at) j.id, j.created_at, j.event_type, j.event_category, j.severity, j.source_service,
      j.description, who.signed_by, j.user_id, j.user_name, j.external_user_id, j.session_id, j.source_ip, j.user_agent, j.resource_type,
      j.resource_id, j.action_performed, j.result, j.tenant_id, j.tenant_name, j.client_id, j.client_name, j.request_id,
      j.trace_id, j.ocsf_class_uid,
      jsonb_set(j.event_details, '{ingest}', coalesce(j.event_details -> 'ingest', '{}') || jsonb_build_object('sender', sender))
    from judged j where j.refusal is null
    order by j.id, j.created_at, j.place
    on conflict on constraint security_events_pkey do nothing
    returning security_events.id, security_events.created_at
  )
  select j.place, coalesce(j.refusal,
    case when s.id is not null and j.place = min(j.place) over (partition by j.id, j.created_at) then 'stored' else 'known' end)
  from judged j left join stored s on s.id = j.id and s.created_at = j.created_at
  order by j.place;
end
$$;
comment on function akashi_security.submit_events(jsonb) is
  'Stores an array of events of services, 7 days old to 5 minutes ahead, each once; returns the outcome of each by position.';
grant execute on function akashi_security.submit_events(jsonb) to akashi_app, akashi_worker;

-- Records brute force and unusual access in progress: one event for each address, account and user within the counted
-- time. Detection rules find the same, and more, at any time.
create function akashi_security.detect_security_anomalies() returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found record;
begin
  -- Two runs at the same moment may both record what they find. A lock that prevents it could be held by any login.
  for found in
    select 'source_ip' as kind, host(e.source_ip) as subject, count(*) as attempts
    from akashi_security.security_events e
    where e.event_type = 'authentication_failure' and e.received_at > now() - interval '5 minutes'
      and e.created_at > now() - interval '1 day' and e.source_ip is not null
    group by e.source_ip having count(*) > 5
    union all
    select 'user_name', e.user_name, count(*)
    from akashi_security.security_events e
    where e.event_type = 'authentication_failure' and e.received_at > now() - interval '5 minutes'
      and e.created_at > now() - interval '1 day' and e.user_name is not null
    group by e.user_name having count(*) > 5
  loop
    continue when exists (
      select from akashi_security.security_events e
      where e.event_type = 'brute_force_detected' and e.created_at > now() - interval '5 minutes'
        and e.event_details @> jsonb_build_object('kind', found.kind, 'subject', found.subject));
    perform akashi_security.record_event(event_type => 'brute_force_detected', event_category => 'authentication', severity => 'high',
      source_service => 'security_monitor', action_performed => 'anomaly_detection', result => 'failure', ocsf_class_uid => 2004,
      source_ip => case found.kind when 'source_ip' then found.subject::inet end,
      user_name => case found.kind when 'user_name' then found.subject end,
      event_details => jsonb_build_object('kind', found.kind, 'subject', found.subject, 'failed_attempts', found.attempts,
        'time_window', '5 minutes'));
  end loop;
  for found in
    select e.user_id as subject, count(*) as accesses, array_agg(distinct e.resource_type) as resources
    from akashi_security.security_events e
    where e.event_category = 'data_access' and e.received_at > now() - interval '1 hour'
      and e.created_at > now() - interval '1 day' and e.user_id is not null and e.source_service <> 'security_monitor'
    group by e.user_id having count(*) > 100
  loop
    continue when exists (
      select from akashi_security.security_events e
      where e.event_type = 'unusual_access_pattern' and e.created_at > now() - interval '1 hour'
        and e.event_details @> jsonb_build_object('subject', found.subject));
    perform akashi_security.record_event(event_type => 'unusual_access_pattern', event_category => 'data_access', severity => 'medium',
      source_service => 'security_monitor', action_performed => 'anomaly_detection', result => 'failure', ocsf_class_uid => 2004,
      user_id => found.subject,
      event_details => jsonb_build_object('subject', found.subject, 'access_count', found.accesses,
        'resources_accessed', found.resources, 'time_window', '1 hour'));
  end loop;
end
$$;
comment on function akashi_security.detect_security_anomalies() is
  'Records brute_force_detected for each address and account with more than 5 failed sign-ins in 5 minutes, and unusual_access_pattern for each user with more than 100 accesses to data in 1 hour; once in that time.';
grant execute on function akashi_security.detect_security_anomalies() to akashi_worker, akashi_security_admin;

-- Records changes of a user's classification or account status. The actor is that of the context; the resource is the
-- user.
create function akashi_security.log_security_event() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
declare
  who constant akashi_audit.request_context := akashi_audit.request_context();
begin
  perform akashi_security.record_event(
    event_type => 'data_modification', event_category => 'configuration', severity => 'medium',
    source_service => 'application', resource_type => tg_table_name, resource_id => new.id::text,
    action_performed => tg_op, result => 'success', ocsf_class_uid => 3001,
    event_details => jsonb_build_object('table', tg_table_name, 'operation', tg_op,
      'changed_by', case when who.verified and who.user_id is not null then who.user_id else session_user end,
      'changes', (
        select jsonb_object_agg(changed.name, jsonb_build_object('old', changed.old, 'new', changed.new))
        from (values ('security_classification', old.security_classification, new.security_classification),
                     ('account_status', old.account_status, new.account_status)) as changed (name, old, new)
        where changed.old is distinct from changed.new)));
  return null;
end
$$;
comment on function akashi_security.log_security_event() is 'Records a security event when a user''s classification or account status changes.';
create trigger users_security_event_trigger after update on akashi_auth.users for each row
  when (old.security_classification is distinct from new.security_classification
        or old.account_status is distinct from new.account_status)
  execute function akashi_security.log_security_event();
alter table akashi_auth.users enable always trigger users_security_event_trigger;

create table akashi_security.remediations (
  event_id           uuid not null,
  event_created_at   timestamptz not null,
  severity           varchar(20) not null,
  remediation_status varchar(20) not null default 'open',
  remediation_notes  text check (length(remediation_notes) <= 8192),
  assignee           uuid references akashi_auth.users (id) on delete set null,
  security_hub_id    varchar(255),
  resolved_at        timestamptz,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  created_by         text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by   text,
  primary key (event_id, event_created_at),
  constraint remediations_status_check check (remediation_status in ('open', 'in_progress', 'resolved', 'suppressed')),
  check ((remediation_status = 'resolved') = (resolved_at is not null))
);
comment on table akashi_security.remediations is
  'The remediation of an event; an event without a row is open. Its history is in the audit trail.';
comment on column akashi_security.remediations.severity is 'Severity of the event, for the list of open events; outlives the event''s partition.';
comment on column akashi_security.remediations.security_hub_id is 'Finding id in AWS Security Hub.';
create index remediations_status_idx on akashi_security.remediations (remediation_status, severity);
create index remediations_hub_id_idx on akashi_security.remediations (security_hub_id) where security_hub_id is not null;
create index remediations_assignee_idx on akashi_security.remediations (assignee) where assignee is not null;

-- Runs with the writer's rights, so that only visible events can be remediated.
create function akashi_security.keep_remediation() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if tg_op = 'INSERT' then
    select e.severity into new.severity from akashi_security.security_events e
    where e.id = new.event_id and e.created_at = new.event_created_at;
    if not found then
      raise exception 'event not found: % of %', new.event_id, new.event_created_at using errcode = 'no_data_found';
    end if;
  end if;
  if new.remediation_status <> 'resolved' then
    new.resolved_at := null;
  elsif tg_op = 'INSERT' or old.remediation_status <> 'resolved' then
    new.resolved_at := now();
  end if;
  return new;
end
$$;
grant execute on function akashi_security.keep_remediation() to akashi_worker, akashi_security_admin;
create trigger keep_remediation before insert or update on akashi_security.remediations
  for each row execute function akashi_security.keep_remediation();
create trigger update_updated_at before update on akashi_security.remediations
  for each row execute function akashi_auth.update_updated_at();

alter table akashi_security.remediations enable row level security, force row level security;
create policy remediations_staff on akashi_security.remediations to akashi_worker, akashi_security_admin using (true) with check (true);
create policy remediations_auditor on akashi_security.remediations for select to akashi_reader using (true);
create policy remediations_owner on akashi_security.remediations to akashi_owner using (true) with check (true);
grant select on akashi_security.remediations to akashi_worker, akashi_security_admin;
grant select (event_id, event_created_at, severity, remediation_status, assignee, security_hub_id, resolved_at, created_at, updated_at)
  on akashi_security.remediations to akashi_reader;
grant insert (event_id, event_created_at, remediation_status, remediation_notes, assignee, security_hub_id),
      update (remediation_status, remediation_notes, assignee, security_hub_id)
  on akashi_security.remediations to akashi_worker, akashi_security_admin;
select akashi_audit.protect('akashi_security.remediations', 'confidential', null, '{}', array['updated_at', 'last_modified_by']);

-- One row for each delivery of an event to a hook: a webhook, a notification, an export.
create table akashi_security.security_event_hook_results (
  id               uuid not null default akashi_audit.uuid_v7(),
  created_at       timestamptz not null default clock_timestamp(),
  event_id         uuid not null,
  event_created_at timestamptz not null,
  hook_name        varchar(100) not null,
  hook_type        varchar(50) not null,
  attempt          integer not null default 1 check (attempt > 0),
  result           varchar(20) not null check (result in ('success', 'failure', 'skipped')),
  duration_ms      integer check (duration_ms >= 0),
  response_code    integer,
  error_message    text,
  detail           jsonb not null default '{}',
  tenant_id        text,
  primary key (id, created_at),
  check (isfinite(created_at))
) partition by range (created_at);
comment on table akashi_security.security_event_hook_results is 'Append-only: the response of each hook to an event, one row per attempt.';
create index security_event_hook_results_event_idx on akashi_security.security_event_hook_results (event_id);
create index security_event_hook_results_hook_idx on akashi_security.security_event_hook_results (hook_name, created_at desc);

alter table akashi_security.security_event_hook_results enable row level security, force row level security;
create policy hook_results_record on akashi_security.security_event_hook_results for insert to akashi_worker with check (true);
create policy hook_results_staff on akashi_security.security_event_hook_results for select
  to akashi_worker, akashi_security_admin, akashi_reader using (true);
grant insert (event_id, event_created_at, hook_name, hook_type, attempt, result, duration_ms, response_code, error_message, detail, tenant_id)
  on akashi_security.security_event_hook_results to akashi_worker;
grant select on akashi_security.security_event_hook_results to akashi_worker, akashi_security_admin, akashi_reader;
select akashi_audit.guard('akashi_security.security_event_hook_results');
insert into akashi_lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
values ('akashi_security', 'security_event_hook_results', 'day', 30, '90 days', 'archive', '2555 days', true);
select akashi_lifecycle.apply_partitions();
select akashi_audit.exempt('akashi_security.security_event_hook_results', 'append-only itself');

create view akashi_security.v_security_events with (security_invoker = true) as
  select e.id, e.created_at, e.received_at, e.event_type, e.event_category, e.severity, e.source_service, e.description,
         e.user_id, e.user_name, e.external_user_id, e.session_id, e.source_ip, e.user_agent, e.resource_type, e.resource_id,
         e.action_performed, e.result, e.tenant_id, e.tenant_name, e.client_id, e.client_name, e.request_id, e.trace_id,
         e.ocsf_class_uid, e.event_details, r.security_hub_id,
         coalesce(r.remediation_status, 'open') as remediation_status, r.remediation_notes, r.assignee, r.resolved_at,
         coalesce(r.remediation_status = 'resolved' and r.resolved_at < now() - interval '90 days', false) as archived,
         case when e.created_at >= now() - (select hot_retention from akashi_lifecycle.retention
                                            where schema_name = 'akashi_security' and table_name = 'security_events')
              then 'active' else 'due' end as archive_status,
         (select extract(day from total_retention)::integer from akashi_lifecycle.retention
          where schema_name = 'akashi_security' and table_name = 'security_events') as retention_period
  from akashi_security.security_events e
  left join akashi_security.remediations r on r.event_id = e.id and r.event_created_at = e.created_at;
comment on view akashi_security.v_security_events is 'Events with their remediation, under the column names of the sources.';
comment on column akashi_security.v_security_events.archived is
  'Resolved more than 90 days ago. Derived: the event itself is sealed and never changes.';
comment on column akashi_security.v_security_events.archive_status is
  'active: within its hot retention; due: its partition is about to be archived. Archived events are no longer here.';
comment on column akashi_security.v_security_events.retention_period is 'Days, from the policy of the table.';
grant select on akashi_security.v_security_events to akashi_worker, akashi_security_admin;

create view akashi_security.v_security_events_masked with (security_invoker = true) as
  select e.id, e.created_at, e.received_at, e.event_type, e.event_category, e.severity, e.source_service, e.user_id, e.session_id,
         e.source_ip, e.resource_type, e.resource_id, e.action_performed, e.result, e.tenant_id, e.tenant_name, e.client_id,
         e.client_name, e.request_id, e.trace_id, e.ocsf_class_uid, r.security_hub_id,
         coalesce(r.remediation_status, 'open') as remediation_status, r.assignee, r.resolved_at,
         coalesce(r.remediation_status = 'resolved' and r.resolved_at < now() - interval '90 days', false) as archived
  from akashi_security.security_events e
  left join akashi_security.remediations r on r.event_id = e.id and r.event_created_at = e.created_at;
comment on view akashi_security.v_security_events_masked is 'For the auditor: without names, descriptions, user agents, details and notes.';
grant select on akashi_security.v_security_events_masked to akashi_reader, akashi_worker, akashi_security_admin;

-- Inputs that were ingested, so that a file that is read again is recognised even after its events were archived.
create table akashi_security.ingest_batches (
  digest      bytea primary key check (octet_length(digest) = 32),
  source      text not null,
  format      text not null,
  events      integer not null check (events > 0),
  first_at    timestamptz not null,
  last_at     timestamptz not null,
  received_at timestamptz not null default clock_timestamp()
);
comment on table akashi_security.ingest_batches is 'One row per batch of ingested events, by the SHA-256 of their ids: ensures exactly once even after archiving.';

alter table akashi_security.ingest_batches enable row level security, force row level security;
create policy ingest_batches_worker on akashi_security.ingest_batches to akashi_worker using (true) with check (true);
create policy ingest_batches_read on akashi_security.ingest_batches for select to akashi_security_admin using (true);
create policy ingest_batches_owner on akashi_security.ingest_batches to akashi_owner using (true) with check (true);
grant select, insert on akashi_security.ingest_batches to akashi_worker;
grant select on akashi_security.ingest_batches to akashi_security_admin;
-- Lines that could not be parsed, to be read again by a later version. Until then they are not evidence.
create table akashi_security.ingest_quarantine (
  digest      bytea primary key check (octet_length(digest) = 32),
  source      text not null,
  format      text not null,
  options     jsonb not null check (jsonb_typeof(options) = 'object'),
  line        bigint not null check (line > 0),
  content     text not null,
  reason      text not null,
  received_at timestamptz not null default clock_timestamp()
);
create index ingest_quarantine_received_idx on akashi_security.ingest_quarantine (received_at);
comment on table akashi_security.ingest_quarantine is
  'Lines of logs that were rejected, by the SHA-256 of format, options and line, for 90 days; removed when they are accepted.';
alter table akashi_security.ingest_quarantine enable row level security, force row level security;
create policy ingest_quarantine_worker on akashi_security.ingest_quarantine to akashi_worker using (true) with check (true);
create policy ingest_quarantine_read on akashi_security.ingest_quarantine for select to akashi_security_admin using (true);
create policy ingest_quarantine_owner on akashi_security.ingest_quarantine to akashi_owner using (true) with check (true);
grant select, insert, delete, update (reason) on akashi_security.ingest_quarantine to akashi_worker;
grant select on akashi_security.ingest_quarantine to akashi_security_admin;
select akashi_audit.exempt('akashi_security.ingest_quarantine', 'lines of logs on their way to becoming events');

select akashi_audit.guard('akashi_security.ingest_batches'), akashi_audit.exempt('akashi_security.ingest_batches', 'append-only itself');

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
create function akashi_security.event_evidence(since timestamptz, until timestamptz,
  out events bigint, out critical bigint, out high bigint, out unresolved bigint, out rejected_lines bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select count(*), count(*) filter (where e.severity = 'critical'), count(*) filter (where e.severity = 'high'),
         count(*) filter (where e.severity = 'critical' and e.remediation_status in ('open', 'in_progress')),
         (select count(*) from akashi_security.ingest_quarantine q where q.received_at >= since and q.received_at < until)
  from akashi_security.v_security_events e where e.created_at >= since and e.created_at < until
$$;
grant execute on function akashi_security.event_evidence(timestamptz, timestamptz) to akashi_security_admin;

-- Whether a transaction wrote an alarming event of a type at about that time; null where the partition of that time is
-- archived. An event may be on the other side of midnight.
create function akashi_security.wrote_alarm(writer xid8, event_type text, at timestamptz) returns boolean
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from akashi_security.security_events e
    where e.xid = writer and e.created_at between at - interval '1 day' and at + interval '1 day'
      and e.event_type = wrote_alarm.event_type and e.severity in ('critical', 'high'))
    or case when not exists (
      select from pg_inherits i cross join akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b
      where i.inhparent = 'akashi_security.security_events'::regclass and b.lower <= at and at < b.upper) then null else false end
$$;
grant execute on function akashi_security.wrote_alarm(xid8, text, timestamptz) to akashi_worker, akashi_security_admin;
