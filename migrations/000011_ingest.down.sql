set local role akashi_owner;
delete from audit.exempt_tables where schema_name = 'security' and table_name = 'ingest_batches';
drop table security.ingest_batches;
