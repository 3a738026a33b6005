import { archiveChecks } from './archive.ts'
import { auditChecks } from './audit.ts'
import { backupChecks, restoreTestChecks, snapshotChecks } from './backup.ts'
import { bucketChecks } from './buckets.ts'
import type { Check } from './check.ts'
import { databaseChecks } from './database.ts'
import { endpointChecks } from './endpoints.ts'
import { imageChecks } from './images.ts'
import { keyChecks } from './keys.ts'
import { logChecks } from './logs.ts'
import { monitoringChecks } from './monitoring.ts'
import { networkChecks } from './network.ts'
import { recoveryAccountChecks, recoveryRegionChecks } from './recovery.ts'
import { roleChecks } from './roles.ts'
import { secretChecks } from './secret.ts'
import { securityChecks } from './security.ts'
import { securityGroupChecks } from './security-groups.ts'
import { serviceChecks } from './service.ts'
import { tagChecks } from './tags.ts'
import { typeChecks } from './types.ts'
import { witnessChecks } from './witness.ts'

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
  Archive: archiveChecks,
  Images: imageChecks,
  Monitoring: monitoringChecks,
  Security: securityChecks,
  Service: serviceChecks,
  Witness: witnessChecks,
  RecoveryRegion: [...recoveryRegionChecks, ...typeChecks],
  RecoveryAccount: [...recoveryAccountChecks, ...typeChecks],
}
