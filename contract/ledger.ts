/** The ledger: heads, proofs, what a log keeps beside its entries: `/v1/ledger`. */
import { z } from 'zod'
import { cursor, json, list, next, pageSize, reason, text, time } from './fields.ts'
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
  keys: list(z.string()).describe('verifier keys of this origin, the one that signs now last'),
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

const witness = z.object({
  name: z.string().describe('the name that it signs as'),
  url: z.string(),
  key: z.string().describe('its verifier key'),
  logs: list(
    z.object({
      log: z.string(),
      cosignedSize: decimal.nullable().describe('largest checkpoint of the current epoch that it cosigned'),
      cosignedAt: time.nullable(),
      size: decimal.describe('of the head'),
    }),
  ),
  conflict: z.string().nullable().describe('it cosigned a history that differs from the log'),
})
export type WitnessState = z.output<typeof witness>

const verification = z.object({
  id: z.string(),
  startedAt: time,
  finishedAt: time,
  mode: z.enum(['full', 'incremental', 'scrub']),
  ok: z.boolean(),
  logs: list(
    z.object({
      log: z.string(),
      size: decimal,
      checked: z.int(),
      retired: z.int(),
      problems: z.int(),
    }),
  ),
  problems: list(
    z.object({
      log: z.string(),
      kind: z.string(),
      position: z.string().nullable(),
      id: z.string().nullable(),
      detail: z.string(),
    }),
  ).describe('at most 100'),
})
export type VerificationRun = z.output<typeof verification>

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
  'GET /v1/witnesses': {
    summary: 'Trusted witnesses, and what each cosigned last',
    response: z.object({ witnesses: list(witness) }),
  },
  'POST /v1/witnesses': {
    summary: 'Trust a witness: every published checkpoint is submitted to it from now on',
    body: z.strictObject({
      url: text(2_000).describe('its address, as it prints it'),
      key: text(4_000).describe('its verifier key, as it prints it'),
      reason,
    }),
    response: z.object({ name: z.string() }),
    status: 201,
  },
  'POST /v1/witnesses/forget': {
    summary: 'Stop trusting a witness',
    description: 'The name is in the body because names of witnesses contain slashes.',
    body: z.strictObject({ name: text(255), reason }),
    response: z.object({ name: z.string() }),
  },
  'GET /v1/verifier-keys': {
    summary: 'Public keys that verify what this installation signs',
    response: z.object({
      keys: list(
        z.object({
          purpose: z.enum(['log', 'report', 'erasure', 'evidence']),
          name: z.string().describe('the name that it signs as; for a log, its origin'),
          key: z.string().describe('verifier key (C2SP signed-note)'),
          active: z.boolean().describe('false: only for earlier signatures'),
          createdAt: time,
        }),
      ),
    }),
  },
  'GET /v1/verifications': {
    summary: 'Verifications of the record, newest first',
    query: z.strictObject({ cursor, limit: pageSize }),
    response: z.object({ rows: list(verification), next }),
  },
  'POST /v1/verifications': {
    summary: 'Request a verification of the record',
    body: z.strictObject({ mode: z.enum(['full', 'incremental', 'scrub']).default('incremental') }).nullish(),
    response: z.object({ requestedAt: time, runs: z.string().describe('where the run is listed') }),
    status: 202,
  },
  'GET /v1/ledger/{log}/proofs/{row}': {
    summary: 'A proof of one row, verifiable with the public key alone',
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
