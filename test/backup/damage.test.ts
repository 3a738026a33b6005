import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runBackup, verifyBackups } from '../../src/backup/index.ts'
import { AkashiError } from '../../src/foundation/index.ts'
import { restoreTo, startCluster, type TestCluster } from './support/cluster.ts'

/** One object of each kind, by its name. */
const kinds: Readonly<Record<string, RegExp>> = {
  'data key': /\/keys\/.*\.age$/,
  manifest: /\/manifest\.json$/,
  index: /\/index$/,
  pack: /\/pack-\d+$/,
  WAL: /\/wal\//,
  history: /\/history\//,
}

let cluster: TestCluster

async function bytesOf(name: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of await cluster.store.get(name)) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function names(): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of cluster.store.list('backups/')) found.push(key)
  return found
}

/** Alters an object for as long as `work` runs; its store takes the altered bytes for the true ones. */
async function damaged(name: string, alter: (bytes: Buffer) => Buffer, work: () => Promise<void>) {
  const original = await bytesOf(name)
  await cluster.store.put(name, alter(Buffer.from(original)))
  try {
    await work()
  } finally {
    await cluster.store.put(name, original)
  }
}

/** Our own cache of opened keys would hide a damaged one. */
async function freshBackupStore() {
  const { openBackupStore } = await import('../../src/backup/index.ts')
  return openBackupStore({ store: cluster.store, keyring: cluster.keyring }, cluster.backupStore.systemId)
}

function flip(position: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const at = Math.floor(bytes.length * position)
    bytes[at] = (bytes[at] ?? 0) ^ 0x01
    return bytes
  }
}

beforeAll(async () => {
  cluster = await startCluster()
  await cluster.sql(`create table t as select i, repeat('a', 100) as note from generate_series(1, 5000) i`)
  const stream = cluster.stream()
  await runBackup(cluster.backupStore, cluster.source, 'full')
  await cluster.sql(`insert into t values (0, 'later')`)
  await stream.flushed()
  await stream.stop()
  // Leaves the history of its timeline in the store.
  const restored = await restoreTo(cluster.backupStore, 'latest')
  await restored.stop()
})

afterAll(async () => {
  await cluster.stop()
})

describe('one flipped byte', () => {
  it.each(Object.entries(kinds))(
    'in a %s is found and named',
    async (_, pattern) => {
      const found = (await names()).filter((name) => pattern.test(name))
      expect(found.length).toBeGreaterThan(0)
      for (const name of found.slice(0, 3)) {
        for (const position of [0.02, 0.5, 0.98]) {
          await damaged(name, flip(position), async () => {
            const report = await verifyBackups(await freshBackupStore())
            expect(report.ok, `${name} at ${position}`).toBe(false)
            expect(report.problems.map(({ object, detail }) => `${object} ${detail}`).join('\n')).toContain(
              name,
            )
          })
        }
      }
      expect((await verifyBackups(await freshBackupStore())).problems).toEqual([])
    },
    120_000,
  )

  it('keeps a restore from starting PostgreSQL', async () => {
    const pack = (await names()).find((name) => kinds['pack']?.test(name)) ?? ''
    await damaged(pack, flip(0.7), async () => {
      const error: unknown = await restoreTo(await freshBackupStore(), 'latest').catch(
        (reason: unknown) => reason,
      )
      expect(error).toBeInstanceOf(AkashiError)
      expect(error).toMatchObject({ code: 'integrity', message: expect.stringContaining(pack) })
    })
  })
})

describe('an object', () => {
  it('that is cut short, missing or in the place of another is named', async () => {
    const packs = (await names()).filter((name) => kinds['pack']?.test(name))
    const [pack = ''] = packs
    await damaged(
      pack,
      (bytes) => bytes.subarray(0, bytes.length - 10),
      async () => {
        const { problems } = await verifyBackups(await freshBackupStore())
        expect(problems.map(({ object }) => object)).toContain(pack)
      },
    )
    const bytes = await bytesOf(pack)
    await cluster.store.delete(pack)
    const { problems } = await verifyBackups(await freshBackupStore())
    expect(problems.map(({ object }) => object)).toContain(pack)
    await cluster.store.put(pack, bytes)

    const [first, second] = (await names()).filter((name) => kinds['WAL']?.test(name))
    if (first !== undefined && second !== undefined) {
      const other = await bytesOf(second)
      await damaged(
        first,
        () => other,
        async () => {
          const report = await verifyBackups(await freshBackupStore())
          expect(report.problems.map(({ object }) => object)).toContain(first)
        },
      )
    }
  })
})

describe('data keys', () => {
  it('are opened by a new recipient after they were wrapped anew, and no pack is rewritten', async () => {
    const { generateX25519Identity, identityToRecipient } = await import('age-encryption')
    const { DataKeys } = await import('../../src/backup/store/data-keys.ts')
    const { identitiesOf } = await import('../../src/backup/store/identity.ts')
    const identity = await generateX25519Identity()
    const recipient = await identityToRecipient(identity)
    const before = new Map<string, string>()
    const digest = async (key: string) => (await cluster.store.head(key))?.sha256 ?? ''
    for await (const { key } of cluster.store.list('backups/')) before.set(key, await digest(key))
    const { systemId } = cluster.backupStore
    const theirs = new DataKeys(cluster.store, systemId, { identities: [identity], recipients: [] })
    const name = (await names()).find((key) => kinds['data key']?.test(key)) ?? ''
    const id = name.slice(name.lastIndexOf('/') + 1, -'.age'.length)
    await expect(theirs.open(id, name)).rejects.toMatchObject({ code: 'forbidden' })

    const ours = { identities: await identitiesOf(cluster.keyring), recipients: [recipient] }
    await new DataKeys(cluster.store, systemId, ours).rewrap()
    expect((await theirs.open(id, name)).id).toBe(id)
    const changed: string[] = []
    for await (const { key } of cluster.store.list('backups/')) {
      if (before.get(key) !== (await digest(key))) changed.push(key)
    }
    expect(changed.every((key) => kinds['data key']?.test(key))).toBe(true)

    // A rotated keyring still opens what was wrapped for its earlier key.
    await cluster.keyring.rotate('backup')
    expect((await verifyBackups(await freshBackupStore())).ok).toBe(true)
  })
})
