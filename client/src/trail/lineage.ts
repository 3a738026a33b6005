/**
 * A record through the changes of its key. The trail writes an update that changes the key under the new
 * key, with the old one in `detail.previous_record_id`; going back along it gives each key and the stretch
 * of `seq` in which the record had it. What bore one of these keys outside its stretch is another record.
 */

/**
 * Common table expressions `names` (the table, and when it is partitioned every relation of its tree, since
 * a statement on a partition is recorded under the partition's name) and `versions` (every row of the trail
 * about the record). Parameters $1 schema, $2 table, $3 key as it is now.
 *
 * The order is that of `seq`: writers of one record wait for each other, and the trigger numbers a change
 * before the next one can begin.
 */
export const lineageSql = `
  with recursive relation as (
    select c.oid, coalesce(pg_catalog.pg_partition_root(c.oid), c.oid) as root
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = $2
  ), names (schema_name, table_name, whole) as (
    select $1::text, $2::text, true
    union
    select n.nspname::text, c.relname::text, exists (select from pg_catalog.pg_partition_ancestors(relation.oid) a where a.relid = c.oid)
    from relation
    cross join lateral pg_catalog.pg_partition_tree(relation.root) t
    join pg_catalog.pg_class c on c.oid = t.relid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  ), stretches (record_id, upto, since, previous, xid, was) as (
    select key.value, key.upto, moved.seq, moved.previous, moved.xid, moved.was
    from (values ($3::text, 9223372036854775807::bigint, null::xid8, null::jsonb)) as key (value, upto, xid, was)
    left join lateral (${moved('key', 'key.value', 'key.upto')}) moved on true
    union all
    select s.previous, s.since, moved.seq, moved.previous, moved.xid, moved.was
    from stretches s
    left join lateral (${moved('s', 's.previous', 's.since')}) moved on true
    where s.previous is not null
  ), versions as (
    select r.*
    from stretches s
    join akashi_audit.audit_logs r on r.record_id = s.record_id and r.seq < s.upto and r.seq >= coalesce(s.since, 0)
    where (r.schema_name, r.table_name) in (select schema_name, table_name from names)
      and (r.seq = s.since or not coalesce(r.detail ? 'previous_record_id', false))
  )`

/**
 * The latest change before `upto` that gave the record this key. \`update … set id = id + 1\` gives a key to one
 * record in the statement that takes it from another; such a row is of the same transaction as the change \`by\`
 * that follows, leaves other values than that one found, and has nothing between them.
 */
function moved(by: string, key: string, upto: string): string {
  return `
    select m.seq, m.detail ->> 'previous_record_id' as previous, m.xid, m.new_values || m.old_values as was
    from akashi_audit.audit_logs m
    where m.record_id = ${key} and m.seq < ${upto} and m.operation = 'UPDATE' and m.detail ? 'previous_record_id'
      and (m.schema_name, m.table_name) in (select schema_name, table_name from names)
      and (m.xid = ${by}.xid and m.new_values <> ${by}.was and not exists (
        select from akashi_audit.audit_logs b
        where b.record_id = m.record_id and b.xid = m.xid and b.seq > m.seq and b.seq < ${upto}
          and (b.schema_name, b.table_name) in (select schema_name, table_name from names)
      )) is not true
    order by m.seq desc limit 1`
}
