delete from akashi_lifecycle.jobs where name = 'chat-purge';
delete from akashi_lifecycle.settings where key = 'deleted_messages.retention_days';
delete from akashi_keys.personal_columns where schema_name = 'akashi_chat';
delete from akashi_audit.exempt_tables where schema_name = 'akashi_chat' and table_name in ('read_positions', 'notifications');
delete from akashi_audit.protected_tables where schema_name = 'akashi_chat'
  and table_name in ('messages', 'message_edits', 'message_reactions', 'file_uploads', 'user_preferences', 'avatars');
delete from akashi_lifecycle.policies where schema_name = 'akashi_chat' and table_name = 'messages';
drop trigger erase_chat on akashi_keys.erasures;
drop function akashi_chat.hand_over(akashi_chat.room_members), akashi_chat.erase_person(uuid, integer), akashi_chat.purge_expired(integer),
  akashi_chat.is_held(), akashi_chat.read_as_security_admin(uuid, text, timestamptz, integer),
  akashi_chat.read_edits_as_security_admin(uuid, text), akashi_chat.record_review(uuid, text), akashi_chat.file_removed(uuid),
  akashi_chat.finish_upload(uuid, jsonb), akashi_chat.receive_upload(uuid, bigint, text), akashi_chat.begin_upload(uuid, text, bigint, text),
  akashi_chat.refuse_unsent(uuid, bigint), akashi_chat.give_up_upload(uuid), akashi_chat.refuse_file(akashi_chat.rooms),
  akashi_chat.mark_read(uuid), akashi_chat.remove_reaction(uuid, text), akashi_chat.add_reaction(uuid, text), akashi_chat.classify_file(uuid, text),
  akashi_chat.classify_message(uuid, text), akashi_chat.refuse_classification(akashi_chat.room_members, uuid, text, text),
  akashi_chat.delete_message(uuid),
  akashi_chat.edit_message(uuid, text, uuid[]), akashi_chat.lock_message(uuid),
  akashi_chat.post_message(uuid, text, text, uuid, uuid, uuid[], uuid), akashi_chat.take_turn(uuid, timestamptz),
  akashi_chat.notify_members(akashi_chat.messages, uuid), akashi_chat.notify_person(uuid, text, uuid, uuid, uuid),
  akashi_chat.accepts_direct(uuid, uuid), akashi_chat.message_id(timestamptz);
drop function akashi_chat.set_avatar(bytea);
drop table akashi_chat.avatars, akashi_chat.user_preferences, akashi_chat.notifications, akashi_chat.read_positions, akashi_chat.message_reactions, akashi_chat.message_edits,
  akashi_chat.messages, akashi_chat.file_uploads;
drop function akashi_chat.erase_with_person(), akashi_chat.message_time(uuid);
