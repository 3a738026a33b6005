-- Whom the heads of the logs are submitted to after they were published.
set local role akashi_owner;

create table audit.witnesses (
  name             text primary key check (name <> ''),
  url              text not null check (url ~ '^https?://'),
  verifier_key     text not null unique,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(auth.current_user_id()::text, session_user),
  last_modified_by text
);
comment on table audit.witnesses is 'Witnesses (C2SP tlog-witness) that are asked to cosign every published head.';

alter table audit.witnesses enable row level security;
alter table audit.witnesses force row level security;
create policy witnesses_read on audit.witnesses for select to akashi_worker, akashi_security_admin using (true);
create policy witnesses_owner on audit.witnesses to akashi_owner using (true) with check (true);
grant select on audit.witnesses to akashi_worker, akashi_security_admin;
create trigger update_updated_at before update on audit.witnesses
  for each row execute function auth.update_updated_at();

select audit.exempt('audit.witnesses', 'changed by administrators; each row says who and when');
