import assert from 'node:assert/strict'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { type Json, pathOf, type Resource, type Template } from '../support/template.ts'
import { accountOf, assertPolicy, type Check, type Statement, withAccount } from './check.ts'
import { idOf } from './network.ts'

const DEFAULT_GROUP_ROLE = 'Custom::VpcRestrictDefaultSGCustomResourceProvider/Role'

interface ExpectedRole {
  readonly service: string
  /** Policy of AWS below `service-role/`. */
  readonly awsPolicy?: string
}

/** Path of a role → who takes it and by which policy of AWS. */
function expectedRoles({ backup }: EnvironmentParameter): Record<string, ExpectedRole> {
  return {
    'Network/FlowLogsRole': { service: 'vpc-flow-logs' },
    'Database/MonitoringRole': { service: 'monitoring.rds', awsPolicy: 'AmazonRDSEnhancedMonitoringRole' },
    'Backup/Role': { service: 'backup', awsPolicy: 'AWSBackupServiceRolePolicyForBackup' },
    'Backup/Snapshot/Role': { service: 'states' },
    ...(backup.audit
      ? {
          'Backup/RestoreTest/Role': {
            service: 'backup',
            awsPolicy: 'AWSBackupServiceRolePolicyForRestores',
          },
        }
      : {}),
  }
}

function assumedBy(service: string, condition?: Json): Statement {
  const Principal = { Service: `${service}.amazonaws.com` }
  return { Principal, Action: ['sts:AssumeRole'], Resource: undefined, Condition: condition }
}

function policyOf(template: Template, path: string): Resource {
  const policy = template.only('AWS::IAM::ManagedPolicy', `${path}/Policy`)
  const [role, ...more] = policy.Properties['Roles']
  assert.equal(more.length, 0)
  template.assertRefers(role, 'AWS::IAM::Role', path)
  return policy
}

export const roleChecks: readonly Check[] = [
  {
    name: 'roles: each for one service, on behalf of this account only',
    verify: (template, parameter) => {
      const expected = expectedRoles(parameter)
      const roles = template.ofType('AWS::IAM::Role').filter((role) => pathOf(role) !== DEFAULT_GROUP_ROLE)
      assert.deepEqual(roles.map(pathOf).toSorted(), Object.keys(expected).toSorted())
      for (const role of roles) {
        const { service, awsPolicy } = expected[pathOf(role)] as ExpectedRole
        const fromAccount = { StringEquals: { 'aws:SourceAccount': accountOf(parameter) } }
        assertPolicy(role.Properties['AssumeRolePolicyDocument'], [assumedBy(service, fromAccount)])
        const policies =
          awsPolicy === undefined
            ? undefined
            : [
                {
                  'Fn::Join': [
                    '',
                    ['arn:', { Ref: 'AWS::Partition' }, `:iam::aws:policy/service-role/${awsPolicy}`],
                  ],
                },
              ]
        assert.deepEqual(role.Properties['ManagedPolicyArns'], policies)
        assert.equal(role.Properties['Policies'], undefined)
      }
    },
  },
  {
    name: 'roles: policies are attached to the role that they are for',
    verify: (template) => {
      const paths = template
        .ofType('AWS::IAM::ManagedPolicy')
        .map((policy) => pathOf(policy).replace(/\/Policy$/, ''))
      assert.deepEqual(paths.toSorted(), ['Backup/Snapshot/Role', 'Network/FlowLogsRole'])
      for (const path of paths) policyOf(template, path)
    },
  },
  {
    name: 'roles: flow logs may be written to their log group only',
    verify: (template) => {
      const group = template.only('AWS::Logs::LogGroup', 'Network/FlowLogs')
      assertPolicy(policyOf(template, 'Network/FlowLogsRole').Properties['PolicyDocument'], [
        {
          Action: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
          Resource: { 'Fn::GetAtt': [idOf(template, group), 'Arn'] },
        },
      ])
    },
  },
  {
    name: 'roles: the snapshot may start a backup into the vault, as the role of AWS Backup',
    verify: (template) => {
      const vault = template.only('AWS::Backup::BackupVault')
      const role = template.only('AWS::IAM::Role', 'Backup/Role')
      assertPolicy(policyOf(template, 'Backup/Snapshot/Role').Properties['PolicyDocument'], [
        {
          Action: ['backup:StartBackupJob'],
          Resource: { 'Fn::GetAtt': [idOf(template, vault), 'BackupVaultArn'] },
        },
        {
          Action: ['iam:PassRole'],
          Resource: { 'Fn::GetAtt': [idOf(template, role), 'Arn'] },
          Condition: { StringEquals: { 'iam:PassedToService': 'backup.amazonaws.com' } },
        },
        {
          Action: [
            'backup:DescribeBackupJob',
            ...[
              'CreateLogDelivery DeleteLogDelivery DescribeLogGroups DescribeResourcePolicies',
              'GetLogDelivery ListLogDeliveries PutResourcePolicy UpdateLogDelivery',
            ].flatMap((names) => names.split(' ').map((name) => `logs:${name}`)),
            ...['GetSamplingRules', 'GetSamplingTargets', 'PutTelemetryRecords', 'PutTraceSegments'].map(
              (name) => `xray:${name}`,
            ),
          ],
        },
      ])
    },
  },
  {
    name: 'roles: the function of the CDK may empty the default security group and write its log',
    verify: (template, parameter) => {
      const { Properties } = template.only('AWS::IAM::Role', DEFAULT_GROUP_ROLE)
      assertPolicy(Properties['AssumeRolePolicyDocument'], [assumedBy('lambda')])
      assert.deepEqual(Properties['ManagedPolicyArns'], [
        // biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation fills it in.
        { 'Fn::Sub': 'arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole' },
      ])
      const [policy, ...more] = Properties['Policies']
      assert.equal(more.length, 0)
      const vpc = idOf(template, template.only('AWS::EC2::VPC'))
      const group = { 'Fn::GetAtt': [vpc, 'DefaultSecurityGroup'] }
      const prefix = withAccount(parameter, `arn:aws:ec2:${parameter.region}:`, ':security-group/')
      const Resource = {
        'Fn::Join': ['', typeof prefix === 'string' ? [prefix, group] : [...prefix['Fn::Join'][1], group]],
      }
      assertPolicy(policy.PolicyDocument, [
        {
          Action: ['Authorize', 'Revoke'].flatMap((verb) =>
            ['Ingress', 'Egress'].map((direction) => `ec2:${verb}SecurityGroup${direction}`),
          ),
          Resource,
        },
      ])
    },
  },
  {
    name: 'roles: the function of the CDK takes its own role',
    verify: (template) => {
      const { Properties } = template.only('AWS::Lambda::Function')
      template.assertRefers(Properties['Role'], 'AWS::IAM::Role', DEFAULT_GROUP_ROLE, 'Arn')
      assert.deepEqual(Object.keys(Properties).toSorted(), [
        'Code',
        'Description',
        'Handler',
        'LoggingConfig',
        'MemorySize',
        'Role',
        'Runtime',
        'Tags',
        'Timeout',
      ])
    },
  },
]
