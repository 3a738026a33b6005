/** Parameters of a forecast: those of the requirements (s4), or of Akashi's default policies. */
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import { storageClasses } from './prices.ts'

export const MAX_YEARS = 30
const count = z.number().positive().finite()
const amount = z.number().nonnegative().finite()
const age = z.int().nonnegative()

const tier = z.strictObject({
  class: z.enum(storageClasses),
  /** Age of the events in days from which their objects are in this class. */
  from: age,
})

export const assumptionsSchema = z.strictObject({
  users: count,
  /** Events per user and day. */
  eventsPerUser: count,
  /** Bytes of an event in the database. */
  eventBytes: count,
  years: z.number().positive().max(MAX_YEARS),
  /** Age in days at which events leave the database. */
  hotDays: z.int().positive(),
  tiers: z.array(tier).min(1),
  /** Age in days at which objects are deleted; null keeps them. */
  retentionDays: z.int().positive().nullable(),
  /** Bytes in the object store ÷ bytes in the database. */
  compression: count,
  objectsPerDay: count,
  /** GB scanned by Athena per month. */
  scanGb: amount,
  /** GB retrieved from the coldest class per month. */
  retrieveGb: amount,
  /** Whether a Glue crawler runs once a day. */
  crawler: z.boolean(),
})

export type Assumptions = z.infer<typeof assumptionsSchema>

/** The plan of the requirements: 1,000,000 users of 100 events of 500 bytes a day; 90 days in Aurora, then Standard, after a year Deep Archive. */
export const s4: Assumptions = {
  users: 1_000_000,
  eventsPerUser: 100,
  eventBytes: 500,
  years: 5,
  hotDays: 90,
  tiers: [
    { class: 'standard', from: 90 },
    { class: 'deep', from: 365 },
  ],
  retentionDays: null,
  compression: 1,
  objectsPerDay: 100,
  scanGb: 100,
  retrieveGb: 0,
  crawler: false,
}

/**
 * Akashi's policies: exported when the day's lateness is over, so the first weeks are in both places; a sixth of
 * the bytes (docs/decisions/0010), a million rows an object, deleted after seven years.
 */
export const akashi: Assumptions = {
  ...s4,
  tiers: [
    { class: 'standard', from: 8 },
    { class: 'infrequent', from: 180 },
    { class: 'deep', from: 365 },
  ],
  retentionDays: 2_555,
  compression: 0.16,
}

export const presets = { s4, akashi } as const

/** Tiers as a line of text, such as `standard:90,infrequent:180,deep:365`. */
export function parseTiers(text: string): Assumptions['tiers'] {
  const parsed = z.array(tier).safeParse(
    text.split(',').map((part) => {
      const [name, from, more] = part.split(':')
      return {
        class: name,
        from: from === undefined || from === '' || more !== undefined ? Number.NaN : Number(from),
      }
    }),
  )
  if (parsed.success) return parsed.data
  throw new AkashiError('invalid_input', `${text} is not a valid list of tiers`, {
    hint: `write it as standard:90,deep:365; classes are ${storageClasses.join(', ')}`,
  })
}

/** Refuses contradictory parameters, such as tiers that are not in order of age. */
export function checkAssumptions(assumptions: Assumptions): void {
  const { tiers, hotDays, retentionDays } = assumptions
  const problem = (what: string, hint: string) => new AkashiError('invalid_input', what, { hint })
  if (tiers.some((each, i) => i > 0 && each.from <= (tiers[i - 1]?.from ?? 0))) {
    throw problem('the tiers are not in order of age', 'list them by ascending age')
  }
  if ((tiers[0]?.from ?? 0) > hotDays) {
    throw problem(
      'events would be stored nowhere between the database and the first tier',
      'start the first tier at --hot-days or earlier',
    )
  }
  const last = Math.max(hotDays, tiers.at(-1)?.from ?? 0)
  if (retentionDays !== null && retentionDays < last) {
    throw problem('objects would be deleted before the last tier starts', 'increase --retention-days')
  }
}
