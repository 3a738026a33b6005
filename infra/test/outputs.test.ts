import { describe, expect, test } from 'vitest'
import { addEnvironment } from '../lib/environment.ts'
import { prod } from '../parameter.ts'
import { idOf } from './checks/network.ts'
import { newApp, synthesize } from './support/synthesize.ts'
import type { Template } from './support/template.ts'

const template = synthesize(prod)['Data'] as Template

function output(name: string): unknown {
  return template.json.Outputs[name]?.Value
}

describe('what the stack hands on', () => {
  const cluster = idOf(template, template.only('AWS::RDS::DBCluster'))
  const endpoint = (attribute: string) => ({
    'Fn::Join': [
      '',
      [{ 'Fn::GetAtt': [cluster, attribute] }, ':', { 'Fn::GetAtt': [cluster, 'Endpoint.Port'] }],
    ],
  })

  test('endpoints of the writer and the readers', () => {
    expect(output('DatabaseEndpoint')).toEqual(endpoint('Endpoint.Address'))
    expect(output('DatabaseReadEndpoint')).toEqual(endpoint('ReadEndpoint.Address'))
  })

  test('the ARN of the secret, no password', () => {
    template.assertRefers(output('DatabaseSecretArn'), 'AWS::SecretsManager::SecretTargetAttachment', '')
    expect(JSON.stringify(template.json.Outputs)).not.toContain('resolve:secretsmanager')
  })

  test('the settings of security, as they are deployed', () => {
    const parts = (output('SecuritySettings') as { 'Fn::Join': [string, unknown[]] })['Fn::Join'][1]
    const settings = JSON.parse(parts.map((part) => (typeof part === 'string' ? part : 'REFERENCE')).join(''))
    const { Properties } = template.only('AWS::RDS::DBCluster')
    expect(settings).toEqual({
      storageEncrypted: Properties['StorageEncrypted'],
      storageKey: 'REFERENCE',
      iamAuthentication: Properties['EnableIAMDatabaseAuthentication'],
      deletionProtection: Properties['DeletionProtection'],
      backupRetentionDays: Properties['BackupRetentionPeriod'],
      backupWindow: Properties['PreferredBackupWindow'],
      maintenanceWindow: Properties['PreferredMaintenanceWindow'],
      logExports: Properties['EnableCloudwatchLogsExports'],
      securityGroups: ['REFERENCE'],
      crossCheck: true,
    })
  })

  test('the state machine that takes a snapshot', () => {
    template.assertRefers(output('SnapshotStateMachineArn'), 'AWS::StepFunctions::StateMachine', '')
  })

  test('the stack has cluster and secret for the stacks that build on it', () => {
    const stack = addEnvironment(newApp(), prod)
    expect(stack.cluster).toBe(stack.database.cluster)
    expect(stack.secret).toBe(stack.database.secret)
  })

  test('every stack is protected from termination', () => {
    const app = newApp()
    addEnvironment(app, prod)
    for (const { stackName, terminationProtection } of app.synth().stacks)
      expect(terminationProtection, stackName).toBe(true)
  })
})

test('another project has its own name in every text and tag', () => {
  const { Data } = synthesize({ ...prod, project: 'ChatApp' })
  const description = (type: string, path = '') => Data?.only(type, path).Properties['Description']
  expect(description('AWS::KMS::Key', 'Keys/Database')).toBe('ChatApp Aurora encryption key')
  expect(description('AWS::SecretsManager::Secret')).toBe('ChatApp Aurora database credentials')
  expect(JSON.stringify(Data?.json.Resources)).not.toMatch(/akashi-prod/)
})
