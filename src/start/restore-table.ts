import { join } from 'node:path'
import {
  restoreTable as bring,
  type TableRestored,
  type TableRestoreOptions,
  type Vault,
} from '../backup/index.ts'
import { databaseOf } from '../operations/index.ts'
import { findConnections } from './connections.ts'
import type { Settings } from './settings.ts'

export type TableRequest = Omit<TableRestoreOptions, 'place' | 'databaseName'> & {
  readonly settings: Settings
  readonly vault: Vault
}

/** Where servers that are thrown away get their folders. */
export function scratchPlace({ data }: Pick<Settings, 'data'>): string {
  return join(data, 'scratch')
}

/** One table as it was, into the live database of these settings, which must run. */
export async function restoreTable({ settings, vault, ...options }: TableRequest): Promise<TableRestored> {
  const connections = await findConnections(settings)
  const live = connections.open('owner', { poolSize: 1 })
  try {
    const databaseName = databaseOf(connections.adminUrl)
    return await bring(vault, live, { ...options, place: scratchPlace(settings), databaseName })
  } finally {
    await live.close()
  }
}
