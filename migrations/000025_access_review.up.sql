-- Access reviews: each quarter people review who holds which role and which key, and sign off each right: it is kept,
-- or it is revoked at once.
--
--   access_reviews            one row a review: when it was opened, until when it is due
--   access_review_items       the rights that were held then
--   access_review_decisions   what a person decided about one of them
--
-- All three are append-only, also for their owner. A review is complete when each of its rights was decided on or has
-- ended otherwise; there is nothing to close, and nothing that could be closed too early.
set local role akashi_owner;

create table akashi_auth.access_reviews (
  id         uuid primary key default gen_random_uuid(),
  opened_at  timestamptz not null default clock_timestamp(),
  opened_by  text not null,
  due_at     timestamptz not null check (due_at > opened_at)
);
comment on table akashi_auth.access_reviews is 'Reviews of who holds which role and key.';
comment on column akashi_auth.access_reviews.opened_by is 'Who opened it: the id of a user, system:…, operator:… or a login.';
alter table akashi_auth.access_reviews enable row level security, force row level security;
create policy access_reviews_owner on akashi_auth.access_reviews to akashi_owner using (true) with check (true);
select akashi_audit.guard('akashi_auth.access_reviews'), akashi_audit.protect('akashi_auth.access_reviews');

create table akashi_auth.access_review_items (
  id          uuid primary key default gen_random_uuid(),
  review_id   uuid not null references akashi_auth.access_reviews (id),
  kind        text not null check (kind in ('user_role', 'service_role', 'api_key')),
  right_id    uuid not null,
  user_id     uuid,
  account_id  uuid,
  title       text not null,
  tier        text not null check (tier in ('system', 'business', 'service')),
  granted_at  timestamptz not null,
  unique (review_id, right_id)
);
comment on table akashi_auth.access_review_items is 'The rights that a review is about. No foreign keys to people: the record outlives the account.';
comment on column akashi_auth.access_review_items.right_id is 'The id in user_roles, service_account_roles or api_keys.';
comment on column akashi_auth.access_review_items.user_id is 'Who holds it; null for a service account.';
comment on column akashi_auth.access_review_items.title is 'The role, or the prefix of the key.';
alter table akashi_auth.access_review_items enable row level security, force row level security;
create policy access_review_items_owner on akashi_auth.access_review_items to akashi_owner using (true) with check (true);
select akashi_audit.guard('akashi_auth.access_review_items'),
       akashi_audit.protect('akashi_auth.access_review_items', 'confidential', 'user_id');

create table akashi_auth.access_review_decisions (
  item_id      uuid primary key references akashi_auth.access_review_items (id),
  decision     text not null check (decision in ('keep', 'revoke')),
  reason       text not null check (reason ~ '\S' and reason !~ '[\x01-\x1f\x7f]' and length(reason) <= 1000),
  decided_at   timestamptz not null,
  decided_by   uuid not null,
  gave_it      boolean not null,
  seen         jsonb not null check (jsonb_typeof(seen) = 'object')
);
comment on table akashi_auth.access_review_decisions is 'The decision of a person about a right, recorded in the trail and sealed.';
comment on column akashi_auth.access_review_decisions.gave_it is 'Whether this person had granted the right.';
comment on column akashi_auth.access_review_decisions.seen is 'The right as it was then: since, expires_at, last_used_at, given_by.';
alter table akashi_auth.access_review_decisions enable row level security, force row level security;
create policy access_review_decisions_owner on akashi_auth.access_review_decisions to akashi_owner using (true) with check (true);
select akashi_audit.guard('akashi_auth.access_review_decisions'),
       akashi_audit.protect('akashi_auth.access_review_decisions', 'confidential', 'decided_by');

-- The row must be written in a session of the person who decides, and not about themselves; this holds for the owner
-- too.
create function akashi_auth.check_access_decision() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
declare
  item akashi_auth.access_review_items;
begin
  if not akashi_auth.confirmed_person() or new.decided_by is distinct from akashi_auth.current_user_id() then
    raise exception 'a right must be signed off by a person in their own session' using errcode = 'insufficient_privilege',
      hint = 'sign in, and confirm with POST /v1/session/step-up if required';
  end if;
  select * into item from akashi_auth.access_review_items i where i.id = new.item_id;
  if item.user_id = new.decided_by then
    raise exception 'people cannot sign off their own rights' using errcode = 'insufficient_privilege', hint = 'somebody else has to do this';
  end if;
  new.decided_at := clock_timestamp();
  return new;
end
$$;
create trigger check_access_decision before insert on akashi_auth.access_review_decisions
  for each row execute function akashi_auth.check_access_decision();
alter table akashi_auth.access_review_decisions enable always trigger check_access_decision;

-- Every role and key currently in effect. A role was last used when its holder was last active.
create function akashi_auth.access_rights()
  returns table (kind text, right_id uuid, user_id uuid, account_id uuid, holder text, title text, tier text, granted_at timestamptz,
                 expires_at timestamptz, last_used_at timestamptz, given_by text)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select 'user_role', g.id, u.id, null::uuid, u.username::text, r.name::text, r.tier::text, g.assigned_at, g.expires_at,
         greatest(u.last_login_at, (select max(s.last_activity) from akashi_auth.user_sessions s where s.user_id = u.id)),
         coalesce(g.assigned_by::text, g.created_by)
  from akashi_auth.user_roles g join akashi_auth.users u on u.id = g.user_id join akashi_auth.roles r on r.id = g.role_id
  where u.is_active and (g.expires_at is null or g.expires_at > now())
  union all
  select 'service_role', g.id, null, a.id, a.name, r.name, r.tier, g.assigned_at, g.expires_at,
         (select max(k.last_used_at) from akashi_auth.api_keys k where k.service_account_id = a.id),
         coalesce(g.assigned_by::text, g.created_by)
  from akashi_auth.service_account_roles g join akashi_auth.service_accounts a on a.id = g.service_account_id
  join akashi_auth.roles r on r.id = g.role_id
  where a.is_active and (g.expires_at is null or g.expires_at > now())
  union all
  select 'api_key', k.id, k.user_id, k.service_account_id, coalesce(u.username, a.name), k.key_prefix || ' ' || k.name, k.tier,
         k.created_at, k.expires_at, k.last_used_at, k.created_by::text
  from akashi_auth.api_keys k left join akashi_auth.users u on u.id = k.user_id left join akashi_auth.service_accounts a on a.id = k.service_account_id
  where k.is_active and (k.expires_at is null or k.expires_at > now()) and coalesce(u.is_active, a.is_active)
$$;

create function akashi_auth.list_access_rights()
  returns table (kind text, right_id uuid, user_id uuid, account_id uuid, holder text, title text, tier text, granted_at timestamptz,
                 expires_at timestamptz, last_used_at timestamptz, given_by text)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_auth.require_permission('roles:read');
  return query select * from akashi_auth.access_rights() r
    order by array_position(array['system', 'business', 'service'], r.tier), r.holder, r.kind, r.title;
end
$$;
comment on function akashi_auth.list_access_rights() is 'Who holds which role and key, since when, when last used, granted by whom. Requires roles:read.';

-- The progress of each review. Rights that have ended count as decided.
create function akashi_auth.access_review_states()
  returns table (id uuid, opened_at timestamptz, opened_by text, due_at timestamptz, items bigint, kept bigint, revoked bigint, ended bigint,
                 open_items bigint, completed_at timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select v.id, v.opened_at, v.opened_by, v.due_at, count(i.id), count(*) filter (where d.decision = 'keep'),
         count(*) filter (where d.decision = 'revoke'), count(i.id) filter (where d.item_id is null and r.right_id is null),
         count(*) filter (where d.item_id is null and r.right_id is not null),
         case when count(*) filter (where d.item_id is null and r.right_id is not null) = 0 then coalesce(max(d.decided_at), v.opened_at) end
  from akashi_auth.access_reviews v
  left join akashi_auth.access_review_items i on i.review_id = v.id
  left join akashi_auth.access_review_decisions d on d.item_id = i.id
  left join akashi_auth.access_rights() r on r.right_id = i.right_id
  group by v.id
$$;

create function akashi_auth.list_access_reviews()
  returns table (id uuid, opened_at timestamptz, opened_by text, due_at timestamptz, items bigint, kept bigint, revoked bigint, ended bigint,
                 open_items bigint, completed_at timestamptz)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_auth.require_permission('roles:read');
  return query select * from akashi_auth.access_review_states() s order by s.opened_at desc;
end
$$;

-- The current rights of one review, with the decisions.
create function akashi_auth.list_access_review(review uuid)
  returns table (id uuid, kind text, user_id uuid, account_id uuid, holder text, title text, tier text, granted_at timestamptz, expires_at timestamptz,
                 last_used_at timestamptz, given_by text, ended boolean, decision text, reason text, decided_at timestamptz, decided_by uuid, gave_it boolean)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_auth.require_permission('roles:read');
  if not exists (select from akashi_auth.access_reviews v where v.id = review) then
    raise exception 'access review not found: %', review using errcode = 'no_data_found', hint = 'list them with akashi access-review list';
  end if;
  return query
    select i.id, i.kind, i.user_id, i.account_id, coalesce(r.holder, u.username::text, a.name::text), i.title, i.tier, coalesce(r.granted_at, i.granted_at),
           r.expires_at, r.last_used_at, r.given_by, r.right_id is null, d.decision, d.reason, d.decided_at, d.decided_by, d.gave_it
    from akashi_auth.access_review_items i
    left join akashi_auth.access_rights() r on r.right_id = i.right_id
    left join akashi_auth.access_review_decisions d on d.item_id = i.id
    left join akashi_auth.users u on u.id = i.user_id left join akashi_auth.service_accounts a on a.id = i.account_id
    where i.review_id = review
    order by d.item_id is not null, array_position(array['system', 'business', 'service'], i.tier), 5, i.kind, i.title;
end
$$;
comment on function akashi_auth.list_access_review(uuid) is 'The current rights of a review, undecided ones first. Requires roles:read.';

-- Opens a review of all rights currently held. For the server, null if one is already open.
create function akashi_auth.open_access_review() returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  review uuid;
begin
  if not akashi_auth.is_server() then
    perform akashi_auth.require_permission('roles:write');
  end if;
  -- Two callers may open one at the same time.
  lock table akashi_auth.access_reviews in share row exclusive mode;
  if exists (select from akashi_auth.access_review_states() s where s.completed_at is null) then
    if akashi_auth.is_server() and not akashi_auth.is_administrator() then
      return null;
    end if;
    raise exception 'an access review is already open' using errcode = 'AK003', hint = 'complete it first: akashi access-review list';
  end if;
  insert into akashi_auth.access_reviews (opened_by, due_at)
  values (akashi_auth.acting_name(),
          clock_timestamp() + make_interval(days => (akashi_lifecycle.setting('access_review.due_days') #>> '{}')::integer))
  returning id into review;
  insert into akashi_auth.access_review_items (review_id, kind, right_id, user_id, account_id, title, tier, granted_at)
  select review, r.kind, r.right_id, r.user_id, r.account_id, r.title, r.tier, r.granted_at from akashi_auth.access_rights() r
  -- The role that everybody has is not worth reviewing.
  where not (r.kind = 'user_role' and r.tier = 'service' and r.title = coalesce(akashi_auth.policy('account.default_role') #>> '{}', ''));
  perform akashi_security.record_event(event_type => 'access_review_opened', event_category => 'authorization', severity => 'info',
    source_service => 'akashi', resource_type => 'access_review', resource_id => review::text, action_performed => 'open',
    result => 'success', ocsf_class_uid => 3005);
  return review;
end
$$;
comment on function akashi_auth.open_access_review() is 'Opens a review of every role and key, except the role that every user has. Requires roles:write.';

-- Signs off a right: it is kept, or revoked now.
create function akashi_auth.decide_access(review uuid, item uuid, decision text, reason text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_item akashi_auth.access_review_items;
  held record;
begin
  perform akashi_auth.require_permission('roles:write');
  select * into found_item from akashi_auth.access_review_items i where i.id = item and i.review_id = review;
  if not found then
    raise exception 'the review has no right %', item using errcode = 'no_data_found';
  end if;
  perform akashi_auth.refuse_tier(found_item.tier);
  if exists (select from akashi_auth.access_review_decisions d where d.item_id = item) then
    raise exception 'this right was already signed off' using errcode = 'AK003', hint = 'the next review will include it again';
  end if;
  select * into held from akashi_auth.access_rights() r where r.right_id = found_item.right_id;
  if not found then
    raise exception 'this right has ended in the meantime' using errcode = 'AK003', hint = 'there is nothing left to decide';
  end if;
  insert into akashi_auth.access_review_decisions (item_id, decision, reason, decided_at, decided_by, gave_it, seen)
  values (item, decide_access.decision, decide_access.reason, clock_timestamp(), akashi_auth.current_user_id(),
          held.given_by is not distinct from akashi_auth.current_user_id()::text,
          jsonb_build_object('since', held.granted_at, 'expires_at', held.expires_at, 'last_used_at', held.last_used_at, 'given_by', held.given_by));
  if decide_access.decision = 'revoke' then
    case found_item.kind
      when 'user_role' then perform akashi_auth.revoke_role(held.user_id, held.title);
      when 'service_role' then perform akashi_auth.revoke_service_role(held.holder, held.title);
      else perform akashi_auth.revoke_api_key(found_item.right_id, decide_access.reason);
    end case;
  end if;
end
$$;
comment on function akashi_auth.decide_access(uuid, uuid, text, text) is
  'Signs off a right of a review: keep, or revoke it now. Requires roles:write and the tier of the right, in a session, and never for one''s own rights.';

-- Whether a review is overdue, for the alarm.
create function akashi_auth.access_review_owed(out open_items bigint, out due_at timestamptz, out last_completed_at timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(sum(s.open_items), 0)::bigint, min(s.due_at) filter (where s.completed_at is null),
         -- Before the first one, since the installation.
         coalesce(max(s.opened_at) filter (where s.completed_at is not null), (select min(r.created_at) from akashi_auth.roles r))
  from akashi_auth.access_review_states() s
$$;

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
create function akashi_auth.access_review_evidence(since timestamptz, until timestamptz,
  out rights bigint, out opened bigint, out kept bigint, out revoked bigint, out by_grantor bigint, out overdue bigint, out days_since_review bigint)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select (select count(*) from akashi_auth.access_rights()),
         (select count(*) from akashi_auth.access_reviews v where v.opened_at >= since and v.opened_at < until),
         count(*) filter (where d.decision = 'keep'), count(*) filter (where d.decision = 'revoke'),
         count(*) filter (where d.gave_it and d.decision = 'keep'),
         (select coalesce(sum(s.open_items), 0)::bigint from akashi_auth.access_review_states() s where s.due_at < now()),
         (select floor(extract(epoch from now() - o.last_completed_at) / 86400)::bigint from akashi_auth.access_review_owed() o)
  from akashi_auth.access_review_decisions d where d.decided_at >= since and d.decided_at < until
$$;

grant execute on function akashi_auth.list_access_rights(), akashi_auth.list_access_reviews(), akashi_auth.list_access_review(uuid),
  akashi_auth.decide_access(uuid, uuid, text, text) to akashi_app;
grant execute on function akashi_auth.open_access_review() to akashi_app, akashi_worker;
grant execute on function akashi_auth.access_review_owed() to akashi_worker;
grant execute on function akashi_auth.access_review_evidence(timestamptz, timestamptz) to akashi_security_admin;

insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('access_review.due_days', '21', '[1-9]\d{0,2}', 'a whole number of days, 1 or more',
   'time for signing off a review of access rights'),
  ('access_review.max_age_days', '115', '[1-9]\d{0,3}', 'a whole number of days, 1 or more',
   'an alarm is raised when the last completed review of access rights was opened longer ago');

insert into akashi_lifecycle.jobs (name, schedule, zone, working_day, task, timeout, description) values
  ('access-review', '0 9 1 1,4,7,10 *', 'organisation', true, 'identity.open_access_review', '10 minutes',
   'open the quarterly review of who holds which role and key');
