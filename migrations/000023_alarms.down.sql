delete from akashi_lifecycle.settings where key like 'alarm.%';
drop function akashi_lifecycle.server_reading(double precision), akashi_lifecycle.prune_alarms(interval), akashi_lifecycle.end_silence(uuid),
  akashi_lifecycle.silence_alarms(text, text, timestamptz, text), akashi_lifecycle.acknowledge_alarm(uuid, text), akashi_lifecycle.alarms_looked_at(),
  akashi_lifecycle.counter_risen(text, double precision), akashi_lifecycle.report_alarms(text[], jsonb),
  akashi_lifecycle.announce_alarm(akashi_lifecycle.alarms, boolean), akashi_lifecycle.is_silenced(text, text);
select akashi_audit.unprotect('akashi_lifecycle.alarm_silences');
delete from akashi_audit.exempt_tables where schema_name = 'akashi_lifecycle' and table_name in ('alarms', 'alarm_counters');
drop table akashi_lifecycle.alarm_counters, akashi_lifecycle.alarm_silences, akashi_lifecycle.alarms;
