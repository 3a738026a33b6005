import assert from 'node:assert/strict'
import { environmentName } from '../../lib/names.ts'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { pathOf, type Template } from '../support/template.ts'
import { assertKept, type Check } from './check.ts'

function expectedNames(parameter: EnvironmentParameter): Record<string, string> {
  const name = environmentName(parameter)
  return {
    'Network/FlowLogs': `/${name}/flow-logs`,
    'Network/DefaultSecurityGroupLog': `/${name}/default-security-group`,
    'Database/Log-postgresql': `/aws/rds/cluster/${name}/postgresql`,
    'Database/Log-iam-db-auth-error': `/aws/rds/cluster/${name}/iam-db-auth-error`,
    'Database/RotationLog': `/aws/lambda/${name}-rotation`,
    'Database/EventLog': `/aws/events/${name}/rds`,
    'Backup/Snapshot/Log': `/aws/vendedlogs/states/${name}-snapshot`,
  }
}

export const logChecks: readonly Check[] = [
  {
    name: 'logs: one month, under the log key, kept when the stack goes',
    verify: (template) => {
      for (const group of template.ofType('AWS::Logs::LogGroup')) {
        assert.equal(group.Properties['RetentionInDays'], 30)
        template.assertRefers(group.Properties['KmsKeyId'], 'AWS::KMS::Key', 'Keys/Logs', 'Arn')
        assertKept(group)
      }
    },
  },
  {
    name: 'logs: named as the service that writes them expects',
    verify: (template, parameter) => {
      const names = template
        .ofType('AWS::Logs::LogGroup')
        .map((group) => [pathOf(group), group.Properties['LogGroupName']])
      assert.deepEqual(Object.fromEntries(names), expectedNames(parameter))
    },
  },
  {
    name: 'logs: the function that empties the default security group writes to its encrypted log',
    verify: (template) => {
      const { LoggingConfig } = template.only('AWS::Lambda::Function').Properties
      template.assertRefers(LoggingConfig.LogGroup, 'AWS::Logs::LogGroup', 'Network/DefaultSecurityGroupLog')
      const [before, ...more] = template.only('Custom::VpcRestrictDefaultSG').DependsOn ?? []
      assert.deepEqual(more, [])
      template.assertRefers({ Ref: before }, 'AWS::Logs::LogGroup', 'Network/DefaultSecurityGroupLog')
    },
  },
  {
    name: 'events: what RDS reports of this environment goes to its log',
    verify: (template, parameter) => {
      const { Properties, DependsOn } = template.only('AWS::Events::Rule')
      assert.equal(DependsOn?.length, 1)
      template.assertRefers({ Ref: DependsOn[0] }, 'AWS::Logs::ResourcePolicy', '')
      assert.equal(Properties['State'], 'ENABLED')
      assert.deepEqual(Properties['EventPattern'], {
        source: ['aws.rds'],
        'detail-type': [
          'RDS DB Cluster Event',
          'RDS DB Instance Event',
          'RDS DB Cluster Snapshot Event',
          'RDS DB Parameter Group Event',
        ],
        detail: { SourceIdentifier: [{ wildcard: `*${environmentName(parameter)}*` }] },
      })
      const [target, ...more] = Properties['Targets']
      assert.equal(more.length, 0)
      template.assertRefers(target.Arn, 'AWS::Logs::LogGroup', 'Database/EventLog', 'Arn')
    },
  },
  {
    name: 'events: EventBridge may write to that log group and no other',
    verify: (template: Template) => {
      const { PolicyDocument } = template.only('AWS::Logs::ResourcePolicy').Properties
      const [before, group, after] = PolicyDocument['Fn::Join'][1]
      template.assertRefers(group, 'AWS::Logs::LogGroup', 'Database/EventLog', 'Arn')
      assert.deepEqual(JSON.parse(`${before}GROUP${after}`), {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { Service: ['events.amazonaws.com', 'delivery.logs.amazonaws.com'] },
            Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
            Resource: 'GROUP',
          },
        ],
      })
    },
  },
]
