import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  type Installation,
  type InstallationRecord,
  type ObjectStore,
  openObjectStore,
  openOwnership,
  ownedStore,
  readOwner,
  type StoreOwner,
  type TakeOver,
} from '../../src/object-store/index.ts'
import { type S3Server, startS3 } from '../support/s3-server.ts'
import { keysOf } from './conformance.ts'

/** A database as far as ownership goes. */
class Place implements InstallationRecord {
  own: Installation
  readonly losses: StoreOwner[] = []
  readonly takeOvers: (StoreOwner | null | undefined)[] = []
  /** Thrown by the next write of a token. */
  crash: Error | undefined

  constructor(own: Partial<Installation> = {}) {
    const database = { cluster: '7301', timeline: '1', database: '16384' }
    this.own = { installation: null, token: null, copied: false, ...database, ...own }
  }
  read = () => Promise.resolve(this.own)
  write = (installation: string, token: number | null, takeOver?: TakeOver) => {
    if (token !== null && this.crash !== undefined) return Promise.reject(this.crash)
    this.own = { ...this.own, installation, token, copied: false }
    if (takeOver !== undefined) this.takeOvers.push(takeOver.from)
    return Promise.resolve()
  }
  lost = (to: StoreOwner) => {
    this.losses.push(to)
    this.own = { ...this.own, token: null }
    return Promise.resolve()
  }
  /** The same content at another place: a restore ends on another timeline. */
  restored(): Place {
    return new Place({ ...this.own, timeline: '2', copied: true })
  }
}

const refused = { code: 'conflict', hint: expect.stringContaining('--take-over') }
const anyKey = () => `x/${randomUUID()}`

const SIGNER = { accessKeyId: 'AKIATEST', secretAccessKey: 'test/secret+key', region: 'us-east-1' }

let folder: string
let server: S3Server
let store: ObjectStore
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-ownership-'))
  server = await startS3('bucket', SIGNER)
  vi.stubEnv('AWS_ACCESS_KEY_ID', SIGNER.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', SIGNER.secretAccessKey)
})
afterAll(async () => {
  await server.stop()
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

describe.each(['file', 's3'])('%s', (kind) => {
  const emptyStore = (): Promise<ObjectStore> => {
    const prefix = randomUUID()
    const endpoint = encodeURIComponent(server.endpoint)
    return openObjectStore(
      kind === 'file'
        ? `file:${folder}/${prefix}`
        : `s3://bucket/${prefix}?endpoint=${endpoint}&region=${SIGNER.region}&pathStyle=true`,
    )
  }
  beforeEach(async () => {
    store = await emptyStore()
  })

  test('the first installation owns the store, and again after a restart', async () => {
    const place = new Place()
    const owner = await openOwnership(store, place).claim()
    expect(owner).toMatchObject({ token: 1, cluster: '7301', installation: place.own.installation })
    expect(place.own.token).toBe(1)
    expect(await openOwnership(store, place).claim()).toEqual(owner)
    expect(await keysOf(store.list('ownership/'))).toEqual(['ownership/000000000001'])
  })

  test('another installation, a restored copy, a dump into another cluster and a cloned database only read', async () => {
    const place = new Place()
    await ownedStore(store, openOwnership(store, place)).put('x/kept', Buffer.from('kept'))
    const others = [
      new Place({ cluster: '7302' }),
      place.restored(),
      new Place({ ...place.own, cluster: '7303', copied: true }),
      new Place({ ...place.own, database: '16999', copied: true }),
      // What a database says of itself decides nothing: it is compared with the record.
      new Place({ ...place.own, timeline: '2' }),
      new Place({ installation: randomUUID(), token: 1 }),
    ]
    for (const other of others) {
      const copy = ownedStore(store, openOwnership(store, other))
      await expect(copy.put(anyKey(), Buffer.from('x'))).rejects.toMatchObject(refused)
      await expect(copy.delete('x/kept')).rejects.toMatchObject(refused)
      expect(String(await buffer(await copy.get('x/kept')))).toBe('kept')
    }
    expect(await keysOf(store.list(''))).toEqual(['ownership/000000000001', 'x/kept'])
  })

  test('of many that claim an unowned store exactly one owns it', async () => {
    const places = Array.from({ length: 8 }, (_, i) => new Place({ cluster: String(7400 + i) }))
    const outcomes = await Promise.allSettled(places.map((place) => openOwnership(store, place).claim()))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(places.filter(({ own }) => own.token !== null)).toHaveLength(1)
  })

  test('a take-over fences the former owner, who says so once', async () => {
    const [former, next] = [new Place(), new Place({ cluster: '7302' })]
    const before = openOwnership(store, former)
    const first = await before.claim()
    const taken = await openOwnership(store, next).takeOver()
    expect(taken.token).toBe(2)
    expect(next.takeOvers).toEqual([first])
    // Until then it may have been in the middle of a write; from now on it writes nothing.
    const fenced = ownedStore(store, before)
    await expect(fenced.put(anyKey(), Buffer.from('x'))).rejects.toMatchObject(refused)
    await expect(fenced.delete('ownership/000000000002')).rejects.toMatchObject(refused)
    expect(former.losses).toEqual([taken])
    expect(former.own.token).toBeNull()
    await ownedStore(store, openOwnership(store, next)).put(anyKey(), Buffer.from('x'))
    expect(await readOwner(store)).toEqual(taken)
    // And back.
    expect((await openOwnership(store, former).takeOver()).token).toBe(3)
    await expect(openOwnership(store, next).claim()).rejects.toMatchObject(refused)
  })

  test('a store that is empty, or older than its owner left it, takes nothing until that is said to be right', async () => {
    const [place, other] = [new Place(), new Place({ cluster: '7302' })]
    await openOwnership(store, place).claim()
    await openOwnership(store, other).takeOver()
    await openOwnership(store, place).takeOver()
    for (const lost of ['ownership/000000000003', 'ownership/000000000002', 'ownership/000000000001']) {
      await store.delete(lost)
      const again = openOwnership(store, place)
      await expect(ownedStore(store, again).put(anyKey(), Buffer.from('x'))).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('lacks this installation’s ownership record ownership/000000000003'),
      })
      // Once the right one is mounted, it goes on as the owner.
      expect(place.own.token).toBe(3)
      expect(place.losses).toEqual([])
    }
    expect(await keysOf(store.list(''))).toEqual([])
    expect((await openOwnership(store, place).takeOver()).token).toBe(1)
    await ownedStore(store, openOwnership(store, place)).put(anyKey(), Buffer.from('x'))
  })

  /** Kills a take-over before or after one of its steps. Returns whether it had as many. */
  const killedAt = async (step: number, when: 'before' | 'after'): Promise<boolean> => {
    const KILLED = new Error('killed')
    const store = await emptyStore()
    const [former, next] = [new Place(), new Place({ cluster: '7302' })]
    const first = await openOwnership(store, former).claim()
    let steps = 0
    const killable = async <T>(work: () => Promise<T>): Promise<T> => {
      steps += 1
      if (steps > step || (steps === step && when === 'before')) throw KILLED
      const result = await work()
      if (steps === step) throw KILLED
      return result
    }
    const dying: ObjectStore = {
      ...store,
      put: (...args) => killable(() => store.put(...args)),
      get: (...args) => killable(() => store.get(...args)),
      list: (...args) => store.list(...args),
      head: (...args) => store.head(...args),
    }
    const record: InstallationRecord = {
      read: () => killable(next.read),
      write: (...args) => killable(() => next.write(...args)),
      lost: (to) => killable(() => next.lost(to)),
    }
    const outcome = await openOwnership(dying, record)
      .takeOver()
      .catch((error: unknown) => error)
    // Both start again.
    const owners = await Promise.allSettled(
      [former, next].map((place) => openOwnership(store, place).claim()),
    )
    expect(owners.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const taken = owners[1]?.status === 'fulfilled'
    expect(next.takeOvers).toHaveLength(taken ? 1 : 0)
    expect(former.losses).toHaveLength(taken ? 1 : 0)
    if (outcome !== KILLED) expect(next.takeOvers).toEqual([first])
    await openOwnership(store, next).takeOver()
    await expect(openOwnership(store, former).claim()).rejects.toMatchObject(refused)
    return outcome === KILLED
  }

  test('a take-over that is killed at any step leaves one owner, and is told once', async () => {
    // More than it has. They run beside each other, since each waits for the others' knowledge of the owner to end.
    const STEPS = 20
    const killed = await Promise.all(
      Array.from({ length: STEPS }, (_, index) =>
        Promise.all([killedAt(index + 1, 'before'), killedAt(index + 1, 'after')]),
      ),
    )
    const steps = killed.filter(([before]) => before).length
    expect(steps).toBeGreaterThan(3)
    expect(steps).toBeLessThan(STEPS)
    expect(killed).toEqual(killed.map((_, index) => [index < steps, index < steps]))
  })

  test('one that crashed between the store and its database recognises its record', async () => {
    const place = new Place()
    place.crash = new Error('killed')
    await expect(openOwnership(store, place).claim()).rejects.toThrow('killed')
    place.crash = undefined
    expect(place.own.token).toBeNull()
    expect((await openOwnership(store, place).claim()).token).toBe(1)
    expect(place.own.token).toBe(1)
  })

  test('a listing that lags behind hides no newer owner', async () => {
    const [former, next] = [new Place(), new Place({ cluster: '7302' })]
    await openOwnership(store, former).claim()
    const taken = await openOwnership(store, next).takeOver()
    for (const shown of [['ownership/000000000001'], []]) {
      const lagging: ObjectStore = {
        location: store.location,
        put: (...args) => store.put(...args),
        get: (...args) => store.get(...args),
        head: (...args) => store.head(...args),
        delete: (...args) => store.delete(...args),
        listFolders: (...args) => store.listFolders(...args),
        list: async function* (...args) {
          for await (const found of store.list(...args)) if (shown.includes(found.key)) yield found
        },
      }
      expect(await readOwner(lagging)).toEqual(taken)
      await expect(openOwnership(lagging, former).claim()).rejects.toMatchObject(refused)
    }
  })

  test('a record that cannot be read stops everybody', async () => {
    const place = new Place()
    await openOwnership(store, place).claim()
    await store.put('ownership/000000000002', Buffer.from('{"token": 2}'))
    await expect(openOwnership(store, place).claim()).rejects.toMatchObject({ code: 'integrity' })
    await store.put('ownership/000000000002', Buffer.from(JSON.stringify({ ...(await stored(1)), token: 1 })))
    await expect(openOwnership(store, place).claim()).rejects.toMatchObject({ code: 'integrity' })
  })
})

async function stored(token: number): Promise<object> {
  const key = `ownership/${String(token).padStart(12, '0')}`
  return JSON.parse(String(await buffer(await store.get(key)))) as object
}
