/**
 * Builds the pages into web/dist, where the server finds them; `npm install` and `npm start` call it. Does nothing
 * when the sources are those of the last build. `--force` builds all the same.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const WEB = fileURLToPath(new URL('.', import.meta.url))
const DIST = join(WEB, 'dist')
const STAMP = 'built-from.txt'
const sources = [
  'src',
  'public',
  'index.html',
  'package.json',
  'vite.config.ts',
  'build.ts',
  '../contract',
  '../client/src',
  // Shown beside alarms.
  '../docs/operations.md',
]
const compressible = new Set(['.js', '.css', '.svg', '.html'])
/** Below this many bytes a compressed copy saves nothing. */
const MIN_COMPRESSED_BYTES = 1_024

/** Parts of the pages that open without a network. The console needs the server for everything that it shows. */
const offlineParts = ['src/sign-in/', 'src/chat/', 'src/account/', 'src/i18n/']
/** Kept under names that do not change. */
const offlineRootFiles = ['scheme.js', 'seal.svg']

// Tests run with another, and what they look at is what people get.
process.env['NODE_ENV'] = 'production'

const started = performance.now()
const stamp = await digestOfSources()
const built = await readFile(join(DIST, STAMP), 'utf8').catch(() => '')
if (built !== stamp || process.argv.includes('--force')) await build()

async function build(): Promise<void> {
  const vite = await import('vite').catch(() => null)
  if (vite === null) {
    console.error('web: vite is not installed, so the pages are not built; npm install brings it')
    return
  }
  console.log('web: building the pages')
  // In a folder of its own and then renamed, so that nobody is served half of it.
  const fresh = await mkdtemp(join(WEB, '.build-'))
  try {
    await vite.build({ root: WEB, logLevel: 'warn', build: { outDir: fresh, emptyOutDir: true } })
    await listOfflineFiles(fresh)
    await compress(fresh)
    await buildEvidence(vite, join(fresh, 'evidence'))
    await writeFile(join(fresh, STAMP), stamp)
    await rm(DIST, { recursive: true, force: true })
    await rename(fresh, DIST)
    console.log(`web: built in ${((performance.now() - started) / 1_000).toFixed(1)} s`)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

/** Script and style of evidence files, which hold them: one file each, and not a module. */
async function buildEvidence(vite: typeof import('vite'), outDir: string): Promise<void> {
  await vite.build({
    root: WEB,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    build: {
      outDir,
      target: 'es2023',
      lib: {
        entry: 'src/evidence/viewer.ts',
        formats: ['iife'],
        name: 'evidence',
        fileName: () => 'viewer.js',
      },
    },
  })
  await copyFile(join(WEB, 'src/evidence/viewer.css'), join(outDir, 'viewer.css'))
}

interface Chunk {
  readonly file: string
  readonly css?: readonly string[]
  readonly imports?: readonly string[]
  readonly dynamicImports?: readonly string[]
}

/** Writes the list of files that the service worker keeps, and a version that changes with any of them. */
async function listOfflineFiles(folder: string): Promise<void> {
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Readonly<
    Record<string, Chunk>
  >
  const files = new Set(offlineRootFiles.map((file) => `/${file}`))
  const seen = new Set<string>()
  const add = (name: string) => {
    const chunk = manifest[name]
    if (chunk === undefined || seen.has(name)) return
    seen.add(name)
    for (const file of [chunk.file, ...(chunk.css ?? [])]) files.add(`/${file}`)
    for (const each of chunk.imports ?? []) add(each)
    for (const each of chunk.dynamicImports ?? []) {
      if (offlineParts.some((part) => each.startsWith(part))) add(each)
    }
  }
  add('index.html')
  const list = [...files].sort()
  const page = await readFile(join(folder, 'index.html'))
  const unnamed = await Promise.all(offlineRootFiles.map((file) => readFile(join(folder, file))))
  const version = createHash('sha256').update(list.join()).update(page)
  for (const bytes of unnamed) version.update(bytes)
  await writeFile(
    join(folder, 'offline-files.js'),
    `self.offlineFiles = ${JSON.stringify({ version: version.digest('hex').slice(0, 16), files: list })}\n`,
  )
}

async function compress(folder: string): Promise<void> {
  for (const path of await filesOf(folder)) {
    if (!compressible.has(extname(path))) continue
    const bytes = await readFile(path)
    if (bytes.length < MIN_COMPRESSED_BYTES) continue
    await writeFile(`${path}.gz`, await promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }))
    await writeFile(`${path}.br`, await promisify(brotliCompress)(bytes))
  }
}

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256')
  for (const source of sources) {
    for (const path of await filesOf(join(WEB, source))) {
      hash.update(`${relative(WEB, path)}\0`).update(await readFile(path))
    }
  }
  // Versions of packages change what is built, too.
  const lock = join(WEB, '../package-lock.json')
  if (existsSync(lock)) hash.update(await readFile(lock))
  return hash.digest('hex')
}

/** The file itself, or every file below the folder, sorted. */
async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => null)
  if (entries === null) return existsSync(path) ? [path] : []
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}
