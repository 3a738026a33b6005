drop function chat.set_presence(text, uuid), chat.presence(uuid[]), chat.presence_to_spread(uuid), chat.active_user_count(),
  chat.sessions_that_hold(uuid[]), chat.status_of(uuid);
