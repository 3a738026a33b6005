/** Keys of archived objects in the store. */
import { DESTINATIONS_FOLDER, type ObjectStore } from '../../object-store/index.ts'

/** Everything archived is below this folder. */
const ARCHIVE_ROOT = 'archive'

/**
 * A name as a segment of a key: what a key cannot hold becomes `+` and two hexadecimal digits for each byte, and so
 * do capitals, because some stores are not case-sensitive.
 */
function segment(name: string): string {
  return Buffer.from(name, 'utf8')
    .toString('latin1')
    .replaceAll(/[^a-z0-9_-]/g, (byte) => `+${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

export function tableFolder(schema: string, table: string): string {
  return `${ARCHIVE_ROOT}/${segment(schema)}/${segment(table)}/`
}

/**
 * The folder of one partition: `archive/akashi_security/security_events/year=2025/month=09/day=05/`, from the day of
 * its lower bound in UTC, as Hive and Athena lay partitions out.
 *
 * @param lower ISO 8601 in UTC
 */
export function partitionFolder(schema: string, table: string, lower: string): string {
  return `${tableFolder(schema, table)}${dayFolder(lower)}`
}

function dayFolder(lower: string): string {
  const match = /^(\d+)-(\d\d)-(\d\d)T/.exec(lower)
  const [, year = '', month = '', day = ''] = match ?? []
  return `year=${year}/month=${month}/day=${day}/`
}

/** The folder of the copies of one partition by one policy, laid out like that of the partition. */
export function copyFolder(
  { schema, table, from }: { readonly schema: string; readonly table: string; readonly from: string },
  { destination, policy }: { readonly destination: string; readonly policy: string },
): string {
  return `${DESTINATIONS_FOLDER}${destination}/${segment(schema)}/${segment(table)}/${policy}/${dayFolder(from)}`
}

/**
 * The key of a manifest. It names the database that writes it, so that no other one, and no restored copy, writes or
 * removes anything under the same name. Readers of the folder skip names that begin with `_`.
 *
 * @param writer see {@link writerOf} in context.ts
 */
export function manifestKey(folder: string, partition: string, generation: number, writer: string): string {
  return `${folder}_${segment(partition)}.${generation}.${writer}.json`
}

/** What the keys of an export's Parquet objects begin with; no other export has any of them. */
function objectPrefix(manifest: string): string {
  const name = manifest.lastIndexOf('/') + 1
  return `${manifest.slice(0, name)}${manifest.slice(name).replace(/^_(.*)json$/, '$1')}`
}

/** @param attempt random, so that what a killed attempt left is never taken for an object of this one */
export function partKey(manifest: string, attempt: string, part: number): string {
  return `${objectPrefix(manifest)}${attempt}.${part.toString().padStart(5, '0')}.parquet`
}

/** The folder of CSV copies lies beside that of the Parquet objects, where readers of Parquet do not meet it. */
function csvFolder(key: string): string {
  return `${ARCHIVE_ROOT}-csv${key.slice(ARCHIVE_ROOT.length)}`
}

export function csvKey(parquetKey: string): string {
  return csvFolder(parquetKey).replace(/\.parquet$/, '.csv')
}

/** Keys of all objects of a copy but its manifest, also of those that an attempt left behind. */
export async function listCopyObjects(
  store: ObjectStore,
  manifest: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(objectPrefix(manifest), options)) keys.push(key)
  return keys
}

/** Keys of all objects of an export but its manifest, also of those that an attempt left behind. */
export async function listObjects(
  store: ObjectStore,
  manifest: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<string[]> {
  const keys: string[] = []
  const prefix = objectPrefix(manifest)
  for (const start of [prefix, csvFolder(prefix)]) {
    for await (const { key } of store.list(start, options)) keys.push(key)
  }
  return keys
}
