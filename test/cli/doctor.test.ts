import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { startS3 } from '../support/s3-server.ts'
import { akashi } from './world.ts'

const Examination = z.object({
  ok: z.boolean(),
  checks: z.array(
    z.object({ name: z.string(), ok: z.boolean(), detail: z.string(), hint: z.string().nullable() }),
  ),
})

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'akashi-doctor-'))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

async function examine(environment: Record<string, string> = {}) {
  const { status, stdout } = await akashi(['doctor', '--json'], { world: { directory, environment } })
  const { ok, checks } = Examination.parse(JSON.parse(stdout))
  const wrong = checks.filter((check) => !check.ok)
  return {
    status,
    ok,
    checks,
    wrong: wrong.map((check) => check.name),
    hints: wrong.map((check) => check.hint),
  }
}

test('an empty folder is in order, and stays empty', async () => {
  expect(await examine()).toMatchObject({ status: 0, ok: true, wrong: [] })
  expect(await readdir(directory)).toEqual([])
})

test('a wrong configuration is told in one line, and nothing that needs it is examined', async () => {
  const found = await examine({ AKASHI_PORT: 'x', AKASHI_PROT: '1' })
  expect(found).toMatchObject({ status: 1, ok: false, wrong: ['configuration'] })
  expect(found.checks.map((check) => check.name)).toEqual(['node', 'configuration'])
  expect(found.checks[1]?.detail).toMatch(/AKASHI_PROT .*; AKASHI_PORT [^\n]*$/)
})

test('a file where a folder belongs is found', async () => {
  await writeFile(join(directory, '.akashi'), '')
  const { status, wrong } = await examine()
  expect(status).toBe(1)
  expect(wrong).toContain('data folder')
})

test('keys that others can read are found, with a hint', async () => {
  const keys = join(directory, '.akashi/keys')
  await mkdir(keys, { recursive: true })
  await chmod(keys, 0o755)
  expect(await examine()).toMatchObject({ status: 1, wrong: ['keyring'], hints: [`chmod 700 ${keys}`] })
  await chmod(keys, 0o700)
  expect(await examine()).toMatchObject({ status: 0 })
})

test('a keyring of another folder is examined there', async () => {
  const keys = join(directory, 'elsewhere')
  await mkdir(keys)
  await chmod(keys, 0o750)
  expect(await examine({ KEYS_URL: `file:${keys}` })).toMatchObject({ wrong: ['keyring'] })
})

test('a missing scanner is told, and one that does not answer is wrong', async () => {
  const scanner = async (environment: Record<string, string> = {}) =>
    (await examine(environment)).checks.find(({ name }) => name === 'file scanner')
  expect(await scanner()).toMatchObject({
    ok: true,
    detail: expect.stringContaining('files uploaded to the chat stay hidden'),
    hint: expect.stringContaining('CLAMD_URL'),
  })
  let answer = 'PONG\0'
  const daemon = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (asked) => void socket.end(String(asked) === 'zPING\0' ? answer : 'UNKNOWN COMMAND\0'))
  })
  await new Promise<void>((resolve) => daemon.listen(0, '127.0.0.1', resolve))
  const CLAMD_URL = `clamd://127.0.0.1:${(daemon.address() as AddressInfo).port}`
  try {
    expect(await scanner({ CLAMD_URL })).toMatchObject({ ok: true, detail: `${CLAMD_URL} responds` })
    answer = 'something else\0'
    expect(await scanner({ CLAMD_URL })).toMatchObject({
      ok: false,
      hint: expect.stringContaining('clamd is running'),
    })
  } finally {
    daemon.close()
  }
  expect(await examine({ CLAMD_URL })).toMatchObject({ status: 1, wrong: ['file scanner'] })
})

test('people get a table and hints', async () => {
  await writeFile(join(directory, '.akashi'), '')
  const { status, stdout } = await akashi(['doctor'], { world: { directory } })
  expect(status).toBe(1)
  expect(stdout).toMatch(/^ok +installation +node +Node\.js \d+/m)
  expect(stdout).toMatch(/^WRONG +installation +data folder +/m)
  expect(stdout).toMatch(/^fix \(-20\): data folder: /m)
})

test('a bucket is tried, and what it refuses is told without the credentials', async () => {
  const signer = { accessKeyId: 'AKIADOCTOR', secretAccessKey: 'doctor-secret', region: 'us-east-1' }
  const server = await startS3('bucket', signer)
  const kept = { ...process.env }
  try {
    const endpoint = encodeURIComponent(server.endpoint)
    const environment = { OBJECT_STORE_URL: `s3://bucket/a?endpoint=${endpoint}&pathStyle=true` }
    process.env['AWS_ACCESS_KEY_ID'] = signer.accessKeyId
    process.env['AWS_SECRET_ACCESS_KEY'] = signer.secretAccessKey
    const found = await examine(environment)
    expect(found).toMatchObject({ status: 0, wrong: [] })
    expect(found.checks.find(({ name }) => name === 'object store')?.detail).toMatch(/^s3:\/\/bucket\/a: put/)
    expect(server.objects.size).toBe(0)
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong-secret'
    const refused = await examine(environment)
    expect(refused).toMatchObject({ status: 1, wrong: ['object store'] })
    expect(JSON.stringify(refused)).toContain('SignatureDoesNotMatch')
    expect(JSON.stringify(refused)).not.toMatch(/wrong-secret|doctor-secret/)
  } finally {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
      if (kept[name] === undefined) delete process.env[name]
      else process.env[name] = kept[name]
    }
    await server.stop()
  }
})
