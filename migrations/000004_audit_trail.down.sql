-- disposable: akashi_audit.protected_tables, akashi_audit.exempt_tables
-- With their triggers, on whatever table they are.
drop function akashi_audit.log_changes(), akashi_audit.log_changes_or_loss() cascade;
delete from akashi_lifecycle.policies where (schema_name, table_name) = ('akashi_audit', 'audit_logs');
drop view akashi_audit.v_audit_logs_masked, akashi_audit.v_security_audit_summary, akashi_audit.coverage, akashi_audit.recorded_actions;
drop function akashi_audit.index_closed_partition(timestamptz), akashi_audit.settle_losses(text, timestamptz), akashi_audit.report_losses(),
  akashi_audit.withheld_columns(text, text), akashi_audit.record_access(text, text[], text, text, jsonb),
  akashi_audit.record_action(text, text, text, text, text, jsonb, text, text, text, text, jsonb), akashi_audit.exempt(regclass, text),
  akashi_audit.unprotect_missing(text, text), akashi_audit.unprotect(regclass),
  akashi_audit.protect(regclass, text, text, jsonb, text[], text), akashi_audit.primary_key(oid),
  akashi_audit.protect_partition(regclass, text, text), akashi_audit.attach_triggers(regclass, akashi_audit.protected_tables), akashi_audit.random_salts(bigint),
  akashi_audit.bulk_statement(oid, text, boolean), akashi_audit.seq_of_consequence(oid, text, text, text, text[], text[]),
  akashi_audit.row_values(oid), akashi_audit.refuse_json_casts(oid), akashi_audit.json_casts(oid), akashi_audit.is_plain(oid),
  akashi_audit.row_json(anyelement), akashi_audit.holds_json(oid), akashi_audit.redact(jsonb, text, text[], text[]),
  akashi_audit.digest_salt(text), akashi_audit.long_columns(jsonb), akashi_audit.record_key(jsonb, text[]), akashi_audit.refuse_stale_protection(oid), akashi_audit.request_context(),
  akashi_audit.guard(regclass), akashi_audit.count_about(text), akashi_audit.erase_salt(text), akashi_audit.salted(text[]);
drop function akashi_audit.record_relations(text, regclass[]), akashi_audit.keep_catalog_record(text, jsonb), akashi_audit.catalog_transactions(oid);
drop table akashi_audit.catalog_records, akashi_audit.losses, akashi_audit.exempt_tables, akashi_audit.protected_tables, akashi_keys.digest_salts, akashi_audit.audit_logs;
drop function akashi_audit.keep_loss(), akashi_audit.uuid_v7(), akashi_audit.use_system_user(), akashi_audit.seq_offset(integer), akashi_audit.refuse_change();
drop type akashi_audit.bulk_batch, akashi_audit.request_context;
drop sequence akashi_audit.audit_logs_seq;
