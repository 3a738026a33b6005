-- disposable: akashi_lifecycle.jobs, akashi_jobs.migrations, akashi_jobs._private_tasks
-- disposable: akashi_jobs._private_known_crontabs, akashi_jobs._private_job_queues, akashi_jobs._private_jobs
drop function akashi_lifecycle.job_evidence(timestamptz, timestamptz);
select akashi_audit.unprotect('akashi_lifecycle.jobs');
delete from akashi_audit.exempt_tables where (schema_name, table_name) = ('akashi_lifecycle', 'job_runs');
set local role akashi_worker;
drop schema akashi_jobs cascade;
reset role;
drop function akashi_lifecycle.settles(akashi_lifecycle.job_runs), akashi_lifecycle.prune_job_runs(interval), akashi_lifecycle.report_progress(uuid, text, jsonb),
  akashi_lifecycle.finish_run(uuid, text, text, text, jsonb),
  akashi_lifecycle.begin_run(text, text, timestamptz), akashi_lifecycle.close_stale_runs(), akashi_lifecycle.worker_lock(text),
  akashi_lifecycle.request_job(text), akashi_lifecycle.pause_job(text, boolean);
drop table akashi_lifecycle.job_runs, akashi_lifecycle.jobs;
drop function akashi_lifecycle.announce_jobs();
