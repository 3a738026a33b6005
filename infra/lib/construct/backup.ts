import {
  BackupPlan,
  type BackupPlanCopyActionProps,
  BackupPlanRule,
  BackupResource,
  BackupVault,
  CfnLogicallyAirGappedBackupVault,
} from 'aws-cdk-lib/aws-backup'
import { Schedule } from 'aws-cdk-lib/aws-events'
import type { Role } from 'aws-cdk-lib/aws-iam'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { recoveryVaultName } from '../names.ts'
import type { BackupParameter } from '../parameter.ts'
import { BackupAudit } from './backup-audit.ts'
import type { Database } from './database.ts'
import type { Keys } from './keys.ts'
import type { Network } from './network.ts'
import { RestoreTest } from './restore-test.ts'
import { serviceRole } from './service-role.ts'
import { Snapshot } from './snapshot.ts'
import { MAX_RETENTION_DAYS, vault } from './vault.ts'

/** UTC. AWS Backup does not start in the hour before a window of RDS, which are 03:00 and 18:00. */
const DAILY = Schedule.cron({ hour: '5', minute: '0' })
const START_WINDOW = Duration.hours(1)
const COMPLETION_WINDOW = Duration.hours(6)

export interface BackupProps {
  readonly project: string
  readonly name: string
  readonly parameter: BackupParameter
  readonly database: Database
  readonly network: Network
  readonly keys: Keys
  readonly accessLogs: IBucket
}

/** Daily backups beside Aurora's own point-in-time recovery, their copies, and the proof that they restore. */
export class Backup extends Construct {
  readonly vault: BackupVault
  readonly snapshot: Snapshot
  /** For what else has to be backed up. */
  readonly planId: string
  readonly roleArn: string

  constructor(scope: Construct, id: string, props: BackupProps) {
    super(scope, id)
    const { parameter, database, keys, name } = props
    const { retentionDays } = parameter
    this.vault = vault(this, 'Vault', { name, key: keys.backup, retentionDays })
    const role = serviceRole(this, 'Role', {
      service: 'backup',
      description: 'Backs up and copies; restores nothing',
      awsPolicy: {
        name: 'AWSBackupServiceRolePolicyForBackup',
        reason: 'AWS Backup adds rights to it as it learns to copy in new ways; it cannot restore.',
      },
    })
    this.roleArn = role.roleArn
    const retention = Duration.days(retentionDays)
    const plan = new BackupPlan(this, 'Plan', { backupPlanName: name, backupVault: this.vault })
    this.planId = plan.backupPlanId
    plan.addRule(
      new BackupPlanRule({
        ruleName: 'daily',
        scheduleExpression: DAILY,
        startWindow: START_WINDOW,
        completionWindow: COMPLETION_WINDOW,
        deleteAfter: retention,
        recoveryPointTags: { Project: props.project },
        copyActions: this.destinations(name, parameter).map(
          (destinationBackupVault): BackupPlanCopyActionProps => ({
            destinationBackupVault,
            deleteAfter: retention,
          }),
        ),
      }),
    )
    this.select(plan, database, role)
    this.snapshot = new Snapshot(this, 'Snapshot', {
      name,
      database,
      vault: this.vault,
      role,
      retentionDays,
      key: keys.logs,
    })
    if (parameter.audit) {
      new BackupAudit(this, 'Audit', { ...props, key: keys.backup })
      new RestoreTest(this, 'RestoreTest', { name, database, network: props.network, vault: this.vault })
    }
  }

  private select(plan: BackupPlan, { cluster }: Database, role: Role): void {
    plan.addSelection('Database', {
      backupSelectionName: 'database',
      resources: [BackupResource.fromArn(cluster.clusterArn)],
      role: role.withoutPolicyUpdates(),
      disableDefaultBackupPolicy: true,
    })
  }

  /** Aurora copies a snapshot to another region or to another account, not both at once: so each has its copy. */
  private destinations(name: string, { airGapped, copyRegion, copyAccount, retentionDays }: BackupParameter) {
    const stack = Stack.of(this)
    const recoveryVault = (id: string, region: string, account: string) =>
      BackupVault.fromBackupVaultArn(
        this,
        id,
        `arn:${stack.partition}:backup:${region}:${account}:backup-vault:${recoveryVaultName(name)}`,
      )
    return [
      ...(airGapped ? [this.airGappedVault(name, retentionDays)] : []),
      ...(copyRegion === undefined ? [] : [recoveryVault('RegionVault', copyRegion, stack.account)]),
      ...(copyAccount === undefined ? [] : [recoveryVault('AccountVault', stack.region, copyAccount)]),
    ]
  }

  /**
   * Always locked in compliance mode. Encrypted under a key that AWS owns: whoever can delete the keys of this
   * account must not be able to make these copies unreadable.
   */
  private airGappedVault(name: string, retentionDays: number) {
    const airGapped = new CfnLogicallyAirGappedBackupVault(this, 'AirGappedVault', {
      backupVaultName: `${name}-air-gapped`,
      minRetentionDays: retentionDays,
      maxRetentionDays: MAX_RETENTION_DAYS,
    })
    airGapped.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
    return BackupVault.fromBackupVaultArn(this, 'AirGapped', airGapped.attrBackupVaultArn)
  }
}
