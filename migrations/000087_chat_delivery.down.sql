set local role akashi_owner;

revoke update (delivery_status, delivered_at) on chat.notifications from akashi_app;
comment on column chat.notifications.delivery_status is null;
