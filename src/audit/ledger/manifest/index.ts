/** Compares the database's code with the code that the program ships. */
import type { Session } from '../../../postgres/index.ts'
import { changedBuiltIns } from './built-in.ts'
import { readCatalog } from './catalog.ts'
import { compareCatalog, type Difference } from './compare.ts'
import { readManifest } from './manifest.ts'
import { readProtection } from './protected.ts'
import { unrecordedChanges } from './records.ts'

export type { Difference } from './compare.ts'

/**
 * Every object that the proof depends on and that differs from what the program ships, or was changed by a
 * transaction that is not recorded.
 */
export async function catalogProblems(session: Session): Promise<Difference[]> {
  const builtIns = await changedBuiltIns(session)
  const { rows } = await session.query<{ version: number }>(
    "select current_setting('server_version_num')::integer as version",
  )
  const objects = await readCatalog(session)
  const protection = await readProtection(session)
  const different = [
    ...compareCatalog(objects, await readManifest(), rows[0]?.version ?? 0),
    ...protection.differences,
  ]
  const named = new Set(different.map(({ object }) => object))
  const unnamed = [...objects, ...protection.triggers].filter(
    ({ kind, name }) => !named.has(`${kind} ${name}`),
  )
  return [
    ...builtIns.differences,
    ...different,
    ...(await unrecordedChanges(session, [...unnamed, ...builtIns.added])),
  ]
}
