set local role akashi_owner;
alter function chat.search_messages(text, uuid, uuid, timestamptz, timestamptz, boolean, uuid, integer, integer) rows 1000;
