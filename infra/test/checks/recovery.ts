import assert from 'node:assert/strict'
import { environmentName, recoveryVaultName } from '../../lib/names.ts'
import type { EnvironmentParameter } from '../../lib/parameter.ts'
import { assertPolicy, type Check } from './check.ts'
import { administration, assertKey, throughServices } from './keys.ts'
import { tagChecks } from './tags.ts'
import { assertVault } from './vault.ts'

/** Checks of the vault in another region or, with `account`, in another account. */
function recoveryChecks(
  where: string,
  regionOf: (parameter: EnvironmentParameter) => string | undefined,
  accountOf: (parameter: EnvironmentParameter) => string | undefined,
): readonly Check[] {
  return [
    {
      name: `${where}: a vault in which nobody deletes a copy before its time`,
      verify: (template, parameter) => {
        const account = accountOf(parameter)
        const source = parameter.account
        assertVault(template.only('AWS::Backup::BackupVault'), {
          name: recoveryVaultName(environmentName(parameter)),
          retentionDays: parameter.backup.retentionDays,
          statements:
            account === source || source === undefined
              ? []
              : [
                  {
                    Sid: 'CopiesOfAccount',
                    Principal: { AWS: `arn:aws:iam::${source}:root` },
                    Action: ['backup:CopyIntoBackupVault'],
                  },
                ],
        })
      },
    },
    {
      name: `${where}: copies are under a key of that place, usable through AWS Backup and RDS only`,
      verify: (template, parameter) => {
        const { EncryptionKeyArn } = template.only('AWS::Backup::BackupVault').Properties
        template.assertRefers(EncryptionKeyArn, 'AWS::KMS::Key', 'Key', 'Arn')
        const key = template.only('AWS::KMS::Key')
        assertKey(key)
        const there = { ...parameter, account: accountOf(parameter) }
        assertPolicy(key.Properties['KeyPolicy'], [
          administration(there),
          ...throughServices(there, regionOf(parameter) ?? '', 'backup', 'rds'),
        ])
      },
    },
    {
      name: `${where}: an alias for the key`,
      verify: (template, parameter) => {
        const { AliasName, TargetKeyId } = template.only('AWS::KMS::Alias').Properties
        assert.equal(AliasName, `alias/${recoveryVaultName(environmentName(parameter))}`)
        template.assertRefers(TargetKeyId, 'AWS::KMS::Key', 'Key', 'Arn')
      },
    },
    ...tagChecks.map((check) => ({ ...check, name: `${where}: ${check.name}` })),
  ]
}

export const recoveryRegionChecks = recoveryChecks(
  'recovery region',
  ({ backup }) => backup.copyRegion,
  ({ account }) => account,
)

export const recoveryAccountChecks = recoveryChecks(
  'recovery account',
  ({ region }) => region,
  ({ backup }) => backup.copyAccount,
)
