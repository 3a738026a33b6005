drop function chat.sockets_changed(uuid[], uuid[], integer[]), chat.sessions_that_hold(uuid[]),
  chat.active_user_count(), chat.presence_to_spread(uuid[]), chat.presence_to_spread(uuid), chat.presence(uuid[]),
  chat.status_of(uuid), chat.set_presence(text, uuid);
