/** Leader election for loops, by locks that only logins of the role worker can hold back. */
import { setAlarms } from '../audit/index.ts'
import { type Actor, type Database, foreignHolders, type Session, tryLock } from '../postgres/index.ts'

/** Names of the loops. */
const LOOPS = [
  'seal',
  'backup',
  'backup.watch',
  'crosscheck',
  'chat.inspection',
  'detection',
  'delivery',
  'alarms',
]

const PREFIX = 'akashi.loop/'

export async function tryToLead(
  session: Session,
  loop: string,
): Promise<{
  readonly leads: boolean
  /** Other logins that hold locks of the loop. */
  readonly others: string | undefined
}> {
  const { key, others } = await tryLock(session, `${PREFIX}${loop}`, 'worker')
  return { leads: key !== null, others }
}

export interface LeaderLockHolder {
  readonly loop: string
  readonly login: string
  readonly pid: number
}

/** Sessions of other logins that hold a leader lock. */
export async function leaderLockHolders(worker: Database, actor: Actor): Promise<LeaderLockHolder[]> {
  const names = LOOPS.map((loop) => `${PREFIX}${loop}`)
  const found = await worker.transaction(actor, (session) => foreignHolders(session, names, 'worker'), {
    readOnly: true,
  })
  return found.map(({ name, login, pid }) => ({ loop: name.slice(PREFIX.length), login, pid }))
}

/** One line that identifies the session. */
export function describeLeaderLock({ loop, login, pid }: LeaderLockHolder): string {
  return `process ${pid} of ${login} holds a leader lock of ${loop}`
}

/** Raises an alarm for each login that newly holds a leader lock. */
export async function watchLeaderLocks(worker: Database, actor: Actor): Promise<LeaderLockHolder[]> {
  const holders = await leaderLockHolders(worker, actor)
  const alarms = holders.map(({ loop, login }) => ({ subject: loop, detail: login }))
  await setAlarms(worker, actor, 'leader_lock_held', 'high', alarms)
  return holders
}
