import { JsonArrayReader } from './json-array.ts'
import { createLineReader, type Line, type LineReader, MAX_LINE_BYTES } from './lines.ts'
import { createPrettyReader } from './pretty-json.ts'

/** Bytes at the start of a document that determine its form. */
const HEAD_BYTES = 512
/** A field with a plain value, before the array. */
const SCALAR_FIELD = String.raw`"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[\w.+-]+)\s*,\s*`
/**
 * Documents that are a list of records: an array, CloudTrail's files, `lookup-events`, CloudWatch Logs, and the events
 * of Amazon Cognito's command line.
 */
const DOCUMENT = new RegExp(
  String.raw`^\ufeff?\s*(\{\s*(?:${SCALAR_FIELD})*"(?:Records|Events|events|logEvents|AuthEvents)"\s*:\s*)?\[`,
)
/** The first line of one object over several lines: what begins there is not complete. */
const PRETTY = /^\ufeff?\s*\{(?:[^\n]*[{[,])?[ \t]*\r?\n/

/**
 * Reads JSON of any size in constant memory: one object per line, objects over several lines, an array of objects, or
 * an object that contains the array ({@link DOCUMENT}), also several in sequence. The elements of an array count as
 * lines, from 1.
 */
export function createJsonReader(maxBytes = MAX_LINE_BYTES): LineReader {
  let head = new Uint8Array(0)
  let inner: LineReader | JsonArrayReader | null = null
  let before = 0

  /** Continues after the end of a document until nothing is left to decide. */
  const decide = (rest: Uint8Array, final: boolean, lines: Line[]) => {
    let bytes = rest
    for (;;) {
      head = Uint8Array.from(Buffer.concat([head, trimStart(head, bytes)]))
      if (head.length === 0 || (head.length < HEAD_BYTES && !final)) return
      const text = Buffer.from(head.subarray(0, HEAD_BYTES)).toString('utf8')
      const match = DOCUMENT.exec(text)
      bytes = head
      head = new Uint8Array(0)
      if (match === null) {
        inner = PRETTY.test(text) ? createPrettyReader(maxBytes, before) : createLineReader(maxBytes, before)
        lines.push(...inner.push(bytes))
        return
      }
      const reader = new JsonArrayReader(maxBytes, before, match[1] !== undefined)
      inner = reader
      const left = reader.push(bytes.subarray(Buffer.byteLength(match[0])), lines)
      if (left === null) return
      before = reader.number
      inner = null
      bytes = left
    }
  }

  return {
    push(chunk) {
      const lines: Line[] = []
      if (inner === null) {
        decide(chunk, false, lines)
      } else if (inner instanceof JsonArrayReader) {
        const left = inner.push(chunk, lines)
        if (left !== null) {
          before = inner.number
          inner = null
          decide(left, false, lines)
        }
      } else {
        return inner.push(chunk)
      }
      return lines
    },
    end() {
      const lines: Line[] = []
      if (inner === null) decide(new Uint8Array(0), true, lines)
      if (inner !== null) lines.push(...inner.end())
      return lines
    },
  }
}

/** `bytes` without leading white space if `head` is empty. */
function trimStart(head: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (head.length > 0) return bytes
  let start = 0
  while (start < bytes.length && (bytes[start] ?? 0) <= 0x20) start += 1
  return bytes.subarray(start)
}
