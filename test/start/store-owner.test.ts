/** A copy restored beside the running system: it reads the store, and takes it over only when told to. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiServer, type Running } from '../../scripts/akashi-process.ts'
import { ask, reachableFolder, removeDataDir } from '../support/embedded.ts'

const MINUTES_MS = 300_000
const NOTICE = 'this installation does not own its object store'

let folder: string
let original: string
let copy: string
const running: Running[] = []

async function superuser(data: string): Promise<string> {
  const { stdout } = await akashi(['url', '--role', 'superuser', '--json', '--data', data])
  return (JSON.parse(stdout) as { url: string }).url
}

async function up(data: string, ...options: string[]): Promise<Running> {
  const process = await akashiServer(['up', '--data', data, '--port', '0', ...options])
  running.push(process)
  return process
}

async function events(data: string): Promise<string[]> {
  const rows = await ask<{ type: string; severity: string }>(
    await superuser(data),
    `select event_type as type, severity from akashi_security.security_events
     where event_type like 'object_store%' order by created_at`,
  )
  return rows.map(({ type, severity }) => `${type} ${severity}`)
}

beforeAll(async () => {
  folder = await reachableFolder()
  original = join(folder, 'original')
  copy = join(folder, 'copy')
  await up(original)
  const backup = await akashi(['backup', 'full', '--data', original])
  expect(backup.status, backup.stderr).toBe(0)
  const restored = await akashi(['restore', '--to', copy, '--no-check', '--data', original])
  expect(restored.status, restored.stderr).toBe(0)
}, MINUTES_MS)

afterAll(async () => {
  for (const each of running) await each.stop()
  await removeDataDir(copy)
  await removeDataDir(original)
  await rm(folder, { recursive: true, force: true })
}, MINUTES_MS)

it(
  'is read-only towards the store, and says so on every command',
  async () => {
    await up(copy)
    for (const verb of [
      ['status'],
      ['backup', 'list'],
      ['archive', 'status'],
      ['jobs', 'list'],
      ['apikeys', 'list'],
    ]) {
      const { stderr } = await akashi([...verb, '--data', copy])
      expect(stderr, verb.join(' ')).toContain(NOTICE)
      const own = await akashi([...verb, '--data', original])
      expect(own.stderr, verb.join(' ')).not.toContain(NOTICE)
    }
    const doctor = await akashi(['doctor', '--data', copy])
    expect(doctor.status).toBe(1)
    expect(doctor.stdout).toContain(NOTICE)
    for (const verb of [
      ['backup', 'full'],
      ['backup', 'audit-copy'],
      ['archive', 'run'],
      ['archive', 'retire'],
    ]) {
      const refused = await akashi([...verb, '--data', copy])
      expect(refused.status, verb.join(' ')).toBe(2)
      expect(refused.stderr).toContain('belongs to another installation')
      expect(refused.stderr).toContain('--take-over')
    }
    expect(await events(copy)).toEqual([])
  },
  MINUTES_MS,
)

it(
  'takes the store over when told to; the former owner stops writing and raises an alarm',
  async () => {
    await running.pop()?.stop()
    await up(copy, '--take-over')
    expect(await events(copy)).toEqual(['object_store_taken_over critical'])
    const backup = await akashi(['backup', 'full', '--data', copy])
    expect(backup.status, backup.stderr).toBe(0)
    expect(backup.stderr).not.toContain(NOTICE)
    const refused = await akashi(['backup', 'full', '--data', original])
    expect(refused.status).toBe(2)
    expect(await events(original)).toEqual(['object_store_lost critical'])
    const { stderr } = await akashi(['status', '--data', original])
    expect(stderr).toContain(NOTICE)
  },
  MINUTES_MS,
)
