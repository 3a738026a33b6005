-- Only what up added; S3's roles keep S3's permissions.
delete from auth.roles where name in ('security_admin', 'viewer');
delete from auth.permissions where resource in ('roles', 'api_keys', 'sessions', 'ledger', 'events', 'lifecycle', 'archive',
  'query', 'backup', 'jobs', 'keys', 'reports', 'messages', 'rooms');
