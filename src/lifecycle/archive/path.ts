/** Keys of archived objects. */

/** Everything archived is below this folder. */
export const ARCHIVE_ROOT = 'archive'

/** Encodes a name as a segment of a key: other characters become `+` and two hexadecimal digits per byte. */
function segment(name: string): string {
  return Buffer.from(name, 'utf8')
    .toString('latin1')
    .replaceAll(/[^A-Za-z0-9_-]/g, (byte) => `+${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/**
 * The folder of one partition: `archive/akashi_security/security_events/year=2025/month=09/day=05/`, from the day of
 * its lower bound in UTC, in the partition layout of Hive and Athena.
 *
 * @param lower ISO 8601 in UTC
 */
export function partitionFolder(schema: string, table: string, lower: string): string {
  const match = /^(\d+)-(\d\d)-(\d\d)T/.exec(lower)
  const [, year = '', month = '', day = ''] = match ?? []
  return `${tableFolder(schema, table)}year=${year}/month=${month}/day=${day}/`
}

export function tableFolder(schema: string, table: string): string {
  return `${ARCHIVE_ROOT}/${segment(schema)}/${segment(table)}/`
}

/** Hive and Athena ignore names that begin with `_`. */
export function manifestKey(folder: string, partition: string, generation: number): string {
  return `${folder}_${segment(partition)}.${generation}.json`
}

/** The prefix of an export's objects; each attempt adds its own name, so that remains of a killed one are separate. */
export function partPrefix(folder: string, partition: string, generation: number): string {
  return `${folder}${segment(partition)}.${generation}.`
}

export function partKey(prefix: string, attempt: string, part: number): string {
  return `${prefix}${attempt}.${part.toString().padStart(5, '0')}.parquet`
}

/** CSV copies are in a separate tree, so that readers of Parquet do not find them. */
export function csvKey(parquetKey: string): string {
  return `${ARCHIVE_ROOT}-csv${parquetKey.slice(ARCHIVE_ROOT.length).replace(/\.parquet$/, '.csv')}`
}
