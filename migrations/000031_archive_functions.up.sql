-- The archive as S4 calls it from SQL, and its jobs of the timetable.
set local role akashi_owner;

grant usage on schema archive to akashi_security_admin, akashi_reader;

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('archive-export', '0 2 * * *', 'archive.export', '12 hours', 'export partitions that closed to the object store, and compare what it gives back'),
  ('archive-expire', '0 3 * * *', 'archive.expire', '12 hours', 'verify, detach and drop partitions whose time in PostgreSQL is over');

create function archive.get_config(key text, fallback text default null) returns text
  language sql stable security definer set search_path = '' as $$
  select coalesce((select s.value #>> '{}' from lifecycle.settings s where s.key = 'archive.' || get_config.key), fallback)
$$;
comment on function archive.get_config(text, text) is 'The setting archive.<key> of lifecycle.settings, or the fallback.';

-- S4: tables that wait in schema archive, and what has left it.
create function archive.get_archive_status() returns table (
  table_name text, partition_name text, state text, row_count bigint, size text, size_bytes bigint, object text,
  exported_at timestamptz, dropped_at timestamptz, message text
)
  language sql stable security definer set search_path = '' as $$
  select format('%s.%s', e.schema_name, e.table_name), e.partition_name, e.state, e.row_count,
         pg_size_pretty(own.bytes), own.bytes, e.manifest, e.verified_at, e.dropped_at, e.message
  from lifecycle.exports e
  cross join lateral (
    select coalesce(pg_total_relation_size(case e.state
      when 'detached' then to_regclass(format('archive.%I', e.partition_name))
      when 'dropped' then null
      else to_regclass(format('%I.%I', e.schema_name, e.partition_name)) end), 0) as bytes
  ) own
  order by e.schema_name, e.table_name, e.lower_bound, e.generation
$$;
comment on function archive.get_archive_status() is 'Every export with its state, rows, size in PostgreSQL and manifest in the store.';

-- S4 3.2. What may leave is decided and done by the worker, since a function can neither upload nor commit in
-- between: called for good it asks the worker and answers what is due.
create function archive.process_archived_partitions(p_dry_run boolean default false)
  returns table (table_name text, row_count bigint, exported boolean, dropped boolean, message text)
  language plpgsql security definer set search_path = '' as $$
begin
  if not p_dry_run then
    perform lifecycle.request_job('archive-export');
    perform lifecycle.request_job('archive-expire');
  end if;
  return query
    with part as (
      select p.schema_name, p.table_name as parent, c.relname::text as name, b.lower, b.upper, greatest(c.reltuples, 0)::bigint as estimate,
             p.hot_retention, p.legal_hold, p.lateness
      from lifecycle.policies p
      join pg_catalog.pg_inherits i on i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
      join pg_catalog.pg_class c on c.oid = i.inhrelid
      cross join lateral lifecycle.partition_bounds(c.oid::regclass) b
      where p.at_expiry = 'archive' and isfinite(b.lower) and isfinite(b.upper)
      union all
      select distinct e.schema_name, e.table_name, e.partition_name, e.lower_bound, e.upper_bound, 0::bigint,
             p.hot_retention, p.legal_hold, p.lateness
      from lifecycle.exports e join lifecycle.policies p using (schema_name, table_name) where e.state = 'detached'
    ), due as (
      select part.*, last.*
      from part left join lateral (
        select sum(e.row_count)::bigint as known, bool_and(e.state in ('verified', 'detached')) as done, max(e.keep_until) as keep_until
        from lifecycle.exports e
        where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound) = (part.schema_name, part.parent, part.lower, part.upper)
          and e.state <> 'dropped'
      ) last on true
      where part.upper + part.lateness <= now()
        and (not coalesce(last.done, false) or part.upper + part.hot_retention <= now())
    )
    select due.name, coalesce(due.known, due.estimate), coalesce(due.done, false), false,
           format('%s: %s.%s (%s%s rows)',
             case when due.legal_hold or due.keep_until > now() then 'Would keep' when p_dry_run then 'Would process' else 'Queued' end,
             due.schema_name, due.name, case when due.known is null then 'about ' else '' end, coalesce(due.known, due.estimate))
    from due order by due.schema_name, due.parent, due.lower;
end
$$;
comment on function archive.process_archived_partitions(boolean) is
  'Asks the worker to export and drop what is due, and answers what that is; with true it only answers.';

grant execute on function archive.get_config(text, text), archive.get_archive_status(), archive.process_archived_partitions(boolean)
  to akashi_worker, akashi_security_admin;
