-- What backups need of the cluster and of the timetable. The attribute belongs to the role, and so to every
-- database of the cluster; who may not give it (managed PostgreSQL) has the provider's backups instead.
do $replication$
begin
  if not (select rolreplication from pg_catalog.pg_roles where rolname = 'akashi_backup') then
    alter role akashi_backup replication;
  end if;
  grant execute on function pg_catalog.pg_create_restore_point(text) to akashi_backup;
exception
  when insufficient_privilege then
    raise notice 'akashi_backup may not replicate: physical backups are the provider''s here';
end
$replication$;

set local role akashi_owner;

insert into lifecycle.settings (key, value, description) values
  ('backup.retention_days', '30', 'days that any moment can be restored (S5, normal data)'),
  ('backup.hold', 'false', 'while true, no backup and no WAL is removed'),
  ('backup.recipients', '[]', 'public keys (age1…) that open backups beside the keyring''s own');

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('backup-full',        '0 5 * * *',  'backup.full',        '12 hours',   'take a full backup'),
  ('backup-incremental', '30 * * * *', 'backup.incremental', '1 hour',     'take what changed since the backup before (PostgreSQL 17 and newer)'),
  ('backup-prune',       '20 4 * * *', 'backup.prune',       '1 hour',     'remove backups and WAL that the retention no longer needs');
