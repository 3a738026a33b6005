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
  /** Written by akashi_auth.watch_sign_in(). */
  sign_in_from_new_place: facts('authentication', 'medium', OCSF.authentication, 'success'),
  concurrent_sessions: facts('authentication', 'medium', OCSF.authentication, 'success'),
  account_locked: facts('authentication', 'medium', OCSF.accountChange, 'success'),
  session_revoked: facts('authentication', 'info', OCSF.authentication, 'success'),
  password_changed: facts('authentication', 'info', OCSF.accountChange, 'success'),
  mfa_enrolled: facts('authentication', 'info', OCSF.accountChange, 'success'),
  mfa_removed: facts('authentication', 'medium', OCSF.accountChange, 'success'),
  api_key_misuse: facts('authentication', 'medium', OCSF.detectionFinding, 'failure'),
  role_granted: facts('authorization', 'medium', OCSF.userAccess, 'success'),
  role_revoked: facts('authorization', 'low', OCSF.userAccess, 'success'),
  permission_denied: facts('authorization', 'medium', OCSF.apiActivity, 'failure'),
  /** Of what more than one person approves. */
  approval_requested: facts('authorization', 'high', OCSF.userAccess, 'success'),
  approval_given: facts('authorization', 'high', OCSF.userAccess, 'success'),
  approval_withdrawn: facts('authorization', 'high', OCSF.userAccess, 'success'),
  approval_used: facts('authorization', 'high', OCSF.userAccess, 'success'),
  /** Written by akashi_auth.open_access_review(). */
  access_review_opened: facts('authorization', 'info', OCSF.userAccess, 'success'),
  policy_changed: facts('configuration', 'medium', OCSF.entityManagement, 'success'),
  /** A person asked to be erased; an administrator decides. */
  erasure_requested: facts('configuration', 'medium', OCSF.accountChange, 'success'),
  key_shredded: facts('configuration', 'high', OCSF.entityManagement, 'success'),
  /** Written by the trigger on akashi_auth.users. */
  data_modification: facts('configuration', 'medium', OCSF.accountChange, 'success'),
  /** Written by akashi_audit.alert_audit_log_tampering(). */
  audit_log_tampering: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** A recovery drill failed. */
  recovery_drill_failed: facts('integrity', 'high', OCSF.detectionFinding, 'failure'),
  /** The object store went to this installation, or from it to another. */
  object_store_taken_over: facts('integrity', 'critical', OCSF.detectionFinding, 'success'),
  object_store_lost: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** A backup contains pages whose checksum is wrong, as the server has them. */
  backup_page_damaged: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** amcheck found damage in the database, or rows refer to rows that do not exist. */
  structure_damaged: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** Moments that cannot be restored: WAL was given up before it was stored, is missing, or does not read as WAL. */
  wal_given_up: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  wal_gap: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  wal_unreadable: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** Written by ledger and trail: a new epoch, unrecorded changes, guards, the sealer. */
  ledger_epoch_opened: facts('integrity', 'high', OCSF.detectionFinding, 'success'),
  /** Written by the cross-check: the trail, a table and the write-ahead log disagree, or a range was not compared. */
  crosscheck_discrepancy: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  crosscheck_gap: facts('integrity', 'high', OCSF.detectionFinding, 'failure'),
  audit_loss: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  audit_catalog_changed: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  /** An administrator recorded the catalog: changes that were made before are accepted. */
  catalog_recorded: facts('integrity', 'critical', OCSF.detectionFinding, 'success'),
  retention_shortened: facts('configuration', 'critical', OCSF.entityManagement, 'success'),
  audit_trigger_disabled: facts('integrity', 'critical', OCSF.detectionFinding, 'failure'),
  ledger_frontier_held: facts('integrity', 'high', OCSF.detectionFinding, 'failure'),
  /** ClamAV rejected an uploaded file. */
  malware_detected: facts('integrity', 'high', OCSF.detectionFinding, 'failure'),
  /** Written by akashi_lifecycle.report_alarms(), with the severity of the alarm. */
  alarm_opened: facts('system', 'high', OCSF.detectionFinding, 'failure'),
  alarm_cleared: facts('system', 'info', OCSF.detectionFinding, 'success'),
  /** Findings of the detectors. */
  brute_force_detected: facts('authentication', 'high', OCSF.detectionFinding, 'failure'),
  /** What was done, or would be, about the user whom a finding names. */
  detection_response: facts('authorization', 'high', OCSF.detectionFinding, 'success'),
  detection_finding: facts('system', 'medium', OCSF.detectionFinding, 'failure'),
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
