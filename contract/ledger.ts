/** The ledger: heads, proofs, what a log keeps beside its entries: `/v1/ledger`. */
import { z } from 'zod'
import { json, list, next, time } from './fields.ts'
import type { OperationTable } from './operation.ts'

const decimal = z.string().describe('a decimal')
const base64 = z.string().describe('base64')
const note = z.string().describe('signed note')

const head = z.object({
  log: z.string(),
  origin: z.string(),
  size: z.string().describe('entries, a decimal'),
  root: base64,
  checkpoint: z.string().nullable().describe('signed note; null before the first entry'),
})

const epoch = z.object({
  epoch: z.number(),
  origin: z.string(),
  cause: z.enum(['ordered', 'conflict', 'older', 'moved', 'rekeyed']),
  reason: z.string(),
  previousOrigin: z.string(),
  previousSize: decimal,
  previousRoot: base64,
  commonSize: decimal.describe('entries that both histories share, a decimal'),
  givenUp: list(z.string()).describe('origins of epochs published by a database that no longer exists'),
  size: decimal,
  root: base64,
  note: note.describe('the signed link'),
  openedAt: time,
})
export type LedgerEpoch = z.output<typeof epoch>

const cosignature = z.object({
  epoch: z.number(),
  size: decimal,
  witness: z.string(),
  note: note.describe('the checkpoint with both signatures'),
  cosignedAt: time,
})
export type Cosignature = z.output<typeof cosignature>

const retention = z.object({
  id: z.string(),
  partition: z.string(),
  from: time.describe('bounds of created_at'),
  to: time.describe('exclusive'),
  firstPosition: decimal,
  lastPosition: decimal,
  rows: decimal,
  digest: base64,
  policy: z.string(),
  note: note.describe('the signed record'),
  retiredAt: time,
})
export type RetentionRecord = z.output<typeof retention>

const link = z.object({
  position: decimal,
  id: z.string(),
  recordedAt: time,
  hash: z.string().describe('hexadecimal'),
  previousHash: z.string().nullable().describe('hexadecimal; null for the first entry'),
})
export type ChainLink = z.output<typeof link>

const byLog = z.strictObject({ log: z.string() })
const page = z.strictObject({
  cursor: z.string().optional().describe('next of the previous page'),
  limit: z.coerce.number<number>().optional(),
})

export const ledgerOperations = {
  'GET /v1/ledger': {
    summary: 'The logs and their signed heads',
    response: z.object({ logs: list(head) }),
  },
  'GET /v1/ledger/{log}/proofs/{row}': {
    summary: 'A proof of one row, to be verified with the public key alone',
    params: byLog.extend({ row: z.string() }),
    response: json,
  },
  'GET /v1/ledger/{log}/{*}': {
    summary: 'checkpoint, tile/<level>/<index> and tile/entries/<index> (C2SP tlog-tiles)',
    params: byLog.extend({ '*': z.string() }),
    response: z.unknown().describe('a signed note, hashes or entries'),
  },
  'GET /v1/ledger/{log}/epochs': {
    summary: 'Epochs of a log after the first, with their signed links',
    params: byLog,
    query: page,
    response: z.object({ rows: list(epoch), next }),
  },
  'GET /v1/ledger/{log}/cosignatures': {
    summary: 'Checkpoints of a log with the cosignatures of witnesses',
    params: byLog,
    query: page,
    response: z.object({ rows: list(cosignature), next }),
  },
  'GET /v1/ledger/{log}/retention': {
    summary: 'Signed records of rows removed by retention',
    params: byLog,
    query: page,
    response: z.object({ rows: list(retention), next }),
  },
  'GET /v1/ledger/{log}/chain': {
    summary: 'Entries of a log, each with the hash of the one before',
    params: byLog,
    query: page,
    response: z.object({ rows: list(link), next }),
  },
} as const satisfies OperationTable
