-- What is done with backups only when somebody asks: jobs without a turn of their own in the timetable.
set local role akashi_owner;

insert into lifecycle.jobs (name, schedule, task, paused, timeout, description) values
  ('backup-verify', '0 14 22 * *', 'backup.verify', true, '24 hours', 'read and check every object of the backups; on request, as each drill does it too'),
  ('backup-rewrap', '0 14 22 * *', 'backup.rewrap', true, '1 hour',   'wrap the data keys of the backups for the present recipients; on request');
