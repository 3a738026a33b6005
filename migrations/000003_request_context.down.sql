-- disposable: auth.context_keys
drop trigger update_updated_at on lifecycle.settings;
drop function auth.update_updated_at();
drop function auth.current_session_id();
drop function auth.current_user_id();
drop function auth.context_verified();
drop function auth.try_inet(text);
drop function auth.try_uuid(text);
drop function auth.add_context_key(text, bytea);
drop table auth.context_keys;
