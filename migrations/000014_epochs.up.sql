-- Epochs: after a restore, or when the database does not continue what it published, a log goes on under a new
-- name that is linked to the old head by a signed note. docs/ledger.md specifies it.
set local role akashi_owner;

alter table audit.ledger_heads
  add column seq_floor bigint not null default 0,
  add column system_identifier bigint,
  add column timeline integer;
comment on column audit.ledger_heads.seq_floor is
  'Rows up to this seq were written before the epoch: all that had to be are in the tree, whatever their xid says here.';
comment on column audit.ledger_heads.system_identifier is 'The cluster that the epoch was opened in; in another one its xids mean nothing.';

create table audit.ledger_epochs (
  log             text not null,
  epoch           integer not null check (epoch > 1),
  origin          text not null unique,
  cause           text not null check (cause in ('ordered', 'conflict', 'older', 'moved')),
  reason          text not null,
  previous_origin text not null,
  previous_size   bigint not null check (previous_size >= 0),
  previous_root   bytea not null check (octet_length(previous_root) = 32),
  common_size     bigint not null check (common_size >= 0),
  given_up        text[] not null,
  size            bigint not null check (size >= common_size),
  root            bytea not null check (octet_length(root) = 32),
  note            text not null,
  opened_at       timestamptz not null default now(),
  primary key (log, epoch)
);
comment on column audit.ledger_epochs.cause is
  'ordered: by an administrator or a restore; conflict: another checkpoint of a size was published; older: more was published than the database has; moved: another cluster or timeline.';
comment on column audit.ledger_epochs.common_size is
  'Entries that the old history, as it was published, and this one share; more than that of the old one is given up.';

comment on column audit.ledger_epochs.given_up is
  'Origins of epochs that were published by a database that is no longer: this one was copied before them.';

alter table audit.ledger_epochs enable row level security;
alter table audit.ledger_epochs force row level security;
create policy ledger_epochs_worker on audit.ledger_epochs to akashi_worker using (true) with check (true);
create policy ledger_epochs_read on audit.ledger_epochs for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy ledger_epochs_owner on audit.ledger_epochs to akashi_owner using (true) with check (true);
grant select on audit.ledger_epochs to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
grant insert on audit.ledger_epochs to akashi_worker;
select audit.guard('audit.ledger_epochs'), audit.exempt('audit.ledger_epochs', 'part of the ledger');

-- Which cluster this is, and which branch of its history.
create function audit.system_identity(out system_identifier bigint, out timeline integer)
  language sql stable security definer set search_path = '' as $$
  select s.system_identifier,
         case when not pg_catalog.pg_is_in_recovery()
           then ('x' || substring(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) for 8))::bit(32)::integer end
  from pg_catalog.pg_control_system() s
$$;
grant execute on function audit.system_identity() to akashi_worker, akashi_security_admin;

-- Holds writers off a log's table until the transaction ends: whatever is in it then is committed. Answers the
-- last number that its sequence gave out.
create function audit.hold_log(log text) returns bigint
  language plpgsql security definer set search_path = '' set lock_timeout = '10s' as $$
declare
  target record;
  last bigint;
begin
  select p.schema_name, p.table_name into strict target from lifecycle.policies p where p.append_only and p.table_name = log;
  execute format('lock table %I.%I in share mode', target.schema_name, target.table_name);
  execute format('select last_value from %I.%I', target.schema_name, target.table_name || '_seq') into last;
  return last;
end
$$;
grant execute on function audit.hold_log(text) to akashi_worker;

create function audit.alert_ledger_epoch(report jsonb) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  insert into security.security_events (event_type, event_category, severity, source_service, action_performed, result,
    ocsf_class_uid, event_details)
  values ('ledger_epoch_opened', 'integrity', case when (report ->> 'lost')::numeric > 0 then 'critical' else 'high' end,
          'akashi', 'open_epoch', 'success', 2004, report);
  perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
    'message', 'a log of the audit ledger goes on in a new epoch', 'timestamp', now())::text);
end
$$;
grant execute on function audit.alert_ledger_epoch(jsonb) to akashi_worker;
