import assert from 'node:assert/strict'
import type { Resource } from '../support/template.ts'
import { assertKept, assertPolicy, type Statement } from './check.ts'

const NOBODY_DELETES: Statement = {
  Effect: 'Deny',
  Principal: { AWS: '*' },
  Action: ['backup:DeleteRecoveryPoint', 'backup:UpdateRecoveryPointLifecycle'],
}

/** What holds for a vault, of whichever stack. */
export function assertVault(
  vault: Resource,
  expected: { name: string; retentionDays: number; statements?: Statement[] },
): void {
  const { BackupVaultName, LockConfiguration, AccessPolicy } = vault.Properties
  assert.equal(BackupVaultName, expected.name)
  assert.deepEqual(LockConfiguration, { MinRetentionDays: expected.retentionDays, MaxRetentionDays: 365 })
  assertPolicy(AccessPolicy, [...(expected.statements ?? []), NOBODY_DELETES])
  assertKept(vault)
}
