-- Settings that belong to the data rather than to a process: what S1 4.2 kept in set_blea_config.
set local role akashi_owner;

create table lifecycle.settings (
  key              text primary key check (key ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'),
  value            jsonb not null,
  description      text not null,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text,
  last_modified_by text
);
comment on table lifecycle.settings is 'One row per setting; changed by administrators, read by everybody.';

alter table lifecycle.settings enable row level security;
alter table lifecycle.settings force row level security;
create policy settings_read on lifecycle.settings for select
  to akashi_app, akashi_worker, akashi_reader, akashi_security_admin using (true);
create policy settings_owner on lifecycle.settings to akashi_owner using (true) with check (true);
grant select on lifecycle.settings to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;

insert into lifecycle.settings (key, value, description) values
  ('audit.retention_days',         '2555', 'days an audit row is kept in all, hot and archived (7 years; S1 4.2)'),
  ('session.retention_days',       '30',   'days an expired session is kept (S1 4.2)'),
  ('temporary_data.retention_days', '7',   'days a failed upload or other temporary row is kept (S1 4.2)'),
  ('organisation.time_zone',       '"Asia/Tokyo"', 'time zone of business hours, weekends and holidays'),
  ('organisation.business_hours',  '{"from": 8, "to": 20}', 'hours of the day outside which changes are off-hours (S1 6.3)');
