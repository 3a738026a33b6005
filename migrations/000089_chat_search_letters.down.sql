drop function chat.searchable(text);
