/**
 * List prices in US dollars for ap-northeast-1 (Tokyo) on a given date. Those of Aurora, S3 Standard and Glacier Deep
 * Archive are from the requirements; the others are AWS's list prices on that date. Other prices can be given as a
 * JSON file of the same form.
 */
import { z } from 'zod'

const price = z.number().nonnegative()
const days = z.int().nonnegative()

export const storageClasses = ['standard', 'infrequent', 'instant', 'flexible', 'deep'] as const

export type StorageClass = (typeof storageClasses)[number]

const storagePrice = z.strictObject({
  /** Per GB (10⁹ bytes) and month of 365 ÷ 12 days. */
  gbMonth: price,
  /** Minimum billed bytes of an object. */
  minimumBytes: days,
  /** Minimum billed days of an object. */
  minimumDays: days,
  /** Extra bytes billed per object at this class's price, and at that of standard. */
  overheadBytes: days,
  overheadStandardBytes: days,
  /** Per 1,000 objects put into the class or moved to it by a rule. */
  put1000: price,
  /** Per 1,000 reads or thaw requests. */
  get1000: price,
  /** Per GB read or thawed. */
  retrieveGb: price,
})

export const pricesSchema = z.strictObject({
  date: z.iso.date(),
  region: z.string(),
  databaseGbMonth: price,
  /** Storage limit of the database in GB. */
  databaseLimitGb: price,
  storage: z.record(z.enum(storageClasses), storagePrice),
  /** Athena, per TB (10¹² bytes) scanned. */
  scanTb: price,
  /** A daily Glue crawler, per month; not needed with partition projection. */
  crawlerMonth: price,
})

export type Prices = z.infer<typeof pricesSchema>

const KIBIBYTE = 1024
const none = { minimumBytes: 0, minimumDays: 0, overheadBytes: 0, overheadStandardBytes: 0 }
const glacier = {
  minimumBytes: 0,
  overheadBytes: 32 * KIBIBYTE,
  overheadStandardBytes: 8 * KIBIBYTE,
}
const small = { minimumBytes: 128 * KIBIBYTE, overheadBytes: 0, overheadStandardBytes: 0 }

export const tokyo: Prices = {
  date: '2025-09-05',
  region: 'ap-northeast-1',
  databaseGbMonth: 0.12,
  databaseLimitGb: 128_000,
  storage: {
    standard: { ...none, gbMonth: 0.025, put1000: 0.0047, get1000: 0.00037, retrieveGb: 0 },
    infrequent: {
      ...small,
      gbMonth: 0.0138,
      minimumDays: 30,
      put1000: 0.01,
      get1000: 0.001,
      retrieveGb: 0.01,
    },
    instant: { ...small, gbMonth: 0.005, minimumDays: 90, put1000: 0.02, get1000: 0.01, retrieveGb: 0.03 },
    flexible: {
      ...glacier,
      gbMonth: 0.0045,
      minimumDays: 90,
      put1000: 0.0343,
      get1000: 0.0571,
      retrieveGb: 0.0114,
    },
    deep: {
      ...glacier,
      gbMonth: 0.002,
      minimumDays: 180,
      put1000: 0.065,
      get1000: 0.1142,
      retrieveGb: 0.022,
    },
  },
  scanTb: 5,
  crawlerMonth: 15,
}
