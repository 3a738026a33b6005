-- The archive: what was exported, compared, detached and dropped, one row per object set. At the end of the total
-- retention archived objects are deleted, and partitions of tables that are not archived are dropped, each after a
-- signed retention record. A legal hold stops all of it.
set local role akashi_owner;

create table akashi_lifecycle.exports (
  id               uuid primary key default akashi_audit.uuid_v7(),
  schema_name      text not null,
  table_name       text not null,
  partition_name   text not null,
  lower_bound      timestamptz not null,
  upper_bound      timestamptz not null,
  generation       integer not null check (generation >= 0),
  state            text not null default 'exporting'
                   check (state in ('exporting', 'verified', 'superseded', 'detached', 'dropped', 'retiring', 'retired')),
  folder           text not null,
  manifest         text not null,
  manifest_sha256  text check (manifest_sha256 ~ '^[0-9a-f]{64}$'),
  fingerprint      text check (fingerprint ~ '^[0-9a-f]{64}$'),
  row_count        bigint check (row_count >= 0),
  objects          integer check (objects >= 0),
  bytes            bigint check (bytes >= 0),
  after_key        text[],
  upto_key         text[],
  first_position   bigint,
  last_position    bigint,
  keep_until       timestamptz,
  message          text,
  verified_at      timestamptz,
  detached_at      timestamptz,
  dropped_at       timestamptz,
  restored_at      timestamptz,
  created_at       timestamptz not null default clock_timestamp(),
  updated_at       timestamptz not null default clock_timestamp(),
  created_by       text default session_user,
  last_modified_by text,
  retired_at       timestamptz,
  retention_record uuid,
  unique (schema_name, table_name, lower_bound, upper_bound, generation),
  check (lower_bound < upper_bound),
  check (state = 'exporting' or (manifest_sha256 is not null and fingerprint is not null and row_count is not null
                                 and objects is not null and bytes is not null and verified_at is not null))
);
comment on table akashi_lifecycle.exports is
  'One row per export of a partition: generation 0 when it closed, later ones for rows that arrived afterwards.';
comment on column akashi_lifecycle.exports.state is
  'exporting; verified: read back and compared, manifest published; superseded: a later export holds all its rows; detached: in schema akashi_archive; dropped: only in the store; retiring: its objects are being deleted; retired: gone, by a signed retention record.';
comment on column akashi_lifecycle.exports.after_key is 'The export holds rows after this key of its order; null for the first.';
comment on column akashi_lifecycle.exports.upto_key is 'The export holds rows up to this key: the sealed frontier at that time; null if the table has no log.';
comment on column akashi_lifecycle.exports.fingerprint is
  'SHA-256 of COPY … TO STDOUT (FORMAT csv, FORCE_QUOTE *) of the rows in order.';
comment on column akashi_lifecycle.exports.keep_until is 'A restored partition is not detached again before this time.';
comment on column akashi_lifecycle.exports.message is 'Why the last attempt failed; null if it did not.';
comment on column akashi_lifecycle.exports.retention_record is
  'Row of akashi_audit.retention_records that lists what was deleted; null if the table has no log.';

alter table akashi_lifecycle.exports enable row level security, force row level security;
create policy exports_worker on akashi_lifecycle.exports to akashi_worker using (true) with check (true);
create policy exports_read on akashi_lifecycle.exports for select to akashi_security_admin, akashi_reader using (true);
create policy exports_owner on akashi_lifecycle.exports to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.exports to akashi_worker, akashi_security_admin, akashi_reader;
grant insert (schema_name, table_name, partition_name, lower_bound, upper_bound, generation, folder, manifest, after_key)
  on akashi_lifecycle.exports to akashi_worker;
grant update (state, partition_name, folder, manifest, after_key, manifest_sha256, fingerprint, row_count, objects, bytes, upto_key, first_position, last_position, message)
  on akashi_lifecycle.exports to akashi_worker;

-- The result of a comparison cannot be changed, and only functions of the owner mark a table as dropped.
create function akashi_lifecycle.keep_export() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  new.updated_at := clock_timestamp();
  new.last_modified_by := session_user;
  if (new.schema_name, new.table_name, new.lower_bound, new.upper_bound, new.generation)
     is distinct from (old.schema_name, old.table_name, old.lower_bound, old.upper_bound, old.generation) then
    raise exception 'the partition of an export cannot be changed' using errcode = 'AK001';
  end if;
  if old.state <> 'exporting' and (
    (new.folder, new.manifest, new.manifest_sha256, new.fingerprint, new.row_count, new.objects, new.bytes, new.after_key, new.upto_key)
     is distinct from (old.folder, old.manifest, old.manifest_sha256, old.fingerprint, old.row_count, old.objects, old.bytes, old.after_key, old.upto_key)
    or new.state = 'exporting') then
    raise exception 'a compared export cannot be changed' using errcode = 'AK001';
  end if;
  if new.state <> old.state and current_user <> 'akashi_owner' and (old.state, new.state) <> ('exporting', 'verified') then
    raise exception 'an export cannot go from state % to %', old.state, new.state using errcode = 'AK003';
  end if;
  if new.state = 'verified' and old.state = 'exporting' then
    new.verified_at := clock_timestamp();
  end if;
  return new;
end
$$;
create trigger keep_export before update on akashi_lifecycle.exports for each row execute function akashi_lifecycle.keep_export();
alter table akashi_lifecycle.exports enable always trigger keep_export;
select akashi_audit.exempt('akashi_lifecycle.exports', 'history that only the worker writes; drops and restores are actions of the trail');

-- How many rows of each tenant and class an export holds, counted while it was compared. Tenant names are labels set by
-- applications: an export counts the largest groups by name, and all others together.
create table akashi_lifecycle.export_groups (
  export    uuid not null references akashi_lifecycle.exports,
  tenant    text,
  class     text,
  row_count bigint not null check (row_count > 0),
  oldest    timestamptz,
  newest    timestamptz,
  gathered  boolean not null default false,
  unique nulls not distinct (export, tenant, class, gathered)
);
comment on table akashi_lifecycle.export_groups is 'Rows of an export by tenant and class; both null if the table has no such column.';
comment on column akashi_lifecycle.export_groups.gathered is 'The rows of all smaller groups, which are not counted by name.';
alter table akashi_lifecycle.export_groups enable row level security, force row level security;
create policy export_groups_worker on akashi_lifecycle.export_groups to akashi_worker using (true) with check (true);
create policy export_groups_read on akashi_lifecycle.export_groups for select to akashi_security_admin, akashi_reader using (true);
create policy export_groups_owner on akashi_lifecycle.export_groups to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.export_groups to akashi_worker, akashi_security_admin, akashi_reader;
grant insert (export, tenant, class, row_count, oldest, newest, gathered) on akashi_lifecycle.export_groups to akashi_worker;
select akashi_audit.exempt('akashi_lifecycle.export_groups', 'counts that only the worker adds, beside the export that they are of');

-- The columns with the tenant and the class of a row; null if a table has none.
create function akashi_lifecycle.group_columns(schema_name text, table_name text, out tenant text, out class text)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select max(a.attname::text) filter (where a.attname = 'tenant_id'),
         (array_agg(a.attname::text order by k.place) filter (where k.place is not null))[1]
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join (values ('data_classification', 1), ('security_classification', 2), ('event_category', 3)) k (name, place) on k.name = a.attname
  where (n.nspname, c.relname) = (group_columns.schema_name, group_columns.table_name) and a.attnum > 0 and not a.attisdropped
$$;
comment on function akashi_lifecycle.group_columns(text, text) is
  'tenant_id, and data_classification, security_classification or event_category, whichever is first.';
grant execute on function akashi_lifecycle.group_columns(text, text) to akashi_worker, akashi_security_admin;

-- Copies of the archive: which rows are copied to which destination, and how long they are kept there. The archive
-- itself stays complete, so proofs, queries and restores do not depend on a copy.
create table akashi_lifecycle.copy_policies (
  id               uuid primary key default akashi_audit.uuid_v7(),
  schema_name      text not null,
  table_name       text not null,
  tenant           text check (tenant ~ '\S' and length(tenant) <= 255),
  class            text check (class ~ '\S' and length(class) <= 255),
  destination      text not null check (destination ~ '^[a-z][a-z0-9-]{0,30}$'),
  total_retention  interval not null check (total_retention between interval '1 day' and interval '1000 years'),
  ended_at         timestamptz,
  created_at       timestamptz not null default clock_timestamp(),
  updated_at       timestamptz not null default clock_timestamp(),
  created_by       text,
  last_modified_by text,
  unique nulls not distinct (schema_name, table_name, tenant, class, destination),
  foreign key (schema_name, table_name) references akashi_lifecycle.policies
);
comment on table akashi_lifecycle.copy_policies is 'One row for each part of a table that is copied from the archive to another destination.';
comment on column akashi_lifecycle.copy_policies.tenant is 'Rows of this tenant; null for all tenants.';
comment on column akashi_lifecycle.copy_policies.class is 'Rows of this class; null for all classes.';
comment on column akashi_lifecycle.copy_policies.destination is 'Name of a store in the configuration of the processes; the row can name no other store.';
comment on column akashi_lifecycle.copy_policies.total_retention is 'How long a copy is kept, from the end of its period.';
comment on column akashi_lifecycle.copy_policies.ended_at is 'Since then nothing is copied; existing copies are kept as long as promised.';
alter table akashi_lifecycle.copy_policies enable row level security, force row level security;
create policy copy_policies_read on akashi_lifecycle.copy_policies for select to akashi_worker, akashi_reader, akashi_security_admin using (true);
create policy copy_policies_owner on akashi_lifecycle.copy_policies to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.copy_policies to akashi_worker, akashi_reader, akashi_security_admin;
create trigger update_updated_at before update on akashi_lifecycle.copy_policies
  for each row execute function akashi_auth.update_updated_at();
select akashi_audit.protect('akashi_lifecycle.copy_policies');

create table akashi_lifecycle.copies (
  id              uuid primary key default akashi_audit.uuid_v7(),
  policy          uuid not null references akashi_lifecycle.copy_policies,
  export          uuid not null references akashi_lifecycle.exports,
  state           text not null default 'copying' check (state in ('copying', 'verified', 'deleting', 'deleted')),
  manifest        text not null,
  manifest_sha256 text check (manifest_sha256 ~ '^[0-9a-f]{64}$'),
  row_count       bigint check (row_count >= 0),
  objects         integer check (objects >= 0),
  bytes           bigint check (bytes >= 0),
  keep_until      timestamptz not null,
  message         text,
  verified_at     timestamptz,
  deleted_at      timestamptz,
  created_at      timestamptz not null default clock_timestamp(),
  updated_at      timestamptz not null default clock_timestamp(),
  created_by      text default session_user,
  last_modified_by text,
  unique (policy, export),
  check (state <> 'verified' or (row_count is not null and objects is not null and bytes is not null and verified_at is not null))
);
create index copies_export_idx on akashi_lifecycle.copies (export);
comment on table akashi_lifecycle.copies is 'One row for each copy of an export, or of a part of it.';
comment on column akashi_lifecycle.copies.manifest is 'Key of the manifest at the destination; null if the export has no such rows.';
comment on column akashi_lifecycle.copies.keep_until is 'Set when it was copied: a shorter policy does not change it, a longer one does.';
alter table akashi_lifecycle.copies enable row level security, force row level security;
create policy copies_worker on akashi_lifecycle.copies to akashi_worker using (true) with check (true);
create policy copies_read on akashi_lifecycle.copies for select to akashi_reader, akashi_security_admin using (true);
create policy copies_owner on akashi_lifecycle.copies to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.copies to akashi_worker, akashi_reader, akashi_security_admin;
grant update (state, manifest_sha256, row_count, objects, bytes, message) on akashi_lifecycle.copies to akashi_worker;

-- A compared copy does not change, and only functions of the owner can mark it as deleted.
create function akashi_lifecycle.keep_copy() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  new.updated_at := clock_timestamp();
  new.last_modified_by := session_user;
  if old.state <> 'copying' and (new.manifest_sha256, new.row_count, new.objects, new.bytes)
     is distinct from (old.manifest_sha256, old.row_count, old.objects, old.bytes) then
    raise exception 'a compared copy cannot be changed' using errcode = 'AK001';
  end if;
  if new.state <> old.state and current_user <> 'akashi_owner' and (old.state, new.state) <> ('copying', 'verified') then
    raise exception 'a copy cannot go from state % to %', old.state, new.state using errcode = 'AK003';
  end if;
  if new.state = 'verified' and old.state = 'copying' then
    new.verified_at := clock_timestamp();
    new.message := null;
  end if;
  return new;
end
$$;
create trigger keep_copy before update on akashi_lifecycle.copies for each row execute function akashi_lifecycle.keep_copy();
alter table akashi_lifecycle.copies enable always trigger keep_copy;
select akashi_audit.exempt('akashi_lifecycle.copies', 'history that only the worker writes; deletions are actions of the trail');

-- Sets how long a part of a table is kept at a destination, or with null ends the copying.
create function akashi_lifecycle.set_copy_policy(schema_name text, table_name text, tenant text, class text, destination text,
  total_retention interval, reason text default null)
  returns akashi_lifecycle.copy_policies language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  acting constant text := coalesce(akashi_auth.current_user_id()::text, session_user);
  own akashi_lifecycle.policies;
  named record;
  before akashi_lifecycle.copy_policies;
  changed akashi_lifecycle.copy_policies;
begin
  select * into own from akashi_lifecycle.policies p
  where (p.schema_name, p.table_name) = (set_copy_policy.schema_name, set_copy_policy.table_name) for update;
  if not found then
    raise exception '%.% has no lifecycle policy', schema_name, table_name using errcode = 'undefined_object',
      hint = 'create one with akashi archive policy set';
  end if;
  select * into before from akashi_lifecycle.copy_policies p
  where (p.schema_name, p.table_name) = (set_copy_policy.schema_name, set_copy_policy.table_name)
    and p.tenant is not distinct from set_copy_policy.tenant and p.class is not distinct from set_copy_policy.class
    and p.destination = set_copy_policy.destination for update;
  if total_retention is null then
    if before.id is null or before.ended_at is not null then
      raise exception 'this part of %.% is not copied to %', schema_name, table_name, destination using errcode = 'undefined_object',
        hint = 'list copy policies with akashi archive policy list';
    end if;
    update akashi_lifecycle.copy_policies p set ended_at = clock_timestamp(), last_modified_by = acting
    where p.id = before.id returning * into changed;
  else
    if own.at_expiry <> 'archive' then
      raise exception '%.% is not archived, so there is nothing to copy', schema_name, table_name using errcode = 'AK003',
        hint = 'copies are made from the archive: set at_expiry to archive first';
    end if;
    if total_retention not between interval '1 day' and interval '1000 years' then
      raise exception 'a copy must be kept for at least a day and at most 1000 years' using errcode = 'invalid_parameter_value';
    end if;
    select * into named from akashi_lifecycle.group_columns(schema_name, table_name);
    if tenant is not null and named.tenant is null or class is not null and named.class is null then
      raise exception '%.% has no column that names the % of a row', schema_name, table_name,
        case when tenant is not null and named.tenant is null then 'tenant' else 'class' end using errcode = 'invalid_parameter_value',
        hint = 'a tenant is in tenant_id; a class in data_classification, security_classification or event_category';
    end if;
    insert into akashi_lifecycle.copy_policies as p (schema_name, table_name, tenant, class, destination, total_retention, created_by, last_modified_by)
    values (set_copy_policy.schema_name, set_copy_policy.table_name, set_copy_policy.tenant, set_copy_policy.class,
      set_copy_policy.destination, set_copy_policy.total_retention, acting, acting)
    on conflict on constraint copy_policies_schema_name_table_name_tenant_class_destinati_key do update
      set total_retention = excluded.total_retention, ended_at = null, last_modified_by = acting
    returning * into changed;
    update akashi_lifecycle.copies c set keep_until = e.upper_bound + changed.total_retention
    from akashi_lifecycle.exports e
    where e.id = c.export and c.policy = changed.id and c.state in ('copying', 'verified')
      and c.keep_until < e.upper_bound + changed.total_retention;
  end if;
  perform akashi_audit.record_action('lifecycle_policy', case when total_retention is null then 'end_copying' else 'copy' end,
    format('%I.%I', schema_name, table_name), changed.id::text, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('tenant', tenant, 'class', class, 'destination', destination, 'total_retention', total_retention,
      'before', before.total_retention, 'reason', reason)));
  return changed;
end
$$;
comment on function akashi_lifecycle.set_copy_policy(text, text, text, text, text, interval, text) is
  'Sets how long a part of a table''s archive is kept at a destination; null stops copying.';
grant execute on function akashi_lifecycle.set_copy_policy(text, text, text, text, text, interval, text) to akashi_worker, akashi_security_admin;

-- Copies that are still to be made: of archived rows that are not yet past the retention of the copy. In PL/pgSQL, so
-- that it is planned for the one export that is asked for.
create function akashi_lifecycle.owed_copies(as_of timestamptz, only_export uuid default null) returns table (policy uuid, export uuid)
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select p.id, e.id from akashi_lifecycle.copy_policies p
    join akashi_lifecycle.exports e using (schema_name, table_name)
    where (only_export is null or e.id = only_export) and p.ended_at is null and e.state in ('verified', 'detached', 'dropped')
      and e.upper_bound + p.total_retention > as_of
      and not exists (select from akashi_lifecycle.copies c where c.policy = p.id and c.export = e.id and c.state <> 'copying');
end
$$;

-- Pending actions on copies: `copy`, `delete`, or `held` by a legal hold.
create function akashi_lifecycle.copy_plan(as_of timestamptz, only_schema text default null, only_table text default null)
  returns table (schema_name text, table_name text, partition_name text, lower_bound timestamptz, upper_bound timestamptz, generation integer,
    step text, copy uuid, policy uuid, export uuid, tenant text, class text, destination text, row_count bigint, keep_until timestamptz)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with due as (
    select 'copy' as step, null::uuid as copy, o.policy, o.export, null::bigint as row_count, null::timestamptz as keep_until
    from akashi_lifecycle.owed_copies(as_of) o
    union all
    select 'delete', c.id, c.policy, c.export, c.row_count, c.keep_until from akashi_lifecycle.copies c
    where c.state = 'deleting' or c.state = 'verified' and c.keep_until <= as_of
       or c.state = 'copying' and not exists (
         select from akashi_lifecycle.owed_copies(as_of) o where (o.policy, o.export) = (c.policy, c.export))
  )
  select e.schema_name, e.table_name, e.partition_name, e.lower_bound, e.upper_bound, e.generation,
         case when d.step = 'delete' and own.legal_hold then 'held' else d.step end, d.copy, d.policy, d.export, p.tenant, p.class, p.destination,
         coalesce(d.row_count, e.row_count), coalesce(d.keep_until, e.upper_bound + p.total_retention)
  from due d
  join akashi_lifecycle.copy_policies p on p.id = d.policy
  join akashi_lifecycle.exports e on e.id = d.export
  join akashi_lifecycle.policies own on (own.schema_name, own.table_name) = (e.schema_name, e.table_name)
  where only_schema is null or (e.schema_name, e.table_name) = (only_schema, only_table)
  order by 1, 2, 4, 6, p.destination, p.tenant nulls first, p.class nulls first
$$;
comment on function akashi_lifecycle.copy_plan(timestamptz, text, text) is 'Copies that are still to be made, and copies past their retention.';

-- Begins a copy, or continues one that a killed run began. Null if it is no longer needed.
create function akashi_lifecycle.begin_copy(policy uuid, export uuid, manifest text) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  begun uuid;
begin
  insert into akashi_lifecycle.copies as c (policy, export, manifest, keep_until)
  select begin_copy.policy, begin_copy.export, begin_copy.manifest, e.upper_bound + p.total_retention
  from akashi_lifecycle.owed_copies(now(), begin_copy.export) o
  join akashi_lifecycle.copy_policies p on p.id = o.policy
  join akashi_lifecycle.exports e on e.id = o.export
  where o.policy = begin_copy.policy
  on conflict on constraint copies_policy_export_key do update set manifest = excluded.manifest
  returning c.id into begun;
  return begun;
end
$$;

-- Whether a copy may be deleted at the present time, which is then begun. Asked before each object.
create function akashi_lifecycle.begin_deleting_copy(copy uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  own akashi_lifecycle.copies;
begin
  select * into own from akashi_lifecycle.copies c where c.id = begin_deleting_copy.copy for update;
  if not found or own.state = 'deleted' then
    return false;
  end if;
  if exists (select from akashi_lifecycle.exports e join akashi_lifecycle.policies p using (schema_name, table_name)
             where e.id = own.export and p.legal_hold) then
    return false;
  end if;
  if own.state = 'copying' then
    if exists (select from akashi_lifecycle.owed_copies(now(), own.export) o where o.policy = own.policy) then
      return false;
    end if;
  elsif own.state = 'verified' and own.keep_until > now() then
    return false;
  end if;
  update akashi_lifecycle.copies c set state = 'deleting' where c.id = own.id and c.state <> 'deleting';
  return true;
end
$$;

create function akashi_lifecycle.finish_deleting_copy(copy uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  own akashi_lifecycle.copies;
begin
  -- An incomplete copy does not count: it is made again when it is needed again.
  delete from akashi_lifecycle.copies c where c.id = finish_deleting_copy.copy and c.state = 'deleting' and c.verified_at is null;
  update akashi_lifecycle.copies c set state = 'deleted', deleted_at = clock_timestamp(), message = null
  where c.id = finish_deleting_copy.copy and c.state = 'deleting' returning * into own;
  if found then
    perform akashi_audit.record_action('archive', 'delete_copy', (select format('%I.%I', e.schema_name, e.table_name)
        from akashi_lifecycle.exports e where e.id = own.export), own.id::text, 'SUCCESS',
      jsonb_build_object('manifest', own.manifest, 'manifest_sha256', own.manifest_sha256, 'rows', own.row_count, 'keep_until', own.keep_until));
  end if;
end
$$;
grant execute on function akashi_lifecycle.owed_copies(timestamptz, uuid), akashi_lifecycle.copy_plan(timestamptz, text, text) to akashi_worker, akashi_security_admin;
grant execute on function akashi_lifecycle.begin_copy(uuid, uuid, text), akashi_lifecycle.begin_deleting_copy(uuid),
  akashi_lifecycle.finish_deleting_copy(uuid) to akashi_worker;

-- What is stored of each tenant and class: rows in the archive, how many of them are in PostgreSQL as well, and their
-- share of the bytes.
create view akashi_lifecycle.tenant_usage with (security_invoker = true) as
  select e.schema_name, e.table_name, g.tenant, g.class, g.gathered,
         sum(g.row_count)::bigint as archived_rows,
         sum(e.bytes::numeric * g.row_count / e.row_count)::bigint as archived_bytes,
         coalesce(sum(g.row_count) filter (where e.state in ('verified', 'detached')), 0)::bigint as database_rows,
         coalesce(sum(relation.bytes * g.row_count / e.row_count), 0)::bigint as database_bytes,
         coalesce(sum(copied.bytes), 0)::bigint as copied_bytes,
         min(g.oldest) as oldest, max(g.newest) as newest
  from akashi_lifecycle.export_groups g
  join akashi_lifecycle.exports e on e.id = g.export
  left join lateral (
    select pg_total_relation_size(c.oid)::numeric as bytes from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relname = e.partition_name
      and n.nspname = case e.state when 'verified' then e.schema_name when 'detached' then 'akashi_archive' end
  ) relation on true
  left join lateral (
    select sum(c.bytes::numeric * g.row_count / c.row_count) as bytes
    from akashi_lifecycle.copies c join akashi_lifecycle.copy_policies p on p.id = c.policy
    where c.export = e.id and c.state = 'verified' and c.row_count > 0
      and (p.tenant is null or p.tenant = g.tenant) and (p.class is null or p.class = g.class)
  ) copied on true
  where e.state in ('verified', 'detached', 'dropped')
  group by e.schema_name, e.table_name, g.tenant, g.class, g.gathered;
comment on view akashi_lifecycle.tenant_usage is
  'Exported data by tenant and class; bytes of partitions, exports and copies are distributed by rows.';
grant select on akashi_lifecycle.tenant_usage to akashi_worker, akashi_reader, akashi_security_admin;

-- Marks that a verified export contains every row of its table, including those of earlier exports.
create function akashi_lifecycle.supersede_exports(export uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_lifecycle.exports e set state = 'superseded', message = null
  from akashi_lifecycle.exports own
  where own.id = supersede_exports.export and own.state = 'verified'
    and (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (own.schema_name, own.table_name, own.lower_bound, own.upper_bound)
    and e.generation < own.generation and e.state = 'verified';
end
$$;
grant execute on function akashi_lifecycle.supersede_exports(uuid) to akashi_worker;

-- Why a partition that is due stays in PostgreSQL; null when nothing prevents its removal.
create function akashi_lifecycle.held_by(policy akashi_lifecycle.policies, keep_until timestamptz, as_of timestamptz) returns text
  language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
  select case when policy.legal_hold then 'legal hold'
              when keep_until > as_of then 'restored, kept until ' || to_char(keep_until, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end
$$;

-- Every closed partition and its due action: `export`, `drop`, `held`, or `reattach` for a detached one that must
-- stay. A partition that accepts rows at present is never due, whatever time is requested. Null if it is exported and
-- stays for now; then only late rows are exported.
create function akashi_lifecycle.archive_plan(as_of timestamptz, only_schema text default null, only_table text default null)
  returns table (schema_name text, table_name text, partition_name text, lower_bound timestamptz, upper_bound timestamptz,
    step text, held_by text, attached boolean, mutable boolean, csv boolean, state text, row_count bigint, estimated boolean,
    manifest text, verified_at timestamptz)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with policy as (
    select p, p.schema_name, p.table_name, c.oid as parent from akashi_lifecycle.policies p
    join pg_catalog.pg_namespace n on n.nspname = p.schema_name
    join pg_catalog.pg_class c on (c.relnamespace, c.relname) = (n.oid, p.table_name)
    where p.at_expiry = 'archive' and (only_schema is null or (p.schema_name, p.table_name) = (only_schema, only_table))
  ), part as (
    select p.p, c.relname::text as name, b.lower, b.upper, true as attached,
           -- Tables that were filled recently may not have been analyzed yet.
           greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::bigint as estimate
    from policy p
    join pg_catalog.pg_inherits i on i.inhparent = p.parent
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
    where isfinite(b.lower) and isfinite(b.upper)
    union all
    select distinct p.p, e.partition_name, e.lower_bound, e.upper_bound, false, 0::bigint
    from akashi_lifecycle.exports e join policy p using (schema_name, table_name) where e.state = 'detached'
  ), due as (
    select part.*, last.*, akashi_lifecycle.held_by(part.p, last.keep_until, as_of) as held,
           part.upper <= now() and part.upper + (part.p).hot_retention <= as_of as expired
    from part left join lateral (
      select (array_agg(e.state order by e.generation desc))[1] as state, max(e.keep_until) as keep_until,
             sum(e.row_count)::bigint as known, (array_agg(e.manifest order by e.generation desc))[1] as manifest,
             max(e.verified_at) as verified_at
      from akashi_lifecycle.exports e
      where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
          = ((part.p).schema_name, (part.p).table_name, part.lower, part.upper) and e.state <> 'superseded'
    ) last on true
    where part.upper + (part.p).lateness <= as_of
  )
  select (p).schema_name, (p).table_name, name, lower, upper,
         case when not attached then case when expired and held is null then 'drop' else 'reattach' end
              when expired and held is null then 'drop'
              when state is distinct from 'verified' then 'export'
              when expired then 'held' end,
         case when not attached and not expired then 'its hot retention is longer now' else held end,
         attached, not (p).append_only, (p).format = 'parquet+csv', state, coalesce(known, estimate), known is null, manifest, verified_at
  from due order by 1, 2, 4, attached
$$;
comment on function akashi_lifecycle.archive_plan(timestamptz, text, text) is
  'What the archive would do with each closed partition at a given time.';

-- Why data of a table is not deleted although its retention is over; null if nothing prevents it.
create function akashi_lifecycle.kept_by(policy akashi_lifecycle.policies) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return case when policy.legal_hold then 'legal hold'
    when not akashi_auth.is_approved('retire_rows', format('%s.%s', policy.schema_name, policy.table_name))
      then format('%s people have to approve it', akashi_auth.policy('approval.people')) end;
end
$$;

-- Why an export has to stay until it has been copied; null if no copy of it is pending.
create function akashi_lifecycle.awaited_copy(export uuid) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('its copy to %s is not made yet', min(p.destination))
  from akashi_lifecycle.owed_copies(now(), awaited_copy.export) o join akashi_lifecycle.copy_policies p on p.id = o.policy
  having count(*) > 0
$$;
grant execute on function akashi_lifecycle.awaited_copy(uuid) to akashi_worker, akashi_security_admin;

-- Everything whose total retention is over: exports, and partitions of tables that are not archived.
create function akashi_lifecycle.retirement_plan(as_of timestamptz, only_schema text default null, only_table text default null)
  returns table (schema_name text, table_name text, partition_name text, lower_bound timestamptz, upper_bound timestamptz,
    step text, held_by text, export_id uuid, policy_text text, row_count bigint, estimated boolean, manifest text, generation integer)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with policy as (
    select p.*, c.oid as parent, akashi_lifecycle.kept_by(p) as kept_by, format('%s.%s: kept for %s, %s', p.schema_name, p.table_name, p.total_retention,
             case when p.retention_set_at is null then 'as installed'
               else format('set by %s at %s', regexp_replace(p.retention_set_by, '[[:cntrl:]]', '?', 'g'),
                 to_char(p.retention_set_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) end) as text
    from akashi_lifecycle.policies p
    left join pg_catalog.pg_namespace n on n.nspname = p.schema_name
    left join pg_catalog.pg_class c on (c.relnamespace, c.relname) = (n.oid, p.table_name)
    where p.at_expiry <> 'keep' and (only_schema is null or (p.schema_name, p.table_name) = (only_schema, only_table))
  ), due as (
    select p.schema_name, p.table_name, e.partition_name, e.lower_bound, e.upper_bound,
           coalesce(p.kept_by, akashi_lifecycle.awaited_copy(e.id)) as kept_by, e.id, p.text,
           e.row_count, e.manifest, e.generation
    from akashi_lifecycle.exports e join policy p using (schema_name, table_name)
    where e.upper_bound + p.total_retention <= as_of
      and (e.state in ('dropped', 'retiring') or (e.state = 'superseded' and not exists (
        select from akashi_lifecycle.exports n
        where (n.schema_name, n.table_name, n.lower_bound, n.upper_bound) = (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
          and n.state in ('exporting', 'verified', 'detached'))))
    union all
    select p.schema_name, p.table_name, c.relname::text, b.lower, b.upper, p.kept_by, null, p.text,
           greatest(c.reltuples, 0)::bigint, null, 0
    from policy p
    join pg_catalog.pg_inherits i on i.inhparent = p.parent
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
    where p.at_expiry = 'retire' and isfinite(b.lower) and b.upper + p.total_retention <= as_of
  )
  select due.schema_name, due.table_name, due.partition_name, due.lower_bound, due.upper_bound,
         case when due.kept_by is null then 'retire' else 'held' end, due.kept_by,
         due.id, due.text, due.row_count, due.id is null, due.manifest, due.generation
  from due order by 1, 2, 4, 13
$$;
comment on function akashi_lifecycle.retirement_plan(timestamptz, text, text) is 'Data past its total retention at a given time.';
grant execute on function akashi_lifecycle.kept_by(akashi_lifecycle.policies), akashi_lifecycle.held_by(akashi_lifecycle.policies, timestamptz, timestamptz),
  akashi_lifecycle.archive_plan(timestamptz, text, text), akashi_lifecycle.retirement_plan(timestamptz, text, text)
  to akashi_worker, akashi_security_admin;

-- Fails unless a partition may be removed: its policy allows it, its hot retention is over, every export of it was
-- compared, and no hold applies.
create function akashi_lifecycle.assert_expired(schema_name text, table_name text, lower_bound timestamptz, upper_bound timestamptz, as_of timestamptz)
  returns void language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  policy akashi_lifecycle.policies;
  undone integer;
  done integer;
  held timestamptz;
begin
  select * into policy from akashi_lifecycle.policies p
  where (p.schema_name, p.table_name) = (assert_expired.schema_name, assert_expired.table_name);
  if not found or policy.at_expiry <> 'archive' then
    raise exception 'the policy of %.% does not archive', schema_name, table_name using errcode = 'AK003';
  end if;
  if policy.legal_hold then
    raise exception '%.% is under legal hold', schema_name, table_name using errcode = 'AK003',
      hint = 'akashi archive hold --release ends it';
  end if;
  if upper_bound > now() then
    raise exception 'the partition accepts rows until %', upper_bound using errcode = 'AK003';
  end if;
  if upper_bound + policy.hot_retention > as_of then
    raise exception 'the partition is kept in PostgreSQL until %', upper_bound + policy.hot_retention using errcode = 'AK003';
  end if;
  select count(*) filter (where e.state = 'exporting'), count(*) filter (where e.state in ('verified', 'detached')), max(e.keep_until)
  into undone, done, held
  from akashi_lifecycle.exports e
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (assert_expired.schema_name, assert_expired.table_name, assert_expired.lower_bound, assert_expired.upper_bound);
  if done = 0 or undone > 0 then
    raise exception 'the partition has no verified export of all its rows' using errcode = 'AK003';
  end if;
  if held > as_of then
    raise exception 'the partition was restored and is kept until %', held using errcode = 'AK003';
  end if;
end
$$;

-- Locks a partition exclusively until the transaction ends, within the caller's lock_timeout. Locks the parent first,
-- as readers do.
create function akashi_lifecycle.fence_partition(schema_name text, table_name text, partition_name text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  execute format('lock table only %I.%I in access exclusive mode', schema_name, table_name);
  execute format('lock table only %I.%I in access exclusive mode', schema_name, partition_name);
end
$$;

-- Moves a partition from its table into schema akashi_archive, guarded against changes, in one transaction.
create function akashi_lifecycle.detach_partition(schema_name text, table_name text, partition_name text, as_of timestamptz default now())
  returns void language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  bounds record;
begin
  perform akashi_lifecycle.lock_partitions(parent);
  if not exists (select from pg_catalog.pg_inherits i where i.inhparent = parent and i.inhrelid = child) then
    raise exception '%.% is not a partition of %', schema_name, partition_name, parent using errcode = 'undefined_object';
  end if;
  select * into bounds from akashi_lifecycle.partition_bounds(child);
  perform akashi_lifecycle.assert_expired(schema_name, table_name, bounds.lower, bounds.upper, as_of);
  execute format('alter table %s detach partition %s', parent, child);
  execute format('alter table %s set schema akashi_archive', child);
  execute format('revoke all on akashi_archive.%I from public, akashi_app, akashi_worker, akashi_reader, akashi_security_admin', partition_name);
  execute format('create policy archived_read on akashi_archive.%I for select to akashi_worker using (true)', partition_name);
  execute format('grant select on akashi_archive.%I to akashi_worker', partition_name);
  perform akashi_audit.guard(format('akashi_archive.%I', partition_name)::regclass);
  execute format('create or replace trigger refuse_insert before insert on akashi_archive.%I
    for each statement execute function akashi_audit.refuse_change()', partition_name);
  execute format('alter table akashi_archive.%I enable always trigger refuse_insert', partition_name);
  perform akashi_audit.record_relations('detach', array[format('akashi_archive.%I', partition_name)::regclass]);
  execute format('comment on table akashi_archive.%I is %L', partition_name,
    format('detached from %s, rows from %s to %s', parent, bounds.lower, bounds.upper));
  update akashi_lifecycle.exports e set state = 'detached', detached_at = clock_timestamp()
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (detach_partition.schema_name, detach_partition.table_name, bounds.lower, bounds.upper) and e.state = 'verified';
end
$$;
comment on function akashi_lifecycle.detach_partition(text, text, text, timestamptz) is
  'Moves an expired partition with verified exports into schema akashi_archive; read-only there.';

-- Locks a detached table until the transaction ends, so that the rows that were compared are the rows that are
-- dropped.
create function akashi_lifecycle.freeze_detached(partition_name text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  execute format('lock table akashi_archive.%I in share mode', partition_name);
end
$$;

-- Drops a detached table. In the same transaction, the caller has frozen it and compared its rows with the exports.
create function akashi_lifecycle.drop_detached(schema_name text, table_name text, partition_name text, lower_bound timestamptz,
  upper_bound timestamptz, fingerprints text[], as_of timestamptz default now())
  returns void language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  expected text[];
begin
  perform akashi_lifecycle.assert_expired(schema_name, table_name, lower_bound, upper_bound, as_of);
  select array_agg(e.fingerprint order by e.generation) into expected from akashi_lifecycle.exports e
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (drop_detached.schema_name, drop_detached.table_name, drop_detached.lower_bound, drop_detached.upper_bound)
    and e.state = 'detached';
  if expected is null or expected is distinct from fingerprints then
    raise exception 'archive.% is not what was exported', partition_name using errcode = 'AK002',
      hint = 'the table is kept; compare it with its Parquet files';
  end if;
  execute format('drop table akashi_archive.%I', partition_name);
  update akashi_lifecycle.exports e set state = 'dropped', dropped_at = clock_timestamp(), message = null
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (drop_detached.schema_name, drop_detached.table_name, drop_detached.lower_bound, drop_detached.upper_bound)
    and e.state = 'detached';
  perform akashi_audit.record_action('archive', 'drop', format('%I.%I', schema_name, table_name), partition_name, 'SUCCESS',
    jsonb_build_object('from', lower_bound, 'to', upper_bound, 'fingerprints', to_jsonb(fingerprints)));
end
$$;

-- Marks that the rows of a period are back in their table; they are archived again after keep_until.
create function akashi_lifecycle.mark_restored(schema_name text, table_name text, lower_bound timestamptz, upper_bound timestamptz,
  keep_until timestamptz, was text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
begin
  update akashi_lifecycle.exports e
  set state = 'verified', detached_at = null, dropped_at = null, message = null,
      restored_at = case when mark_restored.keep_until is null then e.restored_at else clock_timestamp() end,
      keep_until = coalesce(mark_restored.keep_until, e.keep_until)
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (mark_restored.schema_name, mark_restored.table_name, mark_restored.lower_bound, mark_restored.upper_bound)
    and e.state = mark_restored.was;
  perform akashi_audit.record_action('archive', case when keep_until is null then 'reattach' else 'restore' end,
    format('%I.%I', schema_name, table_name), null, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('from', lower_bound, 'to', upper_bound, 'keep_until', keep_until)));
end
$$;

-- Creates the table for the rows of a period; it is attached after they have been compared.
create function akashi_lifecycle.prepare_restored(schema_name text, table_name text, partition_name text, lower_bound timestamptz, upper_bound timestamptz)
  returns void language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
begin
  if akashi_lifecycle.uncovered(parent, lower_bound, upper_bound) <> tstzmultirange(tstzrange(lower_bound, upper_bound)) then
    raise exception 'rows of the period arrived in %.% after it was archived', schema_name, table_name using errcode = 'AK003',
      hint = 'export and drop them with akashi archive run first; then all rows are restored together';
  end if;
  perform akashi_lifecycle.prepare_partition(parent, partition_name, lower_bound, upper_bound);
end
$$;

-- Attaches the table of prepare_restored. Waits for its lock a tenth of a second at a time, so that other users of the
-- table do not queue longer.
create function akashi_lifecycle.attach_restored(schema_name text, table_name text, partition_name text, lower_bound timestamptz,
  upper_bound timestamptz, keep_until timestamptz)
  returns void language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  -- Five minutes.
  attempts_left integer := 1000;
begin
  loop
    begin
      perform akashi_lifecycle.lock_partitions(parent);
      perform akashi_lifecycle.attach_prepared(parent, child, lower_bound, upper_bound);
      exit;
    exception when lock_not_available then
      attempts_left := attempts_left - 1;
      if attempts_left = 0 then
        raise;
      end if;
      perform pg_sleep(0.2);
    end;
  end loop;
  perform akashi_lifecycle.mark_restored(schema_name, table_name, lower_bound, upper_bound, keep_until, 'dropped');
end
$$;

-- Attaches a detached partition again, optionally until a given time.
create function akashi_lifecycle.reattach_partition(schema_name text, table_name text, partition_name text, lower_bound timestamptz,
  upper_bound timestamptz, keep_until timestamptz default null)
  returns void language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('akashi_archive.%I', partition_name)::regclass;
begin
  if not exists (
    select from akashi_lifecycle.exports e
    where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound, e.partition_name, e.state)
        = (reattach_partition.schema_name, reattach_partition.table_name, reattach_partition.lower_bound,
           reattach_partition.upper_bound, reattach_partition.partition_name, 'detached')) then
    raise exception '%.% has no detached partition %', schema_name, table_name, partition_name using errcode = 'undefined_object';
  end if;
  perform akashi_lifecycle.lock_partitions(parent);
  if akashi_lifecycle.uncovered(parent, lower_bound, upper_bound) <> tstzmultirange(tstzrange(lower_bound, upper_bound)) then
    raise exception '%.% has another partition for the time of %', schema_name, table_name, partition_name using errcode = 'AK003',
      hint = format('its rows are in akashi_archive.%I: detach and drop the other partition once its rows are elsewhere', partition_name);
  end if;
  execute format('drop trigger refuse_insert on akashi_archive.%I', partition_name);
  if not (akashi_lifecycle.policy_of(parent)).append_only then
    execute format('drop trigger refuse_change on akashi_archive.%I', partition_name);
  end if;
  execute format('drop policy archived_read on akashi_archive.%I', partition_name);
  execute format('revoke all on akashi_archive.%I from akashi_worker', partition_name);
  -- With this constraint ATTACH skips its scan.
  execute format('alter table akashi_archive.%I add constraint bounds check (created_at >= %L and created_at < %L)',
    partition_name, lower_bound, upper_bound);
  execute format('comment on table akashi_archive.%I is null', partition_name);
  execute format('alter table akashi_archive.%I set schema %I', partition_name, schema_name);
  execute format('alter table %s attach partition %s for values from (%L) to (%L)', parent, child, lower_bound, upper_bound);
  execute format('alter table %s drop constraint bounds', child);
  perform akashi_lifecycle.mark_restored(schema_name, table_name, lower_bound, upper_bound, keep_until, 'detached');
end
$$;
comment on function akashi_lifecycle.reattach_partition(text, text, text, timestamptz, timestamptz, timestamptz) is
  'Attaches a detached partition to its table again.';

grant execute on function akashi_lifecycle.detach_partition(text, text, text, timestamptz), akashi_lifecycle.fence_partition(text, text, text), akashi_lifecycle.freeze_detached(text),
  akashi_lifecycle.reattach_partition(text, text, text, timestamptz, timestamptz, timestamptz), akashi_lifecycle.drop_detached(text, text, text, timestamptz, timestamptz, text[], timestamptz) to akashi_worker;

-- Fails unless the total retention of a period is over at the present time.
create function akashi_lifecycle.assert_retirable(schema_name text, table_name text, upper_bound timestamptz)
  returns akashi_lifecycle.policies language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  policy akashi_lifecycle.policies;
begin
  select * into policy from akashi_lifecycle.policies p
  where (p.schema_name, p.table_name) = (assert_retirable.schema_name, assert_retirable.table_name);
  if not found or policy.at_expiry = 'keep' then
    raise exception 'the policy of %.% keeps everything', schema_name, table_name using errcode = 'AK003';
  end if;
  if policy.legal_hold then
    raise exception '%.% is under legal hold', schema_name, table_name using errcode = 'AK003',
      hint = 'akashi archive hold --release ends it';
  end if;
  if upper_bound + policy.total_retention > now() then
    raise exception 'rows of the period are kept until %', upper_bound + policy.total_retention using errcode = 'AK003';
  end if;
  perform akashi_auth.require_approval('retire_rows', format('%s.%s', schema_name, table_name));
  return policy;
end
$$;

-- Marks an export before its objects are deleted: from then on it is not read. Returns false if the export is not ready
-- for this. Repeated calls for an export that is retiring only check that this is still allowed.
create function akashi_lifecycle.begin_retiring(export uuid, record uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  own akashi_lifecycle.exports;
  own_log text;
begin
  select * into own from akashi_lifecycle.exports e where e.id = begin_retiring.export for update;
  if not found or own.state not in ('dropped', 'superseded', 'retiring') then
    return false;
  end if;
  perform akashi_lifecycle.assert_retirable(own.schema_name, own.table_name, own.upper_bound);
  if own.state <> 'retiring' and akashi_lifecycle.awaited_copy(own.id) is not null then
    raise exception 'an export of %.% cannot be retired: %', own.schema_name, own.table_name, akashi_lifecycle.awaited_copy(own.id) using errcode = 'AK003',
      hint = 'make the copy with akashi archive run';
  end if;
  select l.log into own_log from akashi_audit.logs l where (l.schema_name, l.table_name) = (own.schema_name, own.table_name);
  if own_log is not null and own.row_count > 0
     and not akashi_audit.retention_covers(record, own_log, own.lower_bound, own.upper_bound, own.last_position) then
    raise exception 'the export has no retention record that covers its rows' using errcode = 'AK003';
  end if;
  update akashi_lifecycle.exports e set state = 'retiring', retention_record = record, message = null
  where e.id = begin_retiring.export and e.state in ('dropped', 'superseded');
  return true;
end
$$;

-- Reverts begin_retiring when no object was deleted yet.
create function akashi_lifecycle.cancel_retiring(export uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_lifecycle.exports e set state = 'dropped', retention_record = null
  where e.id = cancel_retiring.export and e.state = 'retiring';
end
$$;

create function akashi_lifecycle.finish_retiring(export uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  own akashi_lifecycle.exports;
begin
  update akashi_lifecycle.exports e set state = 'retired', retired_at = clock_timestamp(), message = null
  where e.id = finish_retiring.export and e.state = 'retiring' returning * into own;
  if found then
    perform akashi_audit.record_action('archive', 'retire', format('%I.%I', own.schema_name, own.table_name), own.partition_name, 'SUCCESS',
      jsonb_build_object('from', own.lower_bound, 'to', own.upper_bound, 'generation', own.generation, 'rows', own.row_count,
        'manifest', own.manifest, 'manifest_sha256', own.manifest_sha256, 'retention_record', own.retention_record));
  end if;
end
$$;

-- Drops a partition of a table that is retired without archiving. A retention record must cover every row, which is
-- checked under a lock that excludes writers.
create function akashi_lifecycle.drop_retired(schema_name text, table_name text, partition_name text) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '100ms' as $$
#variable_conflict use_variable
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  bounds record;
  policy akashi_lifecycle.policies;
  counted bigint;
  own_log text;
begin
  perform akashi_lifecycle.lock_partitions(parent);
  if not exists (select from pg_catalog.pg_inherits i where i.inhparent = parent and i.inhrelid = child) then
    raise exception '%.% is not a partition of %', schema_name, partition_name, parent using errcode = 'undefined_object';
  end if;
  select * into bounds from akashi_lifecycle.partition_bounds(child);
  policy := akashi_lifecycle.assert_retirable(schema_name, table_name, bounds.upper);
  if policy.at_expiry <> 'retire' then
    raise exception '%.% is archived, not retired', schema_name, table_name using errcode = 'AK003';
  end if;
  execute format('lock table only %s in access exclusive mode', parent);
  execute format('lock table only %s in access exclusive mode', child);
  if row_security_active(child) then
    execute format('create policy akashi_retire on %s for select to akashi_owner using (true)', child);
  end if;
  execute format('select count(*) from only %s', child) into counted;
  select l.log into own_log from akashi_audit.logs l where (l.schema_name, l.table_name) = (drop_retired.schema_name, drop_retired.table_name);
  if own_log is not null and akashi_audit.has_unrecorded_rows(own_log, child, counted, bounds.lower, bounds.upper) then
    raise exception '%.% has rows that no retention record covers', schema_name, partition_name
      using errcode = 'AK003', hint = 'rows arrived meanwhile: the next run records them too';
  end if;
  execute format('alter table %s detach partition %s', parent, child);
  execute format('drop table %I.%I', schema_name, partition_name);
  perform akashi_audit.record_action('archive', 'retire', format('%I.%I', schema_name, table_name), partition_name, 'SUCCESS',
    jsonb_build_object('from', bounds.lower, 'to', bounds.upper, 'rows', counted));
  return counted;
end
$$;

grant execute on function akashi_lifecycle.begin_retiring(uuid, uuid), akashi_lifecycle.cancel_retiring(uuid), akashi_lifecycle.finish_retiring(uuid),
  akashi_lifecycle.drop_retired(text, text, text) to akashi_worker;

-- Where each row is and was, for every row in the ledger.

-- All restores of a period, not only the last: the trail has them all.
create view akashi_lifecycle.partition_restores with (security_invoker = true) as
  select split_part(a.resource, '.', 1) as schema_name, split_part(a.resource, '.', 2) as table_name,
         (a.detail ->> 'from')::timestamptz as lower_bound, (a.detail ->> 'to')::timestamptz as upper_bound,
         a.created_at as restored_at, (a.detail ->> 'keep_until')::timestamptz as keep_until, a.db_user as restored_by
  from akashi_audit.recorded_actions a
  where a.event_type = 'archive' and a.action = 'restore' and a.result = 'SUCCESS';
comment on view akashi_lifecycle.partition_restores is 'Every restore of a period from the archive.';

create view akashi_lifecycle.data_lineage with (security_invoker = true) as
  select n.schema_name, n.table_name, n.row_id, n.created_at, n.log, n.position, n.entry_hash,
         case e.state when 'verified' then 'database and store' when 'detached' then 'archive schema and store'
                      when 'dropped' then 'store' when 'retiring' then 'store, being retired' when 'retired' then 'nowhere: retired'
                      else 'database' end as lives_in,
         coalesce(e.partition_name, akashi_lifecycle.partition_name(n.table_name, n.created_at, p.interval)) as partition_name,
         e.id as export_id, e.generation, e.state as export_state, e.folder, e.manifest, e.manifest_sha256,
         e.verified_at as exported_at, e.detached_at, e.dropped_at, e.restored_at,
         (select jsonb_agg(jsonb_build_object('restored_at', r.restored_at, 'keep_until', r.keep_until, 'by', r.restored_by)
                           order by r.restored_at)
          from akashi_lifecycle.partition_restores r
          where r.schema_name = n.schema_name and r.table_name = n.table_name
            and r.lower_bound <= n.created_at and n.created_at < r.upper_bound) as restores,
         n.checkpoint_size, n.checkpoint_epoch, n.checkpoint_published_at,
         case when e.state in ('verified', 'detached', 'dropped') then null else n.retention_record_id end as retention_record_id,
         case when e.state in ('verified', 'detached', 'dropped') then null else n.retired_at end as retired_at
  from akashi_audit.sealed_rows n
  join akashi_lifecycle.policies p on (p.schema_name, p.table_name) = (n.schema_name, n.table_name)
  left join akashi_lifecycle.exports e
    on e.schema_name = n.schema_name and e.table_name = n.table_name and e.state not in ('exporting', 'superseded')
    and e.lower_bound <= n.created_at and n.created_at < e.upper_bound
    and n.position between e.first_position and e.last_position;
comment on view akashi_lifecycle.data_lineage is
  'One row for every sealed row: its place in the ledger, the partition and export that hold it, the manifest that names its object, the first published checkpoint that covers it, every restore, and its retention record. Filter by row_id.';
comment on column akashi_lifecycle.data_lineage.manifest is 'Lists the objects with their positions.';
grant select on akashi_lifecycle.partition_restores, akashi_lifecycle.data_lineage to akashi_worker, akashi_security_admin;

-- The archive's SQL interface. Tables waiting in schema akashi_archive, and archived periods.
create function akashi_archive.get_archive_status() returns table (
  table_name text, partition_name text, state text, row_count bigint, size text, size_bytes bigint, object text,
  exported_at timestamptz, dropped_at timestamptz, message text
)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select format('%s.%s', e.schema_name, e.table_name), e.partition_name, e.state, e.row_count,
         pg_size_pretty(own.bytes), own.bytes, e.manifest, e.verified_at, e.dropped_at, e.message
  from akashi_lifecycle.exports e
  cross join lateral (
    select coalesce(pg_total_relation_size(case e.state
      when 'detached' then to_regclass(format('akashi_archive.%I', e.partition_name))
      when 'superseded' then null when 'dropped' then null when 'retiring' then null when 'retired' then null
      else to_regclass(format('%I.%I', e.schema_name, e.partition_name)) end), 0) as bytes
  ) own
  order by e.schema_name, e.table_name, e.lower_bound, e.generation
$$;
comment on function akashi_archive.get_archive_status() is 'Every export with its state, rows, size in PostgreSQL and manifest in the store.';

-- Functions can neither upload nor commit in between, so without p_dry_run this only requests the work from the worker.
-- Returns what is due in both cases.
create function akashi_archive.process_archived_partitions(p_dry_run boolean default false)
  returns table (table_name text, row_count bigint, exported boolean, dropped boolean, message text)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not p_dry_run then
    perform akashi_lifecycle.request_job('archive-export');
    perform akashi_lifecycle.request_job('archive-expire');
  end if;
  return query
    select p.partition_name, p.row_count, coalesce(p.state in ('verified', 'detached'), false), false,
           format('%s: %s.%s (%s%s rows)',
             case when p.held_by is not null then 'Would keep' when p_dry_run then 'Would process' else 'Queued' end,
             p.schema_name, p.partition_name, case when p.estimated then 'about ' else '' end, p.row_count)
    from akashi_lifecycle.archive_plan(now()) p where p.step is not null;
end
$$;
comment on function akashi_archive.process_archived_partitions(boolean) is
  'Requests export and drop of what is due from the worker, and returns the plan; with true it only returns the plan.';

grant execute on function akashi_archive.get_archive_status(), akashi_archive.process_archived_partitions(boolean)
  to akashi_worker, akashi_security_admin;

insert into akashi_lifecycle.jobs (name, schedule, task, timeout, description) values
  ('archive-export', '0 2 * * *', 'archive.export', '12 hours', 'export partitions that closed to the object store, and compare what it gives back'),
  ('archive-expire', '0 3 * * *', 'archive.expire', '12 hours', 'verify, detach and drop partitions whose time in PostgreSQL is over'),
  ('archive-retire', '0 4 * * *', 'archive.retire', '12 hours', 'delete data past its total retention, after a signed retention record'),
  ('archive-review', '0 11 2 1,4,7,10 *', 'archive.review', '12 hours', 'read a sample of every table of the archive back, and compare it with its manifests');

-- Saved queries: private, or shared with others. A shared one can be run by others, but changed only by its owner.
create table akashi_lifecycle.saved_queries (
  id          uuid primary key default gen_random_uuid(),
  owner_id    uuid not null default akashi_auth.current_user_id() references akashi_auth.users (id) on delete cascade,
  name        text not null check (name ~ '\S' and length(name) <= 100),
  description text check (length(description) <= 1000),
  sql         text not null check (sql ~ '\S' and length(sql) <= 100000),
  shared      boolean not null default false,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  last_modified_by text,
  unique (owner_id, name)
);
comment on table akashi_lifecycle.saved_queries is 'Saved queries over PostgreSQL and the archive.';
comment on column akashi_lifecycle.saved_queries.shared is 'Visible to everybody who may run queries.';
alter table akashi_lifecycle.saved_queries enable row level security, force row level security;
create policy saved_queries_read on akashi_lifecycle.saved_queries for select to akashi_app
  using (owner_id = (select akashi_auth.current_user_id()) or (shared and (select akashi_auth.has_permission('query:read'))));
create policy saved_queries_own on akashi_lifecycle.saved_queries to akashi_app
  using (owner_id = (select akashi_auth.current_user_id())) with check (owner_id = (select akashi_auth.current_user_id()));
create policy saved_queries_owner on akashi_lifecycle.saved_queries to akashi_owner using (true) with check (true);
grant select, delete on akashi_lifecycle.saved_queries to akashi_app;
grant insert (name, description, sql, shared), update (name, description, sql, shared) on akashi_lifecycle.saved_queries to akashi_app;
create trigger update_updated_at before update on akashi_lifecycle.saved_queries
  for each row execute function akashi_auth.update_updated_at();
select akashi_audit.protect('akashi_lifecycle.saved_queries');

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
create function akashi_lifecycle.retention_evidence(since timestamptz, until timestamptz,
  out policies bigint, out audit_retention_days numeric, out event_retention_days numeric, out held_tables bigint, out short_of_partitions bigint, out exports bigint, out exported_rows numeric, out overdue_exports bigint, out retired bigint, out pending_shortenings bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select (select count(*) from akashi_lifecycle.policies),
         (select round(extract(epoch from p.total_retention) / 86400) from akashi_lifecycle.policies p
          where (p.schema_name, p.table_name) = ('akashi_audit', 'audit_logs')),
         (select round(extract(epoch from p.total_retention) / 86400) from akashi_lifecycle.policies p
          where (p.schema_name, p.table_name) = ('akashi_security', 'security_events')),
         (select count(*) from akashi_lifecycle.policies p where p.legal_hold),
         (select count(*) from akashi_lifecycle.partition_headroom h where h.covered_until < now() + interval '7 days'),
         (select count(*) from akashi_lifecycle.exports e where e.verified_at >= since and e.verified_at < until),
         (select coalesce(sum(e.row_count), 0) from akashi_lifecycle.exports e where e.verified_at >= since and e.verified_at < until),
         -- The job exports closed partitions once a day.
         (select count(*) from akashi_lifecycle.archive_plan(now() - interval '2 days') a where a.step = 'export' and a.row_count > 0),
         (select count(*) from akashi_lifecycle.exports e where e.retired_at >= since and e.retired_at < until),
         (select count(*) from akashi_lifecycle.shortenings)
$$;
grant execute on function akashi_lifecycle.retention_evidence(timestamptz, timestamptz) to akashi_security_admin;
