import { readdirSync } from 'node:fs'

const MIGRATIONS = new URL('../../migrations', import.meta.url)
const UP = /^(\d+_[\w-]+)\.up\.sql$/

/** The newest migration of this checkout, of which the image is built. */
export function schemaVersion(): string {
  const newest = readdirSync(MIGRATIONS)
    .map((name) => UP.exec(name)?.[1] ?? '')
    .toSorted()
    .at(-1)
  if (newest === undefined || newest === '') throw new Error('no migration in the folder migrations')
  return newest
}
