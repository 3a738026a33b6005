import { decode, decodeWhole } from './text.ts'

/** Longest line, in bytes; CloudTrail's own limit for one event is 256 KiB. */
export const MAX_LINE_BYTES = 1_048_576

const NEWLINE = 10
const BYTE_ORDER_MARK = '\ufeff'
const UTF8_BYTES_PER_UNIT = 3
/** Byte order mark and carriage return, which do not count. */
const TRIMMED_BYTES = 4

/** A line of text, or a record of a JSON document. */
export interface Line {
  /** Counted from 1. */
  readonly number: number
  /** Without line ending; null if it was discarded, and then `problem` says why. */
  readonly text: string | null
  readonly problem: string | null
  /** True if invalid UTF-8 or a NUL was replaced. */
  readonly repaired: boolean
}

export interface LineReader {
  /** The lines that `chunk` completes. */
  push(chunk: Uint8Array): Line[]
  /** The last line if it has no line ending. */
  end(): Line[]
}

/**
 * Splits bytes at line feeds across chunks, buffering at most one line of `maxBytes`.
 * Drops a carriage return before the line feed and a byte order mark before the first line.
 *
 * Invalid UTF-8 becomes U+FFFD and NUL becomes U+2400, and the line is marked: rejecting such lines would let
 * attackers keep their attempts out of the record by one odd byte in a user name.
 */
export function createLineReader(maxBytes = MAX_LINE_BYTES, linesBefore = 0): LineReader {
  let number = linesBefore
  let kept: Uint8Array[] = []
  let keptBytes = 0

  const keep = (bytes: Uint8Array) => {
    keptBytes += bytes.length
    // Only counts bytes beyond the limit; copies, since the chunk belongs to the caller.
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

  /** Completes the buffered line with `rest`. */
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
