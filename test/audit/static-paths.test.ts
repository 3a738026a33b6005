import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { auditLogs, readHead, securityEvents, staticResource, verifierKeys } from '../../src/audit/index.ts'
import { parseCheckpoint } from '../../src/audit/ledger/checkpoint.ts'
import { inclusionProof, leafHash, rootFromInclusion, treeRoot } from '../../src/audit/ledger/merkle.ts'
import { formatTilePath, parseTilePath } from '../../src/audit/ledger/tile-paths.ts'
import { TiledTree } from '../../src/audit/ledger/tiles.ts'
import { verifyNote } from '../../src/keys/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const reader = database.open('reader')
const ledger = testLedger(worker)
let size = 0n

beforeAll(async () => {
  await database.asSuperuser((session) =>
    session.query(
      "create table busy (id int primary key); select akashi_audit.protect('busy'); insert into busy select generate_series(1, 600)",
    ),
  )
  await ledger.seal()
  size = (await worker.transaction(tester, (session) => readHead(session, 'audit_logs')))?.size ?? 0n
})

const get = async (path: string) => (await staticResource(reader, tester, auditLogs, path)).bytes

describe('paths of tiles', () => {
  it.each([
    ['tile/0/000', { level: 0, tile: 0n, width: 256 }],
    ['tile/0/x001/x234/067', { level: 0, tile: 1234067n, width: 256 }],
    ['tile/63/005.p/1', { level: 63, tile: 5n, width: 1 }],
    ['tile/entries/x001/000.p/255', { level: 'entries', tile: 1000n, width: 255 }],
  ] as const)('%s', (path, parsed) => {
    expect(parseTilePath(path)).toEqual(parsed)
    expect(formatTilePath(parsed)).toBe(path)
  })

  it.each([
    '',
    'tile',
    'tile/0',
    'tile/0/0',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/0/000.p',
    'tile/0/000/',
    '/tile/0/000',
    'tile/entry/000',
    'tile/0/../000',
    `tile/0/${'x999/'.repeat(8)}999`,
    'tile/0/000\n',
  ])('refuses %j', (path) => {
    expect(parseTilePath(path)).toBeNull()
  })

  it('are parsed to what they were built from', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }),
        fc.integer({ min: 0, max: 63 }),
        fc.integer({ min: 1, max: 256 }),
        (tile, level, width) => {
          expect(parseTilePath(formatTilePath({ level, tile, width }))).toEqual({ level, tile, width })
        },
      ),
    )
  })
})

describe('the static resources of a log', () => {
  it('let a client rebuild the signed root and prove every entry', async () => {
    const note = (await get('checkpoint')).toString('utf8')
    const origin = note.slice(0, note.indexOf('\n'))
    const checkpoint = parseCheckpoint(verifyNote(note, await verifierKeys(ledger.keyring)(origin)).text)
    expect(checkpoint.size).toBe(size)
    const tree = new TiledTree(checkpoint.size, ({ level, tile }) => {
      const hashes = Number(checkpoint.size / 256n ** BigInt(level))
      return get(formatTilePath({ level, tile, width: Math.min(256, hashes - Number(tile) * 256) }))
    })
    expect((await treeRoot(checkpoint.size, tree.node)).equals(checkpoint.root)).toBe(true)
    for (const position of [0n, 255n, 256n, size - 1n]) {
      const tile = position / 256n
      const width = Number(size - tile * 256n > 256n ? 256n : size - tile * 256n)
      const bundle = await get(formatTilePath({ level: 'entries', tile, width }))
      expect(bundle).toHaveLength(width * 34)
      const at = Number(position % 256n) * 34
      expect(bundle.readUInt16BE(at)).toBe(32)
      const leaf = leafHash(bundle.subarray(at + 2, at + 34))
      const path = await inclusionProof(position, size, tree.node)
      expect(rootFromInclusion(leaf, position, size, path)?.equals(checkpoint.root)).toBe(true)
    }
  })

  it('have a cache lifetime', async () => {
    expect(await staticResource(reader, tester, auditLogs, 'checkpoint')).toMatchObject({
      cacheControl: 'public, max-age=1',
      contentType: 'text/plain; charset=utf-8',
    })
    expect(await staticResource(reader, tester, auditLogs, 'tile/0/000')).toMatchObject({
      cacheControl: 'public, max-age=31536000, immutable',
      contentType: 'application/octet-stream',
    })
    expect((await staticResource(reader, tester, auditLogs, 'tile/entries/001')).cacheControl).toContain(
      'immutable',
    )
    expect((await staticResource(reader, tester, auditLogs, 'tile/1/000.p/1')).cacheControl).not.toContain(
      'immutable',
    )
  })

  it('include a partial tile as it was at that width', async () => {
    expect((await get('tile/0/000.p/9')).equals((await get('tile/0/000')).subarray(0, 9 * 32))).toBe(true)
  })

  it.each([
    'tile/0/x001/000',
    'tile/0/902',
    'tile/1/000',
    'tile/1/000.p/99',
    'tile/9/000',
    'tile/entries/902',
    'favicon.ico',
    'tile/0/999.p/1',
  ])('have no %s', async (path) => {
    await expect(staticResource(reader, tester, auditLogs, path)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('do not exist before the first seal', async () => {
    await expect(staticResource(reader, tester, securityEvents, 'checkpoint')).rejects.toMatchObject({
      code: 'not_found',
    })
  })
})
