import { readSlot } from '../backup/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

/** Whether WAL reaches the object store, as the database knows it. */
export async function backupState(database: Database, actor: Actor) {
  const slot = await readSlot(database)
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ age: number | null }>(
        `select extract(epoch from now() - max(finished_at))::float8 as age
         from akashi_lifecycle.job_runs where job in ('backup-full', 'backup-incremental') and state = 'done'`,
      ),
    { readOnly: true },
  )
  return {
    keptWalBytes: slot?.keptBytes ?? null,
    slotState: slot?.walStatus ?? ('none' as const),
    streaming: slot?.active ?? false,
    ageSeconds: rows[0]?.age ?? null,
  }
}
