drop view audit.v_security_audit_summary;
