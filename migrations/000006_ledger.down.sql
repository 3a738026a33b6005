drop function akashi_audit.verification_evidence(timestamptz, timestamptz), akashi_audit.sealed_per_day(timestamptz, timestamptz, text);
delete from akashi_lifecycle.jobs where name in ('verify', 'verify-incremental', 'verify-scrub', 'publish-checkpoints', 'watch-ledger');
delete from akashi_lifecycle.settings where key = 'ledger.origin';
delete from akashi_audit.exempt_tables where schema_name = 'akashi_audit' and (table_name like 'ledger\_%'
  or table_name in ('witnesses', 'verifications', 'verified_heads', 'retention_records', 'standing_alarms'));
drop view akashi_audit.audit_log_chain, akashi_audit.sealed_rows;
drop function akashi_audit.rows_from(text, bigint, integer), akashi_audit.sealed_size(text), akashi_audit.position_of(text, uuid), akashi_audit.changed_records(text, text, bigint, integer), akashi_audit.record_migration(), akashi_audit.record_new_catalog(), akashi_audit.record_catalog(text, text), akashi_audit.whole_catalog_transactions(), akashi_audit.frontier_holders(), akashi_audit.watch_alarms(text, text, jsonb), akashi_audit.alert_ledger_epoch(jsonb),
  akashi_audit.alert_audit_log_tampering(jsonb), akashi_audit.fence_log(text), akashi_audit.system_identity(), akashi_audit.trigger_problems(text),
  akashi_audit.assert_unfiltered(regclass),
  akashi_audit.has_unrecorded_rows(text, regclass, bigint, timestamptz, timestamptz),
  akashi_audit.retention_covers(uuid, text, timestamptz, timestamptz, bigint),
  akashi_audit.record_retention(text, text, timestamptz, timestamptz, bigint, bigint, bigint, bytea, text, text);
drop table akashi_audit.standing_alarms, akashi_audit.retention_records, akashi_audit.ledger_scrubs, akashi_audit.verified_heads,
  akashi_audit.verifications, akashi_audit.ledger_cosignatures, akashi_audit.witnesses, akashi_audit.ledger_epochs, akashi_audit.ledger_checkpoints,
  akashi_audit.ledger_tiles, akashi_audit.ledger_entries, akashi_audit.ledger_heads;
drop view akashi_audit.logs;
drop function akashi_audit.keep_tile(), akashi_audit.keep_head(), akashi_audit.keep_checkpoint(),
  akashi_audit.is_thinned_out(timestamptz, timestamptz);
do $stats$
begin
  revoke pg_read_all_stats from akashi_owner;
exception when insufficient_privilege then
  null;
end
$stats$;
