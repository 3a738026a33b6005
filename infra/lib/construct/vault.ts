import { BackupVault } from 'aws-cdk-lib/aws-backup'
import { AccountPrincipal, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'

/** No backup may be kept for longer, in days: data past its retention is a risk of its own. */
export const MAX_RETENTION_DAYS = 365

export interface VaultProps {
  readonly name: string
  readonly key: IKey
  readonly retentionDays: number
  /** Another account that copies its backups into the vault. */
  readonly copiesFrom?: string
}

/**
 * A vault in which nobody deletes or shortens a backup before its time. The lock is in governance mode: the
 * account's administrators can still remove it, deliberately, when the environment is taken down.
 */
export function vault(
  scope: Construct,
  id: string,
  { name, key, retentionDays, copiesFrom }: VaultProps,
): BackupVault {
  return new BackupVault(scope, id, {
    backupVaultName: name,
    encryptionKey: key,
    blockRecoveryPointDeletion: true,
    lockConfiguration: {
      minRetention: Duration.days(retentionDays),
      maxRetention: Duration.days(MAX_RETENTION_DAYS),
    },
    accessPolicy: new PolicyDocument({ statements: copiesFrom === undefined ? [] : [copiesOf(copiesFrom)] }),
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  })
}

function copiesOf(account: string): PolicyStatement {
  return new PolicyStatement({
    sid: 'CopiesOfAccount',
    principals: [new AccountPrincipal(account)],
    actions: ['backup:CopyIntoBackupVault'],
    resources: ['*'],
  })
}
