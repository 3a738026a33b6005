select akashi_audit.unprotect('akashi_lifecycle.saved_queries');
drop table akashi_lifecycle.saved_queries;
drop function akashi_lifecycle.retention_evidence(timestamptz, timestamptz);
delete from akashi_lifecycle.jobs where name in ('archive-export', 'archive-expire', 'archive-retire', 'archive-review');
delete from akashi_audit.exempt_tables where schema_name = 'akashi_lifecycle' and table_name in ('exports', 'export_groups', 'copies');
delete from akashi_audit.protected_tables where (schema_name, table_name) = ('akashi_lifecycle', 'copy_policies');
drop view akashi_lifecycle.data_lineage, akashi_lifecycle.partition_restores;
drop function akashi_lifecycle.archive_plan(timestamptz, text, text), akashi_lifecycle.retirement_plan(timestamptz, text, text),
  akashi_lifecycle.held_by(akashi_lifecycle.policies, timestamptz, timestamptz), akashi_lifecycle.kept_by(akashi_lifecycle.policies),
  akashi_lifecycle.cancel_retiring(uuid),
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
drop view akashi_lifecycle.tenant_usage;
drop function akashi_lifecycle.awaited_copy(uuid), akashi_lifecycle.finish_deleting_copy(uuid), akashi_lifecycle.begin_deleting_copy(uuid),
  akashi_lifecycle.begin_copy(uuid, uuid, text), akashi_lifecycle.copy_plan(timestamptz, text, text), akashi_lifecycle.owed_copies(timestamptz, uuid),
  akashi_lifecycle.set_copy_policy(text, text, text, text, text, interval, text), akashi_lifecycle.group_columns(text, text);
drop table akashi_lifecycle.copies, akashi_lifecycle.copy_policies, akashi_lifecycle.export_groups, akashi_lifecycle.exports;
drop function akashi_lifecycle.keep_copy();
drop function akashi_lifecycle.keep_export();
