import { readDataResidency } from '../../lifecycle/index.ts'
import { keysUrl, objectStoreUrl } from '../places.ts'
import type { Settings } from '../settings.ts'
import type { Check } from './check.ts'
import { onDatabase } from './on-database.ts'

/** The host name of an RDS database contains its region. */
const RDS_HOST = /[.]([a-z]{2}(?:-[a-z]+)+-\d)[.]rds[.]amazonaws[.]com(?:[.]cn)?$/

/** Whether everything with a known region is in the region where the data must stay. */
export const dataResidency: Check = {
  name: 'data residency',
  run: onDatabase('worker', async (database, { config, actor }, { adminUrl }) => {
    const wanted = await readDataResidency(database, actor)
    const places = regions(config, adminUrl)
    const outside = places.filter(({ region }) => region !== wanted)
    if (outside.length === 0) {
      const found =
        places.length === 0 ? 'nothing configured names a region' : places.map(({ what }) => what).join(', ')
      return { ok: true, detail: `${wanted}: ${found}` }
    }
    return {
      ok: false,
      detail: `data must stay in ${wanted}; ${outside.map(({ what, region }) => `${what} in ${region}`).join('; ')}`,
      hint: 'move it, or change the setting: akashi settings set organisation.data_residency REGION',
    }
  }),
}

interface Place {
  readonly what: string
  readonly region: string
}

function regions(config: Settings, databaseUrl: string): Place[] {
  const database = RDS_HOST.exec(URL.parse(databaseUrl)?.hostname ?? '')?.[1]
  return [
    ...place('database', database),
    ...place('object store', regionOf(objectStoreUrl(config))),
    ...place('keys', regionOf(keysUrl(config))),
  ]
}

function place(what: string, region: string | null | undefined): Place[] {
  return region === null || region === undefined ? [] : [{ what, region }]
}

/** Null for a folder, for a URL without a region, and for a custom endpoint. */
function regionOf(url: string): string | null {
  const parameters = URL.parse(url)?.searchParams
  return parameters?.has('endpoint') === true ? null : (parameters?.get('region') ?? null)
}
