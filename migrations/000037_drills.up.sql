-- Restores that are practised: what each found, for as long as anybody may ask for it.
set local role akashi_owner;

create table lifecycle.drills (
  id          uuid primary key default audit.uuid_v7(),
  system_id   text not null,
  started_at  timestamptz not null,
  finished_at timestamptz not null check (finished_at >= started_at),
  ok          boolean not null,
  target      text,
  rpo_seconds double precision check (rpo_seconds >= 0),
  rto_seconds double precision check (rto_seconds >= 0),
  phases      jsonb not null check (jsonb_typeof(phases) = 'array'),
  problems    text[] not null check (ok = (cardinality(problems) = 0)),
  object      text not null,
  note        text not null,
  created_at  timestamptz not null default clock_timestamp()
);
create index drills_started_at_idx on lifecycle.drills (started_at desc);
comment on table lifecycle.drills is 'One row per recovery drill, with its signed report.';
comment on column lifecycle.drills.rpo_seconds is 'Age of the latest moment that could be restored when the drill began.';
comment on column lifecycle.drills.rto_seconds is 'From the start of the restore until the server took queries.';
comment on column lifecycle.drills.object is 'Key of the signed report in the object store.';
comment on column lifecycle.drills.note is 'The same report: a signed note.';

alter table lifecycle.drills enable row level security;
alter table lifecycle.drills force row level security;
create policy drills_worker on lifecycle.drills for insert to akashi_worker with check (true);
create policy drills_read on lifecycle.drills for select to akashi_worker, akashi_security_admin, akashi_reader using (true);
create policy drills_owner on lifecycle.drills to akashi_owner using (true) with check (true);
grant select on lifecycle.drills to akashi_worker, akashi_security_admin, akashi_reader;
grant insert (id, system_id, started_at, finished_at, ok, target, rpo_seconds, rto_seconds, phases, problems, object, note)
  on lifecycle.drills to akashi_worker;
select audit.exempt('lifecycle.drills', 'reports that only the worker adds; each is signed and kept in the object store too');

insert into lifecycle.settings (key, value, description) values
  ('backup.drill_rpo_limit_seconds', '3600',  'a drill fails when more than this could have been lost (S5: 1 hour)'),
  ('backup.drill_rto_limit_seconds', '14400', 'a drill fails when the restore takes longer (S5: 4 hours)'),
  ('backup.drill_max_age_days',      '35',    'an alarm is raised when no drill passed for longer');

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('backup-drill',       '0 8 1 * *',  'backup.drill',       '12 hours',   'restore to a random moment on a server that is thrown away, and compare'),
  ('backup-drill-watch', '50 4 * * *', 'backup.drill_watch', '5 minutes',  'raise an alarm when no drill passed for too long');
