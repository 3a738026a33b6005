-- disposable: audit.protected_tables, audit.exempt_tables
-- With their triggers, on whatever table they are.
drop function audit.log_changes(), audit.log_changes_or_loss() cascade;
delete from lifecycle.policies where (schema_name, table_name) = ('audit', 'audit_logs');
drop view audit.v_security_audit_summary, audit.coverage;
drop function audit.index_closed_partition(timestamptz), audit.settle_losses(text, timestamptz), audit.report_losses(),
  audit.record_access(text, text[], text, text),
  audit.record_action(text, text, text, text, text, jsonb, text, text, text, text, jsonb), audit.exempt(regclass, text),
  audit.unprotect_missing(text, text), audit.unprotect(regclass),
  audit.protect(regclass, text, text, jsonb, text[], text), audit.primary_key(oid),
  audit.attach_triggers(regclass, audit.protected_tables), audit.random_salts(bigint),
  audit.bulk_statement(oid, text, boolean), audit.redact(jsonb, text, text[], text[]),
  audit.composite_key(jsonb, text[]), audit.refuse_stale_protection(oid), audit.request_context(),
  audit.guard(regclass);
drop table audit.losses, audit.exempt_tables, audit.protected_tables, keys.digest_salts, audit.audit_logs;
drop function audit.keep_loss(), audit.uuid_v7(), audit.refuse_change();
drop type audit.bulk_batch, audit.request_context;
drop sequence audit.audit_logs_seq;
