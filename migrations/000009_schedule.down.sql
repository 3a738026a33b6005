-- disposable: lifecycle.jobs, graphile_worker.migrations, graphile_worker._private_tasks
-- disposable: graphile_worker._private_known_crontabs, graphile_worker._private_job_queues, graphile_worker._private_jobs
set local role akashi_worker;
drop schema graphile_worker cascade;
reset role;

set local role akashi_owner;
select audit.unprotect('lifecycle.jobs');
delete from audit.exempt_tables where schema_name = 'lifecycle' and table_name = 'job_runs';
drop function lifecycle.prune_job_runs(interval);
drop function lifecycle.finish_run(uuid, text, text, text, jsonb);
drop function lifecycle.begin_run(text, text, timestamptz);
drop function lifecycle.close_stale_runs();
drop function lifecycle.worker_lock(text);
drop function lifecycle.request_job(text);
drop function lifecycle.pause_job(text, boolean);
drop table lifecycle.job_runs;
drop table lifecycle.jobs;
drop function lifecycle.announce_jobs();
