import { createLineReader } from './lines.ts'
import { MAX_SYSLOG_LINE_BYTES } from './sshd/parser.ts'
import { parseSyslog } from './syslog.ts'
import { YearScan } from './syslog-year.ts'
import { zone } from './zone.ts'

/**
 * The year of a traditional syslog's first line: the latest with which no line lies after `asOf`, however
 * many years' ends the log runs over. Reads the whole log once, so it must be one that can be read again.
 * Null when no line has a time without a year, or no year fits.
 */
export async function inferFirstYear(
  bytes: AsyncIterable<Uint8Array>,
  options: { readonly timezone: string; readonly asOf: Date },
): Promise<number | null> {
  const lines = createLineReader(MAX_SYSLOG_LINE_BYTES)
  const scan = new YearScan()
  for await (const chunk of bytes) lines.push(chunk).forEach(look)
  lines.end().forEach(look)
  return scan.firstYear(zone(options.timezone), options.asOf)

  function look({ text }: { readonly text: string | null }): void {
    const line = text === null ? 'unreadable' : parseSyslog(text)
    if (typeof line !== 'string' && typeof line.time !== 'string') scan.push(line.time)
  }
}
