/** The cost of keeping events, day by day: all in the database, or archived. */
import { type Assumptions, checkAssumptions } from './assumptions.ts'
import type { Prices, StorageClass } from './prices.ts'

const BYTES_A_GB = 1e9
const GB_A_TB = 1_000
const DAYS_A_YEAR = 365
const MONTHS_A_YEAR = 12
/** Days of a month in prices per month. */
const DAYS_A_MONTH = DAYS_A_YEAR / MONTHS_A_YEAR
const REQUESTS = 1_000

/** GB in each place. */
export interface Volume {
  readonly database: number
  readonly tiers: Readonly<Partial<Record<StorageClass, number>>>
}

/** Dollars. */
export interface Bill {
  /** Bytes × days × price. */
  readonly storage: number
  /** Surcharges for minimum sizes, minimum durations and the overhead of objects. */
  readonly minimums: number
  readonly requests: number
  readonly retrieval: number
  readonly scan: number
  readonly crawler: number
  readonly total: number
}

export interface Moment {
  readonly day: number
  /** GB in all if nothing is archived. */
  readonly gb: number
  readonly volume: Volume
  /** Dollars per month for the storage of that day: all in the database, and archived. */
  readonly keepMonthly: number
  readonly archiveMonthly: number
}

export interface Month extends Moment {
  /** 1 for the first. */
  readonly month: number
  /** Dollars of this month, and since the beginning. */
  readonly keep: number
  readonly archive: Bill
  readonly keepTotal: number
  readonly archiveTotal: number
}

export interface Forecast {
  readonly assumptions: Assumptions & { readonly dailyGb: number; readonly prices: Prices }
  readonly months: readonly Month[]
  /** After 90, 180 and 365 days, and then every year. */
  readonly milestones: readonly Moment[]
  readonly totals: {
    readonly keep: number
    readonly archive: Bill
    /** Compares only storage; `savingAfterFees` includes the fees of the archive. */
    readonly saving: number
    readonly savingPercent: number
    readonly savingAfterFees: number
    /** Day on which the database would be full without the archive; null if not within the forecast. */
    readonly databaseFullOnDay: number | null
  }
}

const nothing: Bill = { storage: 0, minimums: 0, requests: 0, retrieval: 0, scan: 0, crawler: 0, total: 0 }

function add(a: Bill, b: Bill): Bill {
  return {
    storage: a.storage + b.storage,
    minimums: a.minimums + b.minimums,
    requests: a.requests + b.requests,
    retrieval: a.retrieval + b.retrieval,
    scan: a.scan + b.scan,
    crawler: a.crawler + b.crawler,
    total: a.total + b.total,
  }
}

interface Tier {
  readonly class: StorageClass
  readonly from: number
  /** Age at which objects leave it; infinite for the last. */
  readonly to: number
}

function tiersOf({ tiers, retentionDays }: Assumptions): Tier[] {
  return tiers.map((tier, i) => ({
    ...tier,
    to: tiers[i + 1]?.from ?? retentionDays ?? Number.POSITIVE_INFINITY,
  }))
}

/** Days of events whose age is above `from` and at most `to`, on a day. */
function daysBetween(day: number, from: number, to: number): number {
  return Math.max(0, Math.min(day, to) - from)
}

/**
 * Adds up the cost day by day: the bytes of a day are billed at its end, at the price of their storage class.
 * @throws invalid_input for contradictory tiers
 */
export function forecast(assumptions: Assumptions, prices: Prices): Forecast {
  checkAssumptions(assumptions)
  const dailyGb = (assumptions.users * assumptions.eventsPerUser * assumptions.eventBytes) / BYTES_A_GB
  const days = Math.round(assumptions.years * DAYS_A_YEAR)
  const months: Month[] = []
  let keepTotal = 0
  let archiveTotal = nothing
  let begun = { keep: 0, archive: nothing }
  for (let day = 1; day <= days; day += 1) {
    keepTotal += (day * dailyGb * prices.databaseGbMonth) / DAYS_A_MONTH
    archiveTotal = add(archiveTotal, billOfDay(assumptions, prices, dailyGb, day))
    const month = months.length + 1
    if (day < Math.round(month * DAYS_A_MONTH) && day < days) continue
    months.push({
      month,
      ...momentOf(assumptions, prices, dailyGb, day),
      keep: keepTotal - begun.keep,
      archive: add(archiveTotal, negative(begun.archive)),
      keepTotal,
      archiveTotal: archiveTotal.total,
    })
    begun = { keep: keepTotal, archive: archiveTotal }
  }
  const full = Math.ceil(prices.databaseLimitGb / dailyGb)
  return {
    assumptions: { ...assumptions, dailyGb, prices },
    months,
    milestones: milestonesOf(days).map((day) => momentOf(assumptions, prices, dailyGb, day)),
    totals: {
      keep: keepTotal,
      archive: archiveTotal,
      saving: keepTotal - archiveTotal.storage,
      savingPercent: (1 - archiveTotal.storage / keepTotal) * 100,
      savingAfterFees: keepTotal - archiveTotal.total,
      databaseFullOnDay: full <= days ? full : null,
    },
  }
}

function negative(bill: Bill): Bill {
  return add(nothing, {
    storage: -bill.storage,
    minimums: -bill.minimums,
    requests: -bill.requests,
    retrieval: -bill.retrieval,
    scan: -bill.scan,
    crawler: -bill.crawler,
    total: -bill.total,
  })
}

function milestonesOf(days: number): number[] {
  const years = Array.from({ length: Math.floor(days / DAYS_A_YEAR) }, (_, i) => (i + 1) * DAYS_A_YEAR)
  return [90, 180, ...years].filter((day) => day <= days)
}

function momentOf(assumptions: Assumptions, prices: Prices, dailyGb: number, day: number): Moment {
  const database = daysBetween(day, 0, assumptions.hotDays) * dailyGb
  const tiers: Partial<Record<StorageClass, number>> = {}
  let archiveMonthly = database * prices.databaseGbMonth
  for (const tier of tiersOf(assumptions)) {
    const gb = daysBetween(day, tier.from, tier.to) * dailyGb * assumptions.compression
    tiers[tier.class] = (tiers[tier.class] ?? 0) + gb
    archiveMonthly += gb * prices.storage[tier.class].gbMonth
  }
  return {
    day,
    gb: day * dailyGb,
    volume: { database, tiers },
    keepMonthly: day * dailyGb * prices.databaseGbMonth,
    archiveMonthly,
  }
}

function billOfDay(assumptions: Assumptions, prices: Prices, dailyGb: number, day: number): Bill {
  const { compression, objectsPerDay, scanGb, retrieveGb } = assumptions
  const objectBytes = (dailyGb * BYTES_A_GB * compression) / objectsPerDay
  const standard = prices.storage.standard
  let storage = (daysBetween(day, 0, assumptions.hotDays) * dailyGb * prices.databaseGbMonth) / DAYS_A_MONTH
  let minimums = 0
  let requests = 0
  const tiers = tiersOf(assumptions)
  for (const tier of tiers) {
    const price = prices.storage[tier.class]
    const held = daysBetween(day, tier.from, tier.to)
    const real = (dailyGb * compression * price.gbMonth) / DAYS_A_MONTH
    const padding = Math.max(0, price.minimumBytes - objectBytes) + price.overheadBytes
    const padded =
      (objectsPerDay * (padding * price.gbMonth + price.overheadStandardBytes * standard.gbMonth)) /
      BYTES_A_GB /
      DAYS_A_MONTH
    storage += held * real
    minimums += held * padded
    // Objects of one day enter each day once the first are old enough, and others leave.
    if (day > tier.from) requests += (objectsPerDay * price.put1000) / REQUESTS
    if (day > tier.to) minimums += Math.max(0, price.minimumDays - (tier.to - tier.from)) * (real + padded)
  }
  const coldest = prices.storage[tiers.at(-1)?.class ?? 'standard']
  const read = retrieveGb / DAYS_A_MONTH
  const retrieval =
    read * coldest.retrieveGb + (((read * BYTES_A_GB) / objectBytes) * coldest.get1000) / REQUESTS
  const scan = ((scanGb / GB_A_TB) * prices.scanTb) / DAYS_A_MONTH
  const crawler = assumptions.crawler ? prices.crawlerMonth / DAYS_A_MONTH : 0
  const total = storage + minimums + requests + retrieval + scan + crawler
  return { storage, minimums, requests, retrieval, scan, crawler, total }
}
