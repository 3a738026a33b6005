-- disposable: akashi_auth.context_keys
drop function akashi_auth.update_updated_at(), akashi_auth.acting_role(), akashi_auth.current_session_id(), akashi_auth.current_user_id(), akashi_auth.context_user(),
  akashi_auth.context_verified(), akashi_auth.context_application(), akashi_auth.set_context(text[]), akashi_auth.accept_context(), akashi_auth.transaction_name(),
  akashi_auth.context_hmac(akashi_auth.context_keys, text, text), akashi_auth.context_audience(), akashi_auth.try_inet(text),
  akashi_auth.try_name(text), akashi_auth.try_uuid(text), akashi_auth.add_context_key(text, bytea, text, text);
drop table akashi_auth.context_keys;
