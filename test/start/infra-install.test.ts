/**
 * The task of infra/ that installs Akashi, as ECS runs it: its text given to Node.js, all else in the environment.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { urlOf } from '../../src/start/index.ts'
import { ask } from '../support/embedded.ts'
import { startThrowaway, type ThrowawayServer } from '../support/embedded-server.ts'

const SCRIPT = readFileSync(new URL('../../infra/lib/task/run.ts', import.meta.url), 'utf8')
const ENTRY = new URL('../../src/cli/main.ts', import.meta.url).pathname
const ADMINISTRATOR = { login: 'dba', password: 'administrator-0123456789' }
const FIRST = 'first-password-of-the-server-123'
const SECOND = 'second-password-of-the-server-12'
const TIMEOUT_MS = 120_000

let server: ThrowawayServer
let folder = ''

function start(command: string, environment: Record<string, string>) {
  const { hostname, port } = new URL(server.url('akashi'))
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', SCRIPT, command], {
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      TMPDIR: folder,
      TASK_ENTRY: ENTRY,
      DATABASE_HOST: hostname,
      DATABASE_PORT: port,
      DATABASE_NAME: 'akashi',
      DATABASE_TLS: 'disable',
      KEYS_URL: `file:${join(folder, 'keys')}`,
      OBJECT_STORE_URL: `file:${join(folder, 'objects')}`,
      ...environment,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => {
      output += data.toString()
    })
  }
  const ended = new Promise<{ status: number | null; output: string }>((resolve) => {
    child.on('close', (status) => resolve({ status, output }))
  })
  return { child, ended, output: () => output }
}

const install = (password: string) =>
  start('install', {
    ADMINISTRATOR_LOGIN: ADMINISTRATOR.login,
    ADMINISTRATOR_PASSWORD: ADMINISTRATOR.password,
    SERVER_PASSWORD: password,
  }).ended

const asServer = (password: string) =>
  ask<{ login: string }>(
    urlOf(server.url('akashi'), 'akashi_server', password),
    'select current_user::text as login',
  )

/** Tables of the migration that is made to fail. */
const tables = () =>
  ask<{ messages: boolean; rooms: boolean }>(
    server.url('akashi'),
    `select to_regclass('akashi_chat.messages') is not null as messages,
            to_regclass('akashi_chat.rooms') is not null as rooms`,
  )

describe('the task that installs', () => {
  beforeAll(async () => {
    server = await startThrowaway()
    folder = await mkdtemp(join(tmpdir(), 'akashi-infra-'))
    const { login, password } = ADMINISTRATOR
    await ask(server.url('postgres'), `create role ${login} login createrole createdb password '${password}'`)
    await ask(server.url('postgres'), `create database akashi owner ${login}`)
  }, TIMEOUT_MS)

  afterAll(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('a migration that fails is rolled back, and the next run completes it', {
    timeout: TIMEOUT_MS,
  }, async () => {
    await ask(
      server.url('akashi'),
      `create function public.refuse() returns event_trigger language plpgsql as $$
     begin
       if exists (select from pg_event_trigger_ddl_commands() where object_identity = 'akashi_chat.messages')
       then raise exception 'no messages here'; end if;
     end $$;
     create event trigger refuse on ddl_command_end when tag in ('CREATE TABLE') execute function public.refuse()`,
    )
    const failed = await install(FIRST)
    expect(failed.status, failed.output).toBeGreaterThan(0)
    expect(failed.output).toContain('no messages here')
    // The migrations before it stay, of it nothing.
    expect(await tables()).toEqual([{ messages: false, rooms: true }])

    await ask(server.url('akashi'), 'drop event trigger refuse; drop function public.refuse()')
    const completed = await install(FIRST)
    expect(completed.status, completed.output).toBe(0)
    expect(await tables()).toEqual([{ messages: true, rooms: true }])
    expect(await asServer(FIRST)).toEqual([{ login: 'akashi_server' }])
  })

  test('again: nothing is applied, and the login follows its secret', { timeout: TIMEOUT_MS }, async () => {
    const again = await install(SECOND)
    expect(again.status, again.output).toBe(0)
    expect(again.output).toContain(': 0 migrations applied')
    expect(await asServer(SECOND)).toEqual([{ login: 'akashi_server' }])
    await expect(asServer(FIRST)).rejects.toThrow(/refused the login/)
  })

  test('serve runs with that login, and ends on SIGTERM', { timeout: TIMEOUT_MS }, async () => {
    const { child, ended, output } = start('serve', { SERVER_PASSWORD: SECOND, AKASHI_PORT: '0' })
    await expect.poll(output, { timeout: TIMEOUT_MS, interval: 100 }).toMatch(/^ready http/m)
    child.kill('SIGTERM')
    const { status, output: said } = await ended
    expect(status, said).toBe(0)
  })

  test('no password is printed, and nothing is left in the temporary folder', async () => {
    const { output } = await install(SECOND)
    for (const secret of [ADMINISTRATOR.password, FIRST, SECOND]) expect(output).not.toContain(secret)
    expect((await readdir(folder)).filter((name) => name.startsWith('akashi-task-'))).toEqual([])
  })

  test('what the task was not given is named', async () => {
    const { status, output } = await start('install', { SERVER_PASSWORD: FIRST }).ended
    expect(status).toBeGreaterThan(0)
    expect(output).toContain('the task has no ADMINISTRATOR_LOGIN')
  })
})
