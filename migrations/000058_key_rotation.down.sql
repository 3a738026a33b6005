set local role akashi_owner;
delete from lifecycle.jobs where name in ('rotate-keys', 'key-age');
delete from lifecycle.settings where key in ('keys.wrapping.rotation_days', 'keys.blind_index.rotation_days');
