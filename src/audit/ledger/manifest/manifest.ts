/** What the migrations build, as this program ships it: migrations/catalog.json, written by scripts/schema-dump.ts. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { CatalogObject, Properties } from './catalog.ts'

/** Kind of object → name → properties. */
export type Manifest = Readonly<Record<string, Readonly<Record<string, Properties>>>>

const file = fileURLToPath(new URL('../../../../migrations/catalog.json', import.meta.url))

let shipped: Promise<Manifest> | undefined

export function readManifest(): Promise<Manifest> {
  shipped ??= readFile(file, 'utf8').then((text) => JSON.parse(text) as Manifest)
  return shipped
}

/** The file's text: one line for each object. Partitions are compared with their parents and left out. */
export function manifestText(objects: readonly CatalogObject[]): string {
  const kinds = [...new Set(objects.map(({ kind }) => kind))].sort()
  const sections = kinds.map((kind) => {
    const lines = objects
      .filter((object) => object.kind === kind && object.root === null)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, properties }) => `    ${JSON.stringify(name)}: ${JSON.stringify(sorted(properties))}`)
    return `  ${JSON.stringify(kind)}: {\n${lines.join(',\n')}\n  }`
  })
  return `{\n${sections.join(',\n')}\n}\n`
}

function sorted(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1)))
}
