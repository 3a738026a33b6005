drop function akashi_chat.pin_message(uuid, boolean), akashi_chat.save_message(uuid, boolean),
  akashi_chat.set_favourite(uuid, boolean), akashi_chat.mark_unread(uuid), akashi_chat.conversation(uuid, integer);
delete from akashi_audit.exempt_tables where schema_name = 'akashi_chat' and table_name = 'favourite_rooms';
delete from akashi_audit.protected_tables where schema_name = 'akashi_chat' and table_name in ('pinned_messages', 'saved_messages');
drop table akashi_chat.pinned_messages, akashi_chat.saved_messages, akashi_chat.favourite_rooms;
