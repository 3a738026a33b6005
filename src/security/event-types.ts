/**
 * The types of the events that Akashi records: category, default severity and class in the Open Cybersecurity
 * Schema Framework (schema.ocsf.io 1.x).
 */
import type { EventCategory, EventResult, Severity } from './event.ts'

/** OCSF 1.x classes of Akashi's own events. */
export const OCSF = {
  detectionFinding: 2004,
  accountChange: 3001,
  authentication: 3002,
  entityManagement: 3004,
  userAccess: 3005,
  apiActivity: 6003,
} as const

export interface EventTypeFacts {
  readonly category: EventCategory
  readonly severity: Severity
  readonly ocsf: (typeof OCSF)[keyof typeof OCSF]
  readonly result: EventResult
}

export const akashiEventTypes = {
  authentication_success: facts('authentication', 'info', OCSF.authentication, 'success'),
  authentication_failure: facts('authentication', 'low', OCSF.authentication, 'failure'),
  account_locked: facts('authentication', 'medium', OCSF.accountChange, 'success'),
  session_revoked: facts('authentication', 'info', OCSF.authentication, 'success'),
  password_changed: facts('authentication', 'info', OCSF.accountChange, 'success'),
  mfa_enrolled: facts('authentication', 'info', OCSF.accountChange, 'success'),
  mfa_removed: facts('authentication', 'medium', OCSF.accountChange, 'success'),
  api_key_misuse: facts('authentication', 'medium', OCSF.detectionFinding, 'failure'),
  role_granted: facts('authorization', 'medium', OCSF.userAccess, 'success'),
  role_revoked: facts('authorization', 'low', OCSF.userAccess, 'success'),
  permission_denied: facts('authorization', 'medium', OCSF.apiActivity, 'failure'),
  policy_changed: facts('configuration', 'medium', OCSF.entityManagement, 'success'),
  key_shredded: facts('configuration', 'high', OCSF.entityManagement, 'success'),
  /** Written by the trigger on akashi_auth.users. */
  data_modification: facts('configuration', 'medium', OCSF.accountChange, 'success'),
  /** Written by akashi_audit.alert_audit_log_tampering(). */
  audit_log_tampering: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** A recovery drill failed, or no drill or recovery test has passed for too long. */
  recovery_drill_failed: facts('integrity', 'high', OCSF.detectionFinding, 'failure'),
  recovery_drill_missed: facts('integrity', 'high', OCSF.detectionFinding, 'failure'),
  recovery_test_missed: facts('integrity', 'high', OCSF.detectionFinding, 'failure'),
  /** The object store went to this installation, or from it to another. */
  object_store_taken_over: facts('integrity', 'critical', OCSF.detectionFinding, 'success'),
  object_store_lost: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** A backup contains pages whose checksum is wrong, as the server has them. */
  backup_page_damaged: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** Moments that cannot be restored: WAL was given up before it was stored, is missing, or does not read as WAL. */
  wal_given_up: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  wal_gap: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  wal_unreadable: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** Written by ledger and trail: a new epoch, unrecorded changes, guards, the sealer. */
  ledger_epoch_opened: facts('integrity', 'high', OCSF.detectionFinding, 'success'),
  audit_loss: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  audit_catalog_changed: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** An administrator recorded the catalog: changes that were made before are accepted. */
  catalog_recorded: facts('integrity', 'critical', OCSF.detectionFinding, 'success'),
  retention_shortened: facts('configuration', 'critical', OCSF.entityManagement, 'success'),
  audit_trigger_disabled: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  ledger_frontier_held: facts('integrity', 'high', OCSF.detectionFinding, 'failure'),
  /** ClamAV rejected an uploaded file. */
  malware_detected: facts('integrity', 'high', OCSF.detectionFinding, 'failure'),
  /** Findings of the detectors. */
  brute_force_detected: facts('authentication', 'high', OCSF.detectionFinding, 'failure'),
  unusual_access_pattern: facts('data_access', 'medium', OCSF.detectionFinding, 'failure'),
} as const satisfies Record<string, EventTypeFacts>

export type AkashiEventType = keyof typeof akashiEventTypes

export function isAkashiEventType(type: string): type is AkashiEventType {
  return Object.hasOwn(akashiEventTypes, type)
}

function facts(
  category: EventCategory,
  severity: Severity,
  ocsf: EventTypeFacts['ocsf'],
  result: EventResult,
): EventTypeFacts {
  return { category, severity, ocsf, result }
}
