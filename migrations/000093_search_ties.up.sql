set local role akashi_owner;
-- Pages follow the ids, which carry the time: rooms may have messages of the same millisecond, and of those a page
-- that ended between them left the rest out.
create or replace function chat.search_messages(
  query text, room uuid default null, sender uuid default null, from_time timestamptz default '-infinity',
  to_time timestamptz default 'infinity', has_file boolean default null, before_message uuid default null, page_size integer default 20,
  recent_rows integer default 2000
) returns setof uuid
  language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  me uuid := chat.require_user();
  rooms uuid[] := chat.my_rooms();
  terms text[] := array(select distinct t from regexp_split_to_table(chat.fold(query), '\s+') as t where t <> '');
  grams text[] := array(select distinct g from unnest(terms) as t, unnest(chat.wanted_grams(t)) as g);
  wanted integer := least(greatest(page_size, 1), 101);
  below uuid := coalesce(before_message, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  looked uuid;
  upper_time timestamptz;
  part record;
  got uuid;
begin
  if cardinality(terms) = 0 then
    raise exception 'there is nothing to search for' using errcode = 'invalid_parameter_value', hint = 'give at least one character';
  end if;
  if cardinality(terms) > 10 or length(query) > 200 then
    raise exception 'a search takes 10 words and 200 characters' using errcode = 'invalid_parameter_value';
  end if;
  if room is not null then
    rooms := array(select r from unnest(rooms) as r where r = room);
  end if;
  if cardinality(rooms) = 0 then
    return;
  end if;
  select least(to_time, max(s.last_message_at) + interval '1 millisecond', chat.message_time(before_message) + interval '1 millisecond')
  into upper_time from chat.room_sequences s where s.room_id = any (rooms);
  for got, looked in
    select case when r.room_id = any (rooms) and not r.is_deleted and r.message_type <> 'system'
             and (sender is null or r.user_id = sender) and (has_file is null or has_file = (r.file_upload_id is not null))
             and chat.matches(r.content, terms) then r.id end, r.id
    from (select * from chat.messages m where room is null and m.created_at >= from_time and m.created_at < upper_time and m.id < below
          order by m.created_at desc, m.id desc limit least(recent_rows, 2000)) r
    union all
    select case when not r.is_deleted and r.message_type <> 'system'
             and (sender is null or r.user_id = sender) and (has_file is null or has_file = (r.file_upload_id is not null))
             and chat.matches(r.content, terms) then r.id end, r.id
    from (select * from chat.messages m where m.room_id = room and m.created_at >= from_time and m.created_at < upper_time and m.id < below
          order by m.created_at desc, m.id desc limit least(recent_rows, 2000)) r
  loop
    if got is not null then
      return next got;
      wanted := wanted - 1;
      if wanted = 0 then return; end if;
    end if;
  end loop;
  -- Null when there was none to look at, and then there is none further down.
  below := looked;
  upper_time := least(upper_time, chat.message_time(below) + interval '1 millisecond');
  for part in
    select greatest(b.lower, from_time) as lower, least(b.upper, upper_time) as upper
    from pg_catalog.pg_inherits i, lifecycle.partition_bounds(i.inhrelid::regclass) b
    where below is not null and i.inhparent = 'chat.messages'::regclass and b.lower < upper_time and b.upper > from_time
    order by b.lower desc
  loop
    for got in
      select m.id from chat.messages m
      where m.created_at >= part.lower and m.created_at < part.upper and m.id < below and m.room_id = any (rooms)
        and not m.is_deleted and m.message_type <> 'system'
        and chat.grams(chat.fold(m.content)) @> grams and chat.matches(m.content, terms)
        and (sender is null or m.user_id = sender) and (has_file is null or has_file = (m.file_upload_id is not null))
      order by m.created_at desc, m.id desc limit wanted
    loop
      return next got;
      wanted := wanted - 1;
      if wanted = 0 then return; end if;
    end loop;
  end loop;
end
$$;
