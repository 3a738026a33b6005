import { type EventPattern, Match, Rule } from 'aws-cdk-lib/aws-events'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { archiveBucketName } from '../names.ts'

/** Above it, findings of GuardDuty are of severity high. */
const GUARD_DUTY_HIGH = 7

interface Notice {
  readonly what: string
  readonly pattern: EventPattern
}

function notices(name: string, store: string): Readonly<Record<string, Notice>> {
  return {
    Database: {
      what: 'Aurora failed over, failed, or runs out of storage',
      pattern: {
        source: ['aws.rds'],
        detail: {
          SourceIdentifier: Match.wildcard(`*${name}*`),
          EventCategories: ['failover', 'failure', 'low storage'],
        },
      },
    },
    Backups: {
      what: 'A backup, a copy or a restore test failed',
      pattern: {
        source: ['aws.backup'],
        detailType: ['Backup Job State Change', 'Copy Job State Change', 'Restore Job State Change'],
        detail: { state: ['ABORTED', 'EXPIRED', 'FAILED', 'PARTIAL'] },
      },
    },
    Keys: {
      what: 'Somebody disables a key, its rotation or its policy, or has it deleted',
      pattern: {
        source: ['aws.kms'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: {
          eventSource: ['kms.amazonaws.com'],
          eventName: ['DisableKey', 'DisableKeyRotation', 'PutKeyPolicy', 'ScheduleKeyDeletion'],
        },
      },
    },
    Guards: {
      what: 'Somebody stops a trail, the recorder, a detector, Security Hub or what tells of them',
      pattern: {
        detailType: ['AWS API Call via CloudTrail'],
        detail: {
          eventName: [
            'BatchDisableStandards',
            'DeleteAlarms',
            'DeleteAnalyzer',
            'DeleteConfigurationRecorder',
            'DeleteConformancePack',
            'DeleteDetector',
            'DeleteTrail',
            'DisableAlarmActions',
            'DisableRule',
            'DisableSecurityHub',
            'PutEventSelectors',
            'StopConfigurationRecorder',
            'StopLogging',
            'Unsubscribe',
            'UpdateDetector',
            'UpdateTrail',
          ],
        },
      },
    },
    Store: {
      what: 'Somebody changes who may write into the object store, its versions, lock, encryption or tiers',
      pattern: {
        source: ['aws.s3'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: {
          eventSource: ['s3.amazonaws.com'],
          eventName: [
            'DeleteBucketEncryption',
            'DeleteBucketLifecycle',
            'DeleteBucketPolicy',
            'DeleteBucketPublicAccessBlock',
            'PutBucketEncryption',
            'PutBucketLifecycle',
            'PutBucketObjectLockConfiguration',
            'PutBucketPolicy',
            'PutBucketPublicAccessBlock',
            'PutBucketVersioning',
          ],
          requestParameters: { bucketName: [store] },
        },
      },
    },
    Vaults: {
      what: 'Somebody opens a vault, or deletes or shortens a backup',
      pattern: {
        source: ['aws.backup'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: {
          eventSource: ['backup.amazonaws.com'],
          eventName: [
            'DeleteBackupVault',
            'DeleteBackupVaultAccessPolicy',
            'DeleteBackupVaultLockConfiguration',
            'DeleteRecoveryPoint',
            'PutBackupVaultAccessPolicy',
            'UpdateRecoveryPointLifecycle',
          ],
        },
      },
    },
    Compliance: {
      what: 'A resource no longer conforms to a rule of AWS Config',
      pattern: {
        source: ['aws.config'],
        detailType: ['Config Rules Compliance Change'],
        detail: {
          messageType: ['ComplianceChangeNotification'],
          configRuleName: Match.prefix(`${name}-`),
          newEvaluationResult: { complianceType: ['NON_COMPLIANT'] },
        },
      },
    },
    Threats: {
      what: 'GuardDuty found something of severity high',
      pattern: {
        source: ['aws.guardduty'],
        detailType: ['GuardDuty Finding'],
        detail: { severity: Match.greaterThanOrEqual(GUARD_DUTY_HIGH) },
      },
    },
    Findings: {
      what: 'Security Hub has a new finding of severity high or critical',
      pattern: {
        source: ['aws.securityhub'],
        detailType: ['Security Hub Findings - Imported'],
        detail: {
          findings: {
            Severity: { Label: ['CRITICAL', 'HIGH'] },
            Workflow: { Status: ['NEW'] },
            RecordState: ['ACTIVE'],
          },
        },
      },
    },
  }
}

/** Events that somebody should hear of at once, into the topic of the alarms. */
export class Notices extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { name, topic }: { readonly name: string; readonly topic: ITopic },
  ) {
    super(scope, id)
    for (const [ruleId, { what, pattern }] of Object.entries(notices(name, archiveBucketName(this, name)))) {
      const rule = new Rule(this, ruleId, { description: what, eventPattern: pattern })
      // The target that the CDK has would add a statement to the policy of the topic, which is given complete.
      rule.addTarget({ bind: () => ({ arn: topic.topicArn }) })
    }
  }
}
