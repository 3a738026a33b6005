/** Who owns the object store, as this installation's database keeps it. */
import { AkashiError, given } from '../foundation/index.ts'
import {
  type Installation,
  type InstallationRecord,
  type ObjectStore,
  openOwnership,
  type StoreOwner,
  type StoreOwnership,
} from '../object-store/index.ts'
import type { Actor, Database, Session } from '../postgres/index.ts'
import { recordEvent } from '../security/index.ts'
import type { Task } from './schedule/index.ts'

/** @param database of the role `worker`; one of security administrators and readers may only read */
export async function readInstallation(
  database: Database,
  actor: Actor,
  signal?: AbortSignal,
): Promise<Installation> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Installation>(
        `select installation, token::float8 as token, cluster, coalesce(timeline, '') as timeline, database, copied
         from akashi_lifecycle.installation()`,
      ),
    { readOnly: true, ...given({ signal }) },
  )
  const [row] = rows
  if (row === undefined) throw new Error('a function without a set returns one row')
  return row
}

/** Whether an installation has owned a store and no longer does: it reads the store and leaves it alone. */
export function isReadOnly({ installation, token, copied }: Installation): boolean {
  return copied || (installation !== null && token === null)
}

/** What such an installation says of itself on every command, in `doctor` and in `status`. */
export const READ_ONLY_NOTICE =
  'this installation does not own its object store and only reads it: no backup, WAL, archive, checkpoint or file is stored; once the owner is stopped for good, start this one with --take-over'

/** @param actor who claims the store, or takes it over */
export function openStoreOwnership(store: ObjectStore, worker: Database, actor: Actor): StoreOwnership {
  const keep = (session: Session, installation: string, token: number | null) =>
    session.query('select akashi_lifecycle.set_store_ownership($1, $2)', [installation, token])
  const record: InstallationRecord = {
    read: async (signal) => {
      const own = await readInstallation(worker, actor, signal)
      if (own.timeline !== '') return own
      throw new AkashiError('unavailable', 'this server is a standby and cannot own an object store', {
        hint: 'connect to the primary',
      })
    },
    write: async (installation, token, takeOver) => {
      await worker.transaction(actor, async (session) => {
        await keep(session, installation, token)
        if (takeOver !== undefined) await tell(session, 'object_store_taken_over', store, takeOver)
      })
    },
    lost: async (to) => {
      await worker.transaction(actor, async (session) => {
        const { rows } = await session.query<{ installation: string }>(
          'select installation from akashi_lifecycle.installation() where token is not null and not copied',
        )
        const [own] = rows
        // Another process of this installation was first.
        if (own === undefined) return
        await keep(session, own.installation, null)
        await tell(session, 'object_store_lost', store, { owner: to })
      })
    },
  }
  return openOwnership(store, record)
}

async function tell(
  session: Session,
  type: 'object_store_taken_over' | 'object_store_lost',
  store: ObjectStore,
  details: { readonly owner: StoreOwner; readonly from?: StoreOwner | null | undefined },
): Promise<void> {
  await recordEvent(session, {
    event_type: type,
    resource_type: 'object_store',
    resource_id: store.location,
    action_performed: type === 'object_store_lost' ? 'lose' : 'take_over',
    event_details: details,
  })
}

/** Whether an error says that the store belongs to another installation. */
export function isNotOwner(error: unknown): error is AkashiError {
  return error instanceof AkashiError && error.detail['notOwner'] === true
}

/**
 * Tasks that write to the store: where it belongs to another installation they say so and do nothing.
 *
 * @param only names of those that do; default all
 */
export function whenOwned(
  ownership: StoreOwnership,
  tasks: Readonly<Record<string, Task>>,
  only: readonly string[] = Object.keys(tasks),
): Readonly<Record<string, Task>> {
  return Object.fromEntries(
    Object.entries(tasks).map(([name, task]): [string, Task] => [
      name,
      async (context) => {
        if (!only.includes(name)) return await task(context)
        try {
          await ownership.assertOwned()
        } catch (error) {
          if (isNotOwner(error)) return { skipped: error.message }
          throw error
        }
        return await task(context)
      },
    ]),
  )
}
