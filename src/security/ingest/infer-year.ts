import { createLineReader } from './lines.ts'
import { MAX_SYSLOG_LINE_BYTES } from './sshd/parser.ts'
import { parseSyslog } from './syslog.ts'
import { YearScan } from './syslog-year.ts'
import { zone } from './zone.ts'

/**
 * The year of the first line of a traditional syslog: the latest one for which no line is after `asOf`, even if
 * the log spans several years. Reads the whole log, which must be readable again. Null if no line has a time
 * without a year, or if no year fits.
 */
export async function inferFirstYear(
  bytes: AsyncIterable<Uint8Array>,
  options: { readonly timezone: string; readonly asOf: Date },
): Promise<number | null> {
  const lines = createLineReader(MAX_SYSLOG_LINE_BYTES)
  const scan = new YearScan()
  for await (const chunk of bytes) lines.push(chunk).forEach(scanLine)
  lines.end().forEach(scanLine)
  return scan.firstYear(zone(options.timezone), options.asOf)

  function scanLine({ text }: { readonly text: string | null }): void {
    const line = text === null ? 'unreadable' : parseSyslog(text)
    if (typeof line !== 'string' && typeof line.time !== 'string') scan.push(line.time)
  }
}
