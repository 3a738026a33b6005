set local role akashi_owner;
delete from lifecycle.jobs where name in ('verify-incremental', 'verify-scrub');
update lifecycle.jobs set schedule = '0 7 * * *' where name = 'verify' and schedule = '0 7 * * 0';
delete from audit.exempt_tables where schema_name = 'audit' and table_name in ('verified_heads', 'ledger_scrubs', 'retention_records');
drop function audit.record_retention(text, text, timestamptz, timestamptz, bigint, bigint, bigint, bytea, text, text);
drop table audit.retention_records;
drop table audit.ledger_scrubs;
drop table audit.verified_heads;
alter table audit.verifications drop column mode;
