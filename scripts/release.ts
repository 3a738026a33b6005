/**
 * `npm run release -- 1.2.3`: gives this state a version. It changes the manifests and the changelog, packs both packages into
 * .release with their SBOMs and digests, and makes a commit and a tag. Nothing leaves the machine: it prints how to publish.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OUT = join(ROOT, '.release')
/** Manifests that carry the version, as their own and as that of each other. */
const MANIFESTS = ['package.json', 'client/package.json', 'contract/package.json', 'web/package.json']
const OWN = /^(akashi|@akashi\/.+)$/
const VERSION = /^(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?$/
const UNRELEASED = '## Unreleased'
const FORMATS = [
  ['cyclonedx', 'cdx'],
  ['spdx', 'spdx'],
] as const

/** The changelog in which what is unreleased belongs to a version. @throws when nothing is unreleased */
export function cutChangelog(text: string, version: string, date: string): string {
  const start = text.indexOf(UNRELEASED)
  const rest = text.slice(start + UNRELEASED.length)
  const end = rest.search(/^## /m)
  const entries = end === -1 ? rest : rest.slice(0, end)
  if (start === -1 || !/^- /m.test(entries)) throw new Error('the changelog has nothing under Unreleased')
  return `${text.slice(0, start)}${UNRELEASED}\n\n## ${version} (${date})${rest}`
}

/** A manifest with the new version, also in its dependencies on our own packages. */
export function withVersion(text: string, version: string): string {
  const manifest = JSON.parse(text) as Record<string, unknown>
  const changed: Record<string, unknown> = { ...manifest, version }
  for (const kind of ['dependencies', 'devDependencies', 'peerDependencies']) {
    const packages = manifest[kind]
    if (packages === undefined) continue
    changed[kind] = Object.fromEntries(
      Object.entries(packages as Record<string, string>).map(([name, wanted]) => [
        name,
        OWN.test(name) ? version : wanted,
      ]),
    )
  }
  return `${JSON.stringify(changed, null, 2)}\n`
}

/** @throws if it is not a version, or not newer than the current one */
export function requireNewer(version: string, current: string): void {
  const parts = (text: string) => VERSION.exec(text)?.slice(1, 4).map(Number)
  const [next, before] = [parts(version), parts(current)]
  if (next === undefined || before === undefined) throw new Error(`${version} is no version such as 1.2.3`)
  const at = next.findIndex((part, index) => part !== before[index])
  if (at === -1 ? version === current || version.includes('-') : (next[at] ?? 0) < (before[at] ?? 0)) {
    throw new Error(`${version} is not newer than ${current}`)
  }
}

function run(program: string, ...args: string[]): string {
  return runIn(ROOT, program, ...args)
}

function runIn(cwd: string, program: string, ...args: string[]): string {
  const { status, stdout } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed`)
  return stdout
}

/**
 * The software bills of materials of what is installed with the package of this manifest: the lock file here has the tools
 * and the pages, too.
 */
export async function billsOfMaterials(manifest: string): Promise<Map<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-release-'))
  try {
    const { name, version, license, dependencies, optionalDependencies } = JSON.parse(manifest) as object &
      Record<string, unknown>
    await writeFile(
      join(folder, 'package.json'),
      JSON.stringify({ name, version, license, dependencies, optionalDependencies }),
    )
    runIn(
      folder,
      'npm',
      'install',
      '--package-lock-only',
      '--ignore-scripts',
      '--no-audit',
      '--prefer-offline',
    )
    return new Map(
      FORMATS.map(([format, ending]) => [
        ending,
        runIn(folder, 'npm', 'sbom', '--package-lock-only', '--sbom-format', format),
      ]),
    )
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function release(version: string): Promise<void> {
  if (run('git', 'status', '--porcelain') !== '')
    throw new Error('the work tree has changes: commit them first')
  const { version: current } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    version: string
  }
  requireNewer(version, current)
  const changelog = join(ROOT, 'CHANGELOG.md')
  const date = new Date().toISOString().slice(0, 10)
  await writeFile(changelog, cutChangelog(await readFile(changelog, 'utf8'), version, date))
  for (const file of MANIFESTS) {
    const path = join(ROOT, file)
    await writeFile(path, withVersion(await readFile(path, 'utf8'), version))
  }
  run('npm', 'install', '--package-lock-only', '--ignore-scripts')
  run('node', 'scripts/check-lock.ts')
  run('node', 'scripts/build.ts')
  await rm(OUT, { recursive: true, force: true })
  await mkdir(OUT)
  for (const from of ['.', './client/dist'])
    run('npm', 'pack', from, '--ignore-scripts', '--pack-destination', OUT)
  for (const [ending, bill] of await billsOfMaterials(await readFile(join(ROOT, 'package.json'), 'utf8'))) {
    await writeFile(join(OUT, `akashi-${version}.${ending}.json`), bill)
  }
  const files = (await readdir(OUT)).sort()
  const digests = await Promise.all(
    files.map(async (file) => {
      const hash = createHash('sha256').update(await readFile(join(OUT, file)))
      return `${hash.digest('hex')}  ${file}\n`
    }),
  )
  await writeFile(join(OUT, 'SHA256SUMS'), digests.join(''))
  run('git', 'commit', '--all', '--message', `Release ${version}`)
  run('git', 'tag', '--annotate', `v${version}`, '--message', `Akashi ${version}`)
  console.log(`${files.join('\n')}
packed in .release, committed and tagged v${version}; to publish, where the CI service proves where it was built:
git push --follow-tags
${files
  .filter((file) => file.endsWith('.tgz'))
  .map((file) => `npm publish --provenance .release/${file}`)
  .join('\n')}`)
}

if (import.meta.main) {
  const [version = ''] = process.argv.slice(2)
  try {
    await release(version)
  } catch (error) {
    console.error(`release: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}
