import { decode, decodeWhole } from './text.ts'

/** The longest line that is read, in bytes; CloudTrail's own limit for one event is 256 KiB. */
export const MAX_LINE_BYTES = 1_048_576

const NEWLINE = 10
const BYTE_ORDER_MARK = '\ufeff'
const UTF8_BYTES_PER_UNIT = 3
/** A byte order mark and a carriage return, which do not count. */
const TRIMMED_BYTES = 4

/** One piece of the input: a line of a text, or a record of a JSON document. */
export interface Line {
  /** Counted from 1. */
  readonly number: number
  /** Without its line end; null when nothing of it was kept, and then `problem` says why. */
  readonly text: string | null
  readonly problem: string | null
  /** True when bytes that are not UTF-8, or a NUL, were replaced. */
  readonly repaired: boolean
}

export interface LineReader {
  /** The lines that `chunk` completes. */
  push(chunk: Uint8Array): Line[]
  /** What is left: a last line that has no line end. */
  end(): Line[]
}

/**
 * Splits bytes at line feeds, whatever the chunks, keeping at most one line of `maxBytes` between them.
 * Drops a carriage return before the line feed and a byte order mark before the first line.
 *
 * Bytes that are not UTF-8 become U+FFFD and a NUL becomes U+2400, and the line says so: refusing such a
 * line would let an attacker keep his own attempt out of the record by one odd byte in a user name.
 */
export function createLineReader(maxBytes = MAX_LINE_BYTES, linesBefore = 0): LineReader {
  let number = linesBefore
  let kept: Uint8Array[] = []
  let keptBytes = 0

  const keep = (bytes: Uint8Array) => {
    keptBytes += bytes.length
    // A line over the limit is counted, not collected; copied, since the chunk belongs to the caller.
    if (keptBytes > maxBytes + TRIMMED_BYTES) kept = []
    else if (bytes.length > 0) kept.push(Uint8Array.prototype.slice.call(bytes))
  }

  const take = (bytes: Uint8Array, lines: Line[]) => {
    const whole = decodeWhole(bytes)
    if (whole !== null) {
      for (const line of whole.split('\n')) lines.push(finish(line, false))
      return
    }
    let start = 0
    while (start <= bytes.length) {
      const found = bytes.indexOf(NEWLINE, start)
      const end = found < 0 ? bytes.length : found
      const { text, repaired } = decode(bytes.subarray(start, end))
      lines.push(finish(text, repaired))
      start = end + 1
    }
  }

  const finish = (written: string, repaired: boolean): Line => {
    number += 1
    let text = written.endsWith('\r') ? written.slice(0, -1) : written
    if (number === 1 && text.startsWith(BYTE_ORDER_MARK)) text = text.slice(1)
    if (text.length * UTF8_BYTES_PER_UNIT > maxBytes && Buffer.byteLength(text) > maxBytes) {
      return tooLong(number, maxBytes)
    }
    return { number, text, problem: null, repaired }
  }

  /** The line that `rest` completes together with what was kept. */
  const complete = (rest: Uint8Array, lines: Line[]) => {
    keep(rest)
    if (keptBytes > maxBytes + TRIMMED_BYTES) {
      number += 1
      lines.push(tooLong(number, maxBytes))
    } else {
      take(Buffer.concat(kept), lines)
    }
    kept = []
    keptBytes = 0
  }

  return {
    push(chunk) {
      const lines: Line[] = []
      const first = chunk.indexOf(NEWLINE)
      if (first < 0) {
        keep(chunk)
        return lines
      }
      complete(chunk.subarray(0, first), lines)
      const last = chunk.lastIndexOf(NEWLINE)
      if (last > first) take(chunk.subarray(first + 1, last), lines)
      keep(chunk.subarray(last + 1))
      return lines
    },
    end() {
      const lines: Line[] = []
      if (keptBytes > 0) complete(new Uint8Array(0), lines)
      return lines
    },
  }
}

export function tooLong(number: number, maxBytes: number): Line {
  return { number, text: null, problem: `longer than ${maxBytes} bytes`, repaired: false }
}
