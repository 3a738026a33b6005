-- A notification is delivered once a client of its reader has it: listing it says so.
set local role akashi_owner;

comment on column chat.notifications.delivery_status is
  'pending until a client of its reader has fetched it; failed is for a delivery outside, which has a carrier that can refuse.';
grant update (delivery_status, delivered_at) on chat.notifications to akashi_app;
