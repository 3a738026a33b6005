delete from akashi_lifecycle.settings where key like 'delivery.%';
delete from akashi_audit.protected_tables where schema_name = 'akashi_security' and table_name like 'delivery\_%';
delete from akashi_audit.exempt_tables where schema_name = 'akashi_security' and table_name like 'delivery\_%';
drop table akashi_security.delivery_dead_letters, akashi_security.delivery_progress, akashi_security.delivery_channels;
