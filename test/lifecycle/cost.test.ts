import { describe, expect, test } from 'vitest'
import { chartSvg, costPresets, forecast, parseTiers, tokyo } from '../../src/lifecycle/index.ts'

const { s4, akashi } = costPresets
const five = forecast(s4, tokyo)

function onDay(days: number) {
  const found = five.milestones.find(({ day }) => day === days)
  if (found === undefined) throw new Error(`no milestone on day ${days}`)
  return found
}

describe('the tables of the requirements', () => {
  test('has parameters and dated prices', () => {
    expect(s4).toMatchObject({ users: 1_000_000, eventsPerUser: 100, eventBytes: 500 })
    expect(s4.users * s4.eventsPerUser).toBe(100_000_000)
    expect(tokyo).toMatchObject({
      date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      region: 'ap-northeast-1',
      databaseGbMonth: 0.12,
      storage: { standard: { gbMonth: 0.025 }, deep: { gbMonth: 0.002 } },
    })
  })

  test('50 GB a day, 18.25 TB a year', () => {
    expect(five.assumptions.dailyGb).toBe(50)
    expect(onDay(365).gb).toBe(18_250)
  })

  test.each([
    [90, 4_500, 540],
    [180, 9_000, 1_080],
    [365, 18_250, 2_190],
    [730, 36_500, 4_380],
    [1_095, 54_750, 6_570],
    [1_825, 91_250, 10_950],
  ])('all in the database on day %i: %i GB, $%i a month', (days, gb, monthly) => {
    expect(onDay(days)).toMatchObject({ gb })
    expect(onDay(days).keepMonthly).toBeCloseTo(monthly, 6)
  })

  test('$131,400 a year when five years are over', () => {
    expect(12 * onDay(1_825).keepMonthly).toBeCloseTo(131_400, 6)
  })

  test('archived, after five years: $540 + $344 + $146 = $1,030 a month', () => {
    const { volume, archiveMonthly } = onDay(1_825)
    expect(volume).toEqual({ database: 4_500, tiers: { standard: 13_750, deep: 73_000 } })
    expect(archiveMonthly).toBeCloseTo(540 + 343.75 + 146, 6)
    expect(Math.round(archiveMonthly)).toBe(1_030)
  })

  test('the first year: $1,095 is its middle, $884 its end archived', () => {
    expect(Math.round(onDay(365).archiveMonthly)).toBe(884)
    expect(five.months[5]?.keepMonthly).toBeCloseTo(1_095, -1)
  })

  test('five years integrated: $328,680 against $53,176, 84 % less', () => {
    expect(Math.round(five.totals.keep)).toBe(328_680)
    expect(Math.round(five.totals.archive.storage)).toBe(53_176)
    expect(Math.round(five.totals.savingPercent)).toBe(84)
    expect(five.totals.databaseFullOnDay).toBeNull()
    expect(forecast({ ...s4, years: 8 }, tokyo).totals.databaseFullOnDay).toBe(2_560)
  })

  test('extras of about $66 a month are those of 350,000 objects a day and a crawler', () => {
    const extra = forecast({ ...s4, objectsPerDay: 350_000, crawler: true }, tokyo).months[5]?.archive
    if (extra === undefined) throw new Error('no sixth month')
    expect(extra.requests).toBeCloseTo(50, -1)
    expect(extra.scan).toBeCloseTo(0.5, 1)
    expect(extra.crawler).toBeCloseTo(15, 0)
    expect(extra.requests + extra.scan + extra.crawler).toBeCloseTo(66, -1)
  })
})

test('months add up to the totals', () => {
  const sum = five.months.reduce((total, { archive }) => total + archive.total, 0)
  expect(five.months).toHaveLength(60)
  expect(sum).toBeCloseTo(five.totals.archive.total, 4)
  expect(five.months.at(-1)?.keepTotal).toBe(five.totals.keep)
})

test('objects under 128 KB are billed as 128 KB where they are read seldom', () => {
  const tiers = parseTiers('infrequent:90')
  const large = forecast({ ...s4, tiers, objectsPerDay: 1_000 }, tokyo).totals.archive
  // 50 GB in 1,000,000 objects are 50,000 bytes each.
  const little = forecast({ ...s4, tiers, objectsPerDay: 1_000_000 }, tokyo).totals.archive
  expect(large.minimums).toBe(0)
  const held = little.storage - forecast({ ...s4, tiers, compression: 1e-9 }, tokyo).totals.archive.storage
  expect(little.minimums / held).toBeCloseTo((131_072 - 50_000) / 50_000, 4)
})

test.each([
  ['infrequent', 30],
  ['instant', 90],
  ['flexible', 90],
  ['deep', 180],
] as const)('%s is billed for %i days at least', (name, minimum) => {
  const short = { ...s4, years: 2, tiers: [{ class: name, from: 90 }], objectsPerDay: 1 }
  const cut = (days: number) => forecast({ ...short, retentionDays: 90 + days }, tokyo).totals.archive
  const overhead = cut(minimum).minimums
  expect(cut(minimum - 10).minimums).toBeGreaterThan(overhead + 1)
  expect(overhead).toBeLessThan(1)
})

test('reading the coldest tier back is paid by the GB', () => {
  const { retrieval } = forecast({ ...s4, retrieveGb: 100 }, tokyo).totals.archive
  expect(retrieval).toBeGreaterThan(60 * 100 * 0.022)
  expect(retrieval).toBeLessThan(60 * 100 * 0.022 * 1.02)
})

test('what Akashi does costs less than the source plans', () => {
  expect(forecast(akashi, tokyo).totals.archive.total).toBeLessThan(five.totals.archive.total)
})

test.each([
  ['standard:90,deep', /not a valid list of tiers/],
  ['cold:90', /not a valid list of tiers/],
])('refuses %s', (text, message) => {
  expect(() => parseTiers(text)).toThrow(message)
})

test.each([
  [{ tiers: parseTiers('deep:90,standard:90') }, /not in order of age/],
  [{ tiers: parseTiers('standard:100') }, /nowhere/],
  [{ retentionDays: 200 }, /before the last tier/],
])('refuses %j', (change, message) => {
  expect(() => forecast({ ...s4, ...change }, tokyo)).toThrow(message)
})

test('the chart shows both totals', () => {
  const svg = chartSvg(five)
  expect(svg).toMatch(/^<svg /)
  expect(svg).toContain('database $328,680')
  expect(svg.match(/<polyline/g)).toHaveLength(2)
})
