import { probeObjectStore } from '../../object-store/index.ts'
import { objectStoreUrl, openObjects, readOnlyNotice } from '../../start/index.ts'
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

/** A copy beside the running system must not write to its store; an owner that lost its store has no backups. */
export const objectStoreOwner: Check = {
  name: 'object store owner',
  run: async ({ config, actor }) => {
    const notice = await readOnlyNotice({
      config: () => Promise.resolve(config),
      actor: () => Promise.resolve(actor),
    })
    if (notice === undefined) return { ok: true, detail: 'no other installation owns the object store' }
    return { ok: false, detail: notice, hint: 'docs/runbooks/store-owner.md says when to take it over' }
  },
}
