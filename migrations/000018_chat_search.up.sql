-- Chat search: substrings from one character on, in Japanese and English, by the n-grams of 000007_identity.
set local role akashi_owner;

create index messages_grams_idx on akashi_chat.messages using gin (akashi_auth.ngrams(akashi_auth.fold_text(content)))
  where not is_deleted and message_type <> 'system' and not content_encrypted;

-- The newest messages of all rooms. ids have the same order, but this index lets the scan stop at the newest
-- partition.
create index messages_created_idx on akashi_chat.messages (created_at desc);

-- Case is folded by LC_CTYPE. The locale C knows only ASCII letters, so a search would silently miss words.
create function akashi_chat.searchable(words text) returns text
  language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
  if lower('É') <> 'é' then
    raise exception 'this database cannot be searched: its LC_CTYPE supports only ASCII letters' using errcode = 'feature_not_supported',
      hint = 'move it to a database with LC_CTYPE C.UTF-8 or another UTF-8 locale';
  end if;
  return words;
end
$$;
comment on function akashi_chat.searchable(text) is 'The query, if the database can be searched.';
grant execute on function akashi_chat.searchable(text) to akashi_app;

-- Newest first, by page. Row security keeps the planner from using an index for conditions that are not leakproof, so
-- this runs as its owner and filters by the caller's rooms itself. Common words are found among the newest messages,
-- rare ones by the index, month by month. Pages follow the ids, which contain the time: rooms may have messages of the
-- same millisecond, and a page by time would skip some of them.
create function akashi_chat.search_messages(
  query text, room uuid default null, sender uuid default null, from_time timestamptz default '-infinity',
  to_time timestamptz default 'infinity', has_file boolean default null, before_message uuid default null, page_size integer default 20,
  recent_rows integer default 2000
) returns setof uuid
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  me uuid := akashi_chat.require_user('rooms:read');
  rooms uuid[] := akashi_chat.my_rooms();
  terms constant text[] := akashi_auth.search_terms(query);
  grams constant text[] := akashi_auth.term_ngrams(terms);
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
  if room is not null then
    rooms := array(select r from unnest(rooms) as r where r = room);
    if exists (select from akashi_chat.rooms r where r.id = any (rooms) and r.is_encrypted) then
      raise exception 'an encrypted room cannot be searched' using errcode = 'AK003', hint = 'its messages are stored as ciphertext only';
    end if;
  end if;
  if cardinality(rooms) = 0 then
    return;
  end if;
  select least(to_time, max(s.last_message_at) + interval '1 millisecond', akashi_chat.message_time(before_message) + interval '1 millisecond')
  into upper_time from akashi_chat.room_sequences s where s.room_id = any (rooms);
  for got, looked in
    select case when r.room_id = any (rooms) and not r.is_deleted and r.message_type <> 'system' and not r.content_encrypted
             and (sender is null or r.user_id = sender) and (has_file is null or has_file = (r.file_upload_id is not null))
             and akashi_auth.contains_terms(r.content, terms) then r.id end, r.id
    from (select * from akashi_chat.messages m where room is null and m.created_at >= from_time and m.created_at < upper_time and m.id < below
          order by m.created_at desc, m.id desc limit least(recent_rows, 2000)) r
    union all
    select case when not r.is_deleted and r.message_type <> 'system' and not r.content_encrypted
             and (sender is null or r.user_id = sender) and (has_file is null or has_file = (r.file_upload_id is not null))
             and akashi_auth.contains_terms(r.content, terms) then r.id end, r.id
    from (select * from akashi_chat.messages m where m.room_id = room and m.created_at >= from_time and m.created_at < upper_time and m.id < below
          order by m.created_at desc, m.id desc limit least(recent_rows, 2000)) r
  loop
    if got is not null then
      return next got;
      wanted := wanted - 1;
      if wanted = 0 then return; end if;
    end if;
  end loop;
  -- Null when no message was left to examine.
  below := looked;
  upper_time := least(upper_time, akashi_chat.message_time(below) + interval '1 millisecond');
  for part in
    select greatest(b.lower, from_time) as lower, least(b.upper, upper_time) as upper
    from pg_catalog.pg_inherits i, akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b
    where below is not null and i.inhparent = 'akashi_chat.messages'::regclass and b.lower < upper_time and b.upper > from_time
    order by b.lower desc
  loop
    for got in
      select m.id from akashi_chat.messages m
      where m.created_at >= part.lower and m.created_at < part.upper and m.id < below and m.room_id = any (rooms)
        and not m.is_deleted and m.message_type <> 'system' and not m.content_encrypted
        and akashi_auth.ngrams(akashi_auth.fold_text(m.content)) @> grams and akashi_auth.contains_terms(m.content, terms)
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
comment on function akashi_chat.search_messages is
  'Ids of messages in the caller''s rooms that contain every word of the query, newest first; before_message starts the next page; recent_rows are scanned before the index is used.';
grant execute on function akashi_chat.search_messages to akashi_app;
