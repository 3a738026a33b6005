delete from lifecycle.jobs where name in ('archive-export', 'archive-expire', 'archive-retire');
delete from audit.exempt_tables where (schema_name, table_name) = ('lifecycle', 'exports');
drop view lifecycle.data_lineage, lifecycle.partition_restores;
drop function archive.process_archived_partitions(boolean), archive.get_archive_status(),
  lifecycle.drop_retired(text, text, text), lifecycle.finish_retiring(uuid),
  lifecycle.begin_retiring(uuid, uuid), lifecycle.assert_retirable(text, text, timestamptz),
  lifecycle.mark_restored(text, text, timestamptz, timestamptz, timestamptz),
  lifecycle.drop_detached(text, text, text, timestamptz, timestamptz, text[], timestamptz),
  lifecycle.freeze_detached(text), lifecycle.detach_partition(text, text, text, timestamptz),
  lifecycle.fence_partition(text, text, text),
  lifecycle.assert_expired(text, text, timestamptz, timestamptz, timestamptz);
drop table lifecycle.exports;
drop function lifecycle.keep_export();
