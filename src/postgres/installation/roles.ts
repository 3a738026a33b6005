/** Roles of the cluster, which every database with Akashi in it shares. */
export const ownRoles = [
  'akashi_owner',
  'akashi_policy',
  'akashi_nobody',
  'akashi_restorer',
  'akashi_client',
  'akashi_app',
  'akashi_worker',
  'akashi_reader',
  'akashi_security_admin',
  'akashi_backup',
  'akashi_server',
] as const

export const ownSchemas = [
  'akashi_lifecycle',
  'akashi_auth',
  'akashi_audit',
  'akashi_security',
  'akashi_archive',
  'akashi_keys',
  'akashi_jobs',
  'akashi_chat',
] as const

/** The login of a server that uses one login for everything. */
export const SERVER_LOGIN = 'akashi_server'
