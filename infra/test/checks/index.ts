import { auditChecks } from './audit.ts'
import { backupChecks, restoreTestChecks, snapshotChecks } from './backup.ts'
import { bucketChecks } from './buckets.ts'
import type { Check } from './check.ts'
import { databaseChecks } from './database.ts'
import { endpointChecks } from './endpoints.ts'
import { keyChecks } from './keys.ts'
import { logChecks } from './logs.ts'
import { networkChecks } from './network.ts'
import { recoveryAccountChecks, recoveryRegionChecks } from './recovery.ts'
import { roleChecks } from './roles.ts'
import { secretChecks } from './secret.ts'
import { securityGroupChecks } from './security-groups.ts'
import { tagChecks } from './tags.ts'
import { typeChecks } from './types.ts'

export type { Check }

/** Checks that need a network of the environment's own. */
export const ownNetworkChecks: readonly Check[] = [
  ...networkChecks,
  ...endpointChecks,
  ...securityGroupChecks,
]

/** Stack → the checks of it. */
export const checks: Readonly<Record<string, readonly Check[]>> = {
  Data: [
    ...keyChecks,
    ...ownNetworkChecks,
    ...databaseChecks,
    ...secretChecks,
    ...logChecks,
    ...roleChecks,
    ...backupChecks,
    ...snapshotChecks,
    ...restoreTestChecks,
    ...auditChecks,
    ...bucketChecks,
    ...tagChecks,
    ...typeChecks,
  ],
  RecoveryRegion: [...recoveryRegionChecks, ...typeChecks],
  RecoveryAccount: [...recoveryAccountChecks, ...typeChecks],
}
