drop function chat.search_messages(text, uuid, uuid, timestamptz, timestamptz, boolean, uuid, integer, integer), chat.wanted_grams(text), chat.matches(text, text[]);
drop index chat.messages_grams_idx, chat.messages_created_idx;
drop function chat.grams(text), chat.fold(text);
