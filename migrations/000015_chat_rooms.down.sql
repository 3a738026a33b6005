delete from audit.exempt_tables where schema_name = 'chat';
delete from audit.protected_tables where schema_name = 'chat';
drop schema chat cascade;
