import type { UnidentifiedEvent } from '../event.ts'

/** The fields that a source leaves empty. */
export const BLANK = {
  description: null,
  user_id: null,
  user_name: null,
  external_user_id: null,
  session_id: null,
  source_ip: null,
  user_agent: null,
  resource_type: null,
  resource_id: null,
  action_performed: null,
  result: null,
  tenant_id: null,
  tenant_name: null,
  client_id: null,
  client_name: null,
  request_id: null,
  trace_id: null,
  ocsf_class_uid: null,
} as const satisfies Partial<UnidentifiedEvent>
