/** Words that the shapes and the code behind them share. */

/** System above business above service; nobody can grant a higher tier than their own. */
export const tiers = ['system', 'business', 'service'] as const
export type Tier = (typeof tiers)[number]

/** `admin` holds the other actions of its resource. */
export const actions = ['read', 'write', 'delete', 'admin'] as const
export type Action = (typeof actions)[number]
/** What may be done. */
export type PermissionName = `${string}:${Action}`

export const accountStatuses = ['active', 'inactive', 'suspended', 'deleted'] as const
export type AccountStatus = (typeof accountStatuses)[number]
/** Issuer of accounts whose password is kept here. */
export const LOCAL_ISSUER = 'local'

export { type Classification, classifications } from './classification.ts'

/**
 * Formats that a service can send; syslog is read from files, because its year and time zone must be given.
 */
export const submitFormats = ['json', 'ocsf', 'cloudtrail'] as const
export type SubmitFormat = (typeof submitFormats)[number]

export const timelineIntervals = ['1m', '5m', '15m', '1h', '6h', '1d', '7d'] as const
export type TimelineInterval = (typeof timelineIntervals)[number]
export const intervalMinutes = {
  '1m': 1,
  '5m': 5,
  '15m': 15,
  '1h': 60,
  '6h': 360,
  '1d': 1_440,
  '7d': 10_080,
} as const satisfies Record<TimelineInterval, number>
/** Maximum intervals of one timeline. */
export const MAX_BUCKETS = 1_500

/** An event without a remediation is open. */
export const remediationStates = ['open', 'in_progress', 'resolved', 'suppressed'] as const
export type RemediationState = (typeof remediationStates)[number]

/** What the workers do with backups. */
export const backupTasks = [
  'full',
  'incremental',
  'audit-copy',
  'verification',
  'prune',
  'rewrap',
  'drill',
  'recovery_test',
] as const
export type BackupTask = (typeof backupTasks)[number]

/** Operations that nobody can do alone under the policy approval.people. */
export const approvalActions = [
  'release_hold',
  'shorten_retention',
  'retire_rows',
  'prune_backups',
  'erase_person',
  'lower_approval',
] as const
export type ApprovalAction = (typeof approvalActions)[number]

export const presenceStatuses = ['online', 'away', 'offline'] as const
export type PresenceStatus = (typeof presenceStatuses)[number]

export const alarmSeverities = ['low', 'medium', 'high', 'critical'] as const
export type AlarmSeverity = (typeof alarmSeverities)[number]

/** Keys that are replaced: a person's key is destroyed instead, and a witness is known by its key. */
export const rotatablePurposes = [
  'checkpoint',
  'context',
  'wrapping',
  'blind-index',
  'report',
  'backup',
] as const
export type RotatablePurpose = (typeof rotatablePurposes)[number]
export const reportFormats = ['json', 'html', 'pdf'] as const
export type ReportFormat = (typeof reportFormats)[number]
export const reportLanguages = ['ja', 'en'] as const
export type ReportLanguage = (typeof reportLanguages)[number]

export const severities = ['info', 'low', 'medium', 'high', 'critical'] as const
export type Severity = (typeof severities)[number]

/** What becomes of a finding; in the first two it is open. */
export const findingStates = ['open', 'in_progress', 'resolved', 'suppressed', 'false_positive'] as const
export type FindingState = (typeof findingStates)[number]

/** Where rules look. */
export const detectionLogs = ['security_events', 'audit_logs', 'login_attempts'] as const
export type DetectionLog = (typeof detectionLogs)[number]

/** What a channel sends to. */
export const channelKinds = [
  'webhook',
  'slack',
  'teams',
  'email',
  'syslog',
  'security_hub',
  'stream',
  'objects',
] as const
export type ChannelKind = (typeof channelKinds)[number]
/** What a channel sends. */
export const channelLogs = ['security_events', 'audit_logs'] as const
export type ChannelLog = (typeof channelLogs)[number]
export const channelFormats = ['akashi', 'ocsf'] as const
export type ChannelFormat = (typeof channelFormats)[number]
