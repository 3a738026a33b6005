export type { BaseBackup, BaseBackupPart, Tablespace } from './base-backup.ts'
export { openReplication, type Replication, type SystemIdentity } from './connection.ts'
export { formatLsn, isLsn, type Lsn, parseLsn, unixMicroseconds } from './lsn.ts'
export type { WalMessage, WalStream } from './wal-stream.ts'
