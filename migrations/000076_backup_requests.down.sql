set local role akashi_owner;
delete from lifecycle.jobs where name in ('backup-verify', 'backup-rewrap');
