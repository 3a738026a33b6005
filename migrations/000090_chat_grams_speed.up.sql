-- The same grams for less: those that repeat are dropped before anything else is asked of them, they are ordered by
-- bytes, and only what may be a blank is matched with a pattern (no blank lies above U+3000). Indexes stay as they are.
set local role akashi_owner;

create or replace function chat.grams(folded text) returns text[]
  language sql immutable strict parallel safe set search_path = '' as $$
  select coalesce(array_agg(d.gram order by d.gram collate "C"), '{}')
  from (select l.letter as gram from unnest(string_to_array(folded, null)) as l (letter)
        union
        select l.letter || l.follower from (select string_to_array(folded, null) as letters) w
          cross join lateral unnest(w.letters, w.letters[2:]) as l (letter, follower) where l.follower is not null) d
  where ascii(d.gram) between 33 and 126 or ascii(d.gram) > 12288 or d.gram !~ '^\s+$'
$$;
