delete from akashi_lifecycle.jobs where name in ('archive-export', 'archive-expire', 'archive-retire');
delete from akashi_audit.exempt_tables where (schema_name, table_name) = ('akashi_lifecycle', 'exports');
drop view akashi_lifecycle.data_lineage, akashi_lifecycle.partition_restores;
drop function akashi_lifecycle.archive_plan(timestamptz, text, text), akashi_lifecycle.retirement_plan(timestamptz, text, text),
  akashi_lifecycle.held_by(akashi_lifecycle.policies, timestamptz, timestamptz), akashi_lifecycle.cancel_retiring(uuid),
  akashi_lifecycle.supersede_exports(uuid),
  akashi_lifecycle.attach_restored(text, text, text, timestamptz, timestamptz, timestamptz),
  akashi_lifecycle.prepare_restored(text, text, text, timestamptz, timestamptz),
  akashi_lifecycle.reattach_partition(text, text, text, timestamptz, timestamptz, timestamptz);
drop function akashi_archive.process_archived_partitions(boolean), akashi_archive.get_archive_status(),
  akashi_lifecycle.drop_retired(text, text, text), akashi_lifecycle.finish_retiring(uuid),
  akashi_lifecycle.begin_retiring(uuid, uuid), akashi_lifecycle.assert_retirable(text, text, timestamptz),
  akashi_lifecycle.mark_restored(text, text, timestamptz, timestamptz, timestamptz, text),
  akashi_lifecycle.drop_detached(text, text, text, timestamptz, timestamptz, text[], timestamptz),
  akashi_lifecycle.freeze_detached(text), akashi_lifecycle.detach_partition(text, text, text, timestamptz),
  akashi_lifecycle.fence_partition(text, text, text),
  akashi_lifecycle.assert_expired(text, text, timestamptz, timestamptz, timestamptz);
drop table akashi_lifecycle.exports;
drop function akashi_lifecycle.keep_export();
