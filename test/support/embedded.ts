import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openDatabase, removeCluster } from '../../src/postgres/index.ts'

export const isRoot = process.getuid?.() === 0

/** Nothing of these servers must survive a power failure. */
export const FAST = { fsync: 'off' }

/** A temporary folder that the account of a server started by root can reach too. */
export async function reachableFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-embedded-'))
  await chmod(folder, 0o711)
  return folder
}

export async function removeDataDir(dataDir: string): Promise<void> {
  await removeCluster(dataDir)
  await rm(dataDir, { recursive: true, force: true })
}

export async function ask<R = Record<string, unknown>>(url: string, text: string): Promise<R[]> {
  const database = openDatabase({ url, role: 'owner', applicationName: 'akashi test' })
  try {
    return await database.direct(async (session) => {
      // The tests' own tables are in public.
      await session.query('set search_path = public')
      return (await session.query<R>(text)).rows
    })
  } finally {
    await database.close()
  }
}

/** What nobody uses would be backed up, restored and checked too. @param url of a superuser */
export async function dropSpareDatabases(url: string): Promise<void> {
  for (const name of ['template1', 'template0']) {
    await ask(url, `alter database ${name} is_template false`)
    await ask(url, `drop database ${name}`)
  }
}

export interface Child {
  readonly process: ChildProcess
  /** The line that it prints. */
  readonly line: Promise<unknown>
  /** Lets it stop its server, and waits for its end. */
  end(): Promise<void>
}

interface ChildOptions {
  readonly checkout?: string
  readonly node?: string
  readonly uid?: number
  readonly gid?: number
  readonly env?: Record<string, string>
}

export function startChild(dataDir: string, options: ChildOptions = {}): Child {
  const { checkout, node = process.execPath, ...rest } = options
  const root = checkout ?? join(import.meta.dirname, '..', '..')
  const child = spawn(node, [join(root, 'test/support/embedded-child.ts'), dataDir], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    ...rest,
  })
  const exited = once(child, 'exit')
  const printed = once(createInterface(child.stdout), 'line').then(([text]: unknown[]) =>
    JSON.parse(String(text)),
  )
  const ended = once(child, 'close').then(([status]: unknown[]) => {
    throw new Error(`the child ended with status ${status} before it printed`)
  })
  const line: Promise<unknown> = Promise.race([printed, ended])
  // Nobody waits for the line of a child that is killed first.
  line.catch(() => undefined)
  return {
    process: child,
    line,
    end: async () => {
      child.stdin.end()
      await exited
    },
  }
}
