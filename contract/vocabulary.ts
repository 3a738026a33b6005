/** Words that the shapes and the code behind them share. */

/** System above business above service; nobody grants what is above their own. */
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

/** How confidential data is. */
export const classifications = ['public', 'internal', 'confidential', 'restricted'] as const
export type Classification = (typeof classifications)[number]

/** Formats that a service can send; syslog is read from files, whose year and zone somebody knows. */
export const submitFormats = ['json', 'ocsf', 'cloudtrail'] as const
export type SubmitFormat = (typeof submitFormats)[number]

export const timelineIntervals = ['1m', '5m', '15m', '1h', '6h', '1d', '7d'] as const
export type TimelineInterval = (typeof timelineIntervals)[number]

/** An event that nobody has touched is open. */
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

export const presenceStatuses = ['online', 'away', 'offline'] as const
export type PresenceStatus = (typeof presenceStatuses)[number]
