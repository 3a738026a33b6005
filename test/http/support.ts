import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import type { TlsOptions } from 'node:tls'
import type { SystemStatus } from '@akashi/contract'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { localBus, RoomSecrets } from '../../src/chat/index.ts'
import { systemClock } from '../../src/foundation/index.ts'
import { buildApp, type HttpLimits, httpLimits, type Services } from '../../src/http/index.ts'
import { openBreachedPasswords, openPasswords, openSealer } from '../../src/identity/index.ts'
import { openRoomVault } from '../../src/keys/index.ts'

export const status: SystemStatus = {
  events: '519',
  auditRows: '12',
  protectedTables: ['public.orders'],
  logs: [
    {
      log: 'audit_logs',
      epoch: 1,
      size: '12',
      root: 'ab'.repeat(32),
      sealedAt: '2026-01-02T03:04:05.000Z',
      pending: 0,
    },
    { log: 'security_events', epoch: 1, size: '500', root: 'cd'.repeat(32), sealedAt: null, pending: 19 },
  ],
  lastVerification: { at: '2026-01-02T03:04:00.000Z', ok: true, problems: 0 },
  oldestUncheckedSeconds: 3600,
  ownsObjectStore: true,
  backups: { keptWalBytes: 0, slotState: 'reserved', streaming: true, ageSeconds: 3600, lagSeconds: 12 },
  disk: { freeBytes: 3, totalBytes: 4 },
  frontierHeldSeconds: 0,
  leaderLocksHeld: 0,
  witnessConflicts: 0,
  retentionShortenings: 0,
  crosscheck: { state: 'off', lagBytes: null, discrepancies: 0, gaps: 0 },
  detection: {
    open: [{ severity: 'high', findings: 2 }],
    overdue: 1,
    unseen: [{ log: 'security_events', rows: 3 }],
  },
  losses: 0,
  partitions: [
    { table: 'akashi_security.security_events', coveredUntil: '2026-02-02T00:00:00.000Z', alarm: false },
  ],
  drills: { passedSeconds: 60, alarm: false },
  alarms: [{ condition: 'disk', severity: 'high', subject: '', silenced: false }],
  alarmsLookedAt: '2026-01-02T03:04:00.000Z',
  checkedAt: '2026-01-02T03:04:06.000Z',
}

/** What these tests show needs no database; a route that asks one fails. */
const noDatabase: Services['securityAdmin'] = {
  role: 'security_admin',
  transaction: () => Promise.reject(new Error('there is no database here')),
  direct: () => Promise.reject(new Error('there is no database here')),
  close: () => Promise.resolve(),
}

const noIdentity: Services['identity'] = {
  login: {
    app: { ...noDatabase, role: 'app' },
    worker: { ...noDatabase, role: 'worker' },
    vault: {
      encrypt: () => Promise.reject(new Error('there is no vault here')),
      decrypt: () => Promise.reject(new Error('there is no vault here')),
      blindIndex: async () => Buffer.alloc(32),
      blindIndexes: async () => [Buffer.alloc(32)],
    },
    passwords: openPasswords(),
    breached: openBreachedPasswords(),
    sealer: openSealer({ blindIndexes: async () => [Buffer.alloc(32)] }),
    clock: systemClock,
  },
  issuers: [],
  publicUrl: undefined,
  rules: () => Promise.reject(new Error('there is no database here')),
}

const noKeys = () => Promise.reject(new Error('there is no keyring here'))
const noKeyring: Services['keyring'] = {
  location: 'none:',
  ensure: noKeys,
  list: noKeys,
  sign: noKeys,
  publicKey: noKeys,
  secret: noKeys,
  rotate: noKeys,
  rotateWrapping: noKeys,
  countPersonKeys: noKeys,
  isRotating: noKeys,
  indexKeys: noKeys,
  beginIndexRotation: noKeys,
  endIndexRotation: noKeys,
  state: noKeys,
  destroy: noKeys,
  destroyed: noKeys,
  close: () => Promise.resolve(),
}

const missing = () => Promise.reject(new Error('there is no store here'))
export const noStore: Services['store'] = {
  location: 'nowhere',
  put: missing,
  get: missing,
  head: missing,
  list: () => {
    throw new Error('there is no store here')
  },
  listFolders: () => {
    throw new Error('there is no store here')
  },
  delete: missing,
}

export const noFeed: Services['chat']['feed'] = {
  subscribe: async () => null,
  announce: () => undefined,
  typing: () => undefined,
  close: async () => undefined,
}

export function fakeServices(changes: Partial<Services> = {}): Services {
  return {
    version: '0.0.0-test',
    log: pino({ level: 'silent' }),
    readiness: async () => [{ name: 'database', ok: true, detail: 'answers' }],
    systemStatus: async () => status,
    securityAdmin: noDatabase,
    app: noDatabase,
    worker: noDatabase,
    store: noStore,
    freeBytes: async () => null,
    scansFiles: true,
    scanner: undefined,
    chat: { bus: localBus(), feed: noFeed },
    roomSecrets: new RoomSecrets({
      app: noDatabase,
      vault: openRoomVault(noKeyring),
      log: pino({ level: 'silent' }),
    }),
    personVault: { encrypt: noKeys, decrypt: noKeys, blindIndex: noKeys, blindIndexes: noKeys },
    keyring: noKeyring,
    metrics: new Registry(),
    makeReport: missing,
    backups: {
      openForAuditCopies: () => Promise.reject(new Error('there is no backup here')),
      open: () => Promise.reject(new Error('there is no backup here')),
      point: () => Promise.reject(new Error('there is no backup here')),
      planPrune: () => Promise.reject(new Error('there is no backup here')),
      restoreTable: () => Promise.reject(new Error('there is no backup here')),
    },
    rotateKey: () => Promise.reject(new Error('no key is rotated here')),
    administer: () => Promise.reject(new Error('there is no administrator here')),
    diagnose: async () => ({ ok: true, score: 100, checks: [] }),
    identity: noIdentity,
    trustedProxies: [],
    ...changes,
  }
}

export function testApp(changes: Partial<Services> = {}, limits: Partial<HttpLimits> = {}, tls?: TlsOptions) {
  return buildApp(fakeServices(changes), { ...httpLimits, ...limits }, tls)
}

/** Serves on a free port of loopback; answers the port. */
export async function listen(app: ReturnType<typeof testApp>): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address() as AddressInfo
  return address.port
}

/** Writes `text` on a connection of its own and reads until the server closes it. */
export async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk
  })
  socket.on('error', () => undefined)
  socket.write(text)
  await once(socket, 'close')
  return answer
}

/** Options of a route that a test adds, for whoever asks. */
export const open = { config: { access: { public: 'anybody' } } } as const
