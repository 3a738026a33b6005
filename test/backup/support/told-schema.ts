/** The part of Akashi's schema that a restored table is told to, for clusters without the rest of it. */
export const toldSchema = `
  create schema akashi_audit;
  create table akashi_audit.said (what text, resource text, id text, detail jsonb);
  create function akashi_audit.exempt(regclass, text) returns void language sql as 'select';
  create function akashi_audit.record_action(text, text, text, text, text, jsonb) returns void
    language sql security definer as 'insert into akashi_audit.said values ($2, $3, $4, $6)';
  create function akashi_audit.record_access(text, text[], text) returns void
    language sql security definer as $$insert into akashi_audit.said values ('read', $1, null, null)$$;
  create role akashi_restorer nologin;
  grant usage on schema akashi_audit to akashi_restorer;
  grant execute on function akashi_audit.record_action to akashi_restorer;
  create table akashi_audit.protected_tables (schema_name text, table_name text, digest_columns text[], omitted_columns text[]);
  create schema akashi_keys;
  create table akashi_keys.personal_columns (schema_name text, table_name text, person_column text);
  create table akashi_keys.erasures (user_id uuid);
  create function akashi_audit.withheld_columns(text, text) returns text[] language sql as $$
    select coalesce((select digest_columns || omitted_columns from akashi_audit.protected_tables
                     where (schema_name, table_name) = ($1, $2)), '{}')$$;
  create function akashi_keys.erased_in(text, text) returns table (person_column text, user_id uuid) language sql as $$
    select c.person_column, e.user_id from akashi_keys.personal_columns c cross join akashi_keys.erasures e
    where (c.schema_name, c.table_name) = ($1, $2)$$;
  create role akashi_owner`
