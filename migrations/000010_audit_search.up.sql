-- S1 6.3: the last day of the trail by hour, table, operation and classification, under the source's names.
set local role akashi_owner;

create view audit.v_security_audit_summary with (security_invoker = true) as
  select date_trunc('hour', created_at) as audit_hour,
         table_name,
         operation,
         data_classification,
         count(*) as operation_count,
         count(distinct user_id) as unique_users,
         count(distinct ip_address) as unique_ips,
         array_agg(distinct subject) filter (where subject is not null) as affected_users
  from audit.audit_logs
  where created_at >= now() - interval '24 hours'
  group by date_trunc('hour', created_at), table_name, operation, data_classification
  order by audit_hour desc;
comment on view audit.v_security_audit_summary is
  'The last 24 hours; an action that is no change of a row has neither table nor operation. Its reader sees what row-level security shows them.';
comment on column audit.v_security_audit_summary.affected_users is 'Subjects of the identity provider (cognito_user_id in the source).';
grant select on audit.v_security_audit_summary to akashi_app, akashi_worker, akashi_security_admin;
