/**
 * `npm run build`: builds the pages (web/dist) and compiles the server for the package (dist), which holds plain
 * JavaScript because Node.js strips no types inside node_modules. Does nothing when the sources are those of the last
 * build.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { makeClientPackage } from './client-package.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIST = join(ROOT, 'dist')
/** Packages of this repository that become part of the server's package: name → its folder, here and below dist. */
const WITHIN = new Map([
  ['@akashi/contract', 'contract'],
  ['@akashi/client', 'client'],
])
/** What is published of the client. */
const CLIENT = join(ROOT, 'client/dist')
/** Files that compiled code reads beside itself. */
const ASSETS = ['identity/passwords/common-passwords.txt']

/** What else decides the result. */
const SETTINGS = [
  'tsconfig.json',
  'tsconfig.build.json',
  'package-lock.json',
  'scripts/build.ts',
  'scripts/client-package.ts',
  'scripts/line-map.ts',
]
const STAMP = 'built-from.txt'
/** Relative to the repository, regardless of the name of its folder. */
const NO_SOURCES = /(^|[/\\])node_modules[/\\]|^client[/\\]dist[/\\]/
const Exports = z.looseObject({ exports: z.union([z.string(), z.record(z.string(), z.string())]) })
const COMPILER = 'node_modules/typescript/bin/tsc'

run('web/build.ts')
const stamp = await digestOfSources()
const built = await readFile(join(DIST, STAMP), 'utf8').catch(() => '')
if (existsSync(join(ROOT, COMPILER))) {
  if (built !== stamp) await build()
} else console.error('dist: typescript is not installed, so nothing is compiled; npm install brings it')

async function build(): Promise<void> {
  await rm(DIST, { recursive: true, force: true })
  for (const folder of WITHIN.values()) run(COMPILER, '-p', `${folder}/tsconfig.build.json`)
  run(COMPILER, '-p', 'tsconfig.build.json')
  for (const asset of ASSETS) await copyFile(join(ROOT, 'src', asset), join(DIST, asset))
  await linkWithin()
  await makeClientPackage(ROOT, DIST, CLIENT)
  await writeFile(join(DIST, STAMP), stamp)
}

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256')
  for (const source of ['src', ...WITHIN.values(), ...SETTINGS]) {
    for (const path of await filesOf(join(ROOT, source))) {
      hash.update(`${relative(ROOT, path)}\0`).update(await readFile(path))
    }
  }
  return hash.digest('hex')
}

/** The file itself, or every file below the folder, sorted. */
async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => null)
  if (entries === null) return [path]
  return entries
    .filter((entry) => entry.isFile() && !NO_SOURCES.test(`${relative(ROOT, entry.parentPath)}/`))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

function run(program: string, ...args: string[]): void {
  const { status } = spawnSync(process.execPath, [join(ROOT, program), ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}

/** Imports of bundled packages become relative, because those packages cannot be installed. */
async function linkWithin(): Promise<void> {
  const compiled = await compiledModules()
  for (const file of await filesOf(DIST)) {
    if (!/[.](js|d[.]ts)$/.test(file)) continue
    const text = await readFile(file, 'utf8')
    const linked = text.replace(
      /(\bfrom |\bimport\()(['"])(@akashi\/[^'"]+)\2/g,
      (_, before: string, quote: string, name: string) => {
        const module = compiled.get(name)
        if (module === undefined) throw new Error(`${file} imports ${name}, which is not part of the package`)
        const path = relative(dirname(file), join(DIST, module)).split(sep).join('/')
        return `${before}${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`
      },
    )
    if (linked !== text) await writeFile(file, linked)
  }
}

/** Modules by the name under which they are imported: `@akashi/client/trail` is client/trail/index.js. */
async function compiledModules(): Promise<Map<string, string>> {
  const modules = new Map<string, string>()
  for (const [name, folder] of WITHIN) {
    const { exports } = Exports.parse(JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8')))
    for (const [subpath, source] of Object.entries(
      typeof exports === 'string' ? { '.': exports } : exports,
    )) {
      const file = source.replace(/^[.]\/(src\/)?/, '').replace(/[.]ts$/, '.js')
      modules.set(`${name}${subpath.slice(1)}`, join(folder, file))
    }
  }
  return modules
}
