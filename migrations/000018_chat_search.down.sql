drop index chat.messages_grams_idx, chat.messages_created_idx;
drop function chat.search_messages(text, uuid, uuid, timestamptz, timestamptz, boolean, uuid, integer, integer),
  chat.searchable(text), chat.matches(text, text[]), chat.wanted_grams(text), chat.grams(text), chat.fold(text);
