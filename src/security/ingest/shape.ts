import { isJsonObject } from './json-text.ts'

/** Magic numbers of files that are not text. */
const MAGIC: readonly (readonly [string, string])[] = [
  ['504b0304', 'a ZIP archive; unpack it first'],
  ['28b52ffd', 'compressed with zstd; unpack it first'],
  ['fd377a585a00', 'compressed with xz; unpack it first'],
  ['425a68', 'compressed with bzip2; unpack it first'],
  ['50415231', 'a Parquet file'],
  ['4f626a01', 'an Avro file'],
  ['456c6646696c65', 'a Windows event log (EVTX); export it as text first'],
  ['4c504b534848524800', 'a file of the systemd journal; write it with journalctl -o json'],
  ['4c504b5348485248', 'a file of the systemd journal; write it with journalctl -o json'],
  ['fffe', 'text in UTF-16; convert it to UTF-8'],
  ['feff', 'text in UTF-16; convert it to UTF-8'],
]

/** Fields of JSON objects that only one producer writes, and what to do. */
const FIELDS: readonly (readonly [string, string])[] = [
  ['digestStartTime', 'a CloudTrail digest, which contains no events; ingest the log files that it lists'],
  ['eventSource', 'CloudTrail records; use --format cloudtrail'],
  ['CloudTrailEvent', 'the output of aws cloudtrail lookup-events; use --format cloudtrail'],
  ['class_uid', 'OCSF events; use --format ocsf'],
  ['__REALTIME_TIMESTAMP', 'entries of the systemd journal; use --format sshd'],
  ['event_type', "events in Akashi's own fields; use --format json"],
  ['realmId', 'events of Keycloak; use --format keycloak'],
  ['userPoolId', 'events of Amazon Cognito; use --format cognito'],
  ['error_severity', 'a jsonlog of PostgreSQL; use --format postgresql'],
]

const LINES: readonly (readonly [RegExp, string])[] = [
  [/^CEF:\d|\bCEF:0\|/, 'CEF'],
  [/^LEEF:|\bLEEF:[12]\.0\|/, 'LEEF'],
  [/^<\?xml|^<[A-Za-z][\w:]*[\s>]/, 'XML'],
  [/^\S+ \S+ \S+ \[\d\d\/[A-Z][a-z]{2}\/\d{4}:/, 'an access log of a web server'],
  [
    /^(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d /,
    'syslog, but without lines of the supported programs; see --format sshd',
  ],
  [
    /^(?:<\d{1,3}>1 )?\d{4}-\d\d-\d\dT\S+ \S+ \S+/,
    'syslog, but without lines of the supported programs; see --format sshd',
  ],
  [/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Z]{2,5},/, 'a csvlog of PostgreSQL; use --format postgresql'],
  [/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, 'lines with a time and no offset'],
  [/^[^,"{[]*(?:,[^,]*){2,}$/, 'CSV'],
  [/^[^\t]+(?:\t[^\t]*){2,}$/, 'tab-separated values'],
]

/** Describes, from its first bytes, an input in which nothing could be read. */
export function describeShape(head: Uint8Array): string {
  if (head.length === 0) return 'empty'
  const hex = Buffer.from(head.subarray(0, 16)).toString('hex')
  const magic = MAGIC.find(([bytes]) => hex.startsWith(bytes))
  if (magic !== undefined) return magic[1]
  const text = Buffer.from(head)
    .toString('utf8')
    .replace(/^\ufeff/, '')
  if (text.includes('\0')) return 'binary data'
  const trimmed = text.trimStart()
  if (trimmed === '') return 'only white space'
  if (/^[{[]/.test(trimmed)) return describeJson(trimmed)
  const first = trimmed.split('\n', 1)[0]?.trimEnd() ?? ''
  return LINES.find(([pattern]) => pattern.test(first))?.[1] ?? 'text in an unknown format'
}

function describeJson(text: string): string {
  const found = FIELDS.find(([name]) => text.includes(`"${name}"`) || text.includes(`\\"${name}\\"`))
  if (found !== undefined) return found[1]
  const first = text.split('\n', 1)[0] ?? ''
  try {
    const value: unknown = JSON.parse(first)
    if (isJsonObject(value)) return `JSON lines with the fields ${Object.keys(value).slice(0, 8).join(', ')}`
    return 'JSON in an unknown format'
  } catch {
    return 'JSON in an unknown format'
  }
}
