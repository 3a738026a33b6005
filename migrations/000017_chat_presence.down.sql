drop function akashi_chat.presence_to_spread(uuid[]), akashi_chat.presence_to_spread(uuid), akashi_chat.presence(uuid[]),
  akashi_chat.status_of(uuid);
