-- Findings of detection rules, and the parts of the logs that rules have evaluated. The evidence is the sealed events; a
-- finding refers to them, and the audit trail records what people do with it.
set local role akashi_owner;

-- Sets of rules that ran together; a run refers to one by its digest.
create table akashi_security.detection_rulesets (
  digest     bytea primary key check (octet_length(digest) = 32),
  rules      jsonb not null check (jsonb_typeof(rules) = 'array'),
  created_at timestamptz not null default clock_timestamp()
);
comment on table akashi_security.detection_rulesets is 'Sets of rules by the SHA-256 of their list; each rule with its id, its name and the hash of its meaning.';

-- One row per run, over a range of a log or a period of it up to a position. Recorded in the trail, so sealed with it.
create table akashi_security.detection_runs (
  id             uuid primary key default gen_random_uuid(),
  kind           text not null check (kind in ('live', 'history')),
  log            text not null check (log in ('security_events', 'audit_logs', 'login_attempts')),
  first_position bigint not null check (first_position >= 0),
  end_position   bigint not null check (end_position >= first_position),
  from_time      timestamptz,
  to_time        timestamptz,
  ruleset        bytea not null references akashi_security.detection_rulesets (digest),
  findings       uuid[] not null,
  created_at     timestamptz not null default clock_timestamp(),
  check (kind = 'history' or (from_time is null and to_time is null))
);
create index detection_runs_log_idx on akashi_security.detection_runs (log, kind, end_position desc);
comment on table akashi_security.detection_runs is
  'Coverage: which rules evaluated which range of a log. Runs over history evaluate only the events of the given period. Append-only.';
comment on column akashi_security.detection_runs.end_position is 'The first position after the run.';

create table akashi_security.detection_findings (
  id               uuid primary key,
  rule_id          text not null,
  rule_name        text not null,
  rule_hash        bytea not null check (octet_length(rule_hash) = 32),
  title            text not null,
  severity         varchar(20) not null check (severity in ('info', 'low', 'medium', 'high', 'critical')),
  log              text not null check (log in ('security_events', 'audit_logs', 'login_attempts')),
  subject          jsonb not null check (jsonb_typeof(subject) = 'object'),
  entity           text not null,
  first_at         timestamptz not null,
  last_at          timestamptz not null check (last_at >= first_at),
  event_count      bigint not null check (event_count > 0),
  events           uuid[] not null,
  status           varchar(20) not null default 'open'
                     check (status in ('open', 'in_progress', 'resolved', 'suppressed', 'false_positive')),
  assignee         uuid references akashi_auth.users (id) on delete set null,
  notes            text check (length(notes) <= 8192),
  due_at           timestamptz not null,
  closed_at        timestamptz,
  created_at       timestamptz not null default clock_timestamp(),
  updated_at       timestamptz not null default clock_timestamp(),
  last_modified_by text,
  check ((status in ('open', 'in_progress')) = (closed_at is null))
);
create index detection_findings_status_idx on akashi_security.detection_findings (status, severity, first_at desc);
create index detection_findings_rule_idx on akashi_security.detection_findings (rule_id, status);
create index detection_findings_entity_idx on akashi_security.detection_findings (entity, first_at desc);
create index detection_findings_assignee_idx on akashi_security.detection_findings (assignee) where assignee is not null;
comment on table akashi_security.detection_findings is
  'One row per rule, subject and window. Events that arrive later are added; the evidence is the sealed events.';
comment on column akashi_security.detection_findings.entity is 'The first value of the subject. The findings about one entity form a case.';
comment on column akashi_security.detection_findings.events is 'Ids of its first 250 events.';
comment on column akashi_security.detection_findings.due_at is 'When it must be closed: critical after 1 day, high 3, medium 14, others 30.';

-- Evidence only grows. Sets closed_at; the trail records who closed the finding.
create function akashi_security.keep_finding() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if tg_op = 'UPDATE' then
    if new.event_count < old.event_count or new.first_at > old.first_at or new.last_at < old.last_at then
      raise exception 'the evidence of a finding cannot shrink' using errcode = 'AK001';
    end if;
    if new.status in ('open', 'in_progress') then
      new.closed_at := null;
    elsif old.status in ('open', 'in_progress') then
      new.closed_at := clock_timestamp();
    end if;
  end if;
  return new;
end
$$;
grant execute on function akashi_security.keep_finding() to akashi_worker, akashi_security_admin;
create trigger keep_finding before update on akashi_security.detection_findings
  for each row execute function akashi_security.keep_finding();
create trigger update_updated_at before update on akashi_security.detection_findings
  for each row execute function akashi_auth.update_updated_at();

alter table akashi_security.detection_rulesets enable row level security, force row level security;
alter table akashi_security.detection_runs enable row level security, force row level security;
alter table akashi_security.detection_findings enable row level security, force row level security;
create policy detection_rulesets_staff on akashi_security.detection_rulesets to akashi_worker, akashi_security_admin using (true) with check (true);
create policy detection_rulesets_auditor on akashi_security.detection_rulesets for select to akashi_reader using (true);
create policy detection_rulesets_owner on akashi_security.detection_rulesets to akashi_owner using (true) with check (true);
create policy detection_runs_staff on akashi_security.detection_runs to akashi_worker, akashi_security_admin using (true) with check (true);
create policy detection_runs_auditor on akashi_security.detection_runs for select to akashi_reader using (true);
create policy detection_runs_owner on akashi_security.detection_runs to akashi_owner using (true) with check (true);
create policy detection_findings_staff on akashi_security.detection_findings to akashi_worker, akashi_security_admin using (true) with check (true);
create policy detection_findings_auditor on akashi_security.detection_findings for select to akashi_reader using (true);
create policy detection_findings_owner on akashi_security.detection_findings to akashi_owner using (true) with check (true);
grant select on akashi_security.detection_rulesets, akashi_security.detection_runs to akashi_worker, akashi_security_admin, akashi_reader;
grant insert on akashi_security.detection_rulesets to akashi_worker, akashi_security_admin;
grant insert (kind, log, first_position, end_position, from_time, to_time, ruleset, findings)
  on akashi_security.detection_runs to akashi_worker, akashi_security_admin;
grant select on akashi_security.detection_findings to akashi_worker, akashi_security_admin;
-- Auditors see findings and their state, but not whom they name.
grant select (id, rule_id, rule_name, rule_hash, title, severity, log, first_at, last_at, event_count, events, status, assignee,
  due_at, closed_at, created_at, updated_at) on akashi_security.detection_findings to akashi_reader;
grant insert (id, rule_id, rule_name, rule_hash, title, severity, log, subject, entity, first_at, last_at, event_count, events, due_at),
      update (rule_hash, first_at, last_at, event_count, events, status, assignee, notes)
  on akashi_security.detection_findings to akashi_worker, akashi_security_admin;
select akashi_audit.guard('akashi_security.detection_rulesets'), akashi_audit.guard('akashi_security.detection_runs');
select akashi_audit.exempt('akashi_security.detection_rulesets', 'append-only itself; its digest is in every run');
select akashi_audit.protect('akashi_security.detection_runs', 'internal');
select akashi_audit.protect('akashi_security.detection_findings', 'confidential', null, '{}', array['updated_at', 'last_modified_by']);

-- Findings per rule, and their verdicts.
create view akashi_security.v_detection_rules with (security_invoker = true) as
  select f.rule_id, max(f.rule_name) as rule_name, count(*) as findings,
         count(*) filter (where f.status in ('open', 'in_progress')) as open,
         count(*) filter (where f.status = 'false_positive') as false_positives,
         round(count(*) filter (where f.status = 'false_positive')::numeric
               / nullif(count(*) filter (where f.status in ('resolved', 'false_positive')), 0), 3) as false_positive_rate,
         max(f.last_at) as last_at
  from akashi_security.detection_findings f group by f.rule_id;
comment on view akashi_security.v_detection_rules is 'Findings per rule, and the share of false positives among those that were closed.';
grant select on akashi_security.v_detection_rules to akashi_worker, akashi_security_admin, akashi_reader;

insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('detection.rules', '[]', '\[("[a-z0-9_-]{1,100}=(off|\d{1,9}(/[1-9]\d{0,5}[smhdw])?)"(, (?="))?)*\]',
   'names of rules with off, a threshold, or a threshold and a time, such as password_spraying=20/30m',
   'rules that are off, or that have another threshold or time'),
  ('detection.folders', '[]', '\[("[^",]{1,255}"(, (?="))?)*\]', 'absolute paths of folders',
   'folders of further rules, on the machines of the workers and of the server'),
  ('detection.responses', '[]',
   '\[("[a-z0-9_-]{1,100}=(suspend_account|end_sessions|revoke_keys)"(, (?="))?)*\]',
   'names of rules, or critical or high, with suspend_account, end_sessions or revoke_keys, such as bulk_operations=end_sessions',
   'responses to a new finding, applied to the user whom it names'),
  ('detection.responses_act', 'false', 'true|false', 'true or false',
   'while false, responses are recorded and not carried out'),
  ('detection.noise_budget', '10', '[1-9]\d{0,5}', 'a number from 1 to 999999',
   'findings a day of one rule, as the mean of a week; a rule with more is shown as noisy');

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
create function akashi_security.detection_evidence(since timestamptz, until timestamptz,
  out runs bigint, out found bigint, out closed bigint, out open bigint, out overdue bigint, out median_hours numeric, out false_positives bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select (select count(*) from akashi_security.detection_runs r where r.created_at >= since and r.created_at < until),
         count(*) filter (where f.created_at >= since and f.created_at < until),
         count(*) filter (where f.closed_at >= since and f.closed_at < until),
         count(*) filter (where f.closed_at is null),
         count(*) filter (where f.closed_at is null and f.due_at < now()),
         round((percentile_cont(0.5) within group (order by extract(epoch from f.closed_at - f.created_at)::float8)
                  filter (where f.closed_at >= since and f.closed_at < until) / 3600)::numeric, 1),
         count(*) filter (where f.status = 'false_positive' and f.closed_at >= since and f.closed_at < until)
  from akashi_security.detection_findings f
$$;
grant execute on function akashi_security.detection_evidence(timestamptz, timestamptz) to akashi_security_admin;

create function akashi_security.findings_by_severity(since timestamptz, until timestamptz)
  returns table (severity text, found bigint, closed bigint, overdue bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select s.name, count(f.id), count(f.id) filter (where f.closed_at is not null), count(f.id) filter (where f.closed_at is null and f.due_at < now())
  from unnest(array['critical', 'high', 'medium', 'low', 'info']) with ordinality s (name, rank)
  left join akashi_security.detection_findings f on f.severity = s.name and f.created_at >= since and f.created_at < until
  group by s.name, s.rank order by s.rank
$$;
grant execute on function akashi_security.findings_by_severity(timestamptz, timestamptz) to akashi_security_admin;
