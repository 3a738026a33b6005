import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { describe, expect, it, vi } from 'vitest'
import { type BusMessage, localBus, redisBus } from '../../src/chat/index.ts'
import { hasRedis, startRedis } from '../support/redis.ts'

const log = pino({ level: 'silent' })
const word = (): BusMessage => ({ about: 'room', roomId: randomUUID() })

describe('a bus', () => {
  it('tells every listener until it stops listening', () => {
    const bus = localBus()
    const heard: BusMessage[] = []
    const stop = bus.listen((one) => heard.push(one))
    const first = word()
    bus.announce(first)
    stop()
    bus.announce(word())
    expect(heard).toEqual([first])
  })

  it('works for its own node while Redis cannot be reached', async () => {
    const bus = await redisBus('redis://127.0.0.1:1', log)
    const heard: BusMessage[] = []
    bus.listen((one) => heard.push(one))
    const own = word()
    bus.announce(own)
    expect(heard).toEqual([own])
    await bus.close()
  })
})

describe.skipIf(!hasRedis)('a bus over Redis', () => {
  it('carries words to the other node once, and to its own at once', async () => {
    const redis = await startRedis()
    const [one, two] = await Promise.all([redisBus(redis.url, log), redisBus(redis.url, log)])
    const heard: { one: BusMessage[]; two: BusMessage[] } = { one: [], two: [] }
    one.listen((each) => heard.one.push(each))
    two.listen((each) => heard.two.push(each))
    const sent = word()
    one.announce(sent)
    expect(heard.one).toEqual([sent])
    await vi.waitFor(() => expect(heard.two).toEqual([sent]), 20_000)
    expect(heard.one).toEqual([sent])
    await one.close()
    await two.close()
    await redis.stop()
  })

  it('goes on after Redis was away', async () => {
    const redis = await startRedis()
    const [one, two] = await Promise.all([redisBus(redis.url, log), redisBus(redis.url, log)])
    const heard: BusMessage[] = []
    two.listen((each) => heard.push(each))
    await redis.stop()
    one.announce(word())
    const again = await startRedis(Number(new URL(redis.url).port))
    await vi.waitFor(
      () => {
        one.announce(word())
        expect(heard.length).toBeGreaterThan(0)
      },
      { timeout: 10_000, interval: 200 },
    )
    await one.close()
    await two.close()
    await again.stop()
  })
})
