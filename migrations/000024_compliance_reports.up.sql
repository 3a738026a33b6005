-- Compliance reports: the controls checked for a month, the verdict, and its signature.
set local role akashi_owner;

create table akashi_security.compliance_reports (
  id             uuid primary key default akashi_audit.uuid_v7(),
  month          text not null check (month ~ '^\d{4}-(0[1-9]|1[0-2])$'),
  covers_from    timestamptz not null,
  covers_until   timestamptz not null check (covers_until > covers_from),
  verdict        text not null check (verdict in ('fulfilled', 'incomplete', 'not_fulfilled')),
  document       jsonb not null check (jsonb_typeof(document) = 'object'),
  files          jsonb not null check (jsonb_typeof(files) = 'array'),
  note           text not null,
  created_at     timestamptz not null default clock_timestamp(),
  created_by     text not null default coalesce(akashi_auth.current_user_id()::text, session_user)
);
create index compliance_reports_month_idx on akashi_security.compliance_reports (month desc, created_at desc);
comment on table akashi_security.compliance_reports is 'One row per compliance report. Append-only, and recorded in the sealed trail.';
comment on column akashi_security.compliance_reports.month is 'YYYY-MM, in the time zone of the organisation.';
comment on column akashi_security.compliance_reports.document is 'Controls with their evidence: the content of every format of the report.';
comment on column akashi_security.compliance_reports.files is 'Name, SHA-256, bytes and key in the object store of each format and language.';
comment on column akashi_security.compliance_reports.note is 'Signed note over the month, the verdict and the SHA-256 of each file.';

alter table akashi_security.compliance_reports enable row level security, force row level security;
create policy compliance_reports_add on akashi_security.compliance_reports for insert to akashi_worker with check (true);
create policy compliance_reports_read on akashi_security.compliance_reports for select to akashi_worker, akashi_security_admin, akashi_reader using (true);
create policy compliance_reports_owner on akashi_security.compliance_reports to akashi_owner using (true) with check (true);
grant select on akashi_security.compliance_reports to akashi_worker, akashi_security_admin, akashi_reader;
grant insert (id, month, covers_from, covers_until, verdict, document, files, note) on akashi_security.compliance_reports to akashi_worker;
select akashi_audit.guard('akashi_security.compliance_reports');
-- The document is omitted from the trail because files has its digest.
select akashi_audit.protect('akashi_security.compliance_reports', 'confidential', null, '{"document": "omit"}');

create function akashi_security.has_compliance_report(report uuid) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from akashi_security.compliance_reports r where r.id = report)
$$;

-- Tables with forced row-level security, and logins that bypass it.
create function akashi_security.row_security_evidence(since timestamptz, until timestamptz,
  out tables bigint, out unprotected_tables bigint, out policies bigint, out bypassing_logins bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select count(*), count(*) filter (where not (c.relrowsecurity and c.relforcerowsecurity)),
         (select count(*) from pg_catalog.pg_policy p join pg_catalog.pg_class t on t.oid = p.polrelid
          where t.relnamespace::regnamespace::text like 'akashi\_%'),
         (select count(*) from pg_catalog.pg_roles r where r.rolcanlogin and (r.rolsuper or r.rolbypassrls))
  from pg_catalog.pg_class c
  where c.relkind in ('r', 'p') and not c.relispartition
    -- The migrations' own table has no grants; the job queue's belong to the worker alone.
    and c.relnamespace::regnamespace::text like 'akashi\_%' and c.relnamespace::regnamespace::text <> 'akashi_jobs'
    and c.relname <> 'schema_migrations'
$$;
grant execute on function akashi_security.row_security_evidence(timestamptz, timestamptz) to akashi_security_admin;

insert into akashi_lifecycle.jobs (name, schedule, task, timeout, description) values
  ('compliance-report', '0 21 1 * *', 'report.monthly', '1 hour', 'make the compliance report of the previous month');
