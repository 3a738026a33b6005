set local role akashi_owner;
drop function archive.process_archived_partitions(boolean);
drop function archive.get_archive_status();
drop function archive.get_config(text, text);
delete from lifecycle.jobs where name in ('archive-export', 'archive-expire');
revoke usage on schema archive from akashi_security_admin, akashi_reader;
