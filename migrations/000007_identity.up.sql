-- Users, their permissions and their credentials. Login roles do not write roles, grants or keys: only functions of
-- the owner do, after checking the caller's rights (access rules, sign-in).
--
--   users                  one row per person and identity provider; e-mail and subject are ciphertext
--   roles                  name, tier (system > business > service)
--   permissions            resource, action, tier: the lowest tier of a role that may have it; written resource:action
--   role_permissions       role_id, permission_id
--   user_roles             user_id, role_id, assigned_by, expires_at
--   service_accounts       name, tier, is_active; service_account_roles like user_roles
--   api_keys               key_hash (SHA-256, hex), key_prefix, permissions (scopes), exactly one owner: user_id or service_account_id
--   user_sessions          session_token_hash (SHA-256, bytes), device, address, room_id, status, expires_at, revoked_at
--   security_policies      key, value, value_type, default_value, minimum, maximum
--   privacy_consents       one row per decision; current_consents shows the latest
set local role akashi_owner;

create function akashi_auth.tier_rank(tier text) returns integer
  language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
  select case tier when 'system' then 3 when 'business' then 2 when 'service' then 1 end
$$;
comment on function akashi_auth.tier_rank(text) is 'system 3, business 2, service 1; nothing can move to a higher tier.';
grant execute on function akashi_auth.tier_rank(text) to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;

-- Usernames are identities: one person has one name, whatever width, case or look-alike letters it is typed with.
create function akashi_auth.username_key(username text) returns text
  language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
  select translate(normalize(regexp_replace(normalize(lower(normalize(username, nfkc)), nfd), '[\u0300-\u036f]', '', 'g'), nfc),
    'аеорсухіјѕһԁԛԝѵӏвкмнтьαβγεηικμνορτυχζςօսոցհıɑɡɩʏᴏᴠニロカエタトハヘベペー―‐‑–−',
    'aeopcyxijshdqwvlbkmhtbabyehikmvoptyxzσounghiagiyov二口力工夕卜八へべぺ一一----')
$$;
comment on function akashi_auth.username_key(text) is
  'The normalized form by which usernames are unique, looked up and counted: NFKC, lowercase, without accents, look-alike letters of other scripts unified.';

-- Rejects names that could be mistaken for something else: an id, the name of an erased account, a mention of
-- everyone, invisible characters. ASCII is limited to letters, digits, spaces and . _ - '' + @.
create function akashi_auth.username_fits(username text, account_status text) returns boolean
  language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select length(username) between 3 and 50
    and username is nfkc normalized
    and username !~ '[\x01-\x1f\x7f-\xa0!"#$%&()*,/:;<=>?\[\\\]^`{|}~]'
    and username !~ '[\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffd\ue000-\uf8ff\U000e0000-\U0010ffff]'
    and username !~ '(^[ @.''+-]|[ ]$|[ ]{2})'
    and replace(username, '-', '') !~* '^[0-9a-f]{32}$'
    and akashi_auth.username_key(username) not in ('all', 'channel', 'everyone', 'here', 'nobody', 'anonymous')
    and (account_status = 'deleted' or akashi_auth.username_key(username) not like 'deleted-%')
$$;
comment on function akashi_auth.username_fits(text, text) is 'Whether a username is allowed.';
grant execute on function akashi_auth.username_key(text), akashi_auth.username_fits(text, text)
  to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;

-- Search for parts of names and texts, from one character on, in Japanese and English. An index contains every
-- character and every pair of characters; a term is found by its pairs and then compared with the text. Needs no
-- extension and no locale of the database. Row-level security keeps the planner from using such an index, so a search
-- is a function that runs as its owner and returns only what its caller may see.

-- A search ignores full and half width, ligatures, composition and case, and treats the wave dash, minus, double bar
-- and dash like the other characters that Windows and other systems type for them.
create function akashi_auth.fold_text(content text) returns text
  language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
  select translate(lower(normalize(content, nfkc)), '〜−‖—', '~-∥―')
$$;
comment on function akashi_auth.fold_text(text) is 'The text in the form in which searches compare it.';

create function akashi_auth.ngrams(folded text) returns text[]
  language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(distinct g.gram), '{}')
  from (select c.letter, c.letter || lead(c.letter) over (order by c.place) as pair
        from unnest(string_to_array(folded, null)) with ordinality as c (letter, place)) pairs
  cross join lateral (values (pairs.letter), (pairs.pair)) as g (gram)
  where g.gram is not null and g.gram !~ '^\s+$'
$$;
comment on function akashi_auth.ngrams(text) is 'The index terms of a text: its characters and pairs of characters.';

create function akashi_auth.search_terms(query text) returns text[]
  language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  terms constant text[] := array(select distinct t from regexp_split_to_table(akashi_auth.fold_text(coalesce(query, '')), '\s+') as t where t <> '');
begin
  if cardinality(terms) > 10 or length(query) > 200 then
    raise exception 'a search can have at most 10 words and 200 characters' using errcode = 'invalid_parameter_value';
  end if;
  return terms;
end
$$;
comment on function akashi_auth.search_terms(text) is 'The words of a query, folded.';

-- The pairs of each term, or its only character.
create function akashi_auth.term_ngrams(terms text[]) returns text[]
  language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp as $$
  select array(
    select t from unnest(terms) as t where length(t) = 1
    union
    select substr(t, n, 2) from unnest(terms) as t cross join lateral generate_series(1, length(t) - 1) as n)
$$;
comment on function akashi_auth.term_ngrams(text[]) is 'What a text that contains all terms has in the index.';

-- In plpgsql and with folding inline: two calls per row and no planning.
create function akashi_auth.contains_terms(content text, terms text[]) returns boolean
  language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  folded constant text := translate(lower(normalize(content, nfkc)), '〜−‖—', '~-∥―');
  term text;
begin
  foreach term in array terms loop
    if strpos(folded, term) = 0 then return false; end if;
  end loop;
  return true;
end
$$;
comment on function akashi_auth.contains_terms(text, text[]) is 'Whether the text, once folded, contains every term.';
-- Roles that change an indexed row compute its index entries.
grant execute on function akashi_auth.fold_text(text), akashi_auth.ngrams(text) to akashi_app, akashi_worker, akashi_policy;
grant execute on function akashi_auth.search_terms(text), akashi_auth.term_ngrams(text[]), akashi_auth.contains_terms(text, text[]) to akashi_policy;

-- A person is identified by (issuer, subject) of an identity provider. E-mail and subject are encrypted by the
-- application with the person's key (src/keys), which SQL does not have. A row written by SQL alone with plain columns
-- stays plain until `akashi keys convert` or the next start encrypts it and sets these columns to null.
create table akashi_auth.users (
  id                      uuid primary key default gen_random_uuid(),
  issuer                  varchar(255) not null default 'local' check (issuer <> ''),
  subject                 varchar(255) check (subject <> ''),
  username                varchar(50) not null unique,
  display_name            varchar(100) check (display_name <> ''),
  email                   varchar(255),
  avatar_url              text check (length(avatar_url) <= 2048),
  last_login_at           timestamptz,
  account_status          varchar(20) not null default 'active',
  is_active               boolean not null generated always as (account_status = 'active') stored,
  is_deleted              boolean not null generated always as (account_status = 'deleted') stored,
  tenant_id               varchar(255),
  security_classification varchar(50) not null default 'internal',
  data_residency          varchar(50) not null default (akashi_lifecycle.setting('organisation.data_residency') #>> '{}'),
  compliance_tags         jsonb not null default '{}' check (jsonb_typeof(compliance_tags) = 'object'),
  created_at              timestamptz not null default now(),
  updated_at              timestamptz not null default now(),
  created_by              varchar(255) default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by        varchar(255),
  subject_encrypted       bytea,
  subject_index           bytea,
  email_encrypted         bytea,
  email_index             bytea,
  email_masked            varchar(255),
  legal_hold              text check (legal_hold <> ''),
  credentials_replaced_at timestamptz,
  constraint users_issuer_subject_key unique (issuer, subject),
  constraint users_issuer_email_key unique (issuer, email),
  constraint users_username_check check (akashi_auth.username_fits(username, account_status)),
  constraint users_email_check check (email ~ '^[^\s@"(),:;<>\[\\\]]{1,64}@[^\s@"(),:;<>\[\\\]]+\.[^\s@"(),:;<>\[\\\].]{2,}$'),
  constraint users_account_status_check check (account_status in ('active', 'inactive', 'suspended', 'deleted')),
  constraint users_security_classification_check
    check (security_classification in ('public', 'internal', 'confidential', 'restricted')),
  constraint users_subject_form_check check (
    (subject is null or subject_index is null)
    and (subject_encrypted is null) = (subject_index is null)
    and (subject is not null or subject_index is not null or account_status = 'deleted')),
  constraint users_email_form_check check (
    (email is null or email_index is null)
    and (email_encrypted is null) = (email_index is null) and (email_masked is null) = (email_index is null)
    and (email is not null or email_index is not null or account_status = 'deleted')),
  constraint users_index_length_check check (octet_length(subject_index) = 32 and octet_length(email_index) = 32)
);
comment on table akashi_auth.users is 'One row per person and identity provider; local accounts have the issuer local.';
comment on column akashi_auth.users.display_name is 'Null means the username.';
comment on column akashi_auth.users.tenant_id is 'A label for filters, grouping and retention; to isolate tenants, use one database for each.';
comment on column akashi_auth.users.subject is 'Plain only until it is encrypted; then null.';
comment on column akashi_auth.users.email is 'Plain only until it is encrypted; then null.';
comment on column akashi_auth.users.subject_encrypted is 'AES-256-GCM under the person''s key, bound to table, column and row.';
comment on column akashi_auth.users.subject_index is 'Blind index of the subject: HMAC-SHA-256. Unique with the issuer.';
comment on column akashi_auth.users.email_encrypted is 'AES-256-GCM under the person''s key, bound to table, column and row.';
comment on column akashi_auth.users.email_index is 'Blind index of the e-mail in lowercase: HMAC-SHA-256. Unique with the issuer.';
comment on column akashi_auth.users.email_masked is 'Such as t***@example.com: what readers without keys see.';
comment on column akashi_auth.users.credentials_replaced_at is 'When somebody else last gave the person a password, or removed their second factors.';
comment on column akashi_auth.users.legal_hold is 'Why the person may not be erased at present; null if nothing prevents it.';
create unique index users_username_key_idx on akashi_auth.users (akashi_auth.username_key(username));
create unique index users_issuer_subject_index_key on akashi_auth.users (issuer, subject_index);
create unique index users_issuer_email_index_key on akashi_auth.users (issuer, email_index);
create index users_account_status_idx on akashi_auth.users (account_status);
create index users_created_at_idx on akashi_auth.users (created_at);
create index users_last_login_at_idx on akashi_auth.users (last_login_at);
create index users_last_modified_by_idx on akashi_auth.users (last_modified_by, updated_at);
create index users_security_classification_idx on akashi_auth.users (security_classification);
create index users_compliance_tags_idx on akashi_auth.users using gin (compliance_tags);
-- A term must be in one of the names; the line break keeps it from spanning both.
create index users_names_idx on akashi_auth.users
  using gin (akashi_auth.ngrams(akashi_auth.fold_text(username || E'\n' || coalesce(display_name, '')))) where is_active;
-- Contains only the few plain rows, which the conversion queries repeatedly.
create index users_plain_idx on akashi_auth.users (id) where subject is not null or email is not null;

create trigger update_updated_at before update on akashi_auth.users
  for each row execute function akashi_auth.update_updated_at();

alter table akashi_auth.users enable row level security, force row level security;
create policy users_self_read on akashi_auth.users for select to akashi_app
  using (id = (select akashi_auth.current_user_id()));
create policy users_self_update on akashi_auth.users for update to akashi_app
  using (id = (select akashi_auth.current_user_id())) with check (id = (select akashi_auth.current_user_id()));
create policy users_staff_read on akashi_auth.users for select to akashi_worker, akashi_security_admin using (true);
create policy users_policy_read on akashi_auth.users for select to akashi_policy using (true);
create policy users_owner on akashi_auth.users to akashi_owner using (true) with check (true);
-- The worker encrypts plain values. Every other change of users goes through functions that check the caller's rights.
create policy users_convert on akashi_auth.users for update to akashi_worker using (true) with check (true);

-- What users may change about themselves; status and classification are not included.
grant select on akashi_auth.users to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;
grant update (display_name, avatar_url) on akashi_auth.users to akashi_app;
grant update (subject, subject_encrypted, subject_index, email, email_encrypted, email_index, email_masked) on akashi_auth.users
  to akashi_worker;
-- The trail may contain ciphertext, which becomes unreadable with its key. Names are plain in the row, because others
-- see them, and digests in the trail. Indexes and masked values would outlive the key, so they are omitted.
select akashi_audit.protect('akashi_auth.users', 'confidential', 'id',
  '{"subject": "digest", "email": "digest", "username": "digest", "display_name": "digest", "avatar_url": "digest",
    "subject_index": "omit", "email_index": "omit", "email_masked": "omit"}',
  array['updated_at', 'last_modified_by']);

-- There must always be an active administrator. Serialised by a lock on the role.
create function akashi_auth.keep_last_administrator() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
declare
  administrator uuid;
begin
  select r.id into administrator from akashi_auth.roles r where r.name = 'sys_admin' for no key update;
  if exists (select from akashi_auth.user_roles ur where ur.user_id = old.id and ur.role_id = administrator
             and (ur.expires_at is null or ur.expires_at > now()))
     and not exists (
       select from akashi_auth.user_roles ur join akashi_auth.users u on u.id = ur.user_id
       where ur.role_id = administrator and u.id <> old.id and u.is_active and (ur.expires_at is null or ur.expires_at > now()))
  then
    raise exception 'the last active sys_admin cannot be deactivated' using errcode = 'AK003', hint = 'grant the role to another user first';
  end if;
  return new;
end
$$;
create trigger keep_last_administrator before update on akashi_auth.users for each row
  when (old.account_status = 'active' and new.account_status <> 'active')
  execute function akashi_auth.keep_last_administrator();
alter table akashi_auth.users enable always trigger keep_last_administrator;

-- A simple view of one table, so that other contexts can join it.
create view akashi_auth.active_users with (security_invoker = true) as
  select id from akashi_auth.users where is_active;
comment on view akashi_auth.active_users is 'Users whose account is active.';
grant select on akashi_auth.active_users to akashi_policy;

create view akashi_auth.held_users with (security_invoker = true) as
  select id from akashi_auth.users where legal_hold is not null;
comment on view akashi_auth.held_users is 'People under legal hold: none of their data is purged.';
grant select on akashi_auth.held_users to akashi_worker;

grant create on schema akashi_auth to akashi_policy;
reset role;
set local role akashi_policy;

-- The public columns, for showing names next to messages. A definer view, so it needs no row policy.
create view akashi_auth.profiles with (security_barrier = true) as
  select id, username, coalesce(display_name, username) as display_name, avatar_url, is_active
  from akashi_auth.users where not is_deleted;
comment on view akashi_auth.profiles is 'Names and pictures, visible to every signed-in service; never e-mail, subject or state.';
grant select on akashi_auth.profiles to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;

create function akashi_auth.search_people(query text, among uuid[] default null, page_size integer default 50)
  returns table (id uuid, username varchar, display_name varchar, avatar_url text)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp set row_security = on set plan_cache_mode = force_custom_plan as $$
declare
  terms constant text[] := akashi_auth.search_terms(query);
  grams constant text[] := akashi_auth.term_ngrams(terms);
  beginning constant text := btrim(akashi_auth.fold_text(coalesce(query, '')));
begin
  if akashi_auth.current_user_id() is null then
    return;
  end if;
  return query
    select u.id, u.username, n.shown, u.avatar_url
    from akashi_auth.users u cross join lateral (select coalesce(u.display_name, u.username) as shown) n
    where u.is_active and (among is null or u.id = any (among))
      and (cardinality(grams) = 0 or akashi_auth.ngrams(akashi_auth.fold_text(u.username || E'\n' || coalesce(u.display_name, ''))) @> grams)
      and akashi_auth.contains_terms(u.username || E'\n' || coalesce(u.display_name, ''), terms)
    order by not (starts_with(akashi_auth.fold_text(u.username), beginning) or starts_with(akashi_auth.fold_text(n.shown), beginning)),
      akashi_auth.fold_text(n.shown), u.id
    limit least(greatest(page_size, 1), 200);
end
$$;
comment on function akashi_auth.search_people is
  'Profiles of active users whose names contain every word of the query, those first whose name begins with it; among: only these.';
grant execute on function akashi_auth.search_people to akashi_app;

-- What readers see of people: enough to tell them apart and to know that an address exists.
create view akashi_auth.masked_users with (security_barrier = true) as
  select id, issuer, '***'::text as subject, left(username, 1) || '***' as username, left(display_name, 1) || '***' as display_name,
         coalesce(email_masked, regexp_replace(email, '^(.).*(@.*)$', '\1***\2')) as email,
         last_login_at, account_status, is_active, is_deleted, tenant_id, security_classification, data_residency,
         compliance_tags, created_at, updated_at
  from akashi_auth.users;
comment on view akashi_auth.masked_users is 'Users under their own column names, with personal values masked.';
grant select on akashi_auth.masked_users to akashi_reader, akashi_worker, akashi_security_admin;

reset role;
revoke create on schema akashi_auth from akashi_policy;
set local role akashi_owner;

-- A tier never changes, not even by the owner: existing grants would change with it.
create function akashi_auth.keep_tier() returns trigger language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if new.tier is distinct from old.tier then
    raise exception 'the tier of % cannot be changed', tg_table_name using errcode = 'insufficient_privilege',
      hint = 'create another one with the tier that you want';
  end if;
  return new;
end
$$;

create table akashi_auth.roles (
  id               uuid primary key default gen_random_uuid(),
  name             varchar(100) not null unique check (name ~ '^[a-z][a-z0-9_]*$'),
  description      text,
  tier             varchar(20) not null,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint roles_tier_check check (tier in ('system', 'business', 'service'))
);
comment on table akashi_auth.roles is 'Roles that users and service accounts may hold; the seeded ones are system roles.';
create index roles_tier_idx on akashi_auth.roles (tier);
create trigger update_updated_at before update on akashi_auth.roles for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.roles enable row level security, force row level security;
create policy roles_owner on akashi_auth.roles to akashi_owner using (true) with check (true);
create policy roles_policy on akashi_auth.roles for select to akashi_policy using (true);
-- Every signed-in caller may read role definitions.
create policy roles_signed_in on akashi_auth.roles for select to akashi_app
  using ((select akashi_auth.current_user_id()) is not null or (select akashi_auth.current_session_id()) is not null);
create policy roles_staff on akashi_auth.roles for select to akashi_worker, akashi_reader, akashi_security_admin using (true);
grant select on akashi_auth.roles to akashi_app, akashi_worker, akashi_reader, akashi_security_admin, akashi_policy;
create trigger keep_tier before update on akashi_auth.roles for each row execute function akashi_auth.keep_tier();
alter table akashi_auth.roles enable always trigger keep_tier;
select akashi_audit.protect('akashi_auth.roles');

create table akashi_auth.permissions (
  id               uuid primary key default gen_random_uuid(),
  resource         varchar(255) not null check (resource ~ '^[a-z][a-z0-9_]*$'),
  action           varchar(50) not null,
  description      text,
  tier             varchar(20) not null default 'system',
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint permissions_resource_action_key unique (resource, action),
  constraint permissions_action_check check (action in ('read', 'write', 'delete', 'admin')),
  constraint permissions_tier_check check (tier in ('system', 'business', 'service'))
);
comment on table akashi_auth.permissions is 'Written resource:action; the action admin includes read, write and delete of its resource.';
comment on column akashi_auth.permissions.tier is 'The lowest tier of a role that may hold it.';
create trigger update_updated_at before update on akashi_auth.permissions for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.permissions enable row level security, force row level security;
create policy permissions_owner on akashi_auth.permissions to akashi_owner using (true) with check (true);
create policy permissions_policy on akashi_auth.permissions for select to akashi_policy using (true);
create policy permissions_signed_in on akashi_auth.permissions for select to akashi_app
  using ((select akashi_auth.current_user_id()) is not null or (select akashi_auth.current_session_id()) is not null);
create policy permissions_staff on akashi_auth.permissions for select to akashi_worker, akashi_reader, akashi_security_admin using (true);
grant select on akashi_auth.permissions to akashi_app, akashi_worker, akashi_reader, akashi_security_admin, akashi_policy;
create trigger keep_tier before update on akashi_auth.permissions for each row execute function akashi_auth.keep_tier();
alter table akashi_auth.permissions enable always trigger keep_tier;
select akashi_audit.protect('akashi_auth.permissions');

create table akashi_auth.role_permissions (
  id               uuid primary key default gen_random_uuid(),
  role_id          uuid not null references akashi_auth.roles (id) on delete cascade,
  permission_id    uuid not null references akashi_auth.permissions (id) on delete cascade,
  granted_at       timestamptz not null default now(),
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint role_permissions_role_id_permission_id_key unique (role_id, permission_id)
);
comment on table akashi_auth.role_permissions is 'Which permissions a role has.';
create index role_permissions_permission_id_idx on akashi_auth.role_permissions (permission_id, role_id);
create trigger update_updated_at before update on akashi_auth.role_permissions for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.role_permissions enable row level security, force row level security;
create policy role_permissions_owner on akashi_auth.role_permissions to akashi_owner using (true) with check (true);
create policy role_permissions_policy on akashi_auth.role_permissions for select to akashi_policy using (true);
create policy role_permissions_signed_in on akashi_auth.role_permissions for select to akashi_app
  using ((select akashi_auth.current_user_id()) is not null or (select akashi_auth.current_session_id()) is not null);
create policy role_permissions_staff on akashi_auth.role_permissions for select to akashi_worker, akashi_reader, akashi_security_admin using (true);
grant select on akashi_auth.role_permissions to akashi_app, akashi_worker, akashi_reader, akashi_security_admin, akashi_policy;
select akashi_audit.protect('akashi_auth.role_permissions');

-- A role contains only permissions of its tier or lower.
create function akashi_auth.check_role_permission() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
declare
  role akashi_auth.roles;
  permission akashi_auth.permissions;
begin
  select * into role from akashi_auth.roles r where r.id = new.role_id;
  select * into permission from akashi_auth.permissions p where p.id = new.permission_id;
  if akashi_auth.tier_rank(permission.tier) > akashi_auth.tier_rank(role.tier) then
    raise exception 'the % role % cannot hold the % permission %:%', role.tier, role.name, permission.tier,
      permission.resource, permission.action using errcode = 'insufficient_privilege',
      hint = 'a permission can only be in roles of its tier or a higher one';
  end if;
  return new;
end
$$;
create trigger check_role_permission before insert or update on akashi_auth.role_permissions
  for each row execute function akashi_auth.check_role_permission();
alter table akashi_auth.role_permissions enable always trigger check_role_permission;

create table akashi_auth.user_roles (
  id               uuid primary key default gen_random_uuid(),
  user_id          uuid not null references akashi_auth.users (id) on delete cascade,
  role_id          uuid not null references akashi_auth.roles (id) on delete cascade,
  assigned_by      uuid references akashi_auth.users (id) on delete set null,
  assigned_at      timestamptz not null default now(),
  expires_at       timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint user_roles_user_id_role_id_key unique (user_id, role_id)
);
comment on table akashi_auth.user_roles is 'Roles of users, optionally with an expiry.';
comment on column akashi_auth.user_roles.expires_at is 'Null means no expiry; an expired role has no effect.';
create index user_roles_role_id_idx on akashi_auth.user_roles (role_id);
create index user_roles_assigned_by_idx on akashi_auth.user_roles (assigned_by) where assigned_by is not null;
create trigger update_updated_at before update on akashi_auth.user_roles for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.user_roles enable row level security, force row level security;
create policy user_roles_owner on akashi_auth.user_roles to akashi_owner using (true) with check (true);
create policy user_roles_policy on akashi_auth.user_roles for select to akashi_policy using (true);
create policy user_roles_staff on akashi_auth.user_roles for select to akashi_worker, akashi_security_admin using (true);
grant select on akashi_auth.user_roles to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;
select akashi_audit.protect('akashi_auth.user_roles', 'internal', 'user_id');

create table akashi_auth.service_accounts (
  id               uuid primary key default gen_random_uuid(),
  name             varchar(255) not null unique check (name ~ '^[a-z][a-z0-9_.-]*$'),
  description      text,
  tier             varchar(20) not null default 'service',
  is_active        boolean not null default true,
  tenant_id        varchar(255),
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint service_accounts_tier_check check (tier in ('system', 'business', 'service'))
);
comment on table akashi_auth.service_accounts is 'Accounts of programs, with API keys only: no password and no sessions.';
comment on column akashi_auth.service_accounts.tier is 'The highest tier of the roles that it may have.';
create trigger update_updated_at before update on akashi_auth.service_accounts for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.service_accounts enable row level security, force row level security;
create policy service_accounts_owner on akashi_auth.service_accounts to akashi_owner using (true) with check (true);
create policy service_accounts_policy on akashi_auth.service_accounts for select to akashi_policy using (true);
create policy service_accounts_staff on akashi_auth.service_accounts for select to akashi_worker, akashi_security_admin using (true);
grant select on akashi_auth.service_accounts to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;
create trigger keep_tier before update on akashi_auth.service_accounts for each row execute function akashi_auth.keep_tier();
alter table akashi_auth.service_accounts enable always trigger keep_tier;
select akashi_audit.protect('akashi_auth.service_accounts');

create table akashi_auth.service_account_roles (
  id                 uuid primary key default gen_random_uuid(),
  service_account_id uuid not null references akashi_auth.service_accounts (id) on delete cascade,
  role_id            uuid not null references akashi_auth.roles (id) on delete cascade,
  assigned_by        uuid references akashi_auth.users (id) on delete set null,
  assigned_at        timestamptz not null default now(),
  expires_at         timestamptz,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  created_by         text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by   text,
  constraint service_account_roles_service_account_id_role_id_key unique (service_account_id, role_id)
);
comment on table akashi_auth.service_account_roles is 'Roles of service accounts.';
create index service_account_roles_role_id_idx on akashi_auth.service_account_roles (role_id);
create index service_account_roles_assigned_by_idx on akashi_auth.service_account_roles (assigned_by) where assigned_by is not null;
create trigger update_updated_at before update on akashi_auth.service_account_roles for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.service_account_roles enable row level security, force row level security;
create policy service_account_roles_owner on akashi_auth.service_account_roles to akashi_owner using (true) with check (true);
create policy service_account_roles_policy on akashi_auth.service_account_roles for select to akashi_policy using (true);
create policy service_account_roles_staff on akashi_auth.service_account_roles for select to akashi_worker, akashi_security_admin using (true);
grant select on akashi_auth.service_account_roles to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;
select akashi_audit.protect('akashi_auth.service_account_roles');

-- A service account has only roles of its tier or lower.
create function akashi_auth.check_service_role() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
declare
  role akashi_auth.roles;
  account akashi_auth.service_accounts;
begin
  select * into role from akashi_auth.roles r where r.id = new.role_id;
  select * into account from akashi_auth.service_accounts a where a.id = new.service_account_id;
  if akashi_auth.tier_rank(role.tier) > akashi_auth.tier_rank(account.tier) then
    raise exception 'the % service account % cannot have the % role %', account.tier, account.name, role.tier, role.name
      using errcode = 'insufficient_privilege', hint = 'use a service account of that tier';
  end if;
  return new;
end
$$;
create trigger check_service_role before insert or update on akashi_auth.service_account_roles
  for each row execute function akashi_auth.check_service_role();
alter table akashi_auth.service_account_roles enable always trigger check_service_role;

create table akashi_auth.api_keys (
  id                 uuid primary key default gen_random_uuid(),
  name               varchar(255) not null check (name <> ''),
  key_hash           varchar(255) not null unique check (key_hash ~ '^[0-9a-f]{64}$'),
  key_prefix         varchar(10) not null check (key_prefix ~ '^[0-9A-Za-z]{10}$'),
  service_name       varchar(255) not null check (service_name <> ''),
  tier               varchar(20) not null,
  permissions        jsonb not null default '[]' check (jsonb_typeof(permissions) = 'array'),
  user_id            uuid references akashi_auth.users (id) on delete cascade,
  service_account_id uuid references akashi_auth.service_accounts (id) on delete cascade,
  replaces           uuid references akashi_auth.api_keys (id) on delete set null,
  expires_at         timestamptz,
  last_used_at       timestamptz,
  is_active          boolean not null default true,
  revoked_at         timestamptz,
  created_by         uuid references akashi_auth.users (id) on delete set null,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  last_modified_by   text,
  constraint api_keys_tier_check check (tier in ('system', 'business', 'service')),
  constraint api_keys_owner_check check (num_nonnulls(user_id, service_account_id) = 1),
  constraint api_keys_revoked_check check (is_active = (revoked_at is null))
);
comment on table akashi_auth.api_keys is 'Keys of users and service accounts, by their hash: the key itself is shown once.';
comment on column akashi_auth.api_keys.key_hash is 'SHA-256 of the whole key, in hex; the key itself is shown once and not stored.';
comment on column akashi_auth.api_keys.key_prefix is 'The ten characters after akashi_: identifies the key; not a secret.';
comment on column akashi_auth.api_keys.permissions is 'Scopes as resource:action; at each use, only those count that the owner still has.';
comment on column akashi_auth.api_keys.replaces is 'The key that this one replaces after a rotation.';
comment on column akashi_auth.api_keys.last_used_at is 'Written in batches, so up to a minute late.';
create index api_keys_service_name_idx on akashi_auth.api_keys (service_name);
create index api_keys_key_prefix_idx on akashi_auth.api_keys (key_prefix);
create index api_keys_expires_at_idx on akashi_auth.api_keys (expires_at) where expires_at is not null;
create index api_keys_user_id_idx on akashi_auth.api_keys (user_id) where user_id is not null;
create index api_keys_service_account_id_idx on akashi_auth.api_keys (service_account_id) where service_account_id is not null;
create index api_keys_replaces_idx on akashi_auth.api_keys (replaces) where replaces is not null;
create index api_keys_created_by_idx on akashi_auth.api_keys (created_by) where created_by is not null;
create trigger update_updated_at before update on akashi_auth.api_keys for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.api_keys enable row level security, force row level security;
create policy api_keys_owner on akashi_auth.api_keys to akashi_owner using (true) with check (true);
create policy api_keys_policy on akashi_auth.api_keys for select to akashi_policy using (true);
create policy api_keys_staff on akashi_auth.api_keys for select to akashi_worker, akashi_security_admin using (true);
grant select on akashi_auth.api_keys to akashi_policy;
-- Columns of keys other than their hashes.
grant select (id, name, key_prefix, service_name, tier, permissions, user_id, service_account_id, replaces, expires_at,
  last_used_at, is_active, revoked_at, created_by, created_at, updated_at, last_modified_by)
  on akashi_auth.api_keys to akashi_app, akashi_worker, akashi_security_admin;
create trigger keep_tier before update on akashi_auth.api_keys for each row execute function akashi_auth.keep_tier();
alter table akashi_auth.api_keys enable always trigger keep_tier;
select akashi_audit.protect('akashi_auth.api_keys', 'confidential', 'user_id', '{"key_hash": "omit"}',
  array['last_used_at', 'updated_at', 'last_modified_by']);

create table akashi_auth.user_sessions (
  id                     uuid primary key default gen_random_uuid(),
  user_id                uuid not null references akashi_auth.users (id) on delete cascade,
  room_id                uuid,
  session_token_hash     bytea not null unique check (octet_length(session_token_hash) = 32),
  device_type            varchar(50),
  user_agent             text,
  ip_address             inet,
  status                 varchar(20) not null default 'online',
  last_activity          timestamptz not null default now(),
  expires_at             timestamptz not null,
  security_validated     boolean not null default false,
  authentication_methods text[] not null default '{}',
  authenticated_at       timestamptz not null default now(),
  revoked_at             timestamptz,
  created_at             timestamptz not null default now(),
  updated_at             timestamptz not null default now(),
  created_by             text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by       text,
  constraint user_sessions_status_check check (status in ('online', 'away', 'offline'))
);
comment on table akashi_auth.user_sessions is
  'Sessions of signed-in users, by the hash of their token, with their presence.';
comment on column akashi_auth.user_sessions.room_id is 'The room on the screen; written by chat, no foreign key.';
comment on column akashi_auth.user_sessions.session_token_hash is 'SHA-256 of the token; the token itself is not stored.';
comment on column akashi_auth.user_sessions.expires_at is 'The absolute end; the idle limit counts from last_activity.';
comment on column akashi_auth.user_sessions.security_validated is 'Whether a second factor was used in this session.';
comment on column akashi_auth.user_sessions.authentication_methods is 'How the user authenticated, by the names of RFC 8176: pwd, otp, …';
comment on column akashi_auth.user_sessions.authenticated_at is 'When credentials were last given; a step-up renews it.';
create index user_sessions_user_idx on akashi_auth.user_sessions (user_id, status);
create index user_sessions_room_idx on akashi_auth.user_sessions (room_id, status);
create index user_sessions_expires_idx on akashi_auth.user_sessions (expires_at);
create index user_sessions_activity_idx on akashi_auth.user_sessions (last_activity);
create trigger update_updated_at before update on akashi_auth.user_sessions for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.user_sessions enable row level security, force row level security;
create policy user_sessions_owner on akashi_auth.user_sessions to akashi_owner using (true) with check (true);
create policy user_sessions_policy on akashi_auth.user_sessions for select to akashi_policy using (true);
create policy user_sessions_begin on akashi_auth.user_sessions for insert to akashi_app
  with check (user_id = (select akashi_auth.current_user_id()));
create policy user_sessions_change on akashi_auth.user_sessions for update to akashi_app
  using (user_id = (select akashi_auth.current_user_id()) and revoked_at is null)
  with check (user_id = (select akashi_auth.current_user_id()));
create policy user_sessions_staff on akashi_auth.user_sessions for select to akashi_worker, akashi_security_admin using (true);
create policy user_sessions_expired on akashi_auth.user_sessions for delete to akashi_worker using (expires_at < (select now()));
grant select on akashi_auth.user_sessions to akashi_policy;
-- Columns of sessions other than their token hashes. A revoked session never changes again; maintenance deletes old
-- ones.
grant select (id, user_id, room_id, device_type, user_agent, ip_address, status, last_activity, expires_at, security_validated,
  authentication_methods, authenticated_at, revoked_at, created_at, updated_at, created_by, last_modified_by)
  on akashi_auth.user_sessions to akashi_app, akashi_worker, akashi_security_admin;
grant insert (id, user_id, session_token_hash, device_type, user_agent, ip_address, status, expires_at, security_validated,
  authentication_methods, authenticated_at) on akashi_auth.user_sessions to akashi_app;
grant update (room_id, status, last_activity, security_validated, authentication_methods, authenticated_at, revoked_at)
  on akashi_auth.user_sessions to akashi_app;
grant delete on akashi_auth.user_sessions to akashi_worker;
select akashi_audit.protect('akashi_auth.user_sessions', 'confidential', 'user_id', '{"session_token_hash": "omit"}',
  array['status', 'room_id', 'last_activity', 'updated_at', 'last_modified_by']);

-- The authorisation decision. Owned by akashi_policy, which reads every row of the tables that it needs.
grant create on schema akashi_auth to akashi_policy;
reset role;
set local role akashi_policy;

-- Whether one of these roles has a permission. Both sides are arrays, so a denial is one index scan whatever the
-- number of roles; a join would probe the index once per role.
create function akashi_auth.roles_hold(roles uuid[], permission text) returns boolean
  language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
declare
  wanted constant uuid[] := array(
    select p.id from akashi_auth.permissions p
    where p.resource = split_part(permission, ':', 1) and p.action in (split_part(permission, ':', 2), 'admin')
      and exists (select from akashi_auth.permissions named
                  where named.resource = p.resource and named.action = split_part(permission, ':', 2)));
begin
  return exists (
    select from akashi_auth.role_permissions rp where rp.permission_id = any (wanted) and rp.role_id = any (roles));
end
$$;

create function akashi_auth.user_has_permission(user_id uuid, permission text) returns boolean
  language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
begin
  return exists (select from akashi_auth.users u where u.id = user_has_permission.user_id and u.is_active)
    and akashi_auth.roles_hold(array(
      select ur.role_id from akashi_auth.user_roles ur
      where ur.user_id = user_has_permission.user_id and (ur.expires_at is null or ur.expires_at > now())), permission);
end
$$;
comment on function akashi_auth.user_has_permission(uuid, text) is
  'Whether an active user has a permission (resource:action) through a role that has not expired.';

create function akashi_auth.service_account_has_permission(service_account_id uuid, permission text) returns boolean
  language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
begin
  return exists (
      select from akashi_auth.service_accounts a where a.id = service_account_has_permission.service_account_id and a.is_active)
    and akashi_auth.roles_hold(array(
      select sr.role_id from akashi_auth.service_account_roles sr
      where sr.service_account_id = service_account_has_permission.service_account_id
        and (sr.expires_at is null or sr.expires_at > now())), permission);
end
$$;

-- Whether a key's scopes and tier include a permission, independently of its owner.
create function akashi_auth.key_allows(key akashi_auth.api_keys, permission text) returns boolean
  language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
  select key.is_active and (key.expires_at is null or key.expires_at > now())
    and key.permissions ?| array[permission, split_part(permission, ':', 1) || ':admin']
    and exists (
      select from akashi_auth.permissions p
      where p.resource = split_part(permission, ':', 1) and p.action = split_part(permission, ':', 2)
        and akashi_auth.tier_rank(p.tier) <= akashi_auth.tier_rank(key.tier))
$$;

-- Decides only for contexts that Akashi itself signed: users of other applications have no permissions here.
-- current_session_id is the credential: an active session, or an API key, which limits its owner to its scopes. Any
-- other value is refused. Without one, the context is that of a process.
create function akashi_auth.has_permission(permission text) returns boolean
  language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
declare
  caller uuid;
  shown uuid;
  key akashi_auth.api_keys;
begin
  if akashi_auth.context_application() is distinct from 'akashi' then
    return false;
  end if;
  caller := akashi_auth.try_uuid(nullif(current_setting('app.current_user_id', true), ''));
  shown := akashi_auth.try_uuid(nullif(current_setting('app.current_session_id', true), ''));
  if shown is null then
    return caller is not null and akashi_auth.user_has_permission(caller, permission);
  end if;
  select * into key from akashi_auth.api_keys k where k.id = shown;
  if found then
    return key.user_id is not distinct from caller and akashi_auth.key_allows(key, permission)
      and case when caller is null then akashi_auth.service_account_has_permission(key.service_account_id, permission)
               else akashi_auth.user_has_permission(caller, permission) end;
  end if;
  return exists (
      select from akashi_auth.user_sessions s
      where s.id = shown and s.user_id = caller and s.revoked_at is null and s.expires_at > now())
    and akashi_auth.user_has_permission(caller, permission);
end
$$;
comment on function akashi_auth.has_permission(text) is
  'Whether the caller of the verified context may: resource:action. Policies call it as (select akashi_auth.has_permission(''…'')).';

-- For reads of pages with many rows: only a key limits what its owner may read; the route has checked the rest.
create function akashi_auth.key_permits(permission text) returns boolean
  language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
declare
  shown constant uuid := akashi_auth.current_session_id();
  key akashi_auth.api_keys;
begin
  if shown is null then
    return true;
  end if;
  select * into key from akashi_auth.api_keys k where k.id = shown;
  return not found or akashi_auth.key_allows(key, permission);
end
$$;
comment on function akashi_auth.key_permits(text) is
  'False when the caller shows an API key whose scopes or tier do not include the permission.';

-- A transaction of the server on behalf of a user has no credential: its route has decided.
create function akashi_auth.shown_permits(permission text) returns boolean
  language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select akashi_auth.current_session_id() is null or akashi_auth.has_permission(permission)
$$;
comment on function akashi_auth.shown_permits(text) is
  'False when the caller shows a session or an API key that does not have the permission.';

reset role;
revoke create on schema akashi_auth from akashi_policy;
grant execute on function akashi_auth.key_permits(text), akashi_auth.shown_permits(text) to akashi_owner;
grant execute on function akashi_auth.key_permits(text) to akashi_app;
grant execute on function akashi_auth.has_permission(text) to akashi_owner, akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
grant execute on function akashi_auth.user_has_permission(uuid, text), akashi_auth.service_account_has_permission(uuid, text)
  to akashi_owner, akashi_worker, akashi_security_admin;
grant execute on function akashi_auth.key_allows(akashi_auth.api_keys, text) to akashi_owner;
set local role akashi_owner;

-- What the application may read of the tables above: the user's own rows, and those that a permission allows.
create policy users_app_read on akashi_auth.users for select to akashi_app using ((select akashi_auth.has_permission('users:read')));
create policy user_roles_app on akashi_auth.user_roles for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id()) or (select akashi_auth.has_permission('roles:read')));
create policy service_accounts_app on akashi_auth.service_accounts for select to akashi_app
  using ((select akashi_auth.has_permission('api_keys:read')));
create policy service_account_roles_app on akashi_auth.service_account_roles for select to akashi_app
  using ((select akashi_auth.has_permission('api_keys:read')));
create policy api_keys_app on akashi_auth.api_keys for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id()) or (select akashi_auth.has_permission('api_keys:read')));
create policy user_sessions_self on akashi_auth.user_sessions for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id()) or (select akashi_auth.has_permission('sessions:read')));

-- Whether a value is allowed by a policy: minimum and maximum for integers, allowed values for texts.
create function akashi_auth.policy_value_fits(value jsonb, value_type text, minimum bigint, maximum bigint, allowed text[])
  returns boolean language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select case value_type
    when 'boolean' then jsonb_typeof(value) = 'boolean'
    when 'integer' then case when jsonb_typeof(value) = 'number' and value::text ~ '^-?[0-9]{1,15}$'
      then value::bigint between coalesce(minimum, value::bigint) and coalesce(maximum, value::bigint) else false end
    when 'text' then jsonb_typeof(value) = 'string' and (allowed is null or value #>> '{}' = any (allowed))
    when 'text[]' then case when jsonb_typeof(value) = 'array' then not exists (
      select from jsonb_array_elements(value) element
      where jsonb_typeof(element) <> 'string' or not (allowed is null or element #>> '{}' = any (allowed))) else false end
    else false
  end
$$;

create table akashi_auth.security_policies (
  key              text primary key check (key ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$'),
  category         text not null generated always as (split_part(key, '.', 1)) stored,
  value            jsonb not null,
  default_value    jsonb not null,
  value_type       text not null check (value_type in ('boolean', 'integer', 'text', 'text[]')),
  minimum          bigint,
  maximum          bigint,
  allowed          text[],
  unit             text,
  description      text not null,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  constraint security_policies_value_check
    check (akashi_auth.policy_value_fits(value, value_type, minimum, maximum, allowed)),
  constraint security_policies_default_check
    check (akashi_auth.policy_value_fits(default_value, value_type, minimum, maximum, allowed))
);
comment on table akashi_auth.security_policies is 'One row per rule; the defaults follow OWASP ASVS 5.0.';
create trigger update_updated_at before update on akashi_auth.security_policies for each row execute function akashi_auth.update_updated_at();
alter table akashi_auth.security_policies enable row level security, force row level security;
create policy security_policies_owner on akashi_auth.security_policies to akashi_owner using (true) with check (true);
create policy security_policies_policy on akashi_auth.security_policies for select to akashi_policy using (true);
create policy security_policies_read on akashi_auth.security_policies for select
  to akashi_app, akashi_worker, akashi_reader, akashi_security_admin using (true);
grant select on akashi_auth.security_policies to akashi_app, akashi_worker, akashi_reader, akashi_security_admin, akashi_policy;
select akashi_audit.protect('akashi_auth.security_policies');

insert into akashi_auth.security_policies (key, value, default_value, value_type, minimum, maximum, allowed, unit, description)
select key, value::jsonb, value::jsonb, value_type, minimum, maximum, allowed::text[], unit, description
from (values
  ('password.local_login',           'true',  'boolean', null::bigint, null::bigint, null, null, 'whether local accounts may sign in with a password; false allows OIDC only'),
  ('password.min_length',            '12',    'integer', 8, 64, null, 'characters', 'minimum length of a password (ASVS 6.2.1)'),
  ('password.max_length',            '128',   'integer', 64, 1024, null, 'characters', 'maximum length of a password (ASVS 6.2.9)'),
  ('password.history',               '5',     'integer', 0, 24, null, 'passwords', 'how many former passwords cannot be reused'),
  ('password.check_breached',        'true',  'boolean', null, null, null, null, 'whether passwords from known breaches are refused (ASVS 6.2.12)'),
  ('password.require_composition',   'false', 'boolean', null, null, null, null, 'whether letters, digits and symbols are required; off, because it makes passwords worse (ASVS 6.2.5)'),
  ('password.max_age_days',          '0',     'integer', 0, 3650, null, 'days', 'age after which a password must be changed; 0 means never (ASVS 6.2.10)'),
  ('password.one_time_hours',        '24',    'integer', 1, 168, null, 'hours', 'lifetime of a one-time password'),
  ('lockout.threshold',              '5',     'integer', 1, 100, null, 'failures', 'failures of one account from one address within the window, after which the address is locked out (ASVS 6.3.1)'),
  ('lockout.window_minutes',         '15',    'integer', 1, 1440, null, 'minutes', 'how far back failures count'),
  ('lockout.duration_minutes',       '15',    'integer', 1, 1440, null, 'minutes', 'how long an address waits after the threshold'),
  ('lockout.address_threshold',      '50',    'integer', 1, 10000, null, 'failures', 'failures of one address across all accounts within the window'),
  ('lockout.account_threshold',      '100',   'integer', 5, 100000, null, 'failures', 'failures of one account from all addresses within the window, after which only addresses that it has signed in from are accepted'),
  ('lockout.factor_threshold',       '10',    'integer', 3, 1000, null, 'failures', 'failures of one account''s second factor from all addresses within the window, after which the factor is locked'),
  ('session.idle_minutes',           '720',   'integer', 5, 43200, null, 'minutes', 'time without activity after which a session ends (ASVS 7.3.1)'),
  ('session.absolute_hours',         '168',   'integer', 1, 720, null, 'hours', 'time after which a session ends in any case (ASVS 7.3.2)'),
  ('session.max_per_user',           '20',    'integer', 1, 1000, null, 'sessions', 'sessions that one user may have; the oldest ends first'),
  ('session.watched_count',          '5',     'integer', 1, 1000, null, 'sessions', 'more sessions of one user at once are a security event'),
  ('session.step_up_minutes',        '15',    'integer', 1, 1440, null, 'minutes', 'how recently credentials must have been given for dangerous operations'),
  ('mfa.required_tiers',             '["system"]', 'text[]', null, null, '{system,business,service}', null, 'holders of a role of these tiers need a second factor (ASVS 6.3.3)'),
  ('mfa.totp_skew_steps',            '1',     'integer', 0, 2, null, 'steps of 30 s', 'how far a clock may be off'),
  ('mfa.recovery_codes',             '10',    'integer', 5, 20, null, 'codes', 'recovery codes that are generated at once'),
  ('api_key.default_lifetime_days',  '90',    'integer', 1, 3650, null, 'days', 'default lifetime of a key'),
  ('api_key.max_lifetime_days',      '365',   'integer', 1, 3650, null, 'days', 'maximum lifetime of a key'),
  ('api_key.rotation_overlap_hours', '24',    'integer', 0, 720, null, 'hours', 'how long the old key still works after a rotation'),
  ('api_key.max_per_owner',          '50',    'integer', 1, 10000, null, 'keys', 'active keys that one owner may have'),
  ('account.default_role',           '"viewer"', 'text', null, null, null, null, 'role of the service tier that every new user gets; empty for none')
) as rule (key, value, value_type, minimum, maximum, allowed, unit, description);

-- The value of a policy. An unknown key is an error of the caller.
create function akashi_auth.policy(key text) returns jsonb
  language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_value jsonb;
begin
  select p.value into found_value from akashi_auth.security_policies p where p.key = policy.key;
  if not found then
    raise exception 'policy not found: %', policy.key using errcode = 'undefined_object';
  end if;
  return found_value;
end
$$;
grant execute on function akashi_auth.policy(text) to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;

create table akashi_auth.privacy_consents (
  id               uuid primary key default gen_random_uuid(),
  user_id          uuid not null references akashi_auth.users (id) on delete cascade,
  purpose          varchar(100) not null check (purpose ~ '^[a-z][a-z0-9_]*$'),
  decision         varchar(20) not null,
  document_version varchar(50) not null check (document_version <> ''),
  regulation       varchar(20) not null,
  ip_address       inet,
  user_agent       text,
  created_at       timestamptz not null default clock_timestamp(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  constraint privacy_consents_decision_check check (decision in ('granted', 'withdrawn')),
  constraint privacy_consents_regulation_check check (regulation in ('gdpr', 'appi', 'other'))
);
comment on table akashi_auth.privacy_consents is 'Each row is one decision and is never changed.';
comment on column akashi_auth.privacy_consents.document_version is 'Version of the text that was agreed to.';
comment on column akashi_auth.privacy_consents.regulation is 'gdpr, or appi: Japan''s act on the protection of personal information.';
create index privacy_consents_user_idx on akashi_auth.privacy_consents (user_id, purpose, created_at desc);
alter table akashi_auth.privacy_consents enable row level security, force row level security;
create policy privacy_consents_owner on akashi_auth.privacy_consents to akashi_owner using (true) with check (true);
create policy privacy_consents_policy on akashi_auth.privacy_consents for select to akashi_policy using (true);
create policy privacy_consents_self on akashi_auth.privacy_consents for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id()) or (select akashi_auth.has_permission('users:read')));
create policy privacy_consents_decide on akashi_auth.privacy_consents for insert to akashi_app
  with check (user_id = (select akashi_auth.current_user_id()));
create policy privacy_consents_staff on akashi_auth.privacy_consents for select to akashi_worker, akashi_security_admin using (true);
grant select on akashi_auth.privacy_consents to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;
grant insert on akashi_auth.privacy_consents to akashi_app;
select akashi_audit.protect('akashi_auth.privacy_consents', 'confidential', 'user_id', '{"ip_address": "digest", "user_agent": "omit"}');

create view akashi_auth.current_consents with (security_invoker = true) as
  select distinct on (user_id, purpose) id, user_id, purpose, decision, document_version, regulation, created_at
  from akashi_auth.privacy_consents order by user_id, purpose, created_at desc;
comment on view akashi_auth.current_consents is 'The latest decision for each purpose.';
grant select on akashi_auth.current_consents to akashi_app, akashi_worker, akashi_security_admin;
