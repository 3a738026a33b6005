-- disposable: akashi_audit.protected_tables, akashi_audit.exempt_tables, akashi_audit.crosscheck_traces
-- Restores the replica identity of tables that the cross-check needed whole rows of.
drop function akashi_audit.coverage_evidence(timestamptz, timestamptz);
select akashi_audit.unpublish(c.oid::regclass, p.replica_identity)
from akashi_audit.protected_tables p join pg_catalog.pg_namespace n on n.nspname = p.schema_name
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.table_name where p.replica_identity <> '{}';
drop publication akashi_crosscheck;
-- Drops their triggers on all tables as well.
drop function akashi_audit.log_changes(), akashi_audit.log_changes_or_loss(), akashi_audit.note_moving(), akashi_audit.keep_moved() cascade;
drop function akashi_audit.row_statement(text, text), akashi_audit.moved_sources(oid, boolean, boolean);
delete from akashi_lifecycle.policies where (schema_name, table_name) = ('akashi_audit', 'audit_logs');
drop view akashi_audit.v_audit_logs_masked, akashi_audit.v_security_audit_summary, akashi_audit.coverage, akashi_audit.recorded_actions;
drop function akashi_audit.detect_audit_anomalies(), akashi_audit.index_closed_partition(timestamptz), akashi_audit.settle_losses(text, timestamptz), akashi_audit.report_losses(),
  akashi_audit.withheld_columns(text, text), akashi_audit.record_access(text, text[], text, text, jsonb),
  akashi_audit.record_action(text, text, text, text, text, jsonb, text, text, text, text, jsonb), akashi_audit.exempt(regclass, text),
  akashi_audit.unprotect_missing(text, text), akashi_audit.unprotect(regclass),
  akashi_audit.protect(regclass, text, text, jsonb, text[], text, boolean, text[], text[]), akashi_audit.publish(regclass, boolean), akashi_audit.unpublish(regclass, jsonb),
  akashi_audit.has_replica_identity(oid), akashi_audit.record_baseline(regclass, regclass, text[], integer), akashi_audit.keep_traces(oid), akashi_audit.table_traces(oid), akashi_audit.primary_key(oid),
  akashi_audit.protect_partition(regclass, text, text), akashi_audit.attach_triggers(regclass, akashi_audit.protected_tables), akashi_audit.refuse_unsigned(oid, text[]), akashi_audit.random_salts(bigint),
  akashi_audit.bulk_statement(oid, text, boolean), akashi_audit.seq_of_consequence(oid, text, text, text, text[], text[]),
  akashi_audit.row_values(oid), akashi_audit.refuse_json_casts(oid), akashi_audit.json_casts(oid), akashi_audit.is_plain(oid),
  akashi_audit.row_json(anyelement), akashi_audit.holds_json(oid), akashi_audit.redact(jsonb, text, text[], text[]),
  akashi_audit.digest_salt(text), akashi_audit.long_columns(jsonb), akashi_audit.record_key(jsonb, text[]), akashi_audit.refuse_stale_protection(oid), akashi_audit.request_context(), akashi_audit.claimed_context(text),
  akashi_audit.is_recorded_as_text(oid, oid), akashi_audit.trigger_arguments(akashi_audit.protected_tables),
  akashi_audit.guard(regclass), akashi_audit.count_about(text), akashi_audit.erase_salt(text), akashi_audit.salted(text[]);
drop function akashi_audit.alert_unrecorded_triggers(regclass[]), akashi_audit.record_relations(text, regclass[]),
  akashi_audit.recorded_transactions(text), akashi_audit.is_own_transaction(xid), akashi_audit.keep_catalog_record(text, jsonb), akashi_audit.catalog_transactions(oid);
drop table akashi_audit.moving_rows, akashi_audit.crosscheck_traces, akashi_audit.catalog_records, akashi_audit.losses, akashi_audit.exempt_tables, akashi_audit.protected_tables, akashi_keys.digest_salts, akashi_audit.audit_logs;
drop function akashi_audit.history_tables(), akashi_audit.keep_loss(), akashi_audit.uuid_v7(), akashi_audit.use_system_user(), akashi_audit.publish_generated_columns(), akashi_audit.seq_offset(integer), akashi_audit.refuse_change();
drop type akashi_audit.bulk_batch, akashi_audit.request_context;
drop sequence akashi_audit.audit_logs_seq;
