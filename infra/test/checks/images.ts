import type { Json } from '../support/template.ts'
import type { Check } from './check.ts'
import { complete, exactly } from './exactly.ts'
import { administrationIn, serviceUse } from './key-settings.ts'
import { tagChecks } from './tags.ts'

const KEPT = {
  rules: [
    {
      rulePriority: 1,
      selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 50 },
      action: { type: 'expire' },
    },
  ],
}

function repository(RepositoryName: string): Record<string, Json> {
  return {
    EncryptionConfiguration: { EncryptionType: 'KMS', KmsKey: '<Key.Arn>' },
    ImageScanningConfiguration: { ScanOnPush: true },
    ImageTagMutability: 'IMMUTABLE',
    LifecyclePolicy: { LifecyclePolicyText: JSON.stringify(KEPT) },
    RepositoryName,
  }
}

const exact = [
  exactly(
    'images: their key is rotated and serves the registry alone',
    'AWS::KMS::Key',
    'Key',
    {
      EnableKeyRotation: true,
      KeyPolicy: {
        Statement: [administrationIn('<account>'), ...serviceUse('<account>', ['ecr'])],
        Version: '2012-10-17',
      },
      PendingWindowInDays: 30,
      RotationPeriodInDays: 365,
    },
    { kept: true },
  ),
  exactly('images: the key has its alias', 'AWS::KMS::Alias', 'Key/Alias', {
    AliasName: 'alias/<name>/images',
    TargetKeyId: '<Key.Arn>',
  }),
  exactly(
    'images: a tag means one image for ever, encrypted and scanned when it is pushed',
    'AWS::ECR::Repository',
    'Repository',
    repository('<name>'),
    { kept: true },
  ),
  exactly(
    'images: so it does for the collector, where there are traces',
    'AWS::ECR::Repository',
    'Collector',
    repository('<name>-collector'),
    { kept: true, when: ({ service }) => service.tracing !== undefined },
  ),
]

export const imageChecks: readonly Check[] = [...exact, complete(exact), ...tagChecks]
