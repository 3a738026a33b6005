/** Whoever encrypts with a key may use it: a service that the policy leaves out fails when it is deployed, not before. */
import { describe, expect, test } from 'vitest'
import { prod } from '../parameter.ts'
import { readable } from './support/readable.ts'
import { type Stacks, synthesize } from './support/synthesize.ts'
import { type Json, pathOf } from './support/template.ts'

/** Type → the service through which it uses its key. */
const THROUGH: Readonly<Record<string, string>> = {
  'AWS::Backup::BackupVault': 'backup',
  'AWS::CloudTrail::Trail': 'cloudtrail',
  'AWS::Config::DeliveryChannel': 'config',
  'AWS::ECR::Repository': 'ecr',
  'AWS::EFS::FileSystem': 'elasticfilesystem',
  'AWS::ElastiCache::ReplicationGroup': 'elasticache',
  'AWS::Logs::LogGroup': 'logs',
  'AWS::RDS::DBCluster': 'rds',
  'AWS::RDS::DBInstance': 'rds',
  'AWS::S3::Bucket': 's3',
  'AWS::Athena::WorkGroup': 's3',
  'AWS::SecretsManager::RotationSchedule': 'secretsmanager',
  'AWS::SecretsManager::Secret': 'secretsmanager',
  'AWS::SNS::Topic': 'sns',
}
/** Types that name a key and do not encrypt with it. */
const NAMING = new Set(['AWS::IAM::ManagedPolicy', 'AWS::KMS::Alias', 'AWS::S3::BucketPolicy'])

interface Use {
  readonly what: string
  readonly key: string
  readonly service: string | undefined
}

function usesIn(stacks: Stacks): Use[] {
  return Object.entries(stacks).flatMap(([stack, template]) =>
    Object.values(template.resources).flatMap((resource) => {
      if (NAMING.has(resource.Type)) return []
      const text = JSON.stringify(readable(template, prod, resource.Properties ?? {}))
      const keys = [...text.matchAll(/<(?:(\w+): )?((?:Topic\/)?Keys?(?:\/\w+)?)\.Arn>/g)]
      return [...new Set(keys.map(([, from = stack, path]) => `${from}: ${path}`))].map((key) => ({
        what: `${stack}: ${resource.Type} ${pathOf(resource)}`,
        key,
        service: THROUGH[resource.Type],
      }))
    }),
  )
}

describe('keys', () => {
  const stacks = synthesize(prod)
  const uses = usesIn(stacks)

  test('are used', () => expect(uses.length).toBeGreaterThan(30))

  test.each(uses)('$key serves $what', ({ key, service }) => {
    expect(service).toBeDefined()
    const [stack = '', path] = key.split(': ')
    const template = stacks[stack]
    const { KeyPolicy } = template?.only('AWS::KMS::Key', path).Properties ?? {}
    const admitted = KeyPolicy.Statement.flatMap(({ Condition, Principal }: Json) => [
      ...[Condition?.StringEquals?.['kms:ViaService'] ?? []].flat(),
      ...[Principal?.Service ?? []].flat(),
    ])
    expect(admitted.map((one: string) => one.split('.')[0])).toContain(service)
  })
})
