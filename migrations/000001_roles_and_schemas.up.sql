-- Roles and schemas. Roles belong to the cluster: databases of one cluster share them, and a second migration finds
-- them present. Passwords are not set here: `akashi up` sets the password of each login role at start; on a managed
-- server the operator does.
do $roles$
declare
  role record;
begin
  perform pg_advisory_xact_lock(hashtextextended('akashi.roles', 0));
  for role in
    select * from (values
      ('akashi_owner',          'nologin'),
      ('akashi_policy',         'nologin'),
      ('akashi_nobody',         'nologin'),
      ('akashi_restorer',       'nologin'),
      ('akashi_client',         'nologin'),
      ('akashi_app',            'login'),
      ('akashi_worker',         'login'),
      ('akashi_reader',         'login'),
      ('akashi_security_admin', 'login'),
      ('akashi_backup',         'login'),
      ('akashi_server',         'login noinherit')
    ) as wanted (name, login)
  loop
    if not exists (select from pg_catalog.pg_roles where rolname = role.name) then
      execute format('create role %I %s nosuperuser nocreatedb nocreaterole nobypassrls', role.name, role.login);
    end if;
  end loop;
  -- An administrator of the database may act as any of these roles. A superuser may do so without membership.
  if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
    execute format('grant akashi_owner, akashi_policy, akashi_nobody, akashi_client, akashi_app, akashi_worker, akashi_reader,
      akashi_security_admin, akashi_backup to %I', current_user);
  end if;
  -- Logins of applications get akashi_client alone: contexts, recording, and reading what is theirs in the trail. Requests
  -- to Akashi's own server may do that as well.
  if not pg_has_role('akashi_app', 'akashi_client', 'member') then
    grant akashi_client to akashi_app;
  end if;
  -- For servers with a single login: it has no rights of its own, and each transaction takes the role that it acts as.
  if not pg_has_role('akashi_server', 'akashi_app', 'member') then
    grant akashi_app, akashi_worker, akashi_security_admin, akashi_backup to akashi_server;
  end if;
end
$roles$;

create schema if not exists akashi_lifecycle;
alter schema akashi_lifecycle owner to akashi_owner;
create schema akashi_auth authorization akashi_owner;
create schema akashi_audit authorization akashi_owner;
create schema akashi_security authorization akashi_owner;
create schema akashi_archive authorization akashi_owner;
create schema akashi_keys authorization akashi_owner;

comment on schema akashi_auth is 'Users, sessions, roles and permissions, and the signed request context.';
comment on schema akashi_audit is 'The audit trail and its ledger.';
comment on schema akashi_security is 'Security events of every service, and what was done about them.';
comment on schema akashi_archive is 'Detached partitions that are about to be dropped.';
comment on schema akashi_lifecycle is 'Settings, partition and retention policies, jobs, migrations.';
comment on schema akashi_keys is 'Ids of keys that are kept outside the database.';

grant usage on schema akashi_auth, akashi_audit, akashi_security, akashi_lifecycle to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
grant usage on schema akashi_auth, akashi_audit, akashi_security to akashi_client;
grant usage on schema akashi_archive to akashi_worker, akashi_reader, akashi_security_admin;
grant usage on schema akashi_keys to akashi_app, akashi_worker, akashi_security_admin;
grant usage on schema akashi_auth, akashi_audit, akashi_keys to akashi_policy;
-- Inherited by the temporary login of a table restore. A grant to that login itself would update the catalog rows of
-- the functions, which verification would report.
grant usage on schema akashi_auth, akashi_audit to akashi_restorer;
comment on table akashi_lifecycle.schema_migrations is 'Applied migrations: version, name, checksum of the file, when and by whom.';

-- Functions can be executed only by roles with an explicit grant.
alter default privileges for role akashi_owner revoke execute on functions from public;
alter default privileges for role akashi_policy revoke execute on functions from public;
alter default privileges for role akashi_nobody revoke execute on functions from public;
