/** The replication slot that keeps WAL on the server until it is stored. */
import { AkashiError } from '../../foundation/index.ts'
import { type Database, dropReplicationSlot, readReplicationSlot, type Slot } from '../../postgres/index.ts'

export type { Slot } from '../../postgres/index.ts'

/** The replication slot that retains WAL until it is stored. */
export const SLOT = 'akashi_backup'

/** null if there is none. Any login may ask. */
export async function readSlot(
  database: Pick<Database, 'direct'>,
  { name = SLOT, ...options }: { readonly name?: string; readonly signal?: AbortSignal } = {},
): Promise<Slot | null> {
  return await readReplicationSlot(database, name, options)
}

/**
 * Releases the WAL that is kept for the stream: the next stream begins with a gap and a full backup.
 *
 * @param options.force ends what streams from it
 * @returns false if there was no slot
 * @throws conflict if something streams from it, or if the slot is not Akashi's
 */
export async function dropSlot(
  database: Pick<Database, 'direct'>,
  { name = SLOT, ...options }: { readonly name?: string; readonly force?: boolean } = {},
): Promise<boolean> {
  if ((await readSlot(database, { name }))?.kind === 'logical') throw foreignSlot(name)
  return await dropReplicationSlot(database, name, options)
}

/** Another program uses the name for a slot of another kind. */
export function foreignSlot(name: string): AkashiError {
  return new AkashiError(
    'conflict',
    `the replication slot ${name} is a logical slot that somebody else created`,
    {
      hint: `find out who uses it, and drop it or recreate it under another name: select pg_drop_replication_slot('${name}')`,
    },
  )
}
