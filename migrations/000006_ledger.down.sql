delete from lifecycle.jobs where name in ('verify', 'verify-incremental', 'verify-scrub', 'publish-checkpoints', 'watch-ledger');
delete from lifecycle.settings where key = 'ledger.origin';
delete from audit.exempt_tables where schema_name = 'audit' and (table_name like 'ledger\_%'
  or table_name in ('witnesses', 'verifications', 'verified_heads', 'retention_records', 'standing_alarms'));
drop view audit.audit_log_chain;
drop function audit.frontier_holders(), audit.watch_alarms(text, text, jsonb), audit.alert_ledger_epoch(jsonb),
  audit.alert_audit_log_tampering(jsonb), audit.hold_log(text), audit.system_identity(), audit.trigger_problems(text),
  audit.assert_unfiltered(regclass),
  audit.record_retention(text, text, timestamptz, timestamptz, bigint, bigint, bigint, bytea, text, text);
drop table audit.standing_alarms, audit.retention_records, audit.ledger_scrubs, audit.verified_heads,
  audit.verifications, audit.ledger_cosignatures, audit.witnesses, audit.ledger_epochs, audit.ledger_checkpoints,
  audit.ledger_tiles, audit.ledger_entries, audit.ledger_heads;
drop function audit.keep_tile(), audit.keep_head();
do $stats$
begin
  revoke pg_read_all_stats from akashi_owner;
exception when insufficient_privilege then
  null;
end
$stats$;
