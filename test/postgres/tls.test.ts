/** Whom a connection trusts: a server elsewhere must prove who it is, unless the URL says otherwise. */
import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import {
  openDatabase,
  openDriverPool,
  openReplication,
  serverAddress,
  system,
} from '../../src/postgres/index.ts'
import type { CheckContext } from '../../src/start/doctor/check.ts'
import { transport } from '../../src/start/doctor/security/transport.ts'
import { selfSigned } from '../support/certificate.ts'
import { accountIds, type LocalServer, POSTGRES_15, startLocalServer } from '../support/local-server.ts'

const at = (parameters: string, host = 'db.example') =>
  serverAddress(`postgresql://u:p@${host}/d${parameters}`)

test('without a word in the URL, a server elsewhere is verified and one of this machine is not asked', () => {
  expect(at('')).toEqual({ host: 'db.example', mode: 'verify-full' })
  for (const here of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]', '%2Frun%2Fpostgresql']) {
    expect(at('', here).mode, here).toBe('disable')
  }
  expect(serverAddress('postgresql:///d?host=/run/postgresql').mode).toBe('disable')
  // What decides is where the driver connects to.
  expect(serverAddress('postgresql://localhost/d?host=db.example').mode).toBe('verify-full')
  for (const elsewhere of ['10.0.0.1', '0.0.0.0', '127.example', 'localhost.example', '[2001:db8::1]']) {
    expect(at('', elsewhere).mode, elsewhere).toBe('verify-full')
  }
})

test('the URL lowers or raises it, and what would go on in the clear unnoticed is refused', () => {
  const modes = ['disable', 'require', 'verify-ca', 'verify-full'] as const
  for (const mode of modes) {
    expect(at(`?sslmode=${mode}`).mode).toBe(mode)
    expect(at(`?sslmode=${mode}`, 'localhost').mode).toBe(mode)
  }
  expect(at('?sslmode=no-verify').mode).toBe('require')
  expect(at('?ssl=true', 'localhost').mode).toBe('verify-full')
  expect(at('?ssl=0').mode).toBe('disable')
  expect(at('?sslrootcert=/ca.pem', 'localhost').mode).toBe('verify-full')
  for (const mode of ['prefer', 'allow', 'Disable', 'off', '']) {
    expect(() => at(`?sslmode=${mode}`), mode).toThrow(expect.objectContaining({ code: 'invalid_config' }))
  }
  const open = (parameters: string) =>
    openDatabase({ url: `postgresql://u:p@db.example/d${parameters}`, role: 'owner' })
  expect(() => open('?sslmode=verify-ca')).toThrow(/authority/)
  expect(() => open('?sslrootcert=/nonexistent/ca.pem')).toThrow('/nonexistent/ca.pem')
})

describe.runIf(existsSync(POSTGRES_15))('a PostgreSQL 15 that is reached by an address of a network', () => {
  let server: LocalServer
  let folder: string
  /** Certificates of one authority each: theirs, and one that they do not use. */
  const [theirs, others] = [selfSigned({ address: [0, 0, 0, 0] }), selfSigned({ address: [0, 0, 0, 0] })]
  const forLocalhost = selfSigned()

  /** Not an address of loopback to a client, and the way to this machine all the same. */
  const url = (parameters = '') => `${server.url('postgres').replace('@127.0.0.1', '@0.0.0.0')}${parameters}`

  const asked = async (address: string): Promise<boolean> => {
    const database = openDatabase({ url: address, role: 'owner', poolSize: 1 })
    try {
      return await database.direct(async (session) => {
        const { rows } = await session.query<{ ssl: boolean }>(
          'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
        )
        return rows[0]?.ssl === true
      })
    } finally {
      await database.close()
    }
  }

  async function serveWith({ key, cert }: { key: string; cert: string }): Promise<void> {
    for (const [name, text] of [
      ['server.key', key],
      ['server.crt', cert],
    ] as const) {
      const path = join(server.data, name)
      await writeFile(path, text)
      await chmod(path, 0o600)
      if (process.getuid?.() === 0) await chown(path, accountIds().uid, accountIds().gid)
    }
    const owner = openDatabase({ url: server.url('postgres'), role: 'owner', poolSize: 1 })
    await owner
      .direct(async (session) => {
        await session.query('alter system set ssl = on')
        await session.query('select pg_reload_conf()')
      })
      .finally(() => owner.close())
    // A new connection has the certificate that was loaded last.
    await expect.poll(() => trusted(cert)).toBe(true)
  }

  /** Whether the server shows this very certificate, whatever name is in it. */
  async function trusted(cert: string): Promise<boolean> {
    const path = join(folder, 'now.crt')
    await writeFile(path, cert)
    return await asked(url(`?sslmode=verify-ca&sslrootcert=${path}`)).catch(() => false)
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'akashi-tls-'))
    await writeFile(join(folder, 'theirs.crt'), theirs.cert)
    await writeFile(join(folder, 'others.crt'), others.cert)
    await writeFile(join(folder, 'localhost.crt'), forLocalhost.cert)
    server = await startLocalServer(POSTGRES_15, ['listen_addresses=*'])
  })

  afterAll(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('is refused as long as it offers no TLS, which somebody in between could claim too', async () => {
    await expect(asked(url())).rejects.toMatchObject({ code: 'unavailable', message: /offers no TLS/ })
    await expect(asked(url('?sslmode=require'))).rejects.toMatchObject({ message: /offers no TLS/ })
    expect(await asked(url('?sslmode=disable'))).toBe(false)
  })

  it('is refused with a certificate of an unknown authority, or for another name', async () => {
    await serveWith(forLocalhost)
    for (const parameters of ['', '?sslmode=verify-full', `?sslrootcert=${join(folder, 'others.crt')}`]) {
      await expect(asked(url(parameters)), parameters).rejects.toMatchObject({
        code: 'unavailable',
        message: /certificate of the database is not accepted/,
        hint: expect.stringContaining('sslrootcert'),
      })
    }
    const named = `sslrootcert=${join(folder, 'localhost.crt')}`
    await expect(asked(url(`?${named}`))).rejects.toMatchObject({ message: /ALTNAME/ })
    expect(await asked(url(`?sslmode=verify-ca&${named}`))).toBe(true)
    expect(await asked(url(`?sslmode=require&${named}`))).toBe(true)
    await expect(asked(url(`?sslmode=require&sslrootcert=${join(folder, 'others.crt')}`))).rejects.toThrow(
      /not accepted/,
    )
    expect(await asked(url('?sslmode=require'))).toBe(true)
  })

  it('is connected to when its authority is named and the name is right, by every kind of connection', async () => {
    await serveWith(theirs)
    const trusting = url(`?sslrootcert=${join(folder, 'theirs.crt')}`)
    const encrypted = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'
    expect(await asked(trusting)).toBe(true)
    const create = openDatabase({ url: trusting, role: 'owner', poolSize: 1 })
    await create.direct((session) =>
      session.query(
        'create role akashi_worker; create role akashi_owner; grant pg_read_all_stats to akashi_worker, akashi_owner',
      ),
    )
    try {
      expect(
        await create.transaction(system('test'), async (session) => (await session.query(encrypted)).rows),
      ).toEqual([{ ssl: true }])
      // The request to cancel goes over a connection of its own.
      const stop = AbortSignal.timeout(100)
      await expect(
        create.direct((session) => session.query('select pg_sleep(60)'), { signal: stop }),
      ).rejects.toMatchObject({ code: 'timeout' })
    } finally {
      await create.close()
    }
    const pool = openDriverPool(trusting, 'worker', 1)
    try {
      expect((await pool.query(encrypted)).rows).toEqual([{ ssl: true }])
    } finally {
      await pool.end()
    }
    const replication = await openReplication(trusting, { applicationName: 'test' })
    await replication.close()
    await expect(openReplication(url(), { applicationName: 'test' })).rejects.toThrow(/not accepted/)
  })

  it('is told by doctor when the URL lowers the protection', async () => {
    await serveWith(theirs)
    const found = (parameters: string) =>
      transport.run({
        config: { databaseUrl: url(parameters) },
        actor: system('test'),
        signal: new AbortController().signal,
        wrong: new Set(),
      } as unknown as CheckContext)
    expect(await found(`?sslrootcert=${join(folder, 'theirs.crt')}`)).toEqual({
      ok: true,
      detail: '0.0.0.0: encrypted, and the certificate is verified',
    })
    expect(await found('?sslmode=require')).toMatchObject({
      ok: false,
      detail: expect.stringContaining('sslmode=require'),
    })
    expect(await found('?sslmode=disable')).toMatchObject({
      ok: false,
      detail: expect.stringContaining('in the clear'),
    })
    expect((await found('')).detail).toMatch(/not checked: the certificate .* is not accepted/)
  })
})
