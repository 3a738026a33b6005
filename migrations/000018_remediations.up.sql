-- What was done about security events, beside the sealed rows: remediation (S1 3.7) and what hooks answered
-- (S4). The views join them under the sources' names.
set local role akashi_owner;

create table security.remediations (
  event_id           uuid not null,
  event_created_at   timestamptz not null,
  severity           varchar(20) not null,
  remediation_status varchar(20) not null default 'open',
  remediation_notes  text check (length(remediation_notes) <= 8192),
  assignee           uuid references auth.users (id) on delete set null,
  security_hub_id    varchar(255),
  resolved_at        timestamptz,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  created_by         text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by   text,
  primary key (event_id, event_created_at),
  constraint remediations_status_check check (remediation_status in ('open', 'in_progress', 'resolved', 'suppressed')),
  check ((remediation_status = 'resolved') = (resolved_at is not null))
);
comment on table security.remediations is
  'What is done about an event; an event without a row is open. Its history is in the audit trail.';
comment on column security.remediations.severity is 'Of the event, for the list of what is open; it outlives the event''s partition.';
comment on column security.remediations.security_hub_id is 'Finding id in AWS Security Hub.';
create index remediations_status_idx on security.remediations (remediation_status, severity);
create index remediations_hub_id_idx on security.remediations (security_hub_id) where security_hub_id is not null;
create index remediations_assignee_idx on security.remediations (assignee) where assignee is not null;

-- Runs with the writer's rights, so nobody remedies an event that they may not see.
create function security.keep_remediation() returns trigger
  language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    select e.severity into new.severity from security.security_events e
    where e.id = new.event_id and e.created_at = new.event_created_at;
    if not found then
      raise exception 'there is no event % of %', new.event_id, new.event_created_at using errcode = 'no_data_found';
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
grant execute on function security.keep_remediation() to akashi_worker, akashi_security_admin;
create trigger keep_remediation before insert or update on security.remediations
  for each row execute function security.keep_remediation();
create trigger update_updated_at before update on security.remediations
  for each row execute function auth.update_updated_at();

alter table security.remediations enable row level security;
alter table security.remediations force row level security;
create policy remediations_staff on security.remediations to akashi_worker, akashi_security_admin using (true) with check (true);
create policy remediations_auditor on security.remediations for select to akashi_reader using (true);
create policy remediations_owner on security.remediations to akashi_owner using (true) with check (true);
grant select on security.remediations to akashi_worker, akashi_security_admin;
grant select (event_id, event_created_at, severity, remediation_status, assignee, security_hub_id, resolved_at, created_at, updated_at)
  on security.remediations to akashi_reader;
grant insert (event_id, event_created_at, remediation_status, remediation_notes, assignee, security_hub_id),
      update (remediation_status, remediation_notes, assignee, security_hub_id)
  on security.remediations to akashi_worker, akashi_security_admin;
select audit.protect('security.remediations', 'confidential', null, '{}', array['updated_at', 'last_modified_by']);

-- One row for each time that an event was handed to a hook: a webhook, a notification, an export.
create table security.security_event_hook_results (
  id               uuid not null default audit.uuid_v7(),
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
comment on table security.security_event_hook_results is 'Append-only: what each hook answered about an event, attempt by attempt.';
create index security_event_hook_results_event_idx on security.security_event_hook_results (event_id);
create index security_event_hook_results_hook_idx on security.security_event_hook_results (hook_name, created_at desc);

alter table security.security_event_hook_results enable row level security;
alter table security.security_event_hook_results force row level security;
create policy hook_results_record on security.security_event_hook_results for insert to akashi_worker with check (true);
create policy hook_results_staff on security.security_event_hook_results for select
  to akashi_worker, akashi_security_admin, akashi_reader using (true);
grant insert (event_id, event_created_at, hook_name, hook_type, attempt, result, duration_ms, response_code, error_message, detail, tenant_id)
  on security.security_event_hook_results to akashi_worker;
grant select on security.security_event_hook_results to akashi_worker, akashi_security_admin, akashi_reader;
select audit.guard('security.security_event_hook_results');
insert into lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
values ('security', 'security_event_hook_results', 'day', 30, '90 days', 'archive', '2555 days', true);
select lifecycle.apply_partitions();
select audit.exempt('security.security_event_hook_results', 'append-only itself');

-- The newest first, whatever is asked for: pages and timelines follow it.
create index security_events_created_idx on security.security_events (created_at desc, id desc);

-- The auditor sees every event without what may name a person or hold what they typed.
create policy security_events_auditor on security.security_events for select to akashi_reader using (true);
grant select (id, created_at, received_at, seq, xid, event_type, event_category, severity, source_service, user_id, session_id,
  source_ip, resource_type, resource_id, action_performed, result, tenant_id, tenant_name, client_id, client_name,
  request_id, trace_id, ocsf_class_uid) on security.security_events to akashi_reader;

create view security.v_security_events with (security_invoker = true) as
  select e.id, e.created_at, e.received_at, e.event_type, e.event_category, e.severity, e.source_service, e.description,
         e.user_id, e.user_name, e.external_user_id, e.session_id, e.source_ip, e.user_agent, e.resource_type, e.resource_id,
         e.action_performed, e.result, e.tenant_id, e.tenant_name, e.client_id, e.client_name, e.request_id, e.trace_id,
         e.ocsf_class_uid, e.event_details, r.security_hub_id,
         coalesce(r.remediation_status, 'open') as remediation_status, r.remediation_notes, r.assignee, r.resolved_at,
         case when e.created_at >= now() - (select hot_retention from lifecycle.policies
                                            where schema_name = 'security' and table_name = 'security_events')
              then 'active' else 'due' end as archive_status,
         (select extract(day from total_retention)::integer from lifecycle.policies
          where schema_name = 'security' and table_name = 'security_events') as retention_period
  from security.security_events e
  left join security.remediations r on r.event_id = e.id and r.event_created_at = e.created_at;
comment on view security.v_security_events is 'Events with what was done about them, under the names of the sources.';
comment on column security.v_security_events.archive_status is
  'active: within its hot retention; due: waits for its partition to be archived. Archived events are no longer here.';
comment on column security.v_security_events.retention_period is 'Days, from the policy of the table.';
grant select on security.v_security_events to akashi_worker, akashi_security_admin;

create view security.v_security_events_masked with (security_invoker = true) as
  select e.id, e.created_at, e.received_at, e.event_type, e.event_category, e.severity, e.source_service, e.user_id, e.session_id,
         e.source_ip, e.resource_type, e.resource_id, e.action_performed, e.result, e.tenant_id, e.tenant_name, e.client_id,
         e.client_name, e.request_id, e.trace_id, e.ocsf_class_uid, r.security_hub_id,
         coalesce(r.remediation_status, 'open') as remediation_status, r.assignee, r.resolved_at
  from security.security_events e
  left join security.remediations r on r.event_id = e.id and r.event_created_at = e.created_at;
comment on view security.v_security_events_masked is 'For the auditor: without names, descriptions, user agents, details and notes.';
grant select on security.v_security_events_masked to akashi_reader, akashi_worker, akashi_security_admin;

-- For the function below, which tells what it stored from what was there.
create policy security_events_owner on security.security_events for select to akashi_owner using (true);

-- Events that services send over HTTP, in one transaction; the caller has checked their shape. Who sent them
-- is taken from the signed context and kept beside what they say. Answers, for each, what became of it:
-- stored; known, when the same id is there; or why it is not taken. The window keeps a sender from
-- writing history, and what it holds is never archived yet.
create function security.submit_events(events jsonb) returns table (place integer, state text)
  language plpgsql security definer set search_path = '' set timezone = 'UTC' as $$
declare
  max_age   constant interval := '7 days';
  max_ahead constant interval := '5 minutes';
  who       constant audit.request_context := audit.request_context();
  sender    jsonb;
  missing   timestamptz;
begin
  if not who.verified then
    raise exception 'events are taken in under a signed request context only' using errcode = 'insufficient_privilege',
      hint = 'open the database with the context key';
  end if;
  sender := jsonb_strip_nulls(jsonb_build_object('user_id', who.user_id, 'subject', who.subject,
    'address', host(who.ip_address), 'request_id', who.request_id));
  for missing in
    select distinct lifecycle.partition_from((e.value ->> 'created_at')::timestamptz, 'day')
    from jsonb_array_elements(events) e
    where (e.value ->> 'created_at')::timestamptz between now() - max_age and now() + max_ahead
  loop
    if to_regclass(format('security.%I', lifecycle.partition_name('security_events', missing, 'day'))) is null then
      perform lifecycle.create_partition('security.security_events', missing);
    end if;
  end loop;
  return query
  with given as (
    select e.place::integer - 1 as place, r.*
    from jsonb_array_elements(events) with ordinality e (value, place)
    cross join lateral jsonb_to_record(e.value) r (id uuid, created_at timestamptz, event_type text, event_category text,
      severity text, source_service text, description text, user_id uuid, user_name text, external_user_id text,
      session_id uuid, source_ip inet, user_agent text, resource_type text, resource_id text, action_performed text,
      result text, tenant_id text, tenant_name text, client_id text, client_name text, request_id text, trace_id text,
      ocsf_class_uid integer, event_details jsonb)
  ), judged as (
    select g.*, case when g.created_at < now() - max_age then 'older than 7 days'
                     when g.created_at > now() + max_ahead then 'more than 5 minutes ahead' end as refusal
    from given g
  ), stored as (
    insert into security.security_events (id, created_at, event_type, event_category, severity, source_service, description,
      user_id, user_name, external_user_id, session_id, source_ip, user_agent, resource_type, resource_id, action_performed,
      result, tenant_id, tenant_name, client_id, client_name, request_id, trace_id, ocsf_class_uid, event_details)
    select distinct on (j.id, j.created_at) j.id, j.created_at, j.event_type, j.event_category, j.severity, j.source_service,
      j.description, j.user_id, j.user_name, j.external_user_id, j.session_id, j.source_ip, j.user_agent, j.resource_type,
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
comment on function security.submit_events(jsonb) is
  'Takes in an array of events of services, 7 days old to 5 minutes ahead, each once; answers what became of each by its place.';
grant execute on function security.submit_events(jsonb) to akashi_app, akashi_worker;
