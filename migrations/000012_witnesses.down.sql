set local role akashi_owner;
delete from audit.exempt_tables where schema_name = 'audit' and table_name = 'witnesses';
drop table audit.witnesses;
