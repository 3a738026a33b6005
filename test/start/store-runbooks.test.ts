/** Follows docs/runbooks/store-owner.md and docs/runbooks/wal.md, command by command. */
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiUp, type Running } from '../../scripts/akashi-process.ts'
import { reachableFolder, removeDataDir } from '../support/embedded.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const MINUTES_MS = 600_000

let data = ''
let place = ''
let running: Running

beforeAll(async () => {
  data = await reachableFolder()
  place = await mkdtemp(join(tmpdir(), 'akashi-copies-'))
  const { chmod } = await import('node:fs/promises')
  await chmod(place, 0o711)
  running = await akashiUp(data)
  expect((await akashi(['backup', 'full', '--data', data])).status).toBe(0)
}, MINUTES_MS)

afterAll(async () => {
  await running?.stop()
  for (const name of ['read-only', 'owner']) await removeDataDir(join(place, name))
  await removeDataDir(data)
  await rm(place, { recursive: true, force: true })
}, MINUTES_MS)

/** Runs a section's commands; each must exit with 0, but those in `statuses`. */
async function follow(
  page: string,
  section: string,
  { copy = '', statuses = {} }: { copy?: string; statuses?: Readonly<Record<string, number>> } = {},
): Promise<string> {
  const text = await readFile(join(root, 'docs/runbooks', page), 'utf8')
  const body = text.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? ''
  const lines = [...body.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  )
  expect(lines.length, section).toBeGreaterThan(0)
  let output = ''
  for (const line of lines) {
    // The service manager of the machine is this test.
    if (line === 'systemctl stop akashi') {
      await running.stop()
      continue
    }
    const { status, stdout, stderr } = spawnSync('sh', ['-c', line], {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], AKASHI_DATA: data, COPY: copy },
    })
    const [, verb = ''] = /bin\/akashi (\S+)/.exec(line) ?? []
    expect(status, `${line}\n${stdout}${stderr}`).toBe(statuses[verb] ?? 0)
    output += stdout + stderr
  }
  return output
}

it('a copy only reads; WAL that waits is shown; a restored system takes the store over', {
  timeout: MINUTES_MS,
}, async () => {
  const copy = await follow('store-owner.md', 'A restored copy beside the running system', {
    copy: join(place, 'read-only'),
    statuses: { doctor: 1 },
  })
  expect(copy).toContain('it only reads the object store')
  expect(copy).toContain('does not own its object store')
  // The disk of the store is not mounted. The node stands still, or it would store into the folder for the 3 seconds
  // for which it trusts what it saw.
  process.kill(running.pid, 'SIGSTOP')
  const [objects, unmounted] = [join(data, 'objects'), join(data, 'objects.unmounted')]
  await rename(objects, unmounted)
  await mkdir(objects)
  const lacking = await follow('store-owner.md', "The store lacks the owner's record", {
    statuses: { doctor: 1 },
  })
  expect(lacking).toMatch(/lacks this installation’s ownership record ownership\/0+1/)
  await rm(objects, { recursive: true })
  await rename(unmounted, objects)
  process.kill(running.pid, 'SIGCONT')
  expect(await follow('wal.md', 'The store is away')).toContain('MB of WAL are waiting for the object store')
  expect(await follow('wal.md', 'The slot was lost')).toContain('restorable')
  // Nothing serves over HTTP after a restore, which `status` says with 3.
  const taken = await follow('store-owner.md', 'Taking the store over', {
    copy: join(place, 'owner'),
    statuses: { status: 3 },
  })
  expect(taken).toContain('it owns the object store now')
})
