import { type DirectSession, openDatabase } from '../../src/postgres/index.ts'
import { pinnedSettings, pinText, sessionDefaults } from '../../src/postgres/pins.ts'

/** As {@link DirectSession} pins them, but for the schema: tests are an application as well, whose tables are in public. */
const settings = [
  ...pinnedSettings,
  ...sessionDefaults,
  ['search_path', 'public'],
  ['statement_timeout', '0'],
] as const

interface Held {
  readonly session: DirectSession
  /** Closes the connection. */
  end(): Promise<void>
}

/** More are only kept while several are used at once. */
const KEPT = 2

/**
 * Connections of the superuser that are used again: a new one costs many times what a test asks of it. Each is as new
 * when it is used again; one whose work failed is not.
 */
export function superuserSessions(url: () => string) {
  const idle: Held[] = []

  async function take(): Promise<Held> {
    for (let held = idle.pop(); held !== undefined; held = idle.pop()) {
      if (await begin(held.session)) return held
      await held.end()
    }
    return await connect(url())
  }

  return {
    async run<T>(work: (session: DirectSession) => Promise<T>): Promise<T> {
      const held = await take()
      let kept = false
      try {
        const result = await work(held.session)
        kept = idle.length < KEPT && (await clear(held.session))
        if (kept) idle.push(held)
        return result
      } finally {
        if (!kept) await held.end()
      }
    },
    async close(): Promise<void> {
      await Promise.all(idle.splice(0).map((held) => held.end()))
    },
  }
}

async function connect(url: string): Promise<Held> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const { promise: connected, resolve, reject } = Promise.withResolvers<DirectSession>()
  const ended = openDatabase({ url, role: 'owner' }).direct(async (session) => {
    if (!(await begin(session))) throw new Error('the connection was lost')
    resolve(session)
    await released
  })
  ended.catch(reject)
  return {
    session: await connected,
    end: async () => {
      release()
      await ended.catch(() => undefined)
    },
  }
}

/** What a connection sets when it is opened; false if it was lost. */
async function begin(session: DirectSession): Promise<boolean> {
  if (session.lost.aborted) return false
  return await succeeds(() => session.query(`select ${pinText(settings, false)}`))
}

/** False if nothing of it can be used again: it is lost, or a transaction was left open. */
async function clear(session: DirectSession): Promise<boolean> {
  return await succeeds(() => session.query('discard all'))
}

async function succeeds(work: () => Promise<unknown>): Promise<boolean> {
  return await work().then(
    () => true,
    () => false,
  )
}
