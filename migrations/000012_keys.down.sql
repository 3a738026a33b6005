-- disposable: akashi_keys.personal_columns
drop function akashi_keys.erasure_evidence(timestamptz, timestamptz);
delete from akashi_lifecycle.jobs where name in ('rotate-keys', 'key-age', 'reconcile-erasures');
delete from akashi_lifecycle.settings where key in ('keys.wrapping.rotation_days', 'keys.blind_index.rotation_days');
delete from akashi_audit.protected_tables where schema_name = 'akashi_keys';
drop function akashi_keys.erased_in(text, text), akashi_keys.forget_person(text, text), akashi_keys.is_erased(uuid), akashi_keys.erase_left_salts(), akashi_keys.finish_erasure(uuid, text), akashi_keys.erase_salts(uuid),
  akashi_keys.begin_erasure(uuid, text, text), akashi_keys.require_erasing(), akashi_keys.clear_personal(uuid), akashi_keys.count_personal(uuid);
drop table akashi_keys.erasures, akashi_keys.personal_columns;
