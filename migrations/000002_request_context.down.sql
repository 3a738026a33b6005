-- disposable: auth.context_keys
drop function auth.update_updated_at(), auth.acting_role(), auth.current_session_id(), auth.current_user_id(), auth.context_verified(),
  auth.try_inet(text), auth.try_uuid(text), auth.add_context_key(text, bytea);
drop table auth.context_keys;
