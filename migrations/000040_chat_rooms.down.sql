delete from audit.exempt_tables where schema_name = 'chat' and table_name in ('room_sequences', 'room_events');
delete from audit.protected_tables where schema_name = 'chat';
drop schema chat cascade;
