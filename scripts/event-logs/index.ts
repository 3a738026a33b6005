import { generateCloudTrailLog, generateJsonLog, generateOcsfLog } from './json-formats.ts'
import type { LogGenerator } from './log.ts'
import { generateSshdLog } from './sshd.ts'

export type { Expectation, LogGenerator } from './log.ts'
export { SSHD_LOG_TIMEZONE, SSHD_LOG_YEAR } from './sshd.ts'

/** By the format names of `akashi ingest`. */
export const logGenerators = {
  sshd: generateSshdLog,
  json: generateJsonLog,
  ocsf: generateOcsfLog,
  cloudtrail: generateCloudTrailLog,
} as const satisfies Record<string, LogGenerator>
