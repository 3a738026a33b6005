import { probeObjectStore } from '../../object-store/index.ts'
import { objectStoreUrl, openObjects } from '../../start/index.ts'
import type { Check } from './check.ts'
import { locationFinding } from './folders.ts'

/** Checks the access to a folder; tests a bucket with a temporary object. */
export const objectStore: Check = {
  name: 'object store',
  run: async ({ config, signal }) => {
    const url = objectStoreUrl(config)
    if (URL.parse(url)?.protocol === 'file:') return locationFinding(url, { onlyOwner: false })
    const store = await openObjects(config)
    await probeObjectStore(store, signal)
    return { ok: true, detail: `${store.location}: put, conditional put, get and delete work` }
  },
}
