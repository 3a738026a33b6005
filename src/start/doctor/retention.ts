import { describeShortening, pendingShortenings } from '../../lifecycle/index.ts'
import type { Check } from './check.ts'
import { onDatabase } from './on-database.ts'

/** Somebody shortened the retention of the record; there is still time to stop the deletion. */
export const retention: Check = {
  name: 'retention of the record',
  run: onDatabase('worker', async (database, { actor }) => {
    const found = (await pendingShortenings(database, actor)).map(describeShortening)
    if (found.length === 0) return { ok: true, detail: 'no shorter retention of a log is pending' }
    return {
      ok: false,
      detail: found.join('; '),
      hint: 'unless this is intended, restore the former policy: akashi archive policy set',
    }
  }),
}
