import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { isServerOf } from '../../src/postgres/embedded/postmaster.ts'
import { pruneLog } from '../../src/postgres/embedded/server-log.ts'
import { clusterStatus, type EmbeddedServer, startEmbedded } from '../../src/postgres/index.ts'
import { ask, FAST, isRoot, reachableFolder, removeDataDir, startChild } from '../support/embedded.ts'

const ready = z.object({ pid: z.number(), url: z.string() })

let dataDir: string
let server: EmbeddedServer

const start = async (port = 0): Promise<EmbeddedServer> =>
  await startEmbedded({ dataDir, port, settings: FAST })

beforeAll(async () => {
  dataDir = await reachableFolder()
  server = await start()
  await ask(server.url('postgres'), 'create table kept (n int primary key)')
})

afterAll(async () => {
  await server.stop()
  await removeDataDir(dataDir)
})

describe('a running server', () => {
  it('has the settings that backup, Japanese text and UTC times need', async () => {
    const [row] = await ask(
      server.url('postgres'),
      `select current_setting('data_checksums') as checksums, current_setting('server_encoding') as encoding,
         current_setting('timezone') as timezone, current_setting('log_timezone') as log_timezone,
         current_setting('wal_level') as wal_level, current_setting('summarize_wal') as summarize_wal,
         current_setting('log_statement') as log_statement, datlocprovider as provider, datlocale as locale
       from pg_database where datname = 'template1'`,
    )
    expect(row).toEqual({
      checksums: 'on',
      encoding: 'UTF8',
      timezone: 'UTC',
      log_timezone: 'UTC',
      wal_level: 'logical',
      summarize_wal: 'on',
      log_statement: 'ddl',
      provider: 'b',
      locale: 'C.UTF-8',
    })
  })

  it('takes Japanese characters for letters in trigrams', async () => {
    await ask(server.url('postgres'), 'create extension pg_trgm')
    const [row] = await ask<{ trigrams: string[] }>(
      server.url('postgres'),
      `select show_trgm('日本語') as trigrams`,
    )
    expect(row?.trigrams).toHaveLength(4)
  })

  it('listens on loopback and a private socket, with scram everywhere', async () => {
    const rules = await ask(server.url('postgres'), 'select distinct auth_method from pg_hba_file_rules')
    expect(rules).toEqual([{ auth_method: 'scram-sha-256' }])
    const [row] = await ask(
      server.url('postgres'),
      `select current_setting('listen_addresses') as addresses, left(rolpassword, 13) as hashed
       from pg_authid where rolname = 'postgres'`,
    )
    expect(row).toEqual({ addresses: '127.0.0.1', hashed: 'SCRAM-SHA-256' })
    expect((await stat(server.socketDir)).mode & 0o777).toBe(0o700)
    expect(await readdir(server.socketDir)).toContain(`.s.PGSQL.${server.port}`)
  })

  it('refuses a wrong password, and keeps the right one to its account', async () => {
    const wrong = new URL(server.url('postgres'))
    wrong.password = 'wrong'
    await expect(ask(wrong.href, 'select 1')).rejects.toThrow()
    const { passwordFile } = await clusterStatus(dataDir)
    expect((await stat(passwordFile)).mode & 0o777).toBe(0o600)
    expect((await readFile(passwordFile, 'utf8')).trim()).toBe(server.superuser.password)
  })

  it('is described by its status', async () => {
    expect(await clusterStatus(dataDir)).toMatchObject({
      state: 'running',
      major: '18',
      version: server.version,
      port: server.port,
      pid: server.pid,
      socketDir: server.socketDir,
    })
  })

  it('refuses a second one on the same folder, from this process and from another', async () => {
    const message = `already running at 127.0.0.1:${server.port}`
    await expect(start()).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(message),
    })
    const child = startChild(dataDir)
    expect(await child.line).toEqual({ error: expect.stringContaining(message) })
    await child.end()
    expect(await serves(server.pid)).toBe(true)
  })
})

describe('stopping and starting', () => {
  it('keeps rows and password, and takes the port that it is given', async () => {
    await ask(server.url('postgres'), 'insert into kept values (1)')
    const { superuser, port } = server
    await server.stop()
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(await clusterStatus(dataDir)).toMatchObject({ state: 'stopped', port, pid: undefined })
    server = await start(port)
    expect(server).toMatchObject({ port, superuser })
    expect(await ask(server.url('postgres'), 'select n from kept')).toEqual([{ n: 1 }])
  })

  it('reports that a port is in use', async () => {
    await server.stop()
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const port = z.object({ port: z.number() }).parse(other.address()).port
    await expect(start(port)).rejects.toMatchObject({
      code: 'conflict',
      message: `port ${port} of 127.0.0.1 is in use`,
      hint: expect.stringContaining('choose another port'),
    })
    other.close()
    server = await start()
  })

  it('reports PostgreSQL’s message about a setting, and unlocks the folder', async () => {
    await server.stop()
    const settings = { ...FAST, shared_buffers: 'plenty' }
    await expect(startEmbedded({ dataDir, port: 0, settings })).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringMatching(/postgresql\.conf" contains errors/),
    })
    server = await start()
  })

  it('gives up when cancelled', async () => {
    await server.stop()
    const cancel = new AbortController()
    const starting = startEmbedded({ dataDir, port: 0, settings: FAST, signal: cancel.signal })
    cancel.abort()
    await expect(starting).rejects.toMatchObject({ code: 'cancelled' })
    server = await start()
  })

  it('follows its folder to another place, with a short socket path however long that is', async () => {
    await server.stop()
    const before = dataDir
    dataDir = join(before, 'a'.repeat(100))
    await mkdir(dataDir)
    await rename(join(before, 'postgres'), join(dataDir, 'postgres'))
    server = await start()
    const socket = join(server.socketDir, `.s.PGSQL.${server.port}`)
    expect(Buffer.byteLength(socket)).toBeLessThan(107)
    expect((await stat(server.socketDir)).mode & 0o777).toBe(0o700)
    expect((await stat(socket)).isSocket()).toBe(true)
    await server.stop()
    await expect(stat(server.socketDir)).rejects.toThrow('ENOENT')
    await rename(join(dataDir, 'postgres'), join(before, 'postgres'))
    dataDir = before
    server = await start()
  })
})

describe('after a kill', () => {
  it('of the postmaster: recovers, and ends the backends that it left', async () => {
    await ask(server.url('postgres'), 'insert into kept values (2)')
    // A loop that never waits does not notice that its postmaster is gone.
    const busy = ask(server.url('postgres'), 'do $$ begin loop end loop; end $$').catch(() => 'ended')
    const pid = await untilBusy(server)
    process.kill(server.pid, 'SIGKILL')
    expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' })
    expect(await serves(pid)).toBe(true)
    expect(await clusterStatus(dataDir)).toMatchObject({ state: 'stopped' })
    server = await start()
    expect(await serves(pid)).toBe(false)
    expect(await busy).toBe('ended')
    expect(await ask(server.url('postgres'), 'select n from kept where n = 2')).toEqual([{ n: 2 }])
  })

  it('of the process that ran it: stops the orphan and starts its own', async () => {
    await server.stop()
    const child = startChild(dataDir)
    const orphan = ready.parse(await child.line)
    await ask(orphan.url, 'insert into kept values (3)')
    child.process.kill('SIGKILL')
    await once(child.process, 'exit')
    expect(await serves(orphan.pid)).toBe(true)
    expect(await clusterStatus(dataDir)).toMatchObject({ state: 'running', pid: orphan.pid })
    server = await start()
    expect(await serves(orphan.pid)).toBe(false)
    expect(await ask(server.url('postgres'), 'select n from kept where n = 3')).toEqual([{ n: 3 }])
  })

  it('of both, with the number in the pid file given to another program since: leaves that alone', async () => {
    const { clusterDir } = await clusterStatus(dataDir)
    const pidFile = join(clusterDir, 'postmaster.pid')
    const lines = (await readFile(pidFile, 'utf8')).split('\n')
    const { uid, gid } = await stat(clusterDir)
    await server.stop()
    const stranger = spawn('sleep', ['600'], { uid, gid, stdio: 'ignore' })
    await writeFile(pidFile, [String(stranger.pid), ...lines.slice(1)].join('\n'))
    expect(await clusterStatus(dataDir)).toMatchObject({ state: 'stopped' })
    server = await start()
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
    stranger.kill()
  })
})

describe('a folder without a complete cluster', () => {
  it('is begun anew after initdb was killed, and left empty after a cancelled one', async () => {
    const folder = await reachableFolder()
    const home = join(folder, 'postgres')
    expect(await clusterStatus(folder)).toMatchObject({ state: 'absent', major: undefined })
    const child = startChild(folder)
    await untilThere(home, /^data\.initializing-/)
    child.process.kill('SIGKILL')
    await once(child.process, 'exit')
    expect(await clusterStatus(folder)).toMatchObject({ state: 'absent' })

    const cancel = new AbortController()
    const starting = startEmbedded({ dataDir: folder, port: 0, settings: FAST, signal: cancel.signal })
    await untilThere(join(home, 'run'), /^initdb\.password$/)
    cancel.abort()
    await expect(starting).rejects.toMatchObject({ code: 'cancelled' })

    const fresh = await startEmbedded({ dataDir: folder, port: 0, settings: FAST })
    expect(await ask(fresh.url('postgres'), 'select 1 as one')).toEqual([{ one: 1 }])
    expect((await readdir(home)).filter((name) => name.startsWith('data'))).toEqual(['data'])
    expect(await readdir(join(home, 'run'))).not.toContain('initdb.password')
    await fresh.stop()
    await removeDataDir(folder)
  })

  it.each([
    ['the cluster of another major version', 'PG_VERSION', '17\n', /postgresql 17/, /akashi upgrade/],
    ['something else', 'precious.txt', 'mine', /not a postgresql cluster/, /move it away/],
  ])('is left alone when it holds %s', async (_, name, content, message, hint) => {
    const folder = await reachableFolder()
    const file = join(folder, 'postgres', 'data', name)
    await mkdir(join(folder, 'postgres', 'data'), { recursive: true })
    await writeFile(file, content)
    await expect(startEmbedded({ dataDir: folder, port: 0 })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
    expect(await readFile(file, 'utf8')).toBe(content)
    await rm(folder, { recursive: true })
  })
})

it('keeps the ten newest log files', async () => {
  const folder = await reachableFolder()
  const names = Array.from({ length: 13 }, (_, day) => `postgresql-2026-01-${day + 10}_000000.log`)
  for (const name of names) await writeFile(join(folder, name), '')
  await pruneLog(folder)
  expect((await readdir(folder)).sort()).toEqual(names.slice(3))
  await rm(folder, { recursive: true })
})

it.runIf(isRoot)('gives a cluster that root restored to the account of the server', async () => {
  const { clusterDir } = await clusterStatus(dataDir)
  await server.stop()
  const chown = spawn('chown', ['-R', 'root:root', clusterDir], { stdio: 'ignore' })
  await once(chown, 'exit')
  server = await start()
  expect((await stat(join(clusterDir, 'PG_VERSION'))).uid).not.toBe(0)
})

/** A number alone would do for a process that nobody has reaped yet, too. */
async function serves(pid: number): Promise<boolean> {
  return await isServerOf(pid, (await clusterStatus(dataDir)).clusterDir)
}

async function untilBusy(running: EmbeddedServer): Promise<number> {
  for (;;) {
    const [row] = await ask<{ pid: number }>(
      running.url('postgres'),
      `select pid from pg_stat_activity where state = 'active' and query like 'do $$ begin loop%'`,
    )
    if (row !== undefined) return row.pid
  }
}

async function untilThere(folder: string, name: RegExp): Promise<void> {
  while (!(await readdir(folder).catch(() => [])).some((found) => name.test(found))) {
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
