drop function chat.presence_to_spread(uuid[]);
