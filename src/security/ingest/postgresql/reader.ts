import { createLineReader, type Line, type LineReader, MAX_LINE_BYTES, tooLong } from '../lines.ts'
import { createJsonReader } from '../records.ts'

/** Reads a jsonlog, one object per line, or a csvlog, whose records may contain line feeds. */
export function createPostgresqlReader(): LineReader {
  let inner: LineReader | null = null
  return {
    push(chunk) {
      if (inner === null) {
        const first = chunk.find((byte) => byte > 0x20)
        if (first === undefined) return []
        inner = first === 0x7b ? createJsonReader() : createCsvReader(MAX_LINE_BYTES)
      }
      return inner.push(chunk)
    },
    end: () => inner?.end() ?? [],
  }
}

/** Joins lines until the quotes of a record are balanced; line feeds within quotes belong to it. */
function createCsvReader(maxBytes: number): LineReader {
  const lines = createLineReader(maxBytes)
  let kept: string[] = []
  let keptBytes = 0
  let number = 0
  let quoted = false
  let repaired = false

  const collect = (found: readonly Line[]): Line[] => {
    const records: Line[] = []
    for (const line of found) {
      if (keptBytes === 0) number = line.number
      const text = line.text ?? ''
      keptBytes += Buffer.byteLength(text) + 1
      repaired ||= line.repaired
      kept.push(text)
      if ((text.split('"').length - 1) % 2 === 1) quoted = !quoted
      const tooBig = line.text === null || keptBytes > maxBytes
      if (quoted && !tooBig) continue
      records.push(
        tooBig ? tooLong(number, maxBytes) : { number, text: kept.join('\n'), problem: null, repaired },
      )
      kept = []
      keptBytes = 0
      quoted = false
      repaired = false
    }
    return records
  }

  return {
    push: (chunk) => collect(lines.push(chunk)),
    end() {
      const records = collect(lines.end())
      if (keptBytes > 0) records.push({ number, text: null, problem: 'the record is truncated', repaired })
      return records
    },
  }
}

/** The fields of one CSV record; null if its quotes do not match. */
export function csvFields(record: string): string[] | null {
  const fields: string[] = []
  let at = 0
  for (;;) {
    if (record[at] === '"') {
      let value = ''
      for (;;) {
        const close = record.indexOf('"', at + 1)
        if (close < 0) return null
        value += record.slice(at + 1, close)
        at = close + 1
        if (record[at] !== '"') break
        value += '"'
      }
      fields.push(value)
    } else {
      const comma = record.indexOf(',', at)
      const end = comma < 0 ? record.length : comma
      fields.push(record.slice(at, end))
      at = end
    }
    if (at >= record.length) return fields
    if (record[at] !== ',') return null
    at += 1
  }
}
