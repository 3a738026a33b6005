-- What has outlived its time goes by itself (S1 4.3): sessions 30 days after their end, one-time things that
-- nobody used after 7. The settings are those of 000002; each removed row is a row of the trail.
set local role akashi_owner;

-- Removes at most `batch` rows of each kind; answers how many. Rows that somebody works on wait for the next run.
create function auth.purge_expired(batch integer default 5000) returns table (what text, removed bigint)
  language plpgsql security definer set search_path = '' as $$
declare
  sessions_before constant timestamptz := now() - make_interval(days =>
    (select (s.value)::integer from lifecycle.settings s where s.key = 'session.retention_days'));
  unused_before constant timestamptz := now() - make_interval(days =>
    (select (s.value)::integer from lifecycle.settings s where s.key = 'temporary_data.retention_days'));
begin
  what := 'sessions';
  delete from auth.user_sessions where id in (
    select s.id from auth.user_sessions s where s.expires_at < sessions_before limit batch for update skip locked);
  get diagnostics removed = row_count;
  return next;
  -- It opens nothing since it ended; without it the account waits for a new one.
  what := 'one_time_passwords';
  delete from auth.local_credentials where user_id in (
    select c.user_id from auth.local_credentials c where c.expires_at < unused_before limit batch for update skip locked);
  get diagnostics removed = row_count;
  return next;
  what := 'unconfirmed_factors';
  delete from auth.mfa_factors where id in (
    select f.id from auth.mfa_factors f where f.confirmed_at is null and f.created_at < unused_before
    limit batch for update skip locked);
  get diagnostics removed = row_count;
  return next;
  what := 'login_throttles';
  delete from auth.login_throttles where key in (
    select t.key from auth.login_throttles t where t.expires_at < clock_timestamp() limit batch for update skip locked);
  get diagnostics removed = row_count;
  return next;
end
$$;
comment on function auth.purge_expired(integer) is 'Removes old sessions and one-time things that nobody used; again until nothing is left.';
grant execute on function auth.purge_expired(integer) to akashi_worker;

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('identity-purge', '0 18 * * *', 'identity.purge', '1 hour',
   'remove sessions 30 days after their end, and one-time passwords and second factors that nobody took up');
