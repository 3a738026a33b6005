set local role akashi_owner;

drop function lifecycle.set_policy(text, text, jsonb, text);
