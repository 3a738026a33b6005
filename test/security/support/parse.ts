import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  createEventParser,
  type IngestFormat,
  type ParsedBatch,
  type ParseOptions,
} from '../../../src/security/index.ts'

type Sshd = Extract<ParseOptions, { format: 'sshd' }>

export const sshd2016: Sshd = {
  format: 'sshd',
  timezone: 'Asia/Shanghai',
  year: 2016,
  asOf: new Date('2017-06-01T00:00:00Z'),
}

export const other = (format: Exclude<IngestFormat, 'sshd'>): ParseOptions => ({
  format,
  asOf: new Date('2026-06-01T00:00:00Z'),
})

/** Everything that the parser finds in `input`, handed over in portions of `portion` bytes. */
export function parseAll(input: string | Uint8Array, options: ParseOptions, portion = 65_536): ParsedBatch {
  const bytes = typeof input === 'string' ? Buffer.from(input) : input
  const parser = createEventParser(options)
  const batches: ParsedBatch[] = []
  for (let at = 0; at < bytes.length; at += portion)
    batches.push(parser.push(bytes.subarray(at, at + portion)))
  batches.push(parser.end())
  return {
    read: batches.reduce((sum, batch) => sum + batch.read, 0),
    accepted: batches.reduce((sum, batch) => sum + batch.accepted, 0),
    events: batches.flatMap((batch) => batch.events),
    rejected: batches.flatMap((batch) => batch.rejected),
    unread: batches.flatMap((batch) => batch.unread),
  }
}

/** How often each key occurs. */
export function tally(keys: Iterable<string | null>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const key of keys) if (key !== null) counts[key] = (counts[key] ?? 0) + 1
  return counts
}

const REAL_LOG = 'shared/data/openssh/OpenSSH_2k.log'

/** The log of the Loghub data set, which lies beside the project where it is at all; null elsewhere. */
export function findRealLog(): string | null {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, REAL_LOG)
    if (existsSync(path)) return path
  }
  return null
}
