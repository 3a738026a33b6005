import type { Actor, Database } from '../postgres/index.ts'

/** Removes expired data in batches; returns how many rows of each kind. */
export async function purgeExpired(
  worker: Database,
  actor: Actor,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const removed: Record<string, number> = {}
  for (;;) {
    signal.throwIfAborted()
    const { rows } = await worker.transaction(actor, (session) =>
      session.query<{ what: string; removed: number }>(
        'select what, removed::float8 as removed from akashi_chat.purge_expired()',
      ),
    )
    for (const { what, removed: count } of rows) removed[what] = (removed[what] ?? 0) + count
    if (rows.every(({ removed: count }) => count === 0)) return removed
  }
}
