delete from akashi_lifecycle.jobs where name = 'compliance-report';
delete from akashi_audit.protected_tables where (schema_name, table_name) = ('akashi_security', 'compliance_reports');
drop function akashi_security.row_security_evidence(timestamptz, timestamptz), akashi_security.has_compliance_report(uuid);
drop table akashi_security.compliance_reports;
