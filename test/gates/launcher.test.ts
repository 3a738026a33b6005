import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const launcher = resolve(import.meta.dirname, '../../bin/akashi')
const systemTools = '/usr/bin:/bin'

interface Run {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

let home: string

async function script(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
}

/** A stand-in for Node.js that names itself and shows what it was asked to run. */
function node(path: string, version: string): Promise<void> {
  return script(
    path,
    `if [ "$1" = --version ]; then echo v${version}.1.0; else echo "${version}"; printf '%s\\n' "$@"; fi`,
  )
}

function run(file: string, args: readonly string[], path: string, cwd: string): Promise<Run> {
  return new Promise((done) => {
    execFile(file, [...args], { cwd, env: { PATH: path } }, (error, stdout, stderr) => {
      done({ status: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'akashi launcher ')))
  await mkdir(join(home, 'app/bin'), { recursive: true })
  await copyFile(launcher, join(home, 'app/bin/akashi'))
  await mkdir(join(home, 'tools'))
})

afterEach(() => rm(home, { recursive: true, force: true }))

describe('bin/akashi', () => {
  test("prefers the project's own Node.js and passes arguments on untouched", async () => {
    await node(join(home, 'app/node_modules/.bin/node'), '24')
    await node(join(home, 'tools/node'), '25')
    const { status, stdout } = await run(
      join(home, 'app/bin/akashi'),
      ['query', 'select  1', ''],
      `${home}/tools:${systemTools}`,
      home,
    )
    expect(status).toBe(0)
    expect(stdout).toBe(`24\n${home}/app/src/cli/main.ts\nquery\nselect  1\n\n`)
  })

  test("takes the system's when it is new enough, through a chain of links, from elsewhere", async () => {
    await node(join(home, 'tools/node'), '26')
    await symlink('../app/bin/akashi', join(home, 'tools/relative'))
    await symlink(join(home, 'tools/relative'), join(home, 'absolute'))
    const { stdout } = await run(join(home, 'absolute'), [], `${home}/tools:${systemTools}`, '/')
    expect(stdout).toBe(`26\n${home}/app/src/cli/main.ts\n`)
  })

  test("is found through its own folder's link on the path", async () => {
    await node(join(home, 'tools/node'), '24')
    await symlink('../app/bin/akashi', join(home, 'tools/akashi'))
    const { stdout } = await run('akashi', ['status'], `${home}/tools:${systemTools}`, home)
    expect(stdout).toBe(`24\n${home}/app/src/cli/main.ts\nstatus\n`)
  })

  test('says in one line and a hint that every Node.js is too old', async () => {
    await node(join(home, 'tools/node'), '20')
    const { status, stdout, stderr } = await run(
      join(home, 'app/bin/akashi'),
      [],
      `${home}/tools:${systemTools}`,
      home,
    )
    expect(status).toBe(3)
    expect(stdout).toBe('')
    expect(stderr).toBe(
      `akashi: no Node.js 24 or newer was found\nhint: run 'npm install' in ${home}/app, which brings one\n`,
    )
  })
})
