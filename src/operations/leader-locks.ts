/**
 * Leader election for loops by advisory locks. Any login can take an advisory lock and see in pg_locks which are held,
 * so a lock held by another login than the worker's is skipped: every process uses the next of a series of locks. When
 * such a login takes or releases a lock, two rounds may overlap, which rounds must tolerate anyway.
 */
import type { Actor, Database, Session } from '../postgres/index.ts'

/** Names of the loops. */
const LOOPS = ['seal', 'backup', 'chat.inspection']

/** Locks of a loop besides its first. */
const SPARE_LOCKS = 63

/** $1: names of loops, $2: {@link SPARE_LOCKS}. */
const locks = `
  held as materialized (
    select l.objid::bigint | (l.classid::bigint << 32) as key, a.usename as login, a.pid,
           pg_has_role(a.usename, 'akashi_worker', 'member') as ours
    from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and l.pid <> pg_backend_pid()
      and l.database = (select oid from pg_database where datname = current_database())
  ), candidate as (
    select name, n, hashtextextended('akashi.loop/' || name || case n when 0 then '' else '/' || n end, 0) as key
    from unnest($1::text[]) name cross join generate_series(0, $2::integer) n
  )`

/** Takes the first lock that no other login holds, unless another worker holds one and leads. */
export async function tryToLead(
  session: Session,
  loop: string,
): Promise<{
  readonly leads: boolean
  /** Other logins that hold locks of the loop. */
  readonly others: string | undefined
}> {
  const { rows } = await session.query<{ leads: boolean; others: string | null }>(
    `with ${locks}, own as (
       select from held h join candidate c on c.key = h.key where h.ours
     ), first as (
       select c.key from candidate c where not exists (select from held h where h.key = c.key) and not exists (select from own)
       order by c.n limit 1
     )
     select coalesce((select pg_try_advisory_lock(key) from first), false) as leads,
            (select string_agg(distinct h.login, ', ') from held h join candidate c on c.key = h.key
             where not h.ours) as others`,
    [[loop], SPARE_LOCKS],
  )
  const [{ leads, others } = { leads: false, others: null }] = rows
  return { leads, others: others ?? undefined }
}

export interface LeaderLockHolder {
  readonly loop: string
  readonly login: string
  readonly pid: number
}

/** Sessions of other logins that hold a leader lock. */
export async function leaderLockHolders(worker: Database, actor: Actor): Promise<LeaderLockHolder[]> {
  const { rows } = await worker.transaction(
    actor,
    (session) =>
      session.query<LeaderLockHolder>(
        `with ${locks}
         select distinct c.name as loop, h.login, h.pid from held h join candidate c on c.key = h.key
         where not h.ours order by 1, 2, 3`,
        [LOOPS, SPARE_LOCKS],
      ),
    { readOnly: true },
  )
  return rows
}

/** One line that identifies the session. */
export function describeLeaderLock({ loop, login, pid }: LeaderLockHolder): string {
  return `process ${pid} of ${login} holds a leader lock of ${loop}`
}

/** Raises an alarm for each login that newly holds a leader lock. */
export async function watchLeaderLocks(worker: Database, actor: Actor): Promise<LeaderLockHolder[]> {
  const holders = await leaderLockHolders(worker, actor)
  const problems = holders.map(({ loop, login }) => ({ subject: loop, detail: login }))
  await worker.transaction(actor, (session) =>
    session.query("select akashi_audit.watch_alarms('leader_lock_held', 'high', $1)", [
      JSON.stringify(problems),
    ]),
  )
  return holders
}
