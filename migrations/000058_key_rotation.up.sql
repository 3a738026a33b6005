-- When keys are rotated (S1 7.3: yearly), and that somebody is told where they are not.
set local role akashi_owner;

insert into lifecycle.settings (key, value, description) values
  ('keys.wrapping.rotation_days',    '365', 'days after which the wrapping key is rotated; 0 leaves it to an operator (S1 7.3)'),
  ('keys.blind_index.rotation_days', '0',   'days after which the key of blind indexes is rotated, which writes every user anew; 0 leaves it to an operator');

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('rotate-keys', '40 18 * * *', 'keys.rotate', '6 hours', 'rotate keys that are older than their policy, and go on with a rotation that was cut short'),
  ('key-age',     '50 6 * * *',  'keys.check',  '5 minutes', 'fail when a key is a week older than its policy');
