import type { Actor, Database } from '../postgres/index.ts'

/** Deletes expired sessions, one-time passwords and pending factors in batches. Returns how many of each. */
export async function purgeIdentity(
  worker: Database,
  actor: Actor,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Record<string, number>> {
  const removed: Record<string, number> = {}
  for (;;) {
    options.signal?.throwIfAborted()
    const { rows } = await worker.transaction(
      actor,
      (session) =>
        session.query<{ what: string; removed: number }>(
          'select what, removed::float8 as removed from akashi_auth.purge_expired()',
        ),
      options,
    )
    for (const { what, removed: count } of rows) removed[what] = (removed[what] ?? 0) + count
    if (rows.every(({ removed: count }) => count === 0)) return removed
  }
}
