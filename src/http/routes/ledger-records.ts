import { z } from 'zod'
import {
  type LedgerRecordsQuery,
  listChain,
  listCosignatures,
  listEpochs,
  listRetentionRecords,
} from '../../audit/index.ts'
import { route } from '../route.ts'
import { type App, given } from '../schema.ts'
import type { Services } from '../services.ts'

const params = z.strictObject({ log: z.string() })
const querystring = z.strictObject({
  cursor: z.string().optional().describe('next of the page before'),
  limit: z.coerce.number().optional(),
})
const next = z.string().nullable().describe('cursor of the next page; null when this is the last')
const decimal = z.string().describe('a decimal')
const base64 = z.string().describe('base64')
const time = z.string().describe('ISO 8601 in UTC')
const note = z.string().describe('signed note')

const epoch = z.object({
  epoch: z.number(),
  origin: z.string(),
  cause: z.enum(['ordered', 'conflict', 'older', 'moved']),
  reason: z.string(),
  previousOrigin: z.string(),
  previousSize: decimal,
  previousRoot: base64,
  commonSize: decimal.describe('entries that both histories share, a decimal'),
  givenUp: z
    .array(z.string())
    .readonly()
    .describe('origins of epochs that a database published which is no longer'),
  size: decimal,
  root: base64,
  note,
  openedAt: time,
})
const cosignature = z.object({
  epoch: z.number(),
  size: decimal,
  witness: z.string(),
  note,
  cosignedAt: time,
})
const retention = z.object({
  id: z.string(),
  partition: z.string(),
  from: time,
  to: time.describe('ISO 8601 in UTC, exclusive'),
  firstPosition: decimal,
  lastPosition: decimal,
  rows: decimal,
  digest: base64,
  policy: z.string(),
  note,
  retiredAt: time,
})
const link = z.object({
  position: decimal,
  id: z.string(),
  recordedAt: time,
  hash: z.string().describe('hexadecimal'),
  previousHash: z.string().nullable().describe('hexadecimal; null for the first entry'),
})

/** What a log keeps beside its entries, each a page at a time, oldest first. */
export function ledgerRecordRoutes(app: App, { trail }: Services): void {
  const asked = (request: {
    readonly params: z.output<typeof params>
    readonly query: z.output<typeof querystring>
  }): LedgerRecordsQuery => ({ ...request.params, ...given(request.query) })
  const schema = { tags: ['ledger'], params, querystring }
  route(app, {
    method: 'GET',
    url: '/ledger/:log/epochs',
    access: { permission: 'ledger:read' },
    schema: {
      ...schema,
      summary: 'Epochs of a log after the first, with their signed links',
      response: { 200: z.object({ rows: z.array(epoch).readonly(), next }) },
    },
    handle: (request) => listEpochs(trail, request.actor, asked(request)),
  })
  route(app, {
    method: 'GET',
    url: '/ledger/:log/cosignatures',
    access: { permission: 'ledger:read' },
    schema: {
      ...schema,
      summary: 'Checkpoints of a log as witnesses cosigned them',
      response: { 200: z.object({ rows: z.array(cosignature).readonly(), next }) },
    },
    handle: (request) => listCosignatures(trail, request.actor, asked(request)),
  })
  route(app, {
    method: 'GET',
    url: '/ledger/:log/retention',
    access: { permission: 'ledger:read' },
    schema: {
      ...schema,
      summary: 'Signed records of rows that retention removed',
      response: { 200: z.object({ rows: z.array(retention).readonly(), next }) },
    },
    handle: (request) => listRetentionRecords(trail, request.actor, asked(request)),
  })
  route(app, {
    method: 'GET',
    url: '/ledger/:log/chain',
    access: { permission: 'ledger:read' },
    schema: {
      ...schema,
      summary: 'Entries of a log, each with the hash of the one before',
      response: { 200: z.object({ rows: z.array(link).readonly(), next }) },
    },
    handle: (request) => listChain(trail, request.actor, asked(request)),
  })
}
