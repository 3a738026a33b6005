-- Roles are kept while another database of the cluster uses them.
alter default privileges for role akashi_owner grant execute on functions to public;
alter default privileges for role akashi_policy grant execute on functions to public;
alter default privileges for role akashi_nobody grant execute on functions to public;

drop schema akashi_keys;
drop schema akashi_archive;
drop schema akashi_security;
drop schema akashi_audit;
drop schema akashi_auth;
alter schema akashi_lifecycle owner to current_user;
revoke all on schema akashi_lifecycle from akashi_app, akashi_worker, akashi_reader, akashi_security_admin;

do $roles$
declare
  role text;
begin
  perform pg_advisory_xact_lock(hashtextextended('akashi.roles', 0));
  -- All or none: otherwise the other database would lose a role without grants.
  foreach role in array array['akashi_app', 'akashi_client', 'akashi_worker', 'akashi_reader', 'akashi_security_admin',
    'akashi_backup', 'akashi_server', 'akashi_policy', 'akashi_nobody', 'akashi_restorer', 'akashi_owner']
  loop
    execute format('drop role if exists %I', role);
  end loop;
exception when dependent_objects_still_exist then
  raise notice 'the roles are still used by another database of this cluster';
end
$roles$;
