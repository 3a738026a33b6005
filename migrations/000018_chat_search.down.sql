drop index akashi_chat.messages_grams_idx, akashi_chat.messages_created_idx;
drop function akashi_chat.search_messages(text, uuid, uuid, timestamptz, timestamptz, boolean, uuid, integer, integer), akashi_chat.searchable(text);
