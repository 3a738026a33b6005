-- The cross-check: compares the changes in the write-ahead log with the audit trail. docs/ledger.md says what it finds.
set local role akashi_owner;

-- One row: how far the write-ahead log has been compared, and which tables were protected at that point and how. The
-- server knows the position of the slot; the trail records each minute which range was compared.
create table akashi_audit.crosscheck_state (
  one_row           boolean primary key default true check (one_row),
  slot_name         text not null,
  system_identifier bigint not null,
  timeline          integer not null,
  compared_lsn      pg_lsn not null,
  compared_at       timestamptz not null default clock_timestamp(),
  sealed_lsn        pg_lsn not null,
  latest_commit     bigint not null default 0,
  protections       jsonb not null,
  traces            jsonb not null,
  note              text not null,
  transactions      bigint not null default 0,
  changes           bigint not null default 0
);
comment on table akashi_audit.crosscheck_state is 'How far the write-ahead log is compared with the trail.';
comment on column akashi_audit.crosscheck_state.compared_lsn is 'The end of the last compared transaction. Later ones changed no protected table, or are not complete yet.';
comment on column akashi_audit.crosscheck_state.sealed_lsn is 'Up to here a sealed row of the trail (crosscheck_compared) records that the log was compared.';
comment on column akashi_audit.crosscheck_state.latest_commit is 'The latest commit up to compared_lsn, in microseconds since 1970: whoever has a replication origin dates their own.';
comment on column akashi_audit.crosscheck_state.traces is 'Digests of akashi_audit.crosscheck_traces as the cross-check left them.';
comment on column akashi_audit.crosscheck_state.note is 'Signs the row, with a key that is not in the database: who changes it cannot have ranges left out.';
comment on column akashi_audit.crosscheck_state.protections is 'The protected tables as of compared_lsn, by which later changes are judged.';
alter table akashi_audit.crosscheck_state enable row level security, force row level security;
create policy crosscheck_state_worker on akashi_audit.crosscheck_state to akashi_worker using (true) with check (true);
create policy crosscheck_state_read on akashi_audit.crosscheck_state for select to akashi_security_admin using (true);
create policy crosscheck_state_owner on akashi_audit.crosscheck_state to akashi_owner using (true) with check (true);
grant select on akashi_audit.crosscheck_state to akashi_worker, akashi_security_admin;
grant insert, update on akashi_audit.crosscheck_state to akashi_worker;
create trigger refuse_change before delete or truncate on akashi_audit.crosscheck_state
  for each statement execute function akashi_audit.refuse_change();
alter table akashi_audit.crosscheck_state enable always trigger refuse_change;

create table akashi_audit.crosscheck_discrepancies (
  id           uuid primary key default akashi_audit.uuid_v7(),
  found_at     timestamptz not null default clock_timestamp(),
  kind         text not null check (kind in ('unrecorded', 'unmatched', 'different', 'trail_changed', 'state', 'unwatched')),
  place        text not null unique,
  xid          bigint,
  commit_lsn   pg_lsn,
  committed_at timestamptz,
  schema_name  text,
  table_name   text,
  operation    text,
  record_id    text,
  login        text,
  detail       text not null,
  settled_at   timestamptz,
  settled_by   text,
  explanation  text,
  check ((settled_at is null) = (explanation is null) and (settled_at is null) = (settled_by is null))
);
comment on table akashi_audit.crosscheck_discrepancies is 'Where the trail and the tables or the write-ahead log disagree.';
comment on column akashi_audit.crosscheck_discrepancies.kind is
  'unrecorded: a change without an audit row; unmatched: an audit row without a change; different: their values differ; trail_changed: the trail itself was changed; state: the content of a table differs from the trail; unwatched: changes of a table could not be read.';
comment on column akashi_audit.crosscheck_discrepancies.place is 'Identifies a discrepancy, so that it is stored once: the position in the log and a number, or the table and what differs in it.';
comment on column akashi_audit.crosscheck_discrepancies.xid is 'The id of the transaction: 32 bits, as in the write-ahead log.';
comment on column akashi_audit.crosscheck_discrepancies.login is 'The login that ran the transaction, if the trail names it; the write-ahead log does not.';
create index crosscheck_discrepancies_open_idx on akashi_audit.crosscheck_discrepancies (found_at) where settled_at is null;
alter table akashi_audit.crosscheck_discrepancies enable row level security, force row level security;
create policy crosscheck_discrepancies_read on akashi_audit.crosscheck_discrepancies for select to akashi_worker, akashi_security_admin using (true);
create policy crosscheck_discrepancies_owner on akashi_audit.crosscheck_discrepancies to akashi_owner using (true) with check (true);
grant select on akashi_audit.crosscheck_discrepancies to akashi_worker, akashi_security_admin;

create table akashi_audit.crosscheck_gaps (
  id          uuid primary key default akashi_audit.uuid_v7(),
  started_at  timestamptz not null default clock_timestamp(),
  ended_at    timestamptz,
  cause       text not null check (cause in ('off', 'no_logical_wal', 'slot_lost', 'wal_given_up', 'moved', 'too_large', 'publication_altered', 'state_altered')),
  start_lsn   pg_lsn,
  end_lsn     pg_lsn,
  detail      text not null,
  settled_at  timestamptz,
  settled_by  text,
  explanation text,
  check (ended_at is null or ended_at >= started_at),
  check ((settled_at is null) = (explanation is null) and (settled_at is null) = (settled_by is null))
);
comment on table akashi_audit.crosscheck_gaps is 'Ranges of the write-ahead log that were not compared with the trail.';
comment on column akashi_audit.crosscheck_gaps.cause is
  'off: switched off; no_logical_wal: the server has no logical WAL or lets no login read it; slot_lost: the slot was dropped or invalidated; wal_given_up: too much WAL waited; moved: another cluster or timeline; too_large: one transaction had more changes than are kept; publication_altered: the publication was dropped or altered, and repaired; state_altered: somebody else changed or removed what the cross-check keeps of its progress.';
comment on column akashi_audit.crosscheck_gaps.ended_at is 'Null while it lasts.';
create unique index crosscheck_gaps_open_idx on akashi_audit.crosscheck_gaps ((ended_at is null)) where ended_at is null;
alter table akashi_audit.crosscheck_gaps enable row level security, force row level security;
create policy crosscheck_gaps_read on akashi_audit.crosscheck_gaps for select to akashi_worker, akashi_security_admin using (true);
create policy crosscheck_gaps_owner on akashi_audit.crosscheck_gaps to akashi_owner using (true) with check (true);
grant select on akashi_audit.crosscheck_gaps to akashi_worker, akashi_security_admin;

-- A discrepancy is settled once and a gap ends once; nothing else in them changes.
create function akashi_audit.keep_crosscheck() returns trigger language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
declare
  open constant text[] := array['settled_at', 'settled_by', 'explanation'] || case when old.settled_at is null and to_jsonb(old) ->> 'ended_at' is null
    then array['ended_at', 'end_lsn'] else '{}' end;
begin
  if (to_jsonb(old) - open) is distinct from (to_jsonb(new) - open)
     or (old.settled_at is not null and (new.settled_at, new.settled_by, new.explanation)
         is distinct from (old.settled_at, old.settled_by, old.explanation)) then
    raise exception 'a finding of the cross-check can be settled once and not be changed'
      using errcode = 'AK001', hint = 'the record is append-only';
  end if;
  return new;
end
$$;
do $guards$
declare
  name text;
begin
  foreach name in array array['crosscheck_discrepancies', 'crosscheck_gaps'] loop
    execute format('create trigger keep_crosscheck before update on akashi_audit.%I for each row execute function akashi_audit.keep_crosscheck()', name);
    execute format('alter table akashi_audit.%I enable always trigger keep_crosscheck', name);
    execute format('create trigger refuse_change before delete or truncate on akashi_audit.%I for each statement execute function akashi_audit.refuse_change()', name);
    execute format('alter table akashi_audit.%I enable always trigger refuse_change', name);
  end loop;
end
$guards$;

-- Stores discrepancies, each once, and records a critical event for each new one. Returns the number of new ones.
create function akashi_audit.record_discrepancies(discrepancies jsonb) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  recorded integer;
begin
  with added as (
    insert into akashi_audit.crosscheck_discrepancies (kind, place, xid, commit_lsn, committed_at, schema_name, table_name, operation,
      record_id, login, detail)
    select f.kind, f.place, f.xid, f.commit_lsn, f.committed_at, f.schema_name, f.table_name, f.operation, f.record_id, f.login, f.detail
    from jsonb_to_recordset(discrepancies) as f (kind text, place text, xid bigint, commit_lsn pg_lsn, committed_at timestamptz,
      schema_name text, table_name text, operation text, record_id text, login text, detail text)
    on conflict (place) do nothing
    returning *
  )
  select count(akashi_security.record_event(event_type => 'crosscheck_discrepancy', event_category => 'integrity', severity => 'critical',
    source_service => 'akashi', description => left(a.detail, 1000), resource_type => 'table',
    resource_id => left(a.schema_name || '.' || a.table_name, 255), action_performed => 'crosscheck', result => 'failure',
    ocsf_class_uid => 2004, event_details => jsonb_strip_nulls(to_jsonb(a) - array['settled_at', 'settled_by', 'explanation', 'found_at']
      || jsonb_build_object('login', coalesce(a.login, 'unknown')))))
  into recorded from added a;
  if recorded > 0 then
    perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
      'message', 'the trail and the write-ahead log disagree', 'timestamp', now())::text);
  end if;
  return recorded;
end
$$;
grant execute on function akashi_audit.record_discrepancies(jsonb) to akashi_worker;

-- Settles discrepancies and gaps with an explanation; without ids, all that are open.
create function akashi_audit.settle_discrepancies(explanation text, ids uuid[] default null, until timestamptz default clock_timestamp())
  returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  settled uuid[];
  by_whom constant text := coalesce(akashi_auth.current_user_id()::text, session_user);
begin
  if coalesce(explanation, '') = '' then
    raise exception 'settling a discrepancy needs an explanation' using errcode = 'invalid_parameter_value', hint = 'say what happened';
  end if;
  with gaps as (
    update akashi_audit.crosscheck_gaps g set settled_at = clock_timestamp(), settled_by = by_whom, explanation = settle_discrepancies.explanation
    where g.settled_at is null and g.ended_at <= until and (ids is null or g.id = any (ids)) returning g.id
  ), discrepancies as (
    update akashi_audit.crosscheck_discrepancies d set settled_at = clock_timestamp(), settled_by = by_whom, explanation = settle_discrepancies.explanation
    where d.settled_at is null and d.found_at <= until and (ids is null or d.id = any (ids)) returning d.id
  )
  select array_agg(id order by id) into settled from (select id from gaps union all select id from discrepancies) all_settled;
  if settled is not null then
    perform akashi_audit.record_action('crosscheck_settled', 'settle', 'akashi_audit.crosscheck_discrepancies', null, 'SUCCESS',
      jsonb_build_object('settled', settled[1:1000], 'count', cardinality(settled), 'explanation', explanation));
  end if;
  return coalesce(cardinality(settled), 0);
end
$$;
comment on function akashi_audit.settle_discrepancies(text, uuid[], timestamptz) is
  'Explains what the cross-check found: discrepancies, and gaps that have ended; it stays on record.';
grant execute on function akashi_audit.settle_discrepancies(text, uuid[], timestamptz) to akashi_security_admin;

-- Begins a gap. Returns null if one of the same cause is already open.
create function akashi_audit.begin_gap(cause text, detail text, start_lsn pg_lsn, end_lsn pg_lsn default null) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  gap uuid;
begin
  update akashi_audit.crosscheck_gaps g set ended_at = clock_timestamp(), end_lsn = begin_gap.start_lsn
  where g.ended_at is null and begin_gap.end_lsn is null and g.cause <> begin_gap.cause;
  insert into akashi_audit.crosscheck_gaps (cause, detail, start_lsn, end_lsn, ended_at)
  values (begin_gap.cause, begin_gap.detail, begin_gap.start_lsn, begin_gap.end_lsn, case when begin_gap.end_lsn is not null then clock_timestamp() end)
  on conflict ((ended_at is null)) where ended_at is null do nothing
  returning id into gap;
  if gap is not null then
    perform akashi_audit.record_action('crosscheck_gap', 'skip', 'wal', gap::text, 'FAILURE',
      jsonb_build_object('cause', cause, 'detail', detail, 'from', start_lsn, 'to', end_lsn));
    perform akashi_security.record_event(event_type => 'crosscheck_gap', event_category => 'integrity', severity => 'high',
      source_service => 'akashi', description => left(detail, 1000), resource_type => 'wal', resource_id => gap::text,
      action_performed => 'crosscheck', result => 'failure', ocsf_class_uid => 2004,
      event_details => jsonb_build_object('cause', cause, 'from', start_lsn, 'to', end_lsn));
  end if;
  return gap;
end
$$;

create function akashi_audit.end_gap(end_lsn pg_lsn) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  gap uuid;
begin
  update akashi_audit.crosscheck_gaps g set ended_at = clock_timestamp(), end_lsn = end_gap.end_lsn where g.ended_at is null
  returning g.id into gap;
  if gap is not null then
    perform akashi_audit.record_action('crosscheck_gap', 'resume', 'wal', gap::text, 'SUCCESS', jsonb_build_object('to', end_lsn));
  end if;
  return gap;
end
$$;
grant execute on function akashi_audit.begin_gap(text, text, pg_lsn, pg_lsn), akashi_audit.end_gap(pg_lsn) to akashi_worker;

-- Makes the publication deliver every change of every protected table again. Returns what was wrong with it; run by an
-- administrator, who owns the tables. Changes made while it was wrong are missing from what the slot sends.
create function akashi_audit.repair_publication() returns text[]
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  wrong text[] := '{}';
  present record;
  missing record;
  own_role constant text := current_setting('role');
begin
  select p.oid, p.puballtables, p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate and not p.pubviaroot as whole,
         pg_get_userbyid(p.pubowner) = 'akashi_owner' as owned
  into present from pg_publication p where p.pubname = 'akashi_crosscheck';
  if present.puballtables or not present.owned then
    drop publication akashi_crosscheck;
  end if;
  if present is null or present.puballtables or not present.owned then
    wrong := wrong || case when present is null then 'the publication was dropped' else 'the publication was another' end;
    -- As the migrations create it.
    execute format('grant create on database %I to akashi_owner', current_database());
    perform set_config('role', 'akashi_owner', true);
    create publication akashi_crosscheck with (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
    perform set_config('role', own_role, true);
    execute format('revoke create on database %I from akashi_owner', current_database());
    perform akashi_audit.publish_generated_columns();
  elsif not present.whole then
    wrong := wrong || 'the options of the publication were altered'::text;
    alter publication akashi_crosscheck set (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
  end if;
  for missing in
    select c.oid::regclass as relation, r.oid is not null as narrowed, p.schema_name, p.table_name,
           p.digest_columns <> '{}' or p.omitted_columns <> '{}' as hidden
    from (select w.schema_name, w.table_name, w.digest_columns, w.omitted_columns from akashi_audit.protected_tables w
          union all select 'akashi_audit', 'audit_logs', '{}', '{}') p
    join pg_namespace n on n.nspname = p.schema_name join pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
    left join pg_publication b on b.pubname = 'akashi_crosscheck'
    left join pg_publication_rel r on r.prpubid = b.oid and r.prrelid = c.oid
    where r.oid is null or r.prqual is not null or r.prattrs is not null
    order by 1
  loop
    wrong := wrong || format('the publication did not deliver all of %s', missing.relation);
    if missing.narrowed then
      execute format('alter publication akashi_crosscheck drop table only %s', missing.relation);
    end if;
    if missing.table_name = 'audit_logs' and missing.schema_name = 'akashi_audit' then
      alter publication akashi_crosscheck add table only akashi_audit.audit_logs;
    else
      update akashi_audit.protected_tables p
      set replica_identity = akashi_audit.publish(missing.relation, missing.hidden) || p.replica_identity
      where (p.schema_name, p.table_name) = (missing.schema_name, missing.table_name);
    end if;
  end loop;
  if wrong <> '{}' then
    perform akashi_audit.keep_catalog_record('repair', jsonb_build_object('publication', wrong, 'added', array(
      select t.written from unnest(akashi_audit.whole_catalog_transactions()) t (written) where akashi_audit.is_own_transaction(t.written::xid))));
    perform akashi_security.record_event(event_type => 'catalog_recorded', event_category => 'integrity', severity => 'high',
      source_service => 'akashi', action_performed => 'repair', result => 'success', ocsf_class_uid => 2004,
      event_details => jsonb_build_object('reason', 'the publication of the cross-check was repaired', 'publication', wrong));
  end if;
  return wrong;
end
$$;
comment on function akashi_audit.repair_publication() is
  'Makes the publication of the cross-check deliver every protected table again; returns what was wrong.';

-- The position of the reader of the slot; null without a slot. Only pg_read_all_stats sees positions of other logins in
-- pg_stat_replication; without it this is what the slot has confirmed, some seconds behind.
create function akashi_audit.crosscheck_position(out active boolean, out received pg_lsn, out now pg_lsn)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select s.active, coalesce(r.write_lsn, s.confirmed_flush_lsn),
         case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end
  from (select 1) one
  left join pg_replication_slots s on s.slot_type = 'logical'
    and s.slot_name = (select 'akashi_crosscheck_' || oid from pg_database where datname = current_database())
  left join pg_stat_replication r on r.pid = s.active_pid
$$;
grant execute on function akashi_audit.crosscheck_position() to akashi_worker, akashi_security_admin;

-- Tables whose traces differ from the stored ones: their rows may have been replaced or removed. Protecting a table stores
-- its traces in the same statement.
create function akashi_audit.suspect_tables() returns table (schema_name text, table_name text, what text)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with now as (
    select t.schema_name, t.table_name, t.traces as before, akashi_audit.table_traces(c.oid) as after
    from akashi_audit.crosscheck_traces t
    join akashi_audit.protected_tables p on (p.schema_name, p.table_name) = (t.schema_name, t.table_name)
    join pg_namespace n on n.nspname = t.schema_name
    join pg_class c on c.relnamespace = n.oid and c.relname = t.table_name
  )
  select schema_name, table_name, format('the file of %s is another: it was rewritten', b.value ->> 'name')
  from now cross join lateral jsonb_each(before -> 'files') b
  where after -> 'files' -> b.key -> 'file' <> b.value -> 'file'
  union all
  select schema_name, table_name, format('the partition %s was detached or dropped', b.value ->> 'name')
  from now cross join lateral jsonb_each(before -> 'files') b
  where not after -> 'files' ? b.key and not exists (
    select from akashi_audit.catalog_records r where r.row ->> 'action' = 'detach' and r.row -> 'detail' -> 'relations' ? (b.value ->> 'name'))
  union all
  select schema_name, table_name, format('the partition %s was attached with rows in it', a.value ->> 'name')
  from now cross join lateral jsonb_each(after -> 'files') a
  where not before -> 'files' ? a.key and pg_relation_size(a.key::oid) > 0
  union all
  select schema_name, table_name, format('the partition %s was detached and attached again', b.key::oid::regclass)
  from now cross join lateral jsonb_each(before -> 'attached') b
  where after -> 'attached' -> b.key <> b.value
  union all
  select schema_name, table_name, format('the value %s of an enum is now %s', b.value, after -> 'labels' -> b.key)
  from now cross join lateral jsonb_each(before -> 'labels') b
  where after -> 'labels' -> b.key <> b.value
  union all
  select schema_name, table_name, format('the column %s is another than before, or has other values in old rows', b.key)
  from now cross join lateral jsonb_each(before -> 'columns') b
  where after -> 'columns' -> b.key <> b.value
$$;
grant execute on function akashi_audit.suspect_tables() to akashi_worker, akashi_security_admin;

-- Stores the traces of one table, or of every table that only gained empty partitions and enum values.
create function akashi_audit.keep_traces_of(schema_name text default null, table_name text default null)
  returns table (kept_schema text, kept_table text, digest text)
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  with suspects as materialized (select s.schema_name, s.table_name from akashi_audit.suspect_tables() s)
  select p.schema_name, p.table_name, akashi_audit.keep_traces(c.oid)
  from akashi_audit.protected_tables p
  join pg_namespace n on n.nspname = p.schema_name
  join pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  left join akashi_audit.crosscheck_traces t on (t.schema_name, t.table_name) = (p.schema_name, p.table_name)
  where case when keep_traces_of.table_name is not null
             then (p.schema_name, p.table_name) = (keep_traces_of.schema_name, keep_traces_of.table_name)
             else not exists (select from suspects s where (s.schema_name, s.table_name) = (p.schema_name, p.table_name))
                  and (t.traces is null or t.traces is distinct from akashi_audit.table_traces(c.oid)
                    || jsonb_build_object('columns', (t.traces -> 'columns') || (akashi_audit.table_traces(c.oid) -> 'columns'))) end
$$;
grant execute on function akashi_audit.keep_traces_of(text, text) to akashi_worker;

-- Updates the traces of relations that a recorded TRUNCATE gave new files: {"oid": file}. Returns digests of before and after.
create function akashi_audit.keep_truncated(files jsonb)
  returns table (kept_schema text, kept_table text, digest_before text, digest text)
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  with changed as (
    select t.schema_name, t.table_name, md5(t.traces::text) as digest_before,
           jsonb_set(t.traces, '{files}', (t.traces -> 'files') || (
             select jsonb_object_agg(f.key, (t.traces -> 'files' -> f.key) || jsonb_build_object('file', f.value))
             from jsonb_each(files) f where t.traces -> 'files' ? f.key)) as traces
    from akashi_audit.crosscheck_traces t
    where t.traces -> 'files' ?| array(select jsonb_object_keys(files))
  )
  update akashi_audit.crosscheck_traces t set traces = c.traces
  from changed c where (c.schema_name, c.table_name) = (t.schema_name, t.table_name)
  returning t.schema_name, t.table_name, c.digest_before, md5(t.traces::text)
$$;
grant execute on function akashi_audit.keep_truncated(jsonb) to akashi_worker;

select akashi_audit.exempt('akashi_audit.crosscheck_state', 'how far the cross-check is; compared ranges are recorded in the trail'),
       akashi_audit.exempt('akashi_audit.crosscheck_discrepancies', 'append-only itself; each is a security event'),
       akashi_audit.exempt('akashi_audit.crosscheck_gaps', 'append-only itself; each is recorded in the trail');

insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('crosscheck.enabled', 'true', 'true|false', 'true or false',
   'whether the changes of protected tables are compared with the trail, from the write-ahead log');

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
create function akashi_audit.crosscheck_evidence(since timestamptz, until timestamptz,
  out compared bigint, out discrepancies bigint, out open_discrepancies bigint, out open_gaps bigint, out gap_hours numeric)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select (select s.changes from akashi_audit.crosscheck_state s),
         (select count(*) from akashi_audit.crosscheck_discrepancies d where d.found_at >= since and d.found_at < until),
         (select count(*) from akashi_audit.crosscheck_discrepancies d where d.settled_at is null),
         (select count(*) from akashi_audit.crosscheck_gaps g where g.settled_at is null),
         (select coalesce(round(sum(extract(epoch from least(coalesce(g.ended_at, now()), until) - greatest(g.started_at, since))) / 3600, 1), 0)
          from akashi_audit.crosscheck_gaps g where g.started_at < until and coalesce(g.ended_at, now()) > since)
$$;
grant execute on function akashi_audit.crosscheck_evidence(timestamptz, timestamptz) to akashi_security_admin;
