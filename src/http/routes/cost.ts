import { parseQuery } from '../../foundation/index.ts'
import { assumptionsSchema, costPresets, forecast, tokyo } from '../../lifecycle/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'

/** The forecast of `akashi cost`. */
export function costRoute(app: App): void {
  operation(app, 'POST /v1/cost', {
    access: { permission: 'lifecycle:read' },
    budget: { requests: 60, seconds: 60 },
    handle: async ({ body: { preset, assumptions: changes } }) => {
      const wanted = parseQuery(assumptionsSchema, { ...costPresets[preset], ...changes })
      const { assumptions, months, totals } = forecast(wanted, tokyo)
      const { dailyGb: _, prices, ...rest } = assumptions
      return {
        assumptions: rest,
        prices: { region: prices.region, date: prices.date },
        months: months.map(({ month, gb, volume, keep, archive, keepTotal, archiveTotal }) => ({
          month,
          gb,
          databaseGb: volume.database,
          keep,
          archive,
          keepTotal,
          archiveTotal,
        })),
        totals,
      }
    },
  })
}
