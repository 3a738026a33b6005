drop function akashi_chat.sockets_changed(uuid[], uuid[], integer[]), akashi_chat.sessions_that_hold(uuid[]),
  akashi_chat.active_user_count(), akashi_chat.presence_to_spread(uuid[]), akashi_chat.presence_to_spread(uuid), akashi_chat.presence(uuid[]),
  akashi_chat.status_of(uuid), akashi_chat.set_presence(text, uuid);
