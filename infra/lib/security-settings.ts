import type { CfnDBCluster } from 'aws-cdk-lib/aws-rds'
import type { Database } from './construct/database.ts'

/** How the database is protected, read from what is deployed, for whoever builds on the stack. */
export function securitySettings({ cluster, crossCheck }: Database): Record<string, unknown> {
  const settings = cluster.node.defaultChild as CfnDBCluster
  return {
    storageEncrypted: settings.storageEncrypted,
    storageKey: settings.kmsKeyId,
    iamAuthentication: settings.enableIamDatabaseAuthentication,
    deletionProtection: settings.deletionProtection,
    backupRetentionDays: settings.backupRetentionPeriod,
    backupWindow: settings.preferredBackupWindow,
    maintenanceWindow: settings.preferredMaintenanceWindow,
    logExports: settings.enableCloudwatchLogsExports,
    securityGroups: settings.vpcSecurityGroupIds,
    crossCheck,
  }
}
