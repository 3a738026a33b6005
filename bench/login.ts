/** Complete password sign-ins (rate limit, hash, record, session) against an embedded server. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock } from '../src/foundation/index.ts'
import {
  createLocalUser,
  type LoginParts,
  openBreachedPasswords,
  openPasswords,
  openSealer,
  signInWithPassword,
} from '../src/identity/index.ts'
import { openPersonVault } from '../src/keys/index.ts'
import { anonymous, type Database } from '../src/postgres/index.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'
import { atLeast, atMost, type Benchmark, bencher, figure, median } from './harness.ts'

/** Sign-ins per round at scale 1. */
const LOGINS = 600
/** Concurrent callers, each a different user and address: more than the hashing limit admits. */
const CALLERS = 32
const POOL_SIZE = 10
const BAR_PER_S = 60
const BAR_DELAY_MS = 20
/** Milliseconds between two samples of the event loop delay. */
const RESOLUTION_MS = 1
const PERCENTILE = 99
const MS_PER_S = 1_000
const NS_PER_MS = 1_000_000
const BYTES_PER_MIB = 2 ** 20

export const login: Benchmark = {
  name: 'login',
  description: 'complete password sign-ins (argon2id, 19 MiB, two passes), with record and session',
  run: async ({ rounds, scale, progress }) => {
    const cluster = await benchCluster()
    const opened: Database[] = []
    try {
      const parts = loginParts(cluster)
      opened.push(parts.worker)
      const people = await makePeople(parts)
      const each = Math.max(1, Math.round((LOGINS * scale) / CALLERS))
      const rates: number[] = []
      const delays: number[] = []
      for (let round = 1; round <= rounds; round += 1) {
        const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
        delay.enable()
        const begun = performance.now()
        await Promise.all(people.map((person) => signIns(parts, person, each)))
        rates.push((people.length * each * MS_PER_S) / (performance.now() - begun))
        delay.disable()
        delays.push(delay.percentile(PERCENTILE) / NS_PER_MS)
        progress(`round ${round}/${rounds}: ${Math.round(rates.at(-1) ?? 0)} logins/s`)
      }
      return [
        atLeast('sign-ins per second, one process', median(rates), '/s', BAR_PER_S),
        atMost('event-loop delay p99 meanwhile', median(delays), 'ms', BAR_DELAY_MS),
        figure('resident memory afterwards', process.memoryUsage.rss() / BYTES_PER_MIB, 'MiB'),
      ]
    } finally {
      await Promise.all(opened.map((database) => database.close()))
      await cluster.close()
    }
  },
}

interface Person {
  readonly login: string
  readonly password: string
  readonly clientIp: string
}

function loginParts({ connections, keyring, application }: BenchCluster): LoginParts {
  const app = application(POOL_SIZE)
  const worker = connections.open('worker', { poolSize: POOL_SIZE })
  const vault = openPersonVault(keyring)
  return {
    app,
    worker,
    vault,
    passwords: openPasswords(),
    breached: openBreachedPasswords(),
    sealer: openSealer(vault),
    clock: systemClock,
  }
}

function makePeople(parts: LoginParts): Promise<Person[]> {
  return Promise.all(
    Array.from({ length: CALLERS }, async (_, i) => {
      const username = `bench-${i}`
      const { password } = await createLocalUser(parts, bencher, {
        username,
        email: `${username}@example.com`,
      })
      return { login: username, password, clientIp: `192.0.2.${i}` }
    }),
  )
}

async function signIns(parts: LoginParts, person: Person, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const { step } = await signInWithPassword(parts, anonymous('test', { clientIp: person.clientIp }), person)
    if (step !== 'done') throw new Error('a sign-in did not complete')
  }
}
