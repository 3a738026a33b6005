/** Copies everything of one server into an empty one by piping `pg_dump` into `psql`, without a file. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AkashiError, given } from '../../foundation/index.ts'
import type { Account } from './account.ts'
import {
  lateCheckError,
  lateChecksQuery,
  loadingLogin,
  ownedTablesQuery,
  parseOwnedTables,
  pattern,
} from './load-rows.ts'
import type { UpgradePrograms } from './old-programs.ts'
import { cancelled, serverEnvironment } from './program.ts'

/** A server on a private socket. */
export interface Place {
  readonly socketDir: string
  readonly port: number
  readonly user: string
}

export interface CopyOptions {
  readonly signal?: AbortSignal
  /** `bytes` of SQL so far. */
  readonly onProgress?: (database: string, bytes: number) => void
}

const SAID_CHARS = 4_096
const MAX_GLOBALS_BYTES = 64 * 1024 * 1024

/** Roles, memberships and tablespaces first, then one database after the other. @throws unavailable, cancelled */
export async function copyCluster(
  programs: UpgradePrograms,
  from: Place,
  to: Place,
  options: CopyOptions & { readonly account: Account | undefined; readonly cwd: string },
): Promise<string[]> {
  const { account, cwd, signal, onProgress = () => undefined } = options
  const run = (program: string, place: Place, args: readonly string[]) => {
    const child = spawn(program, args, {
      ...account,
      cwd,
      env: {
        ...serverEnvironment,
        PGHOST: place.socketDir,
        PGPORT: String(place.port),
        PGUSER: place.user,
        PGCLIENTENCODING: 'UTF8',
        // Not the default of the database or role, under which names could resolve to objects of others.
        PGOPTIONS: '-c search_path=pg_catalog',
      },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...given({ signal }),
    })
    return follow(program, child)
  }
  const psql = (database: string, user = to.user) =>
    run(programs.psql, { ...to, user }, [
      '--no-psqlrc',
      '--quiet',
      '--set=ON_ERROR_STOP=1',
      `--dbname=${connection(database)}`,
    ])
  const ask = (database: string, query: string) =>
    collect(run(programs.psql, from, ['--no-psqlrc', '-At', '-0', '-d', connection(database), '-c', query]))
  const apply = async (database: string, text: string) => {
    const applied = psql(database)
    applied.child.stdin?.end(text)
    await collect(applied)
  }
  try {
    const databases = (await ask('postgres', databasesQuery)).split('\0').filter((name) => name !== '')
    const globals = await collect(run(programs.pgDumpall, from, ['--globals-only', '--no-sync']))
    // initdb has created the superuser already.
    await apply('postgres', globals.replace(`\nCREATE ROLE ${from.user};\n`, '\n'))
    for (const database of databases) {
      let bytes = 0
      const pipe = async (section: string, args: readonly string[], into: string, user?: string) => {
        const dump = run(programs.pgDump, from, [
          '--format=plain',
          `--section=${section}`,
          ...args,
          `--dbname=${connection(database)}`,
        ])
        const load = psql(into, user)
        const count = new Transform({
          transform(chunk: Buffer, _, done) {
            bytes += chunk.length
            onProgress(database, bytes)
            done(null, chunk)
          },
        })
        if (dump.child.stdout === null || load.child.stdin === null)
          throw new Error('the child process has no pipes')
        const piped = pipeline(dump.child.stdout, count, load.child.stdin)
        // If psql ends early, the pipe breaks; the error of psql is more useful, so it comes first.
        const [loaded, dumped, carried] = await Promise.allSettled([collect(load), dump.ended, piped])
        for (const outcome of [loaded, dumped, carried])
          if (outcome.status === 'rejected') throw outcome.reason
      }
      const late = (await ask(database, lateChecksQuery)).replace('\0', '')
      if (late !== '') throw lateCheckError(database, late)
      const owned = parseOwnedTables((await ask(database, ownedTablesQuery)).replace('\0', ''))
      await pipe('pre-data', database === 'postgres' ? [] : ['--create'], 'postgres')
      for (const each of owned) {
        const login = loadingLogin(database, each)
        await apply(database, login.create)
        const tables = each.tables.map((table) => `--table=${pattern(table)}`)
        await pipe('data', tables, database, login.role)
        await apply(database, login.drop)
      }
      // Sequences, large objects and data of extensions: no code of a table runs.
      const rest = owned.flatMap(({ tables }) => tables.map((table) => `--exclude-table=${pattern(table)}`))
      await pipe('data', rest, database)
      await pipe('post-data', [], database)
    }
    return databases
  } catch (error) {
    if (signal?.aborted === true) throw cancelled()
    throw error
  }
}

/** Quotes any name for a connection string. */
const connection = (database: string): string => `dbname='${database.replaceAll(/['\\]/g, '\\$&')}'`

/** `template0` does not accept connections, and `template1` should not have been changed. */
const databasesQuery = 'select datname from pg_database where datallowconn and not datistemplate order by 1'

interface Running {
  readonly child: ChildProcess
  /** Rejects with the program's error output when it fails. */
  readonly ended: Promise<void>
}

function follow(program: string, child: ChildProcess): Running {
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-SAID_CHARS)
  })
  child.stdin?.on('error', () => undefined)
  const ended = once(child, 'close').then(([code]: unknown[]) => {
    if (code === 0) return
    const name = program.slice(program.lastIndexOf('/') + 1)
    const reason = said.split('\n').find((line) => /ERROR|FATAL|error:/.test(line)) ?? said.trim()
    throw new AkashiError('unavailable', `${name} failed while the data was copied`, {
      hint: `it said: ${reason}; the old data is unchanged`,
      detail: { said },
    })
  })
  ended.catch(() => undefined)
  return { child, ended }
}

async function collect({ child, ended }: Running): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  child.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_GLOBALS_BYTES) child.kill()
    else chunks.push(chunk)
  })
  await ended
  return Buffer.concat(chunks).toString()
}
