-- disposable: akashi_audit.crosscheck_state
-- The slot would keep WAL for nobody.
drop function akashi_audit.crosscheck_evidence(timestamptz, timestamptz);
select pg_drop_replication_slot(s.slot_name)
from pg_replication_slots s where s.database = current_database() and s.slot_type = 'logical' and s.slot_name like 'akashi\_crosscheck%' and not s.active;
delete from akashi_lifecycle.settings where key = 'crosscheck.enabled';
delete from akashi_audit.exempt_tables where schema_name = 'akashi_audit'
  and table_name in ('crosscheck_state', 'crosscheck_discrepancies', 'crosscheck_gaps');
drop function akashi_audit.keep_truncated(jsonb), akashi_audit.keep_traces_of(text, text), akashi_audit.suspect_tables(), akashi_audit.crosscheck_position(), akashi_audit.repair_publication(), akashi_audit.end_gap(pg_lsn), akashi_audit.begin_gap(text, text, pg_lsn, pg_lsn), akashi_audit.settle_discrepancies(text, uuid[], timestamptz),
  akashi_audit.record_discrepancies(jsonb);
drop table akashi_audit.crosscheck_gaps, akashi_audit.crosscheck_discrepancies, akashi_audit.crosscheck_state;
drop function akashi_audit.keep_crosscheck();
