import { AkashiError, given } from '../../foundation/index.ts'
import { listCopyPolicies } from '../../lifecycle/index.ts'
import { ownershipProblem, probeObjectStore } from '../../object-store/index.ts'
import { isReadOnly, READ_ONLY_NOTICE, readInstallation } from '../../operations/index.ts'
import {
  archiveDestinations,
  objectStoreUrl,
  openColdObjects,
  openDestination,
  openObjects,
} from '../places.ts'
import type { Check } from './check.ts'
import { locationFinding } from './folders.ts'
import { onDatabase } from './on-database.ts'

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

/** The second store, where there is one. */
export const coldStore: Check = {
  name: 'cold object store',
  run: async ({ config, signal }) => {
    const store = await openColdObjects(config)
    if (store === undefined)
      return { ok: true, detail: 'none: long-term copies are in the main object store' }
    if (store.location === (await openObjects(config)).location) {
      return {
        ok: false,
        detail: 'it is the main object store',
        hint: 'set COLD_STORE_URL to another store, or unset it',
      }
    }
    await probeObjectStore(store, signal)
    return { ok: true, detail: `${store.location}: put, conditional put, get and delete work` }
  },
}

/**
 * Destinations for copies of the archive. A destination that a policy names but that is not configured gets
 * none.
 */
export const destinations: Check = {
  name: 'archive destinations',
  run: onDatabase('worker', async (database, { config, actor, signal }) => {
    const known = archiveDestinations(config)
    const named = (await listCopyPolicies(database, actor)).filter(({ endedAt }) => endedAt === null)
    const used = [...new Set(named.map(({ destination }) => destination))]
    const missing = used.find((name) => !known.has(name))
    if (missing !== undefined) {
      return {
        ok: false,
        detail: `a policy copies to ${missing}, which is not configured`,
        hint: 'add it to ARCHIVE_DESTINATIONS, or end the policy: akashi archive policy copy … --end',
      }
    }
    for (const name of used.filter((each) => each !== 'main')) {
      const store = await openDestination(config, name)
      try {
        if (store !== undefined) await probeObjectStore(store, signal)
      } catch (error) {
        if (!(error instanceof AkashiError)) throw error
        return { ok: false, detail: `${name}: ${error.message}`, ...given({ hint: error.hint }) }
      }
    }
    return { ok: true, detail: used.length === 0 ? 'no policy copies to another store' : used.join(', ') }
  }),
}

/**
 * A copy beside the running system must not write to its store; an owner that lost its store has no backups.
 * The store is read too: if it is not mounted, the record of its owner is missing.
 */
export const objectStoreOwner: Check = {
  name: 'object store owner',
  run: onDatabase('worker', async (database, { config, actor, signal }) => {
    const own = await readInstallation(database, actor, signal)
    if (isReadOnly(own)) {
      return {
        ok: false,
        detail: READ_ONLY_NOTICE,
        hint: 'docs/runbooks/store-owner.md explains when to take it over',
      }
    }
    try {
      const problem = await ownershipProblem(await openObjects(config), own, signal)
      if (problem === undefined) return { ok: true, detail: 'no other installation owns the object store' }
      return { ok: false, detail: problem.message, ...given({ hint: problem.hint }) }
    } catch (error) {
      if (!(error instanceof AkashiError)) throw error
      return { ok: false, detail: error.message, ...given({ hint: error.hint }) }
    }
  }),
}
