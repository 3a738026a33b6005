import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { crc32, deflateRawSync, deflateSync } from 'node:zlib'
import { type ChatFile, MAX_AVATAR_BYTES, MAX_FILE_BYTES, operations } from '@akashi/contract'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import { eraseUser } from '../../src/identity/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { person as personOf } from '../../src/postgres/index.ts'
import { type Browser, testServer } from '../identity/server.ts'
import { type Clamd, eicar, hasClamd, startClamd } from '../support/clamd.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makePerson, type Person } from './people.ts'

const database = testDatabase()
const server = testServer(database)
const app = database.open('app')
const worker = database.open('worker')
const signal = new AbortController().signal
let folder: string
let store: ObjectStore
let aoi: Person
let ken: Person
let room: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-files-'))
  store = await openObjectStore(pathToFileURL(folder).href)
  aoi = await makePerson(database, app, 'aoi')
  ken = await makePerson(database, app, 'ken')
  room = (await chat.createRoom(app, aoi.actor, { name: 'files', type: 'private' })).id
  const invitation = await chat.invite(app, aoi.actor, room, ken.id)
  await chat.answerInvitation(app, ken.actor, invitation, true)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function upload(
  bytes: Uint8Array | Readable,
  name = 'file.bin',
  mimeType = 'application/octet-stream',
) {
  const stream = bytes instanceof Readable ? bytes : Readable.from([Buffer.from(bytes)])
  return await chat.uploadFile(app, store, aoi.actor, room, { name, mimeType, bytes: stream })
}

const keys = async () => {
  const found: string[] = []
  for await (const { key } of store.list('chat/')) found.push(key)
  return found
}

function open(person: Person, fileId: string, thumbnail = false) {
  return chat.openDownload(app, store, person.actor, fileId, { thumbnail })
}

describe('an upload', () => {
  it('is refused past 104,857,600 bytes and when it is empty, and leaves nothing', async () => {
    const before = await keys()
    const piece = Buffer.alloc(1_048_576)
    const stream = (size: number) =>
      Readable.from(
        (function* () {
          for (let left = size; left > 0; left -= piece.length)
            yield piece.subarray(0, Math.min(left, piece.length))
        })(),
      )
    const whole = await upload(stream(MAX_FILE_BYTES))
    expect(whole.size).toBe(104_857_600)
    await expect(upload(stream(MAX_FILE_BYTES + 1))).rejects.toMatchObject({ code: 'too_large' })
    await expect(upload(Readable.from([]))).rejects.toMatchObject({ code: 'invalid_input' })
    expect(await keys()).toHaveLength(before.length + 1)
    await store.delete((await keys()).find((key) => key.includes(whole.id)) ?? '')
    await database.asSuperuser((session) =>
      session.query('update akashi_chat.file_uploads set is_deleted = true where id = $1', [whole.id]),
    )
  })

  it('counts from its beginning, and no longer once it was cut off or refused', async () => {
    const sender = await makePerson(database, app, 'sender')
    const own = (await chat.createRoom(app, sender.actor, { name: 'own' })).id
    const send = (bytes: Readable, size?: number) =>
      chat.uploadFile(app, store, sender.actor, own, {
        name: 'a',
        mimeType: 'text/plain',
        bytes,
        ...(size === undefined ? {} : { size }),
      })
    // Each may become as long as a file can be: five are all that somebody may have unsent.
    const endless = Array.from({ length: 5 }, () => new Readable({ read: () => undefined }))
    const cut = endless.map((bytes) => send(bytes).catch((error: unknown) => error))
    const unsent = () =>
      sender.ask("select from akashi_chat.file_uploads where user_id = $1 and upload_status = 'processing'", [
        sender.id,
      ])
    await vi.waitFor(async () => expect(await unsent()).toHaveLength(5), 10_000)
    await expect(send(Readable.from([Buffer.from('x')]), 1)).rejects.toMatchObject({ code: 'rate_limited' })
    for (const bytes of endless) bytes.destroy(new Error('the line is cut'))
    await Promise.all(cut)
    expect(await unsent()).toHaveLength(0)
    // Longer than it said, and more than is left: nothing of it is kept.
    const before = await keys()
    const held = await send(Readable.from([Buffer.from('kept')]), 4)
    await database.asSuperuser((session) =>
      session.query('update akashi_chat.file_uploads set file_size = 104857600 where id = $1', [held.id]),
    )
    const others = Array.from({ length: 4 }, () => new Readable({ read: () => undefined }))
    const open = others.map((bytes) => send(bytes, 104_857_599).catch((error: unknown) => error))
    await vi.waitFor(async () => expect(await unsent()).toHaveLength(5), 10_000)
    await expect(send(Readable.from([Buffer.alloc(10)]), 1)).rejects.toMatchObject({ code: 'rate_limited' })
    // As long as it said, it is not counted twice.
    const fits = await send(Readable.from([Buffer.alloc(3)]), 3)
    await database.asSuperuser((session) =>
      session.query('update akashi_chat.file_uploads set is_deleted = true where id = $1', [fits.id]),
    )
    await store.delete((await keys()).find((key) => key.includes(fits.id)) ?? '')
    for (const bytes of others) bytes.destroy(new Error('the line is cut'))
    await Promise.all(open)
    expect(await keys()).toHaveLength(before.length + 1)
  })

  it('keeps of a name only what can be shown', async () => {
    for (const [given, shown] of [
      ['../../etc/passwd', 'passwd'],
      ['C:\\Users\\x\\報告書.pdf', '報告書.pdf'],
      ['a\u202egnp.exe', 'agnp.exe'],
      ['..', 'file'],
      ['\u0000\n', 'file'],
    ] as const) {
      expect(chat.shownName(given), given).toBe(shown)
    }
    const file = await upload(Buffer.from('x'), '../../etc/passwd')
    expect(file.name).toBe('passwd')
    expect((await keys()).every((key) => /^chat\/[0-9a-f-]{36}\/[0-9a-f-]{36}\/\w+$/.test(key))).toBe(true)
  })

  it('is for members, and seen by others only with a message and when it was scanned', async () => {
    const stranger = await makePerson(database, app, 'stranger')
    await expect(
      chat.uploadFile(app, store, stranger.actor, room, {
        name: 'x',
        mimeType: 'text/plain',
        bytes: Readable.from([Buffer.from('x')]),
      }),
    ).rejects.toMatchObject({ code: 'not_found' })
    const file = await upload(Buffer.from('not scanned'))
    await chat.postMessage(app, aoi.actor, room, { content: '', fileId: file.id })
    await expect(chat.readFile(app, ken.actor, file.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(open(aoi, file.id)).rejects.toMatchObject({ code: 'conflict' })
    expect(await chat.inspectUploads({ worker, store, scanner: undefined, signal }, tester)).toBe(0)
  })

  it('does not wait for a picture that is being decoded', async () => {
    const pixels = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#268' } })
      .png()
      .toBuffer()
    const picture = await upload(pixels, 'slow.png', 'image/png')
    const begun = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    let wholeReads = 0
    const get = async (key: string, options?: Parameters<ObjectStore['get']>[1]) => {
      // The first is for the scanner.
      if (key.includes(picture.id) && options?.range === undefined && ++wholeReads === 2) {
        begun.resolve()
        await gate.promise
      }
      return await store.get(key, options)
    }
    const slow = new Proxy(store, {
      get: (target, name) => {
        if (name === 'get') return get
        const own: unknown = Reflect.get(target, name)
        return typeof own === 'function' ? own.bind(target) : own
      },
    })
    const clean: chat.Scanner = { scan: () => Promise.resolve({ clean: true }) }
    const round = chat.inspectUploads({ worker, store: slow, scanner: clean, signal }, tester)
    await begun.promise
    const note = await upload(Buffer.from('a note'), 'note.txt', 'text/plain')
    const stateOf = async ({ id }: ChatFile) => (await chat.readFile(app, aoi.actor, id)).status
    await vi.waitFor(async () => expect(await stateOf(note)).toBe('completed'), 10_000)
    expect(await stateOf(picture)).toBe('processing')
    gate.resolve()
    expect(await round).toBeGreaterThanOrEqual(2)
    expect(await stateOf(picture)).toBe('completed')
  })

  it('stays in quarantine while the scanner is away', async () => {
    const file = await upload(Buffer.from('waits'))
    const away = chat.openScanner(new URL(`clamd:/nowhere/${randomUUID()}`))
    await expect(chat.inspectUploads({ worker, store, scanner: away, signal }, tester)).rejects.toMatchObject(
      {
        code: 'unavailable',
      },
    )
    expect(await chat.readFile(app, aoi.actor, file.id)).toMatchObject({ status: 'processing' })
  })
})

/** A zip of one member, as its format has it; `size` is what it claims to unpack to. */
function zip(member: Buffer, size: number): Buffer {
  const packed = deflateRawSync(member)
  const local = Buffer.alloc(30)
  local.writeUInt32LE(0x04034b50, 0)
  local.writeUInt16LE(20, 4)
  local.writeUInt16LE(8, 8)
  local.writeUInt32LE(packed.length, 18)
  local.writeUInt32LE(size, 22)
  local.writeUInt16LE(1, 26)
  const central = Buffer.alloc(46)
  central.writeUInt32LE(0x02014b50, 0)
  central.writeUInt16LE(20, 4)
  central.writeUInt16LE(20, 6)
  central.writeUInt16LE(8, 10)
  central.writeUInt32LE(packed.length, 20)
  central.writeUInt32LE(size, 24)
  central.writeUInt16LE(1, 28)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.length + 1, 12)
  end.writeUInt32LE(local.length + 1 + packed.length, 16)
  const name = Buffer.from('a')
  return Buffer.concat([local, name, packed, central, name, end])
}

const picture = sharp({ create: { width: 60, height: 40, channels: 3, background: '#c85' } })

/** Two frames of 40 × 30 pixels, as the format has it. */
function animatedPng(): Buffer {
  const u32 = (...numbers: readonly number[]) => {
    const bytes = Buffer.alloc(4 * numbers.length)
    for (const [at, number] of numbers.entries()) bytes.writeUInt32BE(number, at * 4)
    return bytes
  }
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data])
    return Buffer.concat([u32(data.length), body, u32(crc32(body))])
  }
  const rows = (grey: number) => {
    const row = Buffer.concat([Buffer.alloc(1), Buffer.alloc(120, grey)])
    return deflateSync(Buffer.concat(Array.from({ length: 30 }, () => row)))
  }
  const frame = (at: number) =>
    chunk('fcTL', Buffer.concat([u32(at, 40, 30, 0, 0), Buffer.from([0, 1, 0, 10, 0, 0])]))
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', Buffer.concat([u32(40, 30), Buffer.from([8, 2, 0, 0, 0])])),
    chunk('acTL', u32(2, 0)),
    frame(0),
    chunk('IDAT', rows(200)),
    frame(1),
    chunk('fdAT', Buffer.concat([u32(2), rows(20)])),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

describe.skipIf(!hasClamd)('a scanned upload', () => {
  let clamd: Clamd
  let scanner: chat.Scanner
  beforeAll(async () => {
    clamd = await startClamd()
    scanner = chat.openScanner(clamd.url)
  })
  afterAll(() => clamd.stop())

  async function inspected(bytes: Uint8Array, name: string, mimeType: string): Promise<ChatFile> {
    const { id } = await upload(bytes, name, mimeType)
    while ((await chat.inspectUploads({ worker, store, scanner, signal }, tester)) > 0);
    return await chat.readFile(app, aoi.actor, id)
  }

  it('over the limit of the scanner is refused, and holds up no other', async () => {
    const small = await startClamd('1M')
    try {
      const limited = chat.openScanner(small.url)
      const large = await upload(randomBytes(6_000_000))
      const later = await upload(Buffer.from('later'), 'later.txt', 'text/plain')
      while ((await chat.inspectUploads({ worker, store, scanner: limited, signal }, tester)) > 0);
      expect(await chat.readFile(app, aoi.actor, large.id)).toMatchObject({
        status: 'failed',
        failureReason: 'too_large_to_scan',
      })
      expect(await chat.readFile(app, aoi.actor, later.id)).toMatchObject({ status: 'completed' })
    } finally {
      await small.stop()
    }
  })

  it('is completed with its own type, and then seen by the room', async () => {
    const file = await inspected(Buffer.from('日本語の文章'), 'note.html', 'text/html')
    expect(file).toMatchObject({ status: 'completed', mimeType: 'text/plain' })
    const message = await chat.postMessage(app, aoi.actor, room, { content: '', fileId: file.id })
    expect(message).toMatchObject({ type: 'file', file: { id: file.id, messageId: message.id } })
    expect((await buffer(await (await open(ken, file.id)).open())).toString()).toBe('日本語の文章')
    await chat.deleteMessage(app, aoi.actor, message.id)
    await expect(open(ken, file.id)).rejects.toMatchObject({ code: 'not_found' })
    await chat.removeDeletedFiles({ worker, store, signal }, tester)
    expect((await keys()).filter((key) => key.includes(file.id))).toEqual([])
  })

  it('is an image without metadata, turned as it said, with a thumbnail', async () => {
    const original = await sharp({ create: { width: 1200, height: 600, channels: 3, background: '#268' } })
      .withExif({ IFD0: { Copyright: 'Secret Person' }, IFD3: { GPSLatitude: '35/1 40/1 0/1' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer()
    expect(original.includes('Secret Person')).toBe(true)
    const file = await inspected(original, 'photo.jpg', 'image/jpeg')
    expect(file).toMatchObject({
      status: 'completed',
      mimeType: 'image/jpeg',
      width: 600,
      height: 1200,
      hasThumbnail: true,
    })
    await chat.postMessage(app, aoi.actor, room, { content: '', fileId: file.id })
    const clean = await buffer(await (await open(ken, file.id)).open())
    expect((await sharp(clean).metadata()).exif).toBeUndefined()
    expect(clean.includes('Secret Person')).toBe(false)
    const thumbnail = await sharp(await buffer(await (await open(ken, file.id, true)).open())).metadata()
    expect(thumbnail).toMatchObject({ format: 'webp', height: 480 })
    expect((await keys()).filter((key) => key.includes(file.id)).map((key) => key.split('/').at(-1))).toEqual(
      ['content', 'thumbnail'],
    )
  })

  it.each([
    ['WebP that is called .jpg', 'image/jpeg', 'image/webp', () => picture.clone().webp().toBuffer()],
    ['PNG that is called .jpg', 'image/jpeg', 'image/png', () => picture.clone().png().toBuffer()],
    ['an animated PNG', 'image/png', 'image/png', () => Promise.resolve(animatedPng())],
  ])('is shown as the picture that it is: %s', async (_, declared, mimeType, bytes) => {
    expect(await inspected(await bytes(), 'photo.jpg', declared)).toMatchObject({
      status: 'completed',
      mimeType,
      hasThumbnail: true,
      keepsMetadata: false,
    })
  })

  it('says so where a picture or video keeps what its camera wrote into it', async () => {
    const tiff = await picture
      .clone()
      .withExif({ IFD0: { Make: 'Camera' } })
      .tiff()
      .toBuffer()
    const movie = Buffer.concat([Buffer.from([0, 0, 0, 20]), Buffer.from('ftypqt  \0\0\0\0qt  ')])
    for (const [bytes, type] of [
      [tiff, 'image/tiff'],
      [movie, 'video/quicktime'],
    ] as const) {
      expect(await inspected(bytes, 'x', type)).toMatchObject({
        status: 'completed',
        mimeType: type,
        hasThumbnail: false,
        keepsMetadata: true,
      })
    }
    expect(await inspected(Buffer.from('text'), 'x', 'text/plain')).toMatchObject({ keepsMetadata: false })
  })

  it.each([
    ['a virus', Buffer.from(eicar), 'text/plain', /^infected: Test\.Eicar/],
    ['a virus in a zip', zip(Buffer.from(eicar), eicar.length), 'application/zip', /^infected: Test\.Eicar/],
    ['a zip bomb', zip(Buffer.alloc(110_000_000), 110_000_000), 'application/zip', /^archive_bomb$/],
    [
      'a text that says it is a picture',
      Buffer.from('<script>alert(1)</script>'),
      'image/png',
      /^type_mismatch$/,
    ],
    [
      'a broken picture',
      Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), randomBytes(200)]),
      'image/png',
      /^(image_damaged|type_mismatch)$/,
    ],
  ])('is refused: %s', async (_, bytes, type, reason) => {
    const file = await inspected(bytes, 'x', type)
    expect(file).toMatchObject({ status: 'failed', failureReason: expect.stringMatching(reason) })
    await expect(open(aoi, file.id)).rejects.toMatchObject({ code: 'conflict' })
    expect((await keys()).filter((key) => key.includes(file.id))).toEqual([])
  })

  it('is refused: a picture of gigabytes in a few bytes', async () => {
    const flood = await sharp({
      create: { width: 12_000, height: 12_000, channels: 3, background: '#fff' },
      limitInputPixels: false,
    })
      .png({ compressionLevel: 9 })
      .toBuffer()
    expect(flood.length).toBeLessThan(2_000_000)
    expect(await inspected(flood, 'flood.png', 'image/png')).toMatchObject({
      status: 'failed',
      failureReason: 'image_damaged',
    })
  })

  it('leaves an event when it was infected', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ user_id: string; severity: string }>(
        `select user_id, severity from akashi_security.security_events where event_type = 'malware_detected'`,
      ),
    )
    expect(rows.length).toBeGreaterThan(0)
    expect(rows[0]).toEqual({ user_id: aoi.id, severity: 'high' })
  })

  describe('over HTTP', () => {
    let browser: Browser
    let host: string
    let http: ReturnType<typeof server.app>
    let own: string
    /** Bytes that the disk has left; null: nobody asks. */
    let free: number | null = null
    beforeAll(async () => {
      await server.user('hana')
      http = server.app({}, { store, freeBytes: async () => free })
      await http.listen({ host: '127.0.0.1', port: 0 })
      host = `127.0.0.1:${(http.server.address() as AddressInfo).port}`
      browser = server.browser(http)
      await browser.signIn('hana')
      own = (await browser.send('POST', '/v1/chat/rooms', { name: 'hana' })).json().id
    })
    afterAll(() => http.close())

    const request = (path: string, init: RequestInit = {}) =>
      fetch(`http://${host}${path}`, {
        ...init,
        headers: {
          cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
          'x-akashi-request': '1',
          ...init.headers,
        },
      })

    it('is refused while the disk is nearly full, with a length or without', async () => {
      free = 2_147_483_648 + 1_000
      for (const body of [Buffer.alloc(2_000), Readable.toWeb(Readable.from([Buffer.from('x')]))]) {
        const refused = await request(`/v1/chat/rooms/${own}/files?name=a`, {
          method: 'POST',
          body,
          ...(body instanceof Buffer ? {} : { duplex: 'half' }),
        } as RequestInit)
        expect(refused.status).toBe(503)
      }
      const small = await request(`/v1/chat/rooms/${own}/files?name=a`, { method: 'POST', body: 'fits' })
      expect(small.status).toBe(201)
      free = null
    })

    it('goes in as a body and out whole or in ranges, never as a page', async () => {
      const page = '<html><script>alert(1)</script></html>'
      const answer = await request(`/v1/chat/rooms/${own}/files?name=${encodeURIComponent('頁 "1".html')}`, {
        method: 'POST',
        body: page,
        headers: { 'content-type': 'text/html' },
      })
      expect(answer.status).toBe(201)
      const { id } = operations['GET /v1/chat/files/{fileId}'].response.parse(await answer.json())
      expect((await request(`/v1/chat/files/${id}/content`)).status).toBe(409)
      while ((await chat.inspectUploads({ worker, store, scanner, signal }, tester)) > 0);
      const whole = await request(`/v1/chat/files/${id}/content`)
      expect(await whole.text()).toBe(page)
      expect(whole.headers.get('content-type')).toBe('application/octet-stream')
      expect(whole.headers.get('content-disposition')).toBe(
        "attachment; filename*=UTF-8''%E9%A0%81%20%221%22.html",
      )
      expect(whole.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox")
      expect(whole.headers.get('x-content-type-options')).toBe('nosniff')
      for (const [range, expected] of [
        ['bytes=0-5', '<html>'],
        ['bytes=-7', '</html>'],
        ['bytes=31-', '</html>'],
      ]) {
        const part = await request(`/v1/chat/files/${id}/content`, { headers: { range: range ?? '' } })
        expect([part.status, await part.text()], range).toEqual([206, expected])
      }
      expect(
        (await request(`/v1/chat/files/${id}/content`, { headers: { range: 'bytes=500-' } })).status,
      ).toBe(416)
      expect((await request(`/v1/chat/files/${id}/thumbnail`)).status).toBe(404)
    })

    it('is refused for what is not theirs', async () => {
      const theirs = await request(`/v1/chat/rooms/${room}/files?name=x`, { method: 'POST', body: 'x' })
      expect(theirs.status).toBe(404)
      const { id } = await upload(Buffer.from('x'))
      expect((await request(`/v1/chat/files/${id}`)).status).toBe(404)
      expect((await request(`/v1/chat/files/${id}/content`)).status).toBe(404)
    })
  })
})

describe('the picture of a person', () => {
  const picture = (scanner?: chat.Scanner) => ({ database: app, scanner })
  const jpeg = async () =>
    Buffer.concat([
      await sharp({ create: { width: 640, height: 480, channels: 3, background: 'teal' } })
        .withExif({ IFD0: { Copyright: 'where I live' } })
        .jpeg()
        .toBuffer(),
      Buffer.from('appended'),
    ])
  const by = (who: Person) => personOf({ userId: who.id })
  const idOf = (address: string) => address.split('/').at(-1) ?? ''

  it('is a small square without what the file said beside it, and is shown to others', async () => {
    const address = await chat.setAvatar(picture(), by(aoi), Readable.from([await jpeg()]))
    const shown = Buffer.from(await chat.readAvatar(app, by(ken), idOf(address)))
    expect(await sharp(shown).metadata()).toMatchObject({ format: 'webp', width: 256, height: 256 })
    expect((await sharp(shown).metadata()).exif).toBeUndefined()
    expect(shown.includes('appended')).toBe(false)
    const [found] = await chat.findPeople(app, ken.actor, { matching: 'aoi' })
    expect(found?.avatarUrl).toBe(address)
    const trail = await database.asSuperuser((session) =>
      session.query<{ values: string }>(
        `select new_values::text as values from akashi_audit.audit_logs where table_name = 'avatars' and data_subject = $1`,
        [aoi.id],
      ),
    )
    expect(trail.rows.map(({ values }) => Object.keys(JSON.parse(values)))).toEqual([
      expect.not.arrayContaining(['content']),
    ])
  })

  it('is replaced under a new address, and removed', async () => {
    const first = await chat.setAvatar(picture(), by(aoi), Readable.from([await jpeg()]))
    const second = await chat.setAvatar(picture(), by(aoi), Readable.from([await jpeg()]))
    expect(second).not.toBe(first)
    await expect(chat.readAvatar(app, by(ken), idOf(first))).rejects.toMatchObject({ code: 'not_found' })
    await chat.removeAvatar(app, by(aoi))
    await expect(chat.readAvatar(app, by(ken), idOf(second))).rejects.toMatchObject({ code: 'not_found' })
    const [found] = await chat.findPeople(app, ken.actor, { matching: 'aoi' })
    expect(found?.avatarUrl).toBeNull()
  })

  it.each([
    ['text', async () => [Buffer.from('<svg onload="alert(1)"/>')], 'invalid_input'],
    ['nothing', async () => [], 'invalid_input'],
    ['a broken picture', async () => [(await jpeg()).subarray(0, 200)], 'invalid_input'],
    ['too many bytes', async () => [await jpeg(), Buffer.alloc(MAX_AVATAR_BYTES)], 'too_large'],
  ] as const)('is not %s', async (_, bytes, code) => {
    await expect(chat.setAvatar(picture(), by(ken), Readable.from(await bytes()))).rejects.toMatchObject({
      code,
    })
    const [found] = await chat.findPeople(app, aoi.actor, { matching: 'ken' })
    expect(found?.avatarUrl).toBeNull()
  })

  it('is scanned, and what is infected is reported', async () => {
    const infected: chat.Scanner = { scan: async () => ({ clean: false, threat: 'Eicar' }) }
    await expect(
      chat.setAvatar(picture(infected), by(ken), Readable.from([await jpeg()])),
    ).rejects.toMatchObject({ code: 'invalid_input' })
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ resource_type: string }>(
        `select resource_type from akashi_security.security_events where event_type = 'malware_detected' and user_id = $1`,
        [ken.id],
      ),
    )
    expect(rows).toEqual([{ resource_type: 'avatar' }])
    const silent: chat.Scanner = { scan: () => Promise.reject(new Error('no response')) }
    await expect(chat.setAvatar(picture(silent), by(ken), Readable.from([await jpeg()]))).rejects.toThrow(
      'no response',
    )
  })

  it('goes when the person is erased', async () => {
    const leaver = await makePerson(database, app, 'leaver')
    const address = await chat.setAvatar(picture(), by(leaver), Readable.from([await jpeg()]))
    await eraseUser({ database: database.open('owner'), keyring: server.keyring() }, tester, leaver.id, {
      confirm: 'leaver',
      reason: 'asked for it',
    })
    await expect(chat.readAvatar(app, by(ken), idOf(address))).rejects.toMatchObject({ code: 'not_found' })
    const { rows } = await database.asSuperuser((session) =>
      session.query('select from akashi_chat.avatars where user_id = $1', [leaver.id]),
    )
    expect(rows).toEqual([])
  })

  it('is kept by the browser for its person only, and asked for by those who are signed in', async () => {
    const http = server.app({}, { store })
    try {
      await server.user('mio')
      const browser = server.browser(http)
      await browser.signIn('mio')
      const refused = await browser.send('PUT', '/v1/chat/avatar', Buffer.from('no picture'), {
        'content-type': 'image/png',
      })
      expect(refused.statusCode).toBe(400)
      const saved = await browser.send('PUT', '/v1/chat/avatar', await jpeg(), {
        'content-type': 'image/png',
      })
      expect(saved.statusCode, saved.body).toBe(200)
      const { avatarUrl } = saved.json<{ avatarUrl: string }>()
      const shown = await browser.send('GET', avatarUrl)
      expect(shown.statusCode).toBe(200)
      expect(shown.headers).toMatchObject({
        'content-type': 'image/webp',
        'cache-control': 'private, max-age=3600',
        'x-content-type-options': 'nosniff',
      })
      expect((await server.browser(http).send('GET', avatarUrl)).statusCode).toBe(401)
      expect((await browser.send('DELETE', '/v1/chat/avatar')).statusCode).toBe(204)
      expect((await browser.send('GET', avatarUrl)).statusCode).toBe(404)
    } finally {
      await http.close()
    }
  })
})
