/**
 * Advisory locks that no other login can take away. Any login of the database can take an advisory lock and see in
 * pg_locks which are held, so a lock that is held by a login without the role is skipped: every process uses the next of a
 * series of locks. When such a login takes or releases one, two processes may hold a lock of the series at once, which
 * what they do must tolerate anyway.
 */
import { type DatabaseRole, roleName } from './role.ts'
import type { Session } from './types.ts'

/** Locks of a series besides its first. */
const SPARE_LOCKS = 63

/** $1: names of series, $2: {@link SPARE_LOCKS}, $3: the role, which need not exist yet. */
const locks = `
  held as materialized (
    select l.objid::bigint | (l.classid::bigint << 32) as key, a.usename as login, a.pid,
           a.usename = session_user or exists (
             select from pg_catalog.pg_roles r where r.rolname = $3 and pg_catalog.pg_has_role(a.usename, r.oid, 'member')) as ours
    from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and l.pid <> pg_catalog.pg_backend_pid()
      and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
  ), candidate as (
    select name, n, pg_catalog.hashtextextended(name || case n when 0 then '' else '/' || n end, 0) as key
    from unnest($1::text[]) name cross join pg_catalog.generate_series(0, $2::integer) n
  )`

export interface LockAttempt {
  /** For {@link releaseLock}; null when a login with the role holds a lock of the series, or others hold all. */
  readonly key: bigint | null
  /** Whether a login with the role holds one. */
  readonly taken: boolean
  /** Logins without the role that hold locks of the series. */
  readonly others: string | undefined
}

/** Takes the first lock of the series that nobody holds, unless a login with the role holds one. */
export async function tryLock(session: Session, name: string, role: DatabaseRole): Promise<LockAttempt> {
  const { rows } = await session.query<{ key: bigint | null; taken: boolean; others: string | null }>(
    `with ${locks}, own as (
       select from held h join candidate c on c.key = h.key where h.ours
     ), first as (
       select c.key from candidate c where not exists (select from held h where h.key = c.key) and not exists (select from own)
       order by c.n limit 1
     )
     select (select case when pg_catalog.pg_try_advisory_lock(key) then key end from first) as key,
            exists (select from own) as taken,
            (select pg_catalog.string_agg(distinct h.login, ', ') from held h join candidate c on c.key = h.key
             where not h.ours) as others`,
    [[name], SPARE_LOCKS, roleName(role)],
  )
  const [{ key, taken, others } = { key: null, taken: false, others: null }] = rows
  return { key, taken, others: others ?? undefined }
}

export async function releaseLock(session: Session, key: bigint): Promise<void> {
  await session.query('select pg_catalog.pg_advisory_unlock($1::bigint)', [key.toString()])
}

export interface LockHolder {
  readonly name: string
  readonly login: string
  readonly pid: number
}

/** Sessions of logins without the role that hold locks of the series. */
export async function foreignHolders(
  session: Session,
  names: readonly string[],
  role: DatabaseRole,
): Promise<LockHolder[]> {
  const { rows } = await session.query<LockHolder>(
    `with ${locks}
     select distinct c.name, h.login, h.pid from held h join candidate c on c.key = h.key
     where not h.ours order by 1, 2, 3`,
    [names, SPARE_LOCKS, roleName(role)],
  )
  return rows
}
