/** What watches the account. */
import assert from 'node:assert/strict'
import type { SecurityParameter } from '../../lib/parameter.ts'
import type { Json } from '../support/template.ts'
import type { Check } from './check.ts'
import { complete, type ExactCheck, type Extent, exactly } from './exactly.ts'
import { administrationIn, serviceUse } from './key-settings.ts'
import { accessLogs, CLOSED, encryptedUnder, keptFor, loggedTo, policyOf } from './store.ts'
import { tagChecks } from './tags.ts'

const KEY = '<Key.Arn>'
const TRAIL = 'arn:aws:cloudtrail:<region>:<account>:trail/<name>'
const USE = ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*']

function created(what: keyof SecurityParameter): Extent {
  return { when: ({ security }) => security?.[what] === 'create' }
}

function allow(Sid: string, service: string, Action: Json, Resource: Json, StringEquals: Json): Json {
  const Principal = { Service: `${service}.amazonaws.com` }
  return { Action, Condition: { StringEquals }, Effect: 'Allow', Principal, Resource, Sid }
}

const ACCOUNT = { Condition: { StringEquals: { 'aws:SourceAccount': '<account>' } } }

function roleOf(service: string, more: Json = {}, condition: Json = ACCOUNT): Json {
  const Statement = [
    {
      Action: 'sts:AssumeRole',
      ...condition,
      Effect: 'Allow',
      Principal: { Service: `${service}.amazonaws.com` },
    },
  ]
  return { AssumeRolePolicyDocument: { Statement, Version: '2012-10-17' }, ...more }
}

const key: readonly ExactCheck[] = [
  exactly(
    'security: the key of the logs is rotated, and serves S3, CloudTrail, Config and CloudWatch Logs',
    'AWS::KMS::Key',
    'Key',
    {
      EnableKeyRotation: true,
      KeyPolicy: {
        Statement: [
          administrationIn('<account>'),
          ...serviceUse('<account>', ['s3', 'cloudtrail', 'config']),
          {
            Action: USE,
            Condition: {
              ArnLike: {
                'kms:EncryptionContext:aws:logs:arn': 'arn:aws:logs:<region>:<account>:log-group:*',
              },
            },
            Effect: 'Allow',
            Principal: { Service: 'logs.<region>.amazonaws.com' },
            Resource: '*',
            Sid: 'LogGroups',
          },
          allow('Trail', 'cloudtrail', ['kms:DescribeKey', 'kms:GenerateDataKey*'], '*', {
            'aws:SourceArn': TRAIL,
          }),
          allow('Config', 'config', ['kms:Decrypt', 'kms:GenerateDataKey'], '*', {
            'aws:SourceAccount': '<account>',
          }),
        ],
        Version: '2012-10-17',
      },
      PendingWindowInDays: 30,
      RotationPeriodInDays: 365,
    },
    { kept: true },
  ),
  exactly('security: the key has its alias', 'AWS::KMS::Alias', 'Key/Alias', {
    AliasName: 'alias/<name>/security',
    TargetKeyId: KEY,
  }),
]

const trail: readonly ExactCheck[] = [
  exactly(
    'trail: its bucket is encrypted, versioned, closed and kept for a year',
    'AWS::S3::Bucket',
    'Trail/Bucket',
    { ...encryptedUnder(KEY), ...CLOSED, ...loggedTo('trail'), ...keptFor(365) },
    { kept: true },
  ),
  exactly(
    'trail: this trail of CloudTrail alone writes its bucket',
    'AWS::S3::BucketPolicy',
    'Trail/Bucket/Policy',
    policyOf(
      'Trail/Bucket',
      allow('TrailAsks', 'cloudtrail', 's3:GetBucketAcl', '<Trail/Bucket.Arn>', { 'aws:SourceArn': TRAIL }),
      allow('TrailWrites', 'cloudtrail', 's3:PutObject', '<Trail/Bucket.Arn>/AWSLogs/<account>/*', {
        'aws:SourceArn': TRAIL,
        's3:x-amz-acl': 'bucket-owner-full-control',
      }),
    ),
  ),
  exactly(
    'trail: its log is encrypted and kept for a month',
    'AWS::Logs::LogGroup',
    'Trail/Log',
    { KmsKeyId: KEY, LogGroupName: '/<name>/trail', RetentionInDays: 30 },
    { kept: true },
  ),
  exactly('trail: a role of its own', 'AWS::IAM::Role', 'Trail/Role', roleOf('cloudtrail', {}, {})),
  exactly('trail: the role writes its log alone', 'AWS::IAM::ManagedPolicy', 'Trail/Role/Policy', {
    Path: '/',
    PolicyDocument: {
      Statement: [
        {
          Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          Effect: 'Allow',
          Resource: '<Trail/Log.Arn>',
        },
      ],
      Version: '2012-10-17',
    },
    Roles: ['<Trail/Role>'],
  }),
  exactly(
    'trail: data events of the archive, with digests; management events of all regions unless adopted',
    'AWS::CloudTrail::Trail',
    'Trail/Trail',
    ({ security }) => {
      const all = security?.cloudTrail === 'create'
      return {
        AdvancedEventSelectors: [
          ...(all
            ? [
                {
                  FieldSelectors: [{ Equals: ['Management'], Field: 'eventCategory' }],
                  Name: 'Who calls what',
                },
              ]
            : []),
          {
            FieldSelectors: [
              { Equals: ['Data'], Field: 'eventCategory' },
              { Equals: ['AWS::S3::Object'], Field: 'resources.type' },
              { Field: 'resources.ARN', StartsWith: ['arn:aws:s3:::<name>-archive-<account>/'] },
            ],
            Name: 'Objects of the archive',
          },
        ],
        CloudWatchLogsLogGroupArn: '<Trail/Log.Arn>',
        CloudWatchLogsRoleArn: '<Trail/Role.Arn>',
        EnableLogFileValidation: true,
        IncludeGlobalServiceEvents: all,
        IsLogging: true,
        IsMultiRegionTrail: all,
        KMSKeyId: KEY,
        S3BucketName: '<Trail/Bucket>',
        TrailName: '<name>',
      }
    },
  ),
]

const recorder: readonly ExactCheck[] = [
  exactly(
    'recorder: its bucket is encrypted, versioned, closed and kept for a year',
    'AWS::S3::Bucket',
    'Recorder/Bucket',
    { ...encryptedUnder(KEY), ...CLOSED, ...loggedTo('config'), ...keptFor(365) },
    { kept: true, ...created('config') },
  ),
  exactly(
    'recorder: the role of AWS Config alone writes its bucket',
    'AWS::S3::BucketPolicy',
    'Recorder/Bucket/Policy',
    policyOf(
      'Recorder/Bucket',
      {
        Action: ['s3:GetBucketAcl', 's3:ListBucket'],
        Effect: 'Allow',
        Principal: { AWS: '<Recorder/Role.Arn>' },
        Resource: '<Recorder/Bucket.Arn>',
        Sid: 'ConfigAsks',
      },
      {
        Action: 's3:PutObject',
        Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
        Effect: 'Allow',
        Principal: { AWS: '<Recorder/Role.Arn>' },
        Resource: '<Recorder/Bucket.Arn>/AWSLogs/<account>/Config/*',
        Sid: 'ConfigWrites',
      },
    ),
    created('config'),
  ),
  exactly(
    'recorder: a role of its own, with the policy of AWS for reading settings',
    'AWS::IAM::Role',
    'Recorder/Role',
    roleOf('config', { ManagedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AWS_ConfigRole'] }),
    created('config'),
  ),
  exactly(
    'recorder: the role uses the key',
    'AWS::IAM::ManagedPolicy',
    'Recorder/Role/Policy',
    {
      Path: '/',
      PolicyDocument: {
        Statement: [{ Action: ['kms:Decrypt', 'kms:GenerateDataKey'], Effect: 'Allow', Resource: KEY }],
        Version: '2012-10-17',
      },
      Roles: ['<Recorder/Role>'],
    },
    created('config'),
  ),
  exactly(
    'recorder: records every kind of resource, global ones too',
    'AWS::Config::ConfigurationRecorder',
    'Recorder/Recorder',
    {
      Name: '<name>',
      RecordingGroup: { AllSupported: true, IncludeGlobalResourceTypes: true },
      RoleARN: '<Recorder/Role.Arn>',
    },
    created('config'),
  ),
  exactly(
    'recorder: delivers under the key every day',
    'AWS::Config::DeliveryChannel',
    'Recorder/Channel',
    {
      ConfigSnapshotDeliveryProperties: { DeliveryFrequency: 'TwentyFour_Hours' },
      Name: '<name>',
      S3BucketName: '<Recorder/Bucket>',
      S3KmsKeyArn: KEY,
    },
    created('config'),
  ),
]

/** By what they watch. */
const RULES = `
  RDS_CLUSTER_ENCRYPTED_AT_REST RDS_AURORA_POSTGRESQL_LOGS_TO_CLOUDWATCH RDS_CLUSTER_IAM_AUTHENTICATION_ENABLED
  RDS_CLUSTER_DELETION_PROTECTION_ENABLED RDS_CLUSTER_DEFAULT_ADMIN_CHECK RDS_INSTANCE_PUBLIC_ACCESS_CHECK
  RDS_ENHANCED_MONITORING_ENABLED RDS_AUTOMATIC_MINOR_VERSION_UPGRADE_ENABLED RDS_SNAPSHOT_ENCRYPTED
  RDS_SNAPSHOTS_PUBLIC_PROHIBITED
  CMK_BACKING_KEY_ROTATION_ENABLED KMS_CMK_NOT_SCHEDULED_FOR_DELETION SECRETSMANAGER_USING_CMK
  SECRETSMANAGER_SCHEDULED_ROTATION_SUCCESS_CHECK
  AURORA_RESOURCES_PROTECTED_BY_BACKUP_PLAN AURORA_LAST_BACKUP_RECOVERY_POINT_CREATED
  EFS_RESOURCES_PROTECTED_BY_BACKUP_PLAN BACKUP_RECOVERY_POINT_ENCRYPTED
  BACKUP_RECOVERY_POINT_MANUAL_DELETION_DISABLED
  S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED S3_BUCKET_PUBLIC_READ_PROHIBITED S3_BUCKET_PUBLIC_WRITE_PROHIBITED
  S3_BUCKET_ACL_PROHIBITED S3_BUCKET_SERVER_SIDE_ENCRYPTION_ENABLED S3_BUCKET_SSL_REQUESTS_ONLY
  S3_BUCKET_VERSIONING_ENABLED
  VPC_FLOW_LOGS_ENABLED VPC_DEFAULT_SECURITY_GROUP_CLOSED INCOMING_SSH_DISABLED
  SUBNET_AUTO_ASSIGN_PUBLIC_IP_DISABLED
  ECS_CONTAINERS_NONPRIVILEGED ECS_CONTAINERS_READONLY_ACCESS ECS_CONTAINER_INSIGHTS_ENABLED
  ECS_NO_ENVIRONMENT_SECRETS ECS_TASK_DEFINITION_LOG_CONFIGURATION ECS_TASK_DEFINITION_PID_MODE_CHECK
  ECR_PRIVATE_IMAGE_SCANNING_ENABLED ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED EFS_ACCESS_POINT_ENFORCE_ROOT_DIRECTORY
  EFS_ACCESS_POINT_ENFORCE_USER_IDENTITY EFS_ENCRYPTED_CHECK ELASTICACHE_REPL_GRP_ENCRYPTED_AT_REST
  ELASTICACHE_REPL_GRP_ENCRYPTED_IN_TRANSIT
  ALB_HTTP_DROP_INVALID_HEADER_ENABLED ALB_WAF_ENABLED ELB_DELETION_PROTECTION_ENABLED ELB_LOGGING_ENABLED
  WAFV2_LOGGING_ENABLED
  CLOUDWATCH_LOG_GROUP_ENCRYPTED SNS_ENCRYPTED_KMS
  CLOUD_TRAIL_ENABLED CLOUD_TRAIL_ENCRYPTION_ENABLED CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED
  MULTI_REGION_CLOUD_TRAIL_ENABLED CLOUDTRAIL_S3_DATAEVENTS_ENABLED GUARDDUTY_ENABLED_CENTRALIZED
  SECURITYHUB_ENABLED IAM_EXTERNAL_ACCESS_ANALYZER_ENABLED
  RDS_CLUSTER_MULTI_AZ_ENABLED`
  .trim()
  .split(/\s+/)

/** Its text is JSON, of which every rule is compared. */
const pack: ExactCheck = {
  name: 'conformance: a rule for every setting that AWS Config has one for, and for the guards',
  covers: (template) => template.ofType('AWS::Config::ConformancePack'),
  verify: (template, parameter) => {
    const { Properties } = template.only('AWS::Config::ConformancePack', 'Conformance')
    const { TemplateBody, Tags, ...others } = Properties
    const name = `${parameter.project.toLowerCase()}-${parameter.environment}`
    assert.deepEqual(others, { ConformancePackName: name })
    const { Resources, ...rest } = JSON.parse(TemplateBody)
    assert.deepEqual(rest, {})
    const rules = Object.values<Json>(Resources).map(({ Type, Properties: rule }) => {
      const { ConfigRuleName, Source } = rule
      assert.deepEqual(
        [Type, Object.keys(rule), Source.Owner],
        ['AWS::Config::ConfigRule', ['ConfigRuleName', 'Source'], 'AWS'],
      )
      const identifier: string = Source.SourceIdentifier
      assert.equal(ConfigRuleName, `${name}-${identifier.toLowerCase().replaceAll('_', '-')}`)
      return identifier
    })
    assert.deepEqual(rules.toSorted(), RULES.toSorted())
  },
}

const standards = {
  Fsbp: 'aws-foundational-security-best-practices/v/1.0.0',
  Cis: 'cis-aws-foundations-benchmark/v/5.0.0',
  Nist: 'nist-800-53/v/5.0.0',
}

const services: readonly ExactCheck[] = [
  exactly(
    'Security Hub: one finding for each control, all controls',
    'AWS::SecurityHub::Hub',
    'Hub',
    { AutoEnableControls: true, ControlFindingGenerator: 'SECURITY_CONTROL', EnableDefaultStandards: false },
    created('securityHub'),
  ),
  ...Object.entries(standards).map(([id, path]) =>
    exactly(
      `Security Hub: the standard ${path}`,
      'AWS::SecurityHub::Standard',
      id,
      { StandardsArn: `arn:aws:securityhub:<region>::standards/${path}` },
      created('securityHub'),
    ),
  ),
  exactly(
    'GuardDuty: sign-ins to the database, data events of S3, traffic of functions',
    'AWS::GuardDuty::Detector',
    'Detector',
    {
      Enable: true,
      Features: [
        { Name: 'RDS_LOGIN_EVENTS', Status: 'ENABLED' },
        { Name: 'S3_DATA_EVENTS', Status: 'ENABLED' },
        { Name: 'LAMBDA_NETWORK_LOGS', Status: 'ENABLED' },
        { Name: 'EBS_MALWARE_PROTECTION', Status: 'DISABLED' },
        { Name: 'EKS_AUDIT_LOGS', Status: 'DISABLED' },
        { Name: 'RUNTIME_MONITORING', Status: 'DISABLED' },
      ],
      FindingPublishingFrequency: 'FIFTEEN_MINUTES',
    },
    created('guardDuty'),
  ),
  exactly(
    'Access Analyzer: what others outside the account reach',
    'AWS::AccessAnalyzer::Analyzer',
    'Analyzer',
    { AnalyzerName: '<name>', Type: 'ACCOUNT' },
    created('accessAnalyzer'),
  ),
]

const logs = accessLogs(
  'security',
  () => '<account>',
  ({ security }) => ({
    trail: 'Trail/Bucket',
    ...(security?.config === 'create' ? { config: 'Recorder/Bucket' } : {}),
  }),
)

const exact: readonly ExactCheck[] = [...key, ...logs, ...trail, ...recorder, pack, ...services]

export const securityChecks: readonly Check[] = [...exact, complete(exact), ...tagChecks]
