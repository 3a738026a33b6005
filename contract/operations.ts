import type { z } from 'zod'
import { accessReviewOperations } from './access-reviews.ts'
import { alarmOperations } from './alarms.ts'
import { apiKeyOperations } from './api-keys.ts'
import { approvalOperations } from './approvals.ts'
import { archiveOperations } from './archive.ts'
import { auditOperations } from './audit.ts'
import { backupOperations } from './backups.ts'
import { chatOperations } from './chat/index.ts'
import { costOperations } from './cost.ts'
import { crosscheckOperations } from './crosscheck.ts'
import { deliveryOperations } from './delivery.ts'
import { detectionOperations } from './detection.ts'
import { doctorOperations } from './doctor.ts'
import { evidenceOperations } from './evidence.ts'
import { jobOperations } from './jobs.ts'
import { keyOperations } from './keys.ts'
import { ledgerOperations } from './ledger.ts'
import { meOperations } from './me.ts'
import { policyOperations } from './policies.ts'
import { queryOperations } from './query.ts'
import { reportOperations } from './reports.ts'
import { roleOperations } from './roles.ts'
import { securityEventOperations } from './security-events.ts'
import { serviceAccountOperations } from './service-accounts.ts'
import { sessionOperations } from './session.ts'
import { systemOperations } from './system-status.ts'
import { userOperations } from './users.ts'

/** Every operation of the HTTP interface: what it takes and what it returns. */
export const operations = {
  ...systemOperations,
  ...sessionOperations,
  ...meOperations,
  ...roleOperations,
  ...apiKeyOperations,
  ...serviceAccountOperations,
  ...policyOperations,
  ...userOperations,
  ...accessReviewOperations,
  ...approvalOperations,
  ...auditOperations,
  ...ledgerOperations,
  ...evidenceOperations,
  ...crosscheckOperations,
  ...securityEventOperations,
  ...detectionOperations,
  ...deliveryOperations,
  ...archiveOperations,
  ...queryOperations,
  ...backupOperations,
  ...jobOperations,
  ...alarmOperations,
  ...doctorOperations,
  ...keyOperations,
  ...costOperations,
  ...reportOperations,
  ...chatOperations,
}

type Operations = typeof operations
export type OperationName = keyof Operations

/** A part of an operation as its sender gives it; undefined where the operation has none. */
type Sent<O extends OperationName, Part extends 'params' | 'query' | 'body'> =
  Operations[O] extends Readonly<Record<Part, infer Schema extends z.ZodType>> ? z.input<Schema> : undefined

export type ParamsOf<O extends OperationName> = Sent<O, 'params'>
export type QueryOf<O extends OperationName> = Sent<O, 'query'>
export type BodyOf<O extends OperationName> = Sent<O, 'body'>
export type ResponseOf<O extends OperationName> =
  Operations[O] extends Readonly<Record<'response', infer Schema extends z.ZodType>>
    ? z.output<Schema>
    : undefined
