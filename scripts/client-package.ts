/**
 * Makes the folder that is published as `@akashi/client` from its compiled parts: one module for each entry point and
 * one that they share, not minified, so that it can be read and stepped through; declarations that an entry point
 * reaches; source maps by the line, without the sources (docs/decisions/0090).
 */
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { z } from 'zod'
import { byLine, type SourceMap } from './line-map.ts'

const Manifest = z.looseObject({
  private: z.unknown(),
  devDependencies: z.unknown(),
  exports: z.record(z.string(), z.string()),
})

/** What only the server and the pages import, which hold copies of it. */
const BETWEEN_US = ['./trail', './evidence']

/** A smaller module is one function, which reads as its source does without the types. */
const MIN_MAPPED_BYTES = 1_000

/** The notice of the licence's appendix, which is shorter than the package otherwise is. */
const LICENSE = `Licensed under the Apache License, Version 2.0 (the "License"); you may not use this package except in
compliance with the License. You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed on an
"AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the
specific language governing permissions and limitations under the License.
`

/**
 * @param root of the repository
 * @param dist what the compiler made of the client, in `client`, and of the contract, in `contract`
 * @param into the folder to publish
 */
export async function makeClientPackage(root: string, dist: string, into: string): Promise<void> {
  await rm(into, { recursive: true, force: true })
  const {
    private: _,
    devDependencies: __,
    exports,
    ...manifest
  } = Manifest.parse(JSON.parse(await readFile(join(root, 'client/package.json'), 'utf8')))
  const entries = Object.entries(exports)
    .filter(([name]) => !BETWEEN_US.includes(name))
    .map(([name, source]) => [name, source.replace('./src/', '').replace(/[.]ts$/, '')] as const)
  const names = entries.map(([, entry]) => entry)
  await bundle(root, names, into)
  await copyDeclarations(dist, names, into)
  const compiled = entries.map(([name, entry]) => [
    name,
    { types: `./${entry}.d.ts`, default: `./${entry}.js` },
  ])
  const published = {
    ...manifest,
    exports: { ...Object.fromEntries(compiled), './package.json': './package.json' },
    publishConfig: { access: 'public', provenance: true },
  }
  await writeFile(join(into, 'package.json'), `${JSON.stringify(published)}\n`)
  await writeFile(join(into, 'LICENSE'), LICENSE)
  await copyFile(join(root, 'client/README.md'), join(into, 'README.md'))
}

async function bundle(root: string, entries: readonly string[], into: string): Promise<void> {
  // Loaded here: who installs without development dependencies builds nothing.
  const { rolldown } = await import('rolldown')
  const src = join(root, 'client/src')
  const bundled = await rolldown({
    cwd: root,
    input: Object.fromEntries(entries.map((entry) => [entry, join(src, `${entry}.ts`)])),
    external: (id) => /^(@?[a-z])/.test(id) && !id.startsWith('@akashi/'),
    platform: 'neutral',
    preserveEntrySignatures: 'strict',
  })
  const { output } = await bundled.generate({
    format: 'esm',
    comments: false,
    sourcemap: true,
    chunkFileNames: '[name].js',
    codeSplitting: { groups: [{ name: 'shared', test: isShared }] },
  })
  await bundled.close()
  for (const file of output) {
    if (file.type !== 'chunk') continue
    if (file.map === null || file.code.length < MIN_MAPPED_BYTES) {
      await write(join(into, file.fileName), file.code.replace(/\n[/][/]# sourceMappingURL=.*\s*$/, '\n'))
      continue
    }
    await write(join(into, file.fileName), file.code)
    const map = byLine(file.map as SourceMap, (source) => source.replace(/^.*?(?=(client|contract)[/])/, ''))
    await write(join(into, `${file.fileName}.map`), JSON.stringify(map))
  }
}

/** Everything but entry points, what belongs to one of them, and proofs, which browsers load by themselves. */
function isShared(path: string): boolean {
  return (
    path.includes('/client/src/') &&
    !/client[/]src[/](proof[/]|postgres[/]|([a-z]+[/])?index[.]ts)/.test(path)
  )
}

/** Those of the entry points and all that they name, also of the contract, whose folder comes to lie inside. */
async function copyDeclarations(dist: string, entries: readonly string[], into: string): Promise<void> {
  const left = entries.map((entry) => join(dist, 'client', `${entry}.d.ts`))
  const placeOf = (file: string) =>
    file.startsWith(join(dist, 'client')) ? relative(join(dist, 'client'), file) : relative(dist, file)
  const seen = new Set<string>()
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (seen.has(file)) continue
    seen.add(file)
    const here = file
    const text = await readFile(here, 'utf8')
    const moved = text.replace(
      /(['"])([.]{1,2}[/][^'"]+)[.][jt]s\1/g,
      (_, quote: string, specifier: string) => {
        const target = join(dirname(here), `${specifier}.d.ts`)
        left.push(target)
        const path = relative(dirname(placeOf(here)), placeOf(target))
          .split(sep)
          .join('/')
        return `${quote}${(path.startsWith('.') ? path : `./${path}`).replace(/[.]d[.]ts$/, '.js')}${quote}`
      },
    )
    await write(join(into, placeOf(here)), moved)
  }
  if (!existsSync(join(into, 'index.d.ts'))) throw new Error('the client has no declarations')
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}
