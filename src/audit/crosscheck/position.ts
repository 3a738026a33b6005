import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'

/** Where a check of a table continues. */
export interface StatePosition {
  /** rows: each row has its version; records: each record has its row. */
  readonly phase: 'rows' | 'records'
  /** OID of the partition; 0 for the first. */
  readonly relation: number
  /** The last key, as the texts of its columns, or the last record. */
  readonly after: readonly string[] | null
}

export const STATE_START: StatePosition = { phase: 'rows', relation: 0, after: null }

const written = z.strictObject({
  schema: z.string(),
  table: z.string(),
  phase: z.enum(['rows', 'records']),
  relation: z.int().nonnegative(),
  after: z.array(z.string()).nullable(),
})

export interface TablePosition extends StatePosition {
  readonly schema: string
  readonly table: string
}

/** One word for a command line. */
export function formatStatePosition({ schema, table, phase, relation, after }: TablePosition): string {
  return Buffer.from(JSON.stringify({ schema, table, phase, relation, after })).toString('base64url')
}

/** @throws invalid_input unless {@link formatStatePosition} made it */
export function parseStatePosition(text: string): TablePosition {
  try {
    return written.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
  } catch (error) {
    throw new AkashiError('invalid_input', 'this is not a position of akashi verify --state', {
      hint: 'a run that is stopped prints its position',
      cause: error,
    })
  }
}
