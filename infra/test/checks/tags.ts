import assert from 'node:assert/strict'
import { pathOf, type Resource } from '../support/template.ts'
import type { Check } from './check.ts'
import { assertSame } from './same.ts'

/** Types whose tags have a property of their own. */
const TAG_PROPERTY: Readonly<Record<string, string>> = {
  'AWS::Cognito::UserPool': 'UserPoolTags',
  'AWS::EFS::AccessPoint': 'AccessPointTags',
  'AWS::EFS::FileSystem': 'FileSystemTags',
  'AWS::Backup::BackupPlan': 'BackupPlanTags',
  'AWS::Backup::BackupVault': 'BackupVaultTags',
  'AWS::Backup::Framework': 'FrameworkTags',
  'AWS::Backup::LogicallyAirGappedBackupVault': 'BackupVaultTags',
  'AWS::Backup::ReportPlan': 'ReportPlanTags',
  'AWS::Budgets::Budget': 'ResourceTags',
}

/** Types that CloudFormation gives no tags: policies, associations, schedules, and parts of something tagged. */
const WITHOUT_TAGS = new Set([
  'AWS::ApplicationAutoScaling::ScalingPolicy',
  'AWS::Backup::BackupSelection',
  'AWS::Backup::RestoreTestingSelection',
  'AWS::Config::ConfigurationRecorder',
  'AWS::Config::DeliveryChannel',
  'AWS::EC2::Route',
  'AWS::EC2::SecurityGroupEgress',
  'AWS::EC2::SecurityGroupIngress',
  'AWS::EC2::SubnetRouteTableAssociation',
  'AWS::EC2::VPCGatewayAttachment',
  'AWS::Cognito::UserPoolClient',
  'AWS::Cognito::UserPoolDomain',
  'AWS::EFS::MountTarget',
  'AWS::Glue::Database',
  'AWS::Glue::Table',
  'AWS::IAM::ManagedPolicy',
  'AWS::IAM::Policy',
  'AWS::KMS::Alias',
  'AWS::Logs::MetricFilter',
  'AWS::Logs::ResourcePolicy',
  'AWS::S3::BucketPolicy',
  'AWS::SecretsManager::ResourcePolicy',
  'AWS::SecretsManager::RotationSchedule',
  'AWS::SecretsManager::SecretTargetAttachment',
  'AWS::SecurityHub::Standard',
  'AWS::SNS::Subscription',
  'AWS::SNS::TopicPolicy',
  'AWS::WAFv2::LoggingConfiguration',
  'AWS::WAFv2::WebACLAssociation',
  'Custom::AkashiInstallation',
  'Custom::VpcRestrictDefaultSG',
])

function tagsOf(resource: Resource): Record<string, string> {
  const tags = resource.Properties[TAG_PROPERTY[resource.Type] ?? 'Tags']
  if (!Array.isArray(tags)) return tags ?? {}
  const entries = tags.map(({ Key, Value }) => [Key, Value])
  assert.equal(new Set(entries.map(([key]) => key)).size, entries.length)
  return Object.fromEntries(entries)
}

export const tagChecks: readonly Check[] = [
  {
    name: 'tags: project, environment, classification, backup and encryption on everything',
    verify: (template, { project, environment }) => {
      for (const resource of Object.values(template.resources)) {
        if (WITHOUT_TAGS.has(resource.Type)) continue
        const { Name, 'aws-cdk:subnet-name': _name, 'aws-cdk:subnet-type': _type, ...tags } = tagsOf(resource)
        assertSame(
          tags,
          {
            Project: project,
            Environment: environment,
            DataClassification: 'internal',
            BackupRequired: 'true',
            Encrypted: 'true',
          },
          `${resource.Type} ${pathOf(resource)}`,
        )
      }
    },
  },
]
