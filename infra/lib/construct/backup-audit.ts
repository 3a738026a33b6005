import { CfnFramework, CfnReportPlan } from 'aws-cdk-lib/aws-backup'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type IBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { BackupParameter } from '../parameter.ts'
import { reportsRole } from './key-policy.ts'

/** A restore that takes longer misses the recovery time objective of four hours, in minutes. */
const MAX_RESTORE_MINUTES = 240
/** Reports are evidence and kept as long as the trail. */
const REPORT_RETENTION = Duration.days(2555)
const REPORTS = ['BACKUP_JOB_REPORT', 'COPY_JOB_REPORT', 'RESTORE_JOB_REPORT', 'CONTROL_COMPLIANCE_REPORT']

export interface BackupAuditProps {
  readonly project: string
  readonly name: string
  readonly parameter: BackupParameter
  readonly key: IKey
  readonly accessLogs: IBucket
}

/** AWS Backup Audit Manager: controls that are checked continuously, and daily reports. */
export class BackupAudit extends Construct {
  constructor(scope: Construct, id: string, props: BackupAuditProps) {
    super(scope, id)
    const bucket = this.reportBucket(props)
    const prefix = props.name.replaceAll('-', '_')
    const framework = new CfnFramework(this, 'Framework', {
      frameworkName: prefix,
      frameworkDescription: `Backups of ${props.name}`,
      frameworkControls: controls(props.parameter).map(({ name, parameters }) => ({
        controlName: name,
        controlInputParameters: Object.entries(parameters).map(([parameterName, parameterValue]) => ({
          parameterName,
          parameterValue,
        })),
        // One tag is allowed.
        controlScope: { Tags: [{ Key: 'Project', Value: props.project }] },
      })),
    })
    for (const reportTemplate of REPORTS) {
      const compliance = reportTemplate === 'CONTROL_COMPLIANCE_REPORT'
      new CfnReportPlan(this, reportTemplate, {
        reportPlanName: `${prefix}_${reportTemplate.toLowerCase()}`,
        reportDeliveryChannel: { S3BucketName: bucket.bucketName, Formats: ['CSV', 'JSON'] },
        reportSetting: {
          ReportTemplate: reportTemplate,
          ...(compliance ? { FrameworkArns: [framework.attrFrameworkArn] } : {}),
        },
      })
    }
  }

  private reportBucket({ key, accessLogs }: BackupAuditProps): Bucket {
    const bucket = new Bucket(this, 'Reports', {
      encryption: BucketEncryption.KMS,
      encryptionKey: key,
      bucketKeyEnabled: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: true,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: 'backup-reports/',
      lifecycleRules: [{ expiration: REPORT_RETENTION, noncurrentVersionExpiration: REPORT_RETENTION }],
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'BackupReports',
        principals: [reportsRole(this)],
        actions: ['s3:PutObject'],
        resources: [bucket.arnForObjects('*')],
        conditions: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
      }),
    )
    acknowledge(bucket, {
      'NIST.800.53.R5-S3BucketReplicationEnabled':
        'AWS Backup can write the reports again; the backups themselves have their copies.',
    })
    return bucket
  }
}

interface Control {
  readonly name: string
  readonly parameters: Readonly<Record<string, string>>
}

function controls({ retentionDays, copyRegion, copyAccount }: BackupParameter): Control[] {
  const retention = { requiredRetentionDays: String(retentionDays) }
  const control = (name: string, parameters: Record<string, string> = {}): Control => ({ name, parameters })
  return [
    control('BACKUP_RESOURCES_PROTECTED_BY_BACKUP_PLAN'),
    control('BACKUP_PLAN_MIN_FREQUENCY_AND_MIN_RETENTION_CHECK', {
      requiredFrequencyUnit: 'days',
      requiredFrequencyValue: '1',
      ...retention,
    }),
    control('BACKUP_LAST_RECOVERY_POINT_CREATED', {
      recoveryPointAgeUnit: 'days',
      recoveryPointAgeValue: '1',
    }),
    control('BACKUP_RECOVERY_POINT_MINIMUM_RETENTION_CHECK', retention),
    control('BACKUP_RECOVERY_POINT_ENCRYPTED'),
    control('BACKUP_RECOVERY_POINT_MANUAL_DELETION_DISABLED'),
    control('BACKUP_RESOURCES_PROTECTED_BY_BACKUP_VAULT_LOCK', { minRetentionDays: String(retentionDays) }),
    control('RESTORE_TIME_FOR_RESOURCES_MEET_TARGET', { maxRestoreTime: String(MAX_RESTORE_MINUTES) }),
    ...(copyRegion === undefined
      ? []
      : [control('BACKUP_RESOURCES_PROTECTED_BY_CROSS_REGION', { crossRegionList: copyRegion })]),
    ...(copyAccount === undefined
      ? []
      : [control('BACKUP_RESOURCES_PROTECTED_BY_CROSS_ACCOUNT', { crossAccountList: copyAccount })]),
  ]
}
