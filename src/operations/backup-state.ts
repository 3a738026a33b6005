import { readSlot } from '../backup/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

/** Whether WAL reaches the object store, as the database knows it. */
export async function backupState(database: Database, actor: Actor) {
  const found = await readSlot(database)
  const slot = found?.kind === 'logical' ? null : found
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ age: number | null; lag: number | null }>(
        `select extract(epoch from now() - greatest(ran.at, (seen.result ->> 'backupAt')::timestamptz))::float8 as age,
                extract(epoch from now() - (seen.result ->> 'restorableTo')::timestamptz)::float8 as lag
         from (select max(finished_at) as at from akashi_lifecycle.job_runs
               where job in ('backup-full', 'backup-incremental') and state = 'done' and not coalesce(result ? 'skipped', false)) ran
         left join lateral (
           select result from akashi_lifecycle.job_runs
           where job = 'backup-watch' and state = 'done' and result ? 'restorableTo' order by started_at desc limit 1
         ) seen on true`,
      ),
    { readOnly: true },
  )
  return {
    keptWalBytes: slot?.keptBytes ?? null,
    slotState: slot?.walStatus ?? ('none' as const),
    streaming: slot?.active ?? false,
    ageSeconds: atLeastZero(rows[0]?.age),
    lagSeconds: atLeastZero(rows[0]?.lag),
  }
}

/** A clock that was ahead when something was recorded makes no negative age. */
function atLeastZero(seconds: number | null | undefined): number | null {
  return seconds == null ? null : Math.max(0, seconds)
}
