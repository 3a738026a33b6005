import assert from 'node:assert/strict'
import { environmentName } from '../../lib/names.ts'
import { type Json, pathOf, type Template } from '../support/template.ts'
import { assertKept, assertPolicy, type Check, rootOf } from './check.ts'

const EXCLUDED = '"@/\\\''

function secret(template: Template): Record<string, Json> {
  return template.only('AWS::SecretsManager::Secret').Properties
}

function rotation(template: Template): Record<string, Json> {
  return template.only('AWS::SecretsManager::RotationSchedule').Properties
}

export const secretChecks: readonly Check[] = [
  {
    name: 'secret: the description of the database credentials',
    verify: (template, { project }) => {
      assert.equal(secret(template)['Description'], `${project} Aurora database credentials`)
    },
  },
  {
    name: 'secret: 32 characters, without space, quotes, @ and slashes, for an administrator of its own',
    verify: (template) => {
      assert.deepEqual(secret(template)['GenerateSecretString'], {
        SecretStringTemplate: '{"username":"akashi_admin"}',
        GenerateStringKey: 'password',
        PasswordLength: 32,
        IncludeSpace: false,
        ExcludeCharacters: EXCLUDED,
      })
    },
  },
  {
    name: 'secret: under the secrets key, kept when the stack goes',
    verify: (template) => {
      template.assertRefers(secret(template)['KmsKeyId'], 'AWS::KMS::Key', 'Keys/Secrets', 'Arn')
      assertKept(template.only('AWS::SecretsManager::Secret'))
    },
  },
  {
    name: 'secret: knows the cluster that it opens',
    verify: (template) => {
      const { SecretId, TargetId, TargetType } = template.only(
        'AWS::SecretsManager::SecretTargetAttachment',
      ).Properties
      template.assertRefers(SecretId, 'AWS::SecretsManager::Secret', '')
      template.assertRefers(TargetId, 'AWS::RDS::DBCluster', '')
      assert.equal(TargetType, 'AWS::RDS::DBCluster')
    },
  },
  {
    name: 'secret: rotated every 30 days',
    verify: (template) => {
      assert.deepEqual(rotation(template)['RotationRules'], { ScheduleExpression: 'rate(30 days)' })
      template.assertRefers(rotation(template)['SecretId'], 'AWS::SecretsManager::SecretTargetAttachment', '')
    },
  },
  {
    name: 'secret: rotated by the function of Secrets Manager, with the same alphabet and key, whose log is ours',
    verify: (template, parameter) => {
      const { RotationType, ExcludeCharacters, KmsKeyArn, RotationLambdaName } =
        rotation(template)['HostedRotationLambda']
      assert.deepEqual([RotationType, ExcludeCharacters], ['PostgreSQLSingleUser', EXCLUDED])
      assert.equal(RotationLambdaName, `${environmentName(parameter)}-rotation`)
      template.assertRefers(KmsKeyArn, 'AWS::KMS::Key', 'Keys/Secrets', 'Arn')
      assert.equal(template.json.Transform, 'AWS::SecretsManager-2024-09-16')
    },
  },
  {
    name: 'secret: rotated from the compute subnets, behind a security group of its own',
    verify: (template, { network }) => {
      const { VpcSecurityGroupIds, VpcSubnetIds } = rotation(template)['HostedRotationLambda']
      template.assertRefers(
        VpcSecurityGroupIds,
        'AWS::EC2::SecurityGroup',
        'Database/RotationSecurityGroup',
        'GroupId',
      )
      const parts: Json[] = VpcSubnetIds['Fn::Join'][1]
      const subnets = parts.filter((part) => part !== ',').map((part) => pathOf(template.referred(part)))
      assert.equal(new Set(subnets).size, network.availabilityZones.length)
      for (const path of subnets) assert.match(path, /\/ComputeSubnet\d\/Subnet$/)
    },
  },
  {
    name: 'secret: nobody of the account deletes it while it rotates',
    verify: (template, parameter) => {
      const { SecretId, ResourcePolicy } = template.only('AWS::SecretsManager::ResourcePolicy').Properties
      template.assertRefers(SecretId, 'AWS::SecretsManager::Secret', '')
      assertPolicy(ResourcePolicy, [
        { Effect: 'Deny', Principal: rootOf(parameter), Action: ['secretsmanager:DeleteSecret'] },
      ])
    },
  },
]
