set local role akashi_owner;

create or replace function chat.grams(folded text) returns text[]
  language sql immutable strict parallel safe set search_path = '' as $$
  select coalesce(array_agg(distinct g.gram), '{}')
  from (select c.letter, c.letter || lead(c.letter) over (order by c.place) as pair
        from unnest(string_to_array(folded, null)) with ordinality as c (letter, place)) pairs
  cross join lateral (values (pairs.letter), (pairs.pair)) as g (gram)
  where g.gram is not null and g.gram !~ '^\s+$'
$$;
