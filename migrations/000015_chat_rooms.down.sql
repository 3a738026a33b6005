delete from akashi_audit.exempt_tables where schema_name = 'akashi_chat';
delete from akashi_audit.protected_tables where schema_name = 'akashi_chat';
drop schema akashi_chat cascade;
