/** Compares the columns of a catalogue's table with those of the files. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError, makeScratchFolder } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { openEngine } from '../archive/engine.ts'
import { type Manifest, readManifest } from '../archive/manifest.ts'
import { partitionFolder } from '../archive/object-keys.ts'
import { fetchObject } from '../archive/parts.ts'
import { literal } from '../archive/quote.ts'
import { type ExportRecord, listExports } from '../archive/records.ts'
import { hiveType, type OuterColumn } from './hive.ts'

/** Older files may lack columns that were added later; readers see NULL there. */
function differences(columns: readonly OuterColumn[], inFile: readonly OuterColumn[]): string[] {
  const wanted = new Map(columns.map(({ name, type }) => [name.toLowerCase(), type]))
  return inFile.flatMap(({ name, type }) => {
    const expected = wanted.get(name.toLowerCase())
    return expected === type ? [] : [`${name} is ${type}, not ${expected ?? 'there'}`]
  })
}

/** The oldest and the newest export with rows, which show whether columns changed. */
function samples(exports: readonly ExportRecord[]): ExportRecord[] {
  const readable = ['verified', 'detached', 'dropped']
  const full = exports.filter(({ state, rows }) => readable.includes(state) && (rows ?? 0) > 0)
  return [...new Set([full.at(0), full.at(-1)])].filter((each) => each !== undefined)
}

/** @returns the number of compared objects */
export async function checkFiles(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  name: { readonly schema: string; readonly table: string },
  columns: readonly OuterColumn[],
  signal?: AbortSignal,
): Promise<number> {
  const exports = await database.transaction(actor, (session) => listExports(session, name), {
    readOnly: true,
  })
  let checked = 0
  for (const each of samples(exports)) {
    const stored = await readManifest(store, each.manifest, each.manifestSha256, signal)
    const [part] = stored?.manifest.parts ?? []
    if (part === undefined) throw differs(each.manifest, 'it is missing from the object store')
    const folder = partitionFolder(name.schema, name.table, each.from)
    if (!part.key.startsWith(folder)) throw differs(part.key, `it is not in ${folder}`)
    const wrong = differences(columns, await columnsOf(store, part, signal))
    if (wrong.length > 0) throw differs(part.key, wrong.join(', '))
    checked += 1
  }
  return checked
}

function differs(key: string, why: string): AkashiError {
  return new AkashiError('integrity', `${key} does not match the table: ${why}`, { detail: { key } })
}

async function columnsOf(
  store: ObjectStore,
  part: Manifest['parts'][number],
  signal: AbortSignal | undefined,
): Promise<OuterColumn[]> {
  const folder = await makeScratchFolder('ddl')
  const engine = openEngine(join(folder, 'engine'))
  try {
    const file = join(folder, 'part.parquet')
    await fetchObject(store, part, file, signal)
    const rows = await engine.run(`describe select * from read_parquet(${literal(file)})`, signal)
    return rows.map((row) => ({
      name: String(row['column_name']),
      type: hiveType(String(row['column_type']).replace('TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ')),
    }))
  } finally {
    engine.close()
    await rm(folder, { recursive: true, force: true })
  }
}
