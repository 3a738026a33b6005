import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { keyPolicy, useThroughServices } from '../construct/key-policy.ts'
import { customerKey } from '../construct/keys.ts'
import { vault } from '../construct/vault.ts'
import { recoveryVaultName } from '../names.ts'

export interface RecoveryStackProps extends StackProps {
  readonly project: string
  /** Of the environment. */
  readonly name: string
  readonly retentionDays: number
  /** The account of the database, where it is another one. */
  readonly copiesFrom?: string
}

/** The vault, under a key of its own, for copies in another region or account. Deployed before the data stack. */
export class RecoveryStack extends Stack {
  constructor(scope: Construct, id: string, props: RecoveryStackProps) {
    super(scope, id, props)
    const name = recoveryVaultName(props.name)
    const key = customerKey(this, 'Key', {
      alias: name,
      description: `${props.project} recovery encryption key`,
      policy: keyPolicy(...useThroughServices(this, 'backup', 'rds')),
    })
    const { backupVaultArn } = vault(this, 'Vault', { ...props, name, key })
    new CfnOutput(this, 'VaultArn', { value: backupVaultArn, description: 'Vault that the copies go to' })
  }
}
