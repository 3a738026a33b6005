set local role akashi_owner;
drop function chat.sockets_changed(uuid[], uuid[], integer[]);
