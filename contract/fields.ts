/** Fields that many shapes share. */
import { z } from 'zod'
import {
  DEFAULT_PAGE_SIZE,
  MAX_COMPLIANCE_TAG_CHARACTERS,
  MAX_COMPLIANCE_TAGS,
  MAX_PAGE_SIZE,
} from './limits.ts'
import { actions, classifications, tiers } from './vocabulary.ts'

export const id = z.guid()
export const byId = z.strictObject({ id })
export const created = z.object({ id: z.string() })

/** In responses. */
export const time = z.string().meta({ format: 'date-time', description: 'RFC 3339 in UTC' })
/** In requests: a time with its offset. The handler gets a Date. */
export const moment = z.iso.datetime({ offset: true }).transform((value) => new Date(value))

/** Items of a response. */
export function list<Item extends z.ZodType>(item: Item): z.ZodReadonly<z.ZodArray<Item>> {
  return z.array(item).readonly()
}

/** Any JSON object: what is given to it may be an interface. */
export const json = z.record(z.string(), z.unknown()) as z.ZodType<Readonly<Record<string, unknown>>, object>

/** The cursor of the next page; null when this is the last. */
export const next = z.string().nullable().describe('cursor of the next page; null when this is the last')
export const cursor = z.string().max(1_000).optional().describe('next of the previous page')
export const pageSize = z.coerce.number<number>().int().min(1).max(MAX_PAGE_SIZE).default(DEFAULT_PAGE_SIZE)

/** A page of rows of the trail or of security events. */
export const rowPage = z.object({ rows: list(json), next })

export const name = z.string().min(1).max(255)
export const reason = z.string().max(1_000)
/** Longer than anything that is typed on purpose. */
export const password = z.string().min(1).max(1_024)
export const totp = z.string().regex(/^\d{6}$/, 'six digits')
export const recoveryCode = z.string().min(1).max(64)

/** PostgreSQL holds neither U+0000 nor half of a surrogate pair. */
const storable = (value: string) => value.isWellFormed() && !value.includes('\u0000')

/** Text of so many characters (code points, as PostgreSQL counts them). */
export function text(longest: number, shortest = 1) {
  const characters = (value: string) => [...value].length
  return z
    .string()
    .refine(storable, 'holds a character that cannot be stored')
    .refine((value) => characters(value) <= longest, `is over ${longest} characters`)
    .refine((value) => characters(value) >= shortest, 'is empty')
}

export const tier = z.enum(tiers)
export const classification = z.enum(classifications)
export const newClassification = z.strictObject({ classification })
const complianceTag = text(MAX_COMPLIANCE_TAG_CHARACTERS)
export const complianceTags = z
  .record(complianceTag, z.union([complianceTag, z.number(), z.boolean()]))
  .refine((tags) => Object.keys(tags).length <= MAX_COMPLIANCE_TAGS, `has over ${MAX_COMPLIANCE_TAGS} tags`)
export const permissionName = z
  .templateLiteral([z.string().regex(/^[a-z][a-z0-9_]{0,254}$/), ':', z.enum(actions)])
  .describe('resource:action')
export const roleName = z
  .string()
  .max(100)
  .regex(/^[a-z][a-z0-9_]*$/, 'lowercase letters, digits and underscores')
export const accountName = z
  .string()
  .max(255)
  .regex(/^[a-z][a-z0-9_.-]*$/, 'lowercase letters, digits, dots, dashes and underscores')
export const newGrant = z.strictObject({ expiresAt: moment.optional() })

/** Characters (code points). */
const MIN_USERNAME = 3
const MAX_USERNAME = 50

/** Width, composition and variation selectors make no other name. */
const normalisedName = (value: string) =>
  value
    .normalize('NFKC')
    .replaceAll(/[\u{fe00}-\u{fe0f}\u{e0100}-\u{e01ef}]/gu, '')
    .trim()

/** The database refuses the same, and what looks like a name that somebody has. */
export const username = z
  .string()
  .max(255)
  .refine(storable, 'holds a character that cannot be stored')
  .overwrite(normalisedName)
  .refine((value) => {
    const { length } = [...value]
    return length >= MIN_USERNAME && length <= MAX_USERNAME
  }, `has ${MIN_USERNAME} to ${MAX_USERNAME} characters`)
  .regex(/^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_.'+@-]| (?! ))*$/u, "letters, digits, spaces and . _ - ' + @")
  .refine((value) => !/^[\da-f]{32}$/i.test(value.replaceAll('-', '')), 'has the form of an id')

/** Line breaks, other controls, and marks that change the direction of what follows or cannot be seen. */
const unshowable =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Co}\u{ad}\u{61c}\u{115f}\u{1160}\u{180e}\u{200b}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2060}-\u{2069}\u{3164}\u{feff}\u{ffa0}]/u

export const displayName = z
  .string()
  .max(255)
  .refine(storable, 'holds a character that cannot be stored')
  .overwrite((value) => value.normalize('NFC').trim())
  .refine((value) => !unshowable.test(value), 'holds a character that cannot be shown')
  .refine((value) => value !== '' && [...value].length <= 100, 'has 1 to 100 characters')
  .nullable()
export const avatarUrl = z
  .url({ protocol: /^https?$/ })
  .max(2_048)
  .nullable()
