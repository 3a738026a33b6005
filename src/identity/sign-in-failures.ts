import type { Actor, Database } from '../postgres/index.ts'

/** Sign-ins of all accounts, and of none, that failed within so many minutes. @param database of the role worker */
export async function countFailedSignIns(database: Database, actor: Actor, minutes: number): Promise<number> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ failed: number }>(
        `select count(*)::float8 as failed from akashi_auth.login_attempts
         where result in ('failure', 'denied') and created_at > now() - make_interval(mins => $1)`,
        [minutes],
      ),
    { readOnly: true },
  )
  return rows[0]?.failed ?? 0
}
