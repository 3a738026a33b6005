import { z } from 'zod'

/** A count; a string of digits where it may be above 2^53. */
const count = z.union([z.int().nonnegative(), z.string().regex(/^\d+$/)])
const time = z.iso.datetime({ offset: true })

/** What the database holds, how far it is sealed, and what the last verification said. */
export const threadState = z.object({
  events: count.describe('security events taken in'),
  auditRows: count.describe('rows of the audit trail'),
  protectedTables: z
    .array(z.string())
    .readonly()
    .describe('schema-qualified names of the tables under audit'),
  logs: z
    .array(
      z.object({
        log: z.string(),
        epoch: z.int().positive().describe('rises when the log goes on after a restore'),
        size: count.describe('sealed positions'),
        root: z.string().describe('root hash of the tree of that size'),
        sealedAt: time.nullable().describe('time of the last checkpoint; null when nothing is sealed'),
        pending: count.describe('committed rows that wait for the sealer'),
      }),
    )
    .readonly(),
  lastVerification: z
    .object({ at: time, ok: z.boolean(), problems: count.describe('rows or checkpoints found wrong') })
    .nullable(),
  oldestUncheckedSeconds: z
    .number()
    .nonnegative()
    .describe('seconds since the part of the ledger that was hashed longest ago was hashed'),
  frontierHeldSeconds: z
    .number()
    .nonnegative()
    .describe('seconds for which an open transaction has kept rows from being sealed'),
  losses: count.describe('statements whose changes were made and not recorded, not settled'),
  partitions: z
    .array(
      z.object({
        table: z.string(),
        coveredUntil: time.nullable().describe('end of the last partition made ahead'),
        alarm: z.boolean().describe('fewer partitions ahead than the policy asks for'),
      }),
    )
    .readonly(),
  drills: z.object({
    passedSeconds: z.number().nonnegative().describe('seconds since a recovery drill passed'),
    alarm: z.boolean().describe('that is too long, or the last drill failed'),
  }),
  checkedAt: time.describe('when this was read'),
})

export type ThreadState = z.input<typeof threadState>
