-- disposable: keys.personal_columns
delete from lifecycle.jobs where name in ('rotate-keys', 'key-age', 'reconcile-erasures');
delete from lifecycle.settings where key in ('keys.wrapping.rotation_days', 'keys.blind_index.rotation_days');
delete from audit.protected_tables where schema_name = 'keys';
drop function keys.count_trail(uuid), keys.finish_erasure(uuid, text), keys.erase_salts(uuid),
  keys.begin_erasure(uuid, text, text), keys.require_erasing(), keys.clear_personal(uuid), keys.count_personal(uuid);
drop table keys.erasures, keys.personal_columns;
