/** Checks an export in the store against its manifest, byte by byte and row by row. */
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import type { StoreContext } from './context.ts'
import type { Manifest } from './manifest.ts'
import { fetchObject, readParquet } from './parts.ts'

/**
 * Reads every object of an export back.
 *
 * @param onPart called with the Parquet file of each part
 * @throws AkashiError not_found or integrity with the object that differs from the manifest
 */
export async function checkExport(
  context: StoreContext,
  manifest: Manifest,
  onPart?: (parquet: string) => Promise<void>,
): Promise<void> {
  const { store, engine, folder, signal } = context
  const hash = createHash('sha256')
  const parquet = join(folder, 'check.parquet')
  let rows = 0
  for (const part of manifest.parts) {
    await fetchObject(store, part, parquet, signal)
    const found = await readParquet(
      engine,
      manifest.columns,
      parquet,
      join(folder, 'check.csv'),
      hash,
      signal,
    )
    await onPart?.(parquet)
    await rm(parquet, { force: true })
    rows += found.rows
    const nulls = manifest.columns.every(
      ({ name }) => found.columns[name]?.nulls === part.columns[name]?.nulls,
    )
    const positions = found.firstPosition === part.firstPosition && found.lastPosition === part.lastPosition
    if (found.rows !== part.rows || !nulls || !positions || hash.copy().digest('hex') !== part.fingerprint) {
      throw new AkashiError('integrity', `${part.key} does not contain the rows of its manifest`, {
        detail: { key: part.key },
      })
    }
  }
  if (rows !== manifest.rows || hash.digest('hex') !== manifest.fingerprint) {
    throw new AkashiError('integrity', `the objects of ${manifest.partition} do not match its manifest`)
  }
}
