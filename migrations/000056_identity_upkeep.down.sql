set local role akashi_owner;
delete from lifecycle.jobs where name = 'identity-purge';
drop function auth.purge_expired(integer);
