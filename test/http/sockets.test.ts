import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import { callerSignal } from '../../src/http/plugins/caller-signal.ts'
import { listen, open, raw, status, testApp } from './support.ts'

const running: ReturnType<typeof testApp>[] = []

function served(...args: Parameters<typeof testApp>) {
  const app = testApp(...args)
  running.push(app)
  return app
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((app) => app.close()))
})

function problemIn(answer: string): Record<string, unknown> {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))
}

describe('on a real socket', () => {
  it.each([
    'GET /healthz HTTP/1.1\r\nhost: local',
    'POST /try HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"',
  ])('ends a request that does not arrive (%#)', async (text) => {
    const app = served({}, { headersTimeoutMs: 50, requestTimeoutMs: 50, timeoutCheckMs: 10 })
    app.post('/try', open, async () => 'taken')
    const port = await listen(app)
    const answer = await raw(port, text)
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect(problemIn(answer)).toMatchObject({ type: 'urn:akashi:error:timeout', status: 408 })
  })

  it('refuses headers that are too large', async () => {
    const port = await listen(served({}, { headerBytes: 1_024 }))
    const answer = await raw(port, `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(2_000)}\r\n\r\n`)
    expect(problemIn(answer)).toMatchObject({ type: 'urn:akashi:error:too_large', status: 431 })
  })

  it('tells a caller who sent a body what went wrong, since they wait for it', async () => {
    const app = served()
    app.post('/try', open, async (_, reply) => {
      const signal = callerSignal(reply)
      await sleep(20)
      throw new AkashiError('conflict', `aborted: ${signal.aborted}`)
    })
    const answer = await fetch(`http://127.0.0.1:${await listen(app)}/try`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(await answer.json()).toMatchObject({ status: 409, detail: 'aborted: false' })
  })

  it('knows when a caller is gone', async () => {
    const app = served()
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    app.post('/try', open, async (_, reply) => {
      callerSignal(reply).addEventListener('abort', () => resolve())
      begin()
      await gone
    })
    const leaving = new AbortController()
    const asked = fetch(`http://127.0.0.1:${await listen(app)}/try`, {
      method: 'POST',
      signal: leaving.signal,
    })
    await begun
    leaving.abort()
    await expect(asked).rejects.toThrow()
    await gone
  })

  it('refuses what is not HTTP', async () => {
    const answer = await raw(await listen(served()), 'hello\r\n\r\n')
    expect(problemIn(answer)).toMatchObject({ type: 'urn:akashi:error:invalid_input', status: 400 })
  })

  it('refuses a path that is not validly encoded', async () => {
    const port = await listen(served())
    const answer = await raw(port, 'GET /%zz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
    expect(problemIn(answer)).toMatchObject({ type: 'urn:akashi:error:invalid_input', status: 400 })
  })

  it('finishes what is under way before it closes', async () => {
    let started = () => {}
    const underWay = new Promise<void>((resolve) => {
      started = resolve
    })
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const app = served({
      systemStatus: async () => {
        started()
        await gate
        return status
      },
    })
    const port = await listen(app)
    const answer = fetch(`http://127.0.0.1:${port}/v1/status`)
    await underWay
    const closed = app.close()
    release()
    expect((await answer).status).toBe(200)
    await closed
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow()
  })

  it('aborts the work of a caller who has gone', async () => {
    const seen: AbortSignal[] = []
    const app = served({
      systemStatus: (_, signal) =>
        new Promise((_resolve, reject) => {
          seen.push(signal)
          signal.addEventListener('abort', () => reject(new Error('aborted')))
        }),
    })
    const port = await listen(app)
    const caller = new AbortController()
    const answer = fetch(`http://127.0.0.1:${port}/v1/status`, { signal: caller.signal })
    const failed = expect(answer).rejects.toThrow()
    while (seen.length === 0) {
      await sleep(5)
    }
    caller.abort()
    await failed
    while (seen[0]?.aborted !== true) {
      await sleep(5)
    }
    expect(seen[0].aborted).toBe(true)
  })

  it('handles so many requests of one caller at once, and those of another all the same', async () => {
    const app = served({}, { inFlightPerCaller: 2 })
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    let handled = 0
    app.get('/try', open, async () => {
      handled += 1
      await released
      return 'done'
    })
    const url = `http://127.0.0.1:${await listen(app)}/try`
    const as = (authorization: string) => fetch(url, { headers: { authorization } })
    const waiting = [as('Bearer one'), as('Bearer one'), fetch(url), fetch(url), fetch(url)]
    await expect.poll(() => handled).toBe(5)
    const refused = await as('Bearer one')
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('1')
    const other = as('Bearer two')
    await expect.poll(() => handled).toBe(6)
    release()
    for (const answer of await Promise.all([...waiting, other])) expect(answer.status).toBe(200)
    await expect.poll(async () => (await as('Bearer one')).status).toBe(200)
  })
})
