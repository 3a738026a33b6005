drop function akashi_security.close_evidence_session(bytea), akashi_security.evidence_session(bytea),
  akashi_security.open_evidence_link(bytea, bytea), akashi_security.list_evidence_links(), akashi_security.revoke_evidence_link(uuid, text),
  akashi_security.create_evidence_link(bytea, text[], timestamptz, timestamptz, uuid[], text, integer),
  akashi_security.evidence_link_open(akashi_security.evidence_links), akashi_security.evidence_permissions(text[], uuid[]);
delete from akashi_audit.protected_tables where schema_name = 'akashi_security' and table_name in ('evidence_links', 'evidence_sessions');
drop table akashi_security.evidence_sessions, akashi_security.evidence_links;
delete from akashi_auth.role_permissions rp using akashi_auth.permissions p where p.id = rp.permission_id and p.resource = 'evidence';
delete from akashi_auth.permissions where resource = 'evidence';
