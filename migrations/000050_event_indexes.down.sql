set local role akashi_owner;

drop index security.security_events_blocks_idx;
create index security_events_type_idx on security.security_events (event_type, severity, created_at desc);
create index security_events_ip_idx on security.security_events (source_ip, created_at desc);
create index security_events_user_idx on security.security_events (user_id, created_at desc) where user_id is not null;
