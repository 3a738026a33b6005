/**
 * Destinations that are away: what is recorded meanwhile arrives, in order, and recording it does not wait. Attempts have the
 * pauses of a worker. AKASHI_LONG=1 keeps the destinations away for ten minutes.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { SMTPServer } from 'smtp-server'
import { afterAll, expect, test, vi } from 'vitest'
import { addChannel, Deliverer, listChannels } from '../../src/delivery/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { type Loop, runLoop, sealLoop } from '../../src/operations/index.ts'
import { keepingLog } from '../operations/keeping-log.ts'
import { selfSigned } from '../support/certificate.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { freePort } from '../support/local-server.ts'

const LONG = process.env['AKASHI_LONG'] === '1'
const OUTAGE_MS = LONG ? 600_000 : 3_000
/** The longest pause between two attempts, and time to deliver. */
const COMES_BACK_MS = LONG ? 400_000 : 30_000
const EVENT_EVERY_MS = LONG ? 1_000 : 100

const database = testDatabase()
const worker = database.open('worker')
const admin = database.open('security_admin')
const app = database.open('app')
const ledger = testLedger(worker)
const { key, cert } = selfSigned()
const stop = new AbortController()
let loops: Loop[] = []

afterAll(async () => {
  stop.abort()
  await Promise.all(loops.map(({ done }) => done))
})

/** What both destinations accepted, by their first arrival. */
const heard = { webhook: new Set<string>(), email: new Set<string>() }

async function openReceivers(ports: { readonly http: number; readonly smtp: number }) {
  const http: Server = createServer((request, response) => {
    void text(request).then((body) => {
      heard.webhook.add(JSON.parse(body).data.user_name)
      response.end('ok')
    })
  })
  const smtp = new SMTPServer({
    key,
    cert,
    authOptional: true,
    onData: (stream, _, done) => {
      void text(stream).then((mail) => {
        for (const [name] of mail.matchAll(/visitor-\d+/g)) heard.email.add(name)
        done()
      })
    },
  })
  http.listen(ports.http, '127.0.0.1')
  await once(http, 'listening')
  await once(smtp.listen(ports.smtp, '127.0.0.1'), 'listening')
  return {
    close: async () => {
      http.closeAllConnections()
      await Promise.all([
        new Promise((done) => http.close(done)),
        new Promise<void>((done) => smtp.close(() => done())),
      ])
    },
    port: (http.address() as AddressInfo).port,
  }
}

let recorded = 0
async function happen(): Promise<void> {
  recorded += 1
  await app.transaction(tester, (session) =>
    session.query(
      `select akashi_security.record_event('coupon_guessed', 'data_access', 'medium', 'shop', user_name => $1, description => $1)`,
      [`visitor-${recorded}`],
    ),
  )
}
const all = () => Array.from({ length: recorded }, (_, n) => `visitor-${n + 1}`)
const inOrder = () => expect([[...heard.webhook], [...heard.email]]).toEqual([all(), all()])

test('a webhook and a mail server that are away lose nothing', {
  timeout: OUTAGE_MS + COMES_BACK_MS * 2,
}, async () => {
  await database.asSuperuser((session) =>
    session.query(
      `update akashi_lifecycle.settings set value = '["127.0.0.0/8"]' where key = 'delivery.allowed_networks'`,
    ),
  )
  const ports = { http: await freePort(), smtp: await freePort() }
  const common = { types: ['coupon_guessed'], perMinute: 100_000 }
  await addChannel(admin, tester, ledger.keyring, {
    name: 'hook',
    kind: 'webhook',
    destination: `http://127.0.0.1:${ports.http}`,
    secret: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
    ...common,
  })
  await addChannel(admin, tester, ledger.keyring, {
    name: 'mail',
    kind: 'email',
    destination: `smtp://127.0.0.1:${ports.smtp}?from=akashi@example.com&to=soc@example.com`,
    ...common,
  })
  const receivers = await openReceivers(ports)
  const parts = { worker, keyring: ledger.keyring, log: keepingLog(), signal: stop.signal }
  const deliverer = new Deliverer({
    ...parts,
    database: worker,
    actor: tester,
    openStore: openObjectStore,
    tls: { ca: cert },
  })
  loops = [
    sealLoop(parts),
    runLoop({ ...parts, name: 'delivery', intervalMs: 1_000, work: () => deliverer.round() }),
  ]
  await happen()
  await vi.waitFor(inOrder, { timeout: COMES_BACK_MS, interval: 200 })

  await receivers.close()
  for (const end = performance.now() + OUTAGE_MS; performance.now() < end; ) {
    await happen()
    await sleep(EVENT_EVERY_MS)
  }
  expect(heard.webhook.size).toBe(1)
  const again = await openReceivers(ports)
  await happen()
  await vi.waitFor(inOrder, { timeout: COMES_BACK_MS, interval: 200 })
  expect(await listChannels(admin, tester)).toMatchObject([
    { name: 'hook', failures: 0, deadLetters: 0, waiting: 0 },
    { name: 'mail', failures: 0, deadLetters: 0, waiting: 0 },
  ])
  await again.close()
})
