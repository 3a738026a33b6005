-- Case is folded by LC_CTYPE, and C knows no letters beyond ASCII: a search there would miss words without a sign.
set local role akashi_owner;

create function chat.searchable(words text) returns text
  language plpgsql stable parallel safe set search_path = '' as $$
begin
  if lower('É') <> 'é' then
    raise exception 'this database cannot be searched: its LC_CTYPE knows no letters beyond ASCII' using errcode = 'feature_not_supported',
      hint = 'move it to a database with LC_CTYPE C.UTF-8 or another UTF-8 locale';
  end if;
  return words;
end
$$;
comment on function chat.searchable(text) is 'The query, where it can be searched for.';
grant execute on function chat.searchable(text) to akashi_app;
