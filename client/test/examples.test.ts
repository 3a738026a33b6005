import { execFile, spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { shopDatabase } from './database.ts'

const shop = shopDatabase()
const root = join(import.meta.dirname, '../..')

interface Example {
  readonly command: readonly [program: string, ...arguments_: string[]]
  /** Fails where the language or one of the packages is not installed. */
  readonly probe: readonly string[]
  /** Orders that it inserts. */
  readonly orders: number
  readonly environment?: Readonly<Record<string, string>>
}

const gopath = '/usr/share/gocode'
const driver = '/usr/share/java/postgresql.jar'
const examples: Readonly<Record<string, Example>> = {
  python: {
    command: ['/usr/bin/python3', 'example.py'],
    probe: ['-c', 'import sqlalchemy, psycopg, psycopg2'],
    orders: 2,
  },
  java: { command: ['java', '-cp', driver, 'Example.java'], probe: ['-version'], orders: 1 },
  ruby: {
    command: ['ruby', 'example.rb'],
    probe: ['-e', "require 'active_record'; require 'pg'"],
    orders: 1,
  },
  go: {
    command: ['go', 'run', '.'],
    probe: ['list', 'github.com/jackc/pgx/v4'],
    orders: 1,
    environment: { GO111MODULE: 'off', GOPATH: gopath },
  },
}

const run = promisify(execFile)

describe.each(Object.entries(examples))(
  'the example in %s',
  (name, { command, probe, orders, environment }) => {
    const [program, ...parameters] = command
    const env = { ...process.env, LANG: 'C.UTF-8', ...environment }
    const cwd = join(root, 'examples', name)
    // In CI all of them must be installed, so that none is skipped there.
    const installed = process.env['CI'] === 'true' || spawnSync(program, probe, { env, cwd }).status === 0
    const execute = async (more: readonly string[], settings: Record<string, string> = {}) => {
      const { stdout } = await run(program, [...parameters, ...more], { cwd, env: { ...env, ...settings } })
      return stdout.trim().split('\n')
    }

    it.runIf(installed)('signs as the page says', async () => {
      const page = await readFile(join(root, 'docs/request-context.md'), 'utf8')
      const vectors = [...page.matchAll(/\| `([0-9a-f]{64})` \|/g)].map(([, signature]) => signature)
      expect(vectors).toHaveLength(2)
      expect(await execute(['vectors'])).toEqual(vectors)
    })

    it.runIf(installed)('acts for a user of the application, and leaves no context behind', async () => {
      const before = (await shop.trail()).length
      const settings = { DATABASE_URL: shop.appUrl, SHOP_CONTEXT_KEY: shop.key }
      const said = (await execute([], settings)).map((line) => JSON.parse(line))
      expect(said).toEqual(Array.from({ length: orders }, () => ['shop', 'taro']))
      const left = (await shop.trail()).slice(before)
      expect(left).toHaveLength(orders)
      for (const row of left) expect(row).toMatchObject({ user_id: 'taro', context_verified: true })
      await expect(
        execute([], { ...settings, SHOP_CONTEXT_KEY: `${shop.key.slice(0, -4)}0000` }),
      ).rejects.toThrow()
      expect((await shop.trail()).length).toBe(before + orders)
    })
  },
)

beforeAll(() => shop.asSuperuser((session) => session.query(`grant usage on schema public to ${shop.login}`)))
