-- The ledger: each log is an append-only Merkle tree (RFC 6962) over the hashes of its rows.
-- docs/ledger.md specifies the encoding, the tree and the signed notes.
set local role akashi_owner;

-- The head of each log: how far it is sealed, and the signed checkpoint of that size.
create table audit.ledger_heads (
  log        text primary key check (log ~ '^[a-z_]+$'),
  epoch      integer not null default 1 check (epoch > 0),
  origin     text not null,
  size       bigint not null default 0 check (size >= 0),
  root       bytea not null check (octet_length(root) = 32),
  note       text,
  last_xid   xid8 not null default '0',
  last_seq   bigint not null default 0,
  sealed_at  timestamptz
);
comment on column audit.ledger_heads.last_xid is 'The frontier: every row at or before (last_xid, last_seq) is in the tree.';

create table audit.ledger_entries (
  log        text not null,
  position   bigint not null check (position >= 0),
  row_id     uuid not null,
  created_at timestamptz not null,
  entry_hash bytea not null check (octet_length(entry_hash) = 32),
  primary key (log, position)
);
create index ledger_entries_row_idx on audit.ledger_entries (row_id);

-- Merkle tree hashes in tiles of 256 (C2SP tlog-tiles): level 0 holds leaf hashes, level 1 the roots of
-- full level-0 tiles, and so on. Only the last tile of a level still grows.
create table audit.ledger_tiles (
  log    text not null,
  level  smallint not null check (level between 0 and 7),
  tile   bigint not null check (tile >= 0),
  hashes bytea not null check (octet_length(hashes) between 32 and 8192 and octet_length(hashes) % 32 = 0),
  primary key (log, level, tile)
);

-- Checkpoints that were published: signed notes that outlive any later head.
create table audit.ledger_checkpoints (
  log          text not null,
  epoch        integer not null,
  size         bigint not null,
  root         bytea not null check (octet_length(root) = 32),
  note         text not null,
  published_at timestamptz not null default now(),
  primary key (log, epoch, size)
);

do $tables$
declare
  name text;
begin
  foreach name in array array['ledger_heads', 'ledger_entries', 'ledger_tiles', 'ledger_checkpoints'] loop
    execute format('alter table audit.%I enable row level security', name);
    execute format('alter table audit.%I force row level security', name);
    execute format('create policy %I on audit.%I to akashi_worker using (true) with check (true)', name || '_worker', name);
    execute format('create policy %I on audit.%I for select to akashi_app, akashi_security_admin, akashi_reader using (true)', name || '_read', name);
    execute format('create policy %I on audit.%I to akashi_owner using (true) with check (true)', name || '_owner', name);
    execute format('grant select on audit.%I to akashi_app, akashi_worker, akashi_security_admin, akashi_reader', name);
  end loop;
end
$tables$;
grant insert on audit.ledger_entries, audit.ledger_tiles, audit.ledger_checkpoints, audit.ledger_heads to akashi_worker;
grant update on audit.ledger_heads, audit.ledger_tiles to akashi_worker;
select audit.guard('audit.ledger_entries'), audit.guard('audit.ledger_checkpoints');

-- A tile never changes what it holds, it only gains hashes; a head never shrinks.
create function audit.keep_tile() returns trigger language plpgsql set search_path = '' as $$
begin
  if (new.log, new.level, new.tile) is distinct from (old.log, old.level, old.tile)
     or substring(new.hashes from 1 for octet_length(old.hashes)) is distinct from old.hashes then
    raise exception 'tile % of level % of log % holds other hashes already', old.tile, old.level, old.log
      using errcode = 'AK001', hint = 'the ledger is append-only; run verify';
  end if;
  return new;
end
$$;
create trigger keep_tile before update on audit.ledger_tiles for each row execute function audit.keep_tile();
alter table audit.ledger_tiles enable always trigger keep_tile;

create function audit.keep_head() returns trigger language plpgsql set search_path = '' as $$
begin
  if new.log is distinct from old.log or new.size < old.size or new.epoch < old.epoch
     or (new.epoch = old.epoch and (new.last_xid, new.last_seq) < (old.last_xid, old.last_seq)) then
    raise exception 'the head of log % cannot go back', old.log
      using errcode = 'AK001', hint = 'the ledger is append-only; run verify';
  end if;
  return new;
end
$$;
create trigger keep_head before update on audit.ledger_heads for each row execute function audit.keep_head();
alter table audit.ledger_heads enable always trigger keep_head;

-- Bulk readers see every row or none: row security filters silently, so they ask first.
create function audit.assert_unfiltered(target regclass) returns void
  language plpgsql stable set search_path = '' as $$
begin
  if pg_catalog.row_security_active(target) and (
    not exists (
      select from pg_catalog.pg_policy p
      where p.polrelid = target and p.polpermissive and p.polcmd in ('*', 'r')
        and pg_get_expr(p.polqual, p.polrelid) = 'true'
        and (0::oid = any (p.polroles) or exists (select from unnest(p.polroles) r where pg_has_role(current_user, r, 'usage')))
    ) or exists (
      select from pg_catalog.pg_policy p
      where p.polrelid = target and not p.polpermissive and p.polcmd in ('*', 'r')
        and (0::oid = any (p.polroles) or exists (select from unnest(p.polroles) r where pg_has_role(current_user, r, 'usage')))
    )
  ) then
    raise exception 'row security may hide rows of % from %', target, current_user
      using errcode = 'AK002', hint = 'connect as akashi_worker; its policies show every row';
  end if;
end
$$;
comment on function audit.assert_unfiltered(regclass) is 'Fails unless the caller sees every row of the table.';
grant execute on function audit.assert_unfiltered(regclass) to akashi_worker, akashi_security_admin;

-- The first part of every log's origin (C2SP tlog-checkpoint); unlike any other installation's.
insert into lifecycle.settings (key, value, description)
values ('ledger.origin', to_jsonb('akashi.local/' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)),
        'name under which this installation signs its logs; the log''s own name follows it');

-- Triggers that record or guard and are not as they should be, for one log: the guards of its table and
-- of the ledger; for audit_logs also the triggers of every protected table and partition.
create function audit.trigger_problems(log text) returns table ("table" text, problem text)
  language sql stable security definer set search_path = '' as $$
  with guarded as (
    select part.relid::oid as relid, null::text as name, 'refuse_change' as trigger_name,
           'audit.refuse_change'::regproc::oid as function, '' ::bytea as arguments
    from lifecycle.policies p
    cross join lateral pg_catalog.pg_partition_tree(to_regclass(format('%I.%I', p.schema_name, p.table_name))) part
    where p.append_only and p.table_name = log
    union all
    select to_regclass(own.name), own.name, own.trigger_name, own.function::regproc, ''
    from (values ('audit.ledger_entries', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_checkpoints', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_tiles', 'keep_tile', 'audit.keep_tile'),
                 ('audit.ledger_heads', 'keep_head', 'audit.keep_head')) as own (name, trigger_name, function)
  ), recorded as (
    select part.relid::oid, format('%I.%I', p.schema_name, p.table_name), 'akashi_audit_' || event, 'audit.log_changes'::regproc,
           (select string_agg(convert_to(argument, 'UTF8') || '\x00'::bytea, ''::bytea order by place)
            from unnest(array[p.classification, p.key_columns::text, coalesce(p.subject_column, ''), p.ignored_columns::text,
                              p.digest_columns::text, p.omitted_columns::text]) with ordinality as a (argument, place))
    from audit.protected_tables p
    -- By the catalog: to_regclass refuses names in schemas that this function's owner may not use.
    left join lateral (
      select c.oid as named from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = p.schema_name and c.relname = p.table_name
    ) own on true
    cross join lateral (select relid from pg_catalog.pg_partition_tree(own.named::regclass) union select own.named) part
    cross join unnest(array['insert', 'update', 'delete', 'truncate']) event
    where log = 'audit_logs'
  ), expected as (
    select * from guarded union all select * from recorded
  )
  select coalesce(n.nspname || '.' || c.relname, e.name),
         case when c.oid is null then 'the table is gone'
              when t.oid is null then format('trigger %s is missing', e.trigger_name)
              when t.tgenabled = 'D' then format('trigger %s is disabled', e.trigger_name)
              when t.tgenabled <> 'A' then format('trigger %s does not fire in every session', e.trigger_name)
              else format('trigger %s is not the one that protect made', e.trigger_name) end
  from expected e
  left join pg_catalog.pg_class c on c.oid = e.relid
  left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_trigger t on t.tgrelid = e.relid and t.tgname = e.trigger_name and not t.tgisinternal
  where t.oid is null or t.tgenabled <> 'A' or t.tgfoid <> e.function or t.tgargs <> e.arguments
$$;
grant execute on function audit.trigger_problems(text) to akashi_worker, akashi_security_admin;

select audit.exempt('audit.ledger_heads', 'part of the ledger'), audit.exempt('audit.ledger_entries', 'part of the ledger'),
       audit.exempt('audit.ledger_tiles', 'part of the ledger'), audit.exempt('audit.ledger_checkpoints', 'part of the ledger');

-- What each verification found; one that found something is also an alarm (000008).
create table audit.verifications (
  id          uuid primary key default audit.uuid_v7(),
  started_at  timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  ok          boolean not null,
  report      jsonb not null
);
create index verifications_finished_at_idx on audit.verifications (finished_at desc);
alter table audit.verifications enable row level security;
alter table audit.verifications force row level security;
create policy verifications_worker on audit.verifications for insert to akashi_worker with check (true);
create policy verifications_read on audit.verifications for select to akashi_app, akashi_worker, akashi_security_admin using (true);
grant insert on audit.verifications to akashi_worker;
grant select on audit.verifications to akashi_app, akashi_worker, akashi_security_admin;
select audit.guard('audit.verifications'), audit.exempt('audit.verifications', 'append-only itself');
