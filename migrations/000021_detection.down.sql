drop function akashi_security.findings_by_severity(timestamptz, timestamptz), akashi_security.detection_evidence(timestamptz, timestamptz);
delete from akashi_lifecycle.settings where key like 'detection.%';
delete from akashi_audit.protected_tables where schema_name = 'akashi_security' and table_name like 'detection\_%';
delete from akashi_audit.exempt_tables where schema_name = 'akashi_security' and table_name like 'detection\_%';
drop view akashi_security.v_detection_rules;
drop table akashi_security.detection_findings, akashi_security.detection_runs, akashi_security.detection_rulesets;
drop function akashi_security.keep_finding();
