/** The controls of the report as data: which function gives their evidence, what is required, where they belong. */
import type { Evidence, Frameworks } from './document.ts'

/** `'column'`: the limit is another value of the same row. */
type Limit = number | string

export interface EvidenceDefinition {
  /** Column of the source. */
  readonly key: string
  readonly of: Evidence['of']
  /** Default count. */
  readonly unit?: Evidence['unit']
  readonly atMost?: Limit
  readonly atLeast?: Limit
}

export interface ControlDefinition {
  readonly id: string
  /** A function (since, until) that returns one row; `keyring`: the ages of the keys, which no database knows. */
  readonly source: `akashi_${string}` | 'keyring'
  readonly frameworks: Frameworks
  readonly evidence: readonly EvidenceDefinition[]
}

/** Days for which the trail is kept, as the source says: seven years. */
const AUDIT_RETENTION_DAYS = 2555
/** Days between two reviews of access rights: a quarter, and three weeks to complete it. */
const ACCESS_REVIEW_DAYS = 115
/** Hours within which everything new is verified again: a day, and time for the job. */
const VERIFIED_WITHIN_HOURS = 36

export const controls: readonly ControlDefinition[] = [
  {
    id: 'row_security',
    source: 'akashi_security.row_security_evidence',
    frameworks: {
      cis: ['3.3', '6.8'],
      soc2: ['CC6.1', 'CC6.3'],
      blea: ['RDS.2'],
      nist: ['AC-3', 'AC-6'],
    },
    evidence: [
      { key: 'tables', of: 'moment' },
      { key: 'unprotected_tables', of: 'moment', atMost: 0 },
      { key: 'policies', of: 'moment' },
      { key: 'bypassing_logins', of: 'moment' },
    ],
  },
  {
    id: 'audit_coverage',
    source: 'akashi_audit.coverage_evidence',
    frameworks: {
      cis: ['8.2', '8.5'],
      soc2: ['CC7.2', 'CC8.1'],
      blea: ['RDS.9', 'RDS.37'],
      nist: ['AU-2', 'AU-3', 'AU-12'],
    },
    evidence: [
      { key: 'protected', of: 'moment', atLeast: 1 },
      { key: 'uncovered', of: 'moment', atMost: 0 },
      { key: 'exempt', of: 'moment' },
      { key: 'losses', of: 'month' },
      { key: 'unsettled_losses', of: 'moment', atMost: 0 },
    ],
  },
  {
    id: 'verification',
    source: 'akashi_audit.verification_evidence',
    frameworks: {
      cis: ['8.9', '8.11'],
      soc2: ['CC7.1', 'PI1.5'],
      blea: ['CloudTrail.4'],
      nist: ['AU-9', 'AU-9(3)', 'AU-10', 'SI-7'],
    },
    evidence: [
      { key: 'sealed', of: 'month' },
      { key: 'runs', of: 'month', atLeast: 1 },
      { key: 'failed_runs', of: 'month', atMost: 0 },
      { key: 'full_runs', of: 'month', atLeast: 1 },
      { key: 'hours_since_good', of: 'moment', unit: 'hours', atMost: VERIFIED_WITHIN_HOURS },
      { key: 'standing_alarms', of: 'moment', atMost: 0 },
      { key: 'checkpoints', of: 'month', atLeast: 1 },
      { key: 'witnesses', of: 'moment' },
      { key: 'cosignatures', of: 'month' },
    ],
  },
  {
    id: 'crosscheck',
    source: 'akashi_audit.crosscheck_evidence',
    frameworks: {
      cis: ['8.11', '13.1'],
      soc2: ['CC7.1', 'CC7.2'],
      blea: ['CloudTrail.4'],
      nist: ['SI-7(1)', 'AU-6', 'CA-7'],
    },
    evidence: [
      { key: 'compared', of: 'moment', atLeast: 1 },
      { key: 'discrepancies', of: 'month' },
      { key: 'open_discrepancies', of: 'moment', atMost: 0 },
      { key: 'open_gaps', of: 'moment', atMost: 0 },
      { key: 'gap_hours', of: 'month', unit: 'hours' },
    ],
  },
  {
    id: 'retention',
    source: 'akashi_lifecycle.retention_evidence',
    frameworks: {
      cis: ['3.4', '8.10'],
      soc2: ['C1.1', 'C1.2'],
      blea: ['S3.13', 'S3.15'],
      nist: ['AU-11', 'SI-12'],
    },
    evidence: [
      { key: 'audit_retention_days', of: 'moment', unit: 'days', atLeast: AUDIT_RETENTION_DAYS },
      { key: 'event_retention_days', of: 'moment', unit: 'days' },
      { key: 'policies', of: 'moment' },
      { key: 'held_tables', of: 'moment' },
      { key: 'exports', of: 'month' },
      { key: 'exported_rows', of: 'month' },
      { key: 'overdue_exports', of: 'moment', atMost: 0 },
      { key: 'short_of_partitions', of: 'moment', atMost: 0 },
      { key: 'retired', of: 'month' },
      { key: 'pending_shortenings', of: 'moment' },
    ],
  },
  {
    id: 'backup',
    source: 'akashi_lifecycle.backup_evidence',
    frameworks: {
      cis: ['11.2', '11.3', '11.4'],
      soc2: ['A1.2'],
      blea: ['RDS.11', 'Backup.1'],
      nist: ['CP-9', 'CP-9(3)'],
    },
    evidence: [
      { key: 'full_backups', of: 'month', atLeast: 1 },
      { key: 'incremental_backups', of: 'month' },
      { key: 'failed_runs', of: 'month', atMost: 0 },
      { key: 'hours_since_backup', of: 'moment', unit: 'hours', atMost: 'max_age_hours' },
      { key: 'seconds_to_restorable', of: 'moment', unit: 'seconds', atMost: 'rpo_limit_seconds' },
      { key: 'audit_copies', of: 'month' },
    ],
  },
  {
    id: 'recovery',
    source: 'akashi_lifecycle.drill_evidence',
    frameworks: {
      cis: ['11.5'],
      soc2: ['A1.3', 'CC7.5'],
      blea: ['RDS.11'],
      nist: ['CP-4', 'CP-9(1)', 'CP-10'],
    },
    evidence: [
      { key: 'passed', of: 'month' },
      { key: 'failed', of: 'month', atMost: 0 },
      { key: 'worst_rpo_seconds', of: 'month', unit: 'seconds', atMost: 'rpo_limit_seconds' },
      { key: 'worst_rto_seconds', of: 'month', unit: 'seconds', atMost: 'rto_limit_seconds' },
      { key: 'days_since_passed', of: 'moment', unit: 'days', atMost: 'max_age_days' },
      { key: 'days_since_recovery_test', of: 'moment', unit: 'days' },
    ],
  },
  {
    id: 'access',
    source: 'akashi_auth.access_evidence',
    frameworks: {
      cis: ['5.1', '5.3', '5.4', '6.5'],
      soc2: ['CC6.1', 'CC6.2'],
      blea: ['IAM.5', 'IAM.8'],
      nist: ['AC-2', 'AC-2(3)', 'IA-2(1)'],
    },
    evidence: [
      { key: 'people', of: 'moment' },
      { key: 'services', of: 'moment' },
      { key: 'privileged', of: 'moment' },
      { key: 'privileged_without_factor', of: 'moment', atMost: 0 },
      { key: 'dormant_privileged', of: 'moment', atMost: 0 },
      { key: 'keys', of: 'moment' },
      { key: 'unused_keys', of: 'moment', atMost: 0 },
      { key: 'endless_keys', of: 'moment', atMost: 0 },
      { key: 'sign_ins', of: 'month' },
      { key: 'failed_sign_ins', of: 'month' },
    ],
  },
  {
    id: 'access_review',
    source: 'akashi_auth.access_review_evidence',
    frameworks: {
      cis: ['5.1', '6.8'],
      soc2: ['CC6.2', 'CC6.3'],
      blea: ['IAM.8'],
      nist: ['AC-2', 'AC-6(7)'],
    },
    evidence: [
      { key: 'rights', of: 'moment' },
      { key: 'opened', of: 'month' },
      { key: 'kept', of: 'month' },
      { key: 'revoked', of: 'month' },
      { key: 'by_grantor', of: 'month' },
      { key: 'overdue', of: 'moment', atMost: 0 },
      { key: 'days_since_review', of: 'moment', unit: 'days', atMost: ACCESS_REVIEW_DAYS },
    ],
  },
  {
    id: 'erasure',
    source: 'akashi_keys.erasure_evidence',
    frameworks: {
      cis: ['3.5'],
      soc2: ['P4.3', 'C1.2'],
      blea: [],
      nist: ['MP-6', 'SI-12(3)'],
    },
    evidence: [
      { key: 'requested', of: 'month' },
      { key: 'completed', of: 'month' },
      { key: 'unfinished', of: 'moment' },
      { key: 'overdue', of: 'moment', atMost: 0 },
      { key: 'longest_days', of: 'month', unit: 'days' },
    ],
  },
  {
    id: 'events',
    source: 'akashi_security.event_evidence',
    frameworks: {
      cis: ['8.2', '13.1'],
      soc2: ['CC7.2', 'CC7.3'],
      blea: ['GuardDuty.1'],
      nist: ['SI-4', 'AU-6', 'IR-5'],
    },
    evidence: [
      { key: 'events', of: 'month' },
      { key: 'critical', of: 'month' },
      { key: 'high', of: 'month' },
      { key: 'unresolved', of: 'month' },
      { key: 'rejected_lines', of: 'month' },
    ],
  },
  {
    id: 'detection',
    source: 'akashi_security.detection_evidence',
    frameworks: {
      cis: ['8.11', '17.9'],
      soc2: ['CC7.3', 'CC7.4'],
      blea: ['GuardDuty.1'],
      nist: ['SI-4', 'IR-4', 'IR-6'],
    },
    evidence: [
      { key: 'runs', of: 'month', atLeast: 1 },
      { key: 'found', of: 'month' },
      { key: 'closed', of: 'month' },
      { key: 'open', of: 'moment' },
      { key: 'overdue', of: 'moment', atMost: 0 },
      { key: 'median_hours', of: 'month', unit: 'hours' },
      { key: 'false_positives', of: 'month' },
    ],
  },
  {
    id: 'keys',
    source: 'keyring',
    frameworks: {
      cis: ['3.11'],
      soc2: ['CC6.1'],
      blea: ['KMS.4', 'RDS.3'],
      nist: ['SC-12', 'SC-28'],
    },
    evidence: [
      { key: 'wrapping', of: 'moment', unit: 'days', atMost: 'wrapping_limit' },
      { key: 'blind_index', of: 'moment', unit: 'days', atMost: 'blind_index_limit' },
      { key: 'checkpoint', of: 'moment', unit: 'days' },
      { key: 'context', of: 'moment', unit: 'days' },
    ],
  },
  {
    id: 'jobs',
    source: 'akashi_lifecycle.job_evidence',
    frameworks: {
      cis: ['4.1'],
      soc2: ['CC4.1', 'CC7.1'],
      blea: [],
      nist: ['CA-7', 'SI-6'],
    },
    evidence: [
      { key: 'jobs', of: 'moment' },
      { key: 'runs', of: 'month', atLeast: 1 },
      { key: 'failed_runs', of: 'month' },
      { key: 'failing', of: 'moment', atMost: 0 },
      { key: 'paused', of: 'moment' },
    ],
  },
]
