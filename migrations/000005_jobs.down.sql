-- disposable: lifecycle.jobs, graphile_worker.migrations, graphile_worker._private_tasks
-- disposable: graphile_worker._private_known_crontabs, graphile_worker._private_job_queues, graphile_worker._private_jobs
select audit.unprotect('lifecycle.jobs');
delete from audit.exempt_tables where (schema_name, table_name) = ('lifecycle', 'job_runs');
set local role akashi_worker;
drop schema graphile_worker cascade;
reset role;
drop function lifecycle.prune_job_runs(interval), lifecycle.finish_run(uuid, text, text, text, jsonb),
  lifecycle.begin_run(text, text, timestamptz), lifecycle.close_stale_runs(), lifecycle.worker_lock(text),
  lifecycle.request_job(text), lifecycle.pause_job(text, boolean);
drop table lifecycle.job_runs, lifecycle.jobs;
drop function lifecycle.announce_jobs();
