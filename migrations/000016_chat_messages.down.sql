delete from lifecycle.jobs where name = 'chat-purge';
delete from lifecycle.settings where key = 'deleted_messages.retention_days';
delete from keys.personal_columns where schema_name = 'chat';
delete from audit.exempt_tables where schema_name = 'chat' and table_name in ('read_positions', 'notifications');
delete from audit.protected_tables where schema_name = 'chat'
  and table_name in ('messages', 'message_edits', 'message_reactions', 'file_uploads', 'user_preferences');
delete from lifecycle.policies where schema_name = 'chat' and table_name = 'messages';
drop trigger erase_chat on keys.erasures;
drop function chat.hand_over(chat.room_members), chat.erase_person(uuid, integer), chat.purge_expired(integer),
  chat.read_as_security_admin(uuid, text, timestamptz, integer), chat.file_removed(uuid),
  chat.finish_upload(uuid, jsonb), chat.receive_upload(uuid, bigint, text), chat.begin_upload(uuid, text, bigint, text),
  chat.mark_read(uuid), chat.remove_reaction(uuid, text), chat.add_reaction(uuid, text), chat.delete_message(uuid),
  chat.edit_message(uuid, text, uuid[]), chat.lock_message(uuid),
  chat.post_message(uuid, text, text, uuid, uuid, uuid[], uuid), chat.take_turn(uuid, timestamptz),
  chat.notify_members(chat.messages, uuid), chat.notify_person(uuid, text, uuid, uuid, uuid),
  chat.accepts_direct(uuid, uuid), chat.message_id(timestamptz), chat.message_time(uuid);
drop table chat.user_preferences, chat.notifications, chat.read_positions, chat.message_reactions, chat.message_edits,
  chat.messages, chat.file_uploads;
drop function chat.erase_with_person();
