import { CfnConformancePack, ManagedRuleIdentifiers as Rules } from 'aws-cdk-lib/aws-config'
import type { Construct } from 'constructs'
import type { EnvironmentParameter } from '../parameter.ts'

/** Names of managed rules that the CDK has no constant for. */
const MORE = {
  CLUSTER_ENCRYPTED: 'RDS_CLUSTER_ENCRYPTED_AT_REST',
  POSTGRESQL_LOGS: 'RDS_AURORA_POSTGRESQL_LOGS_TO_CLOUDWATCH',
  EXTERNAL_ACCESS: 'IAM_EXTERNAL_ACCESS_ANALYZER_ENABLED',
  CACHE_AT_REST: 'ELASTICACHE_REPL_GRP_ENCRYPTED_AT_REST',
  CACHE_IN_TRANSIT: 'ELASTICACHE_REPL_GRP_ENCRYPTED_IN_TRANSIT',
}

/**
 * The managed rules that hold what this application sets, by what they watch. Those of GUARDS also find that
 * something which the account was said to have already is not there.
 */
const RULES: Readonly<Record<string, readonly string[]>> = {
  database: [
    MORE.CLUSTER_ENCRYPTED,
    MORE.POSTGRESQL_LOGS,
    Rules.RDS_CLUSTER_IAM_AUTHENTICATION_ENABLED,
    Rules.RDS_CLUSTER_DELETION_PROTECTION_ENABLED,
    Rules.RDS_CLUSTER_DEFAULT_ADMIN_CHECK,
    Rules.RDS_INSTANCE_PUBLIC_ACCESS_CHECK,
    Rules.RDS_ENHANCED_MONITORING_ENABLED,
    Rules.RDS_AUTOMATIC_MINOR_VERSION_UPGRADE_ENABLED,
    Rules.RDS_SNAPSHOT_ENCRYPTED,
    Rules.RDS_SNAPSHOTS_PUBLIC_PROHIBITED,
  ],
  keysAndSecrets: [
    Rules.CMK_BACKING_KEY_ROTATION_ENABLED,
    Rules.KMS_CMK_NOT_SCHEDULED_FOR_DELETION,
    Rules.SECRETSMANAGER_USING_CMK,
    Rules.SECRETSMANAGER_SCHEDULED_ROTATION_SUCCESS_CHECK,
  ],
  backups: [
    Rules.AURORA_RESOURCES_PROTECTED_BY_BACKUP_PLAN,
    Rules.AURORA_LAST_BACKUP_RECOVERY_POINT_CREATED,
    Rules.EFS_RESOURCES_PROTECTED_BY_BACKUP_PLAN,
    Rules.BACKUP_RECOVERY_POINT_ENCRYPTED,
    Rules.BACKUP_RECOVERY_POINT_MANUAL_DELETION_DISABLED,
  ],
  buckets: [
    Rules.S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED,
    Rules.S3_BUCKET_PUBLIC_READ_PROHIBITED,
    Rules.S3_BUCKET_PUBLIC_WRITE_PROHIBITED,
    Rules.S3_BUCKET_ACL_PROHIBITED,
    Rules.S3_BUCKET_SERVER_SIDE_ENCRYPTION_ENABLED,
    Rules.S3_BUCKET_SSL_REQUESTS_ONLY,
    Rules.S3_BUCKET_VERSIONING_ENABLED,
  ],
  network: [
    Rules.VPC_FLOW_LOGS_ENABLED,
    Rules.VPC_DEFAULT_SECURITY_GROUP_CLOSED,
    Rules.EC2_SECURITY_GROUPS_INCOMING_SSH_DISABLED,
    Rules.SUBNET_AUTO_ASSIGN_PUBLIC_IP_DISABLED,
  ],
  tasks: [
    Rules.ECS_CONTAINERS_NONPRIVILEGED,
    Rules.ECS_CONTAINERS_READONLY_ACCESS,
    Rules.ECS_CONTAINER_INSIGHTS_ENABLED,
    Rules.ECS_NO_ENVIRONMENT_SECRETS,
    Rules.ECS_TASK_DEFINITION_LOG_CONFIGURATION,
    Rules.ECS_TASK_DEFINITION_PID_MODE_CHECK,
    Rules.ECR_PRIVATE_IMAGE_SCANNING_ENABLED,
    Rules.ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED,
    Rules.EFS_ACCESS_POINT_ENFORCE_ROOT_DIRECTORY,
    Rules.EFS_ACCESS_POINT_ENFORCE_USER_IDENTITY,
    Rules.EFS_ENCRYPTED_CHECK,
    MORE.CACHE_AT_REST,
    MORE.CACHE_IN_TRANSIT,
  ],
  balancer: [
    Rules.ALB_HTTP_DROP_INVALID_HEADER_ENABLED,
    Rules.ALB_WAF_ENABLED,
    Rules.ELB_DELETION_PROTECTION_ENABLED,
    Rules.ELB_LOGGING_ENABLED,
    Rules.WAFV2_LOGGING_ENABLED,
  ],
  logs: [Rules.CLOUDWATCH_LOG_GROUP_ENCRYPTED, Rules.SNS_ENCRYPTED_KMS],
  guards: [
    Rules.CLOUD_TRAIL_ENABLED,
    Rules.CLOUD_TRAIL_ENCRYPTION_ENABLED,
    Rules.CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED,
    Rules.CLOUDTRAIL_MULTI_REGION_ENABLED,
    Rules.CLOUDTRAIL_S3_DATAEVENTS_ENABLED,
    Rules.GUARDDUTY_ENABLED_CENTRALIZED,
    Rules.SECURITYHUB_ENABLED,
    MORE.EXTERNAL_ACCESS,
  ],
}

/** Where there is a reader in another zone. */
const WITH_READERS = [Rules.RDS_CLUSTER_MULTI_AZ_ENABLED]

/** The text of a rule's name: `akashi-prod-rds-cluster-encrypted-at-rest`. */
function nameOf(name: string, identifier: string): string {
  return `${name}-${identifier.toLowerCase().replaceAll('_', '-')}`
}

/** AWS Config looks, all the time, whether what was deployed still is what was deployed. */
export function conformancePack(
  scope: Construct,
  id: string,
  { name, parameter }: { readonly name: string; readonly parameter: EnvironmentParameter },
): CfnConformancePack {
  const identifiers = [
    ...Object.values(RULES).flat(),
    ...(parameter.database.readers === 0 ? [] : WITH_READERS),
  ]
  const Resources = Object.fromEntries(
    identifiers.map((identifier) => [
      identifier
        .toLowerCase()
        .replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
        .replaceAll('_', ''),
      {
        Type: 'AWS::Config::ConfigRule',
        Properties: {
          ConfigRuleName: nameOf(name, identifier),
          Source: { Owner: 'AWS', SourceIdentifier: identifier },
        },
      },
    ]),
  )
  return new CfnConformancePack(scope, id, {
    conformancePackName: name,
    templateBody: JSON.stringify({ Resources }),
  })
}
