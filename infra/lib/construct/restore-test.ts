import { type BackupVault, CfnRestoreTestingPlan, CfnRestoreTestingSelection } from 'aws-cdk-lib/aws-backup'
import type { CfnDBCluster } from 'aws-cdk-lib/aws-rds'
import { Construct } from 'constructs'
import type { Database } from './database.ts'
import type { Network } from './network.ts'
import { serviceRole } from './service-role.ts'

/** UTC, on the first Sunday of the month. */
const MONTHLY = 'cron(0 8 ? * SUN#1 *)'
/** The newest backup of the week is restored, days. */
const SELECTION_WINDOW_DAYS = 7
const START_WINDOW_HOURS = 4
/** The restored cluster stays this long for whoever wants to look into it; then AWS Backup deletes it. */
const VALIDATION_WINDOW_HOURS = 4

export interface RestoreTestProps {
  readonly name: string
  readonly database: Database
  readonly network: Network
  readonly vault: BackupVault
}

/** Restores the newest backup every month, into the data subnets, and deletes it again. */
export class RestoreTest extends Construct {
  constructor(scope: Construct, id: string, { name, database, network, vault }: RestoreTestProps) {
    super(scope, id)
    const role = serviceRole(this, 'Role', {
      service: 'backup',
      description: 'Restores for the monthly test',
      awsPolicy: {
        name: 'AWSBackupServiceRolePolicyForRestores',
        reason: 'AWS Backup adds rights to it as restores change; only the restore test takes this role.',
      },
    })
    const plan = new CfnRestoreTestingPlan(this, 'Plan', {
      restoreTestingPlanName: identifier(name, 'monthly'),
      scheduleExpression: MONTHLY,
      startWindowHours: START_WINDOW_HOURS,
      recoveryPointSelection: {
        algorithm: 'LATEST_WITHIN_WINDOW',
        includeVaults: [vault.backupVaultArn],
        recoveryPointTypes: ['SNAPSHOT'],
        selectionWindowDays: SELECTION_WINDOW_DAYS,
      },
    })
    const cluster = database.cluster.node.defaultChild as CfnDBCluster
    const selection = new CfnRestoreTestingSelection(this, 'Selection', {
      restoreTestingPlanName: plan.restoreTestingPlanName,
      restoreTestingSelectionName: identifier(name, 'aurora'),
      protectedResourceType: 'Aurora',
      protectedResourceArns: [database.cluster.clusterArn],
      iamRoleArn: role.roleArn,
      validationWindowHours: VALIDATION_WINDOW_HOURS,
      restoreMetadataOverrides: {
        dbsubnetgroupname: cluster.dbSubnetGroupName as string,
        vpcsecuritygroupids: `["${network.databaseSecurityGroup.securityGroupId}"]`,
      },
    })
    selection.addResourceDependency(plan)
  }
}

/** Restore testing takes letters, digits and underscores. */
function identifier(name: string, suffix: string): string {
  return `${name}_${suffix}`.replaceAll('-', '_')
}
