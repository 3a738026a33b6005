import { type Line, tooLong } from './lines.ts'
import { decode } from './text.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const SPACE = 0x20

/** Splits a JSON array, whose opening bracket has been read, into its elements by counting brackets. */
export class JsonArrayReader {
  /** Number of the last element. */
  number: number
  readonly #maxBytes: number
  /** Brackets still open around the array. */
  #outer: number
  #closed = false
  #open = false
  #depth = 0
  #inString = false
  #escaped = false
  #kept: Uint8Array[] = []
  #keptBytes = 0

  /** @param inObject the array is a field of an object and ends with it */
  constructor(maxBytes: number, before: number, inObject: boolean) {
    this.#maxBytes = maxBytes
    this.number = before
    this.#outer = inObject ? 1 : 0
  }

  /** Adds the elements that `chunk` completes; returns what follows the document, or null if it continues. */
  push(chunk: Uint8Array, lines: Line[]): Uint8Array | null {
    let start = 0
    for (let at = 0; at < chunk.length; at += 1) {
      const turn = this.#read(chunk[at] ?? 0)
      if (turn === 'begins') start = at
      else if (turn === 'ends here') this.#finish(chunk.subarray(start, at + 1), lines)
      else if (turn === 'ended before') this.#finish(chunk.subarray(start, at), lines)
      if (this.#closed && this.#outer === 0) return chunk.subarray(at + 1)
    }
    if (this.#open) this.#keep(chunk.subarray(start))
    return null
  }

  end(): Line[] {
    this.number += 1
    const problem = 'the document is truncated'
    return [{ number: this.number, text: null, problem, repaired: false }]
  }

  /** The role of `byte` in the current element. */
  #read(byte: number): 'continues' | 'begins' | 'ends here' | 'ended before' {
    if (this.#inString) {
      this.#quoted(byte)
      return 'continues'
    }
    if (byte === QUOTE) this.#inString = true
    const change = bracket(byte)
    if (this.#closed) {
      this.#outer += change
      return 'continues'
    }
    if (this.#depth > 0) {
      this.#depth += change
      return this.#depth === 0 ? 'ends here' : 'continues'
    }
    if (byte === COMMA || byte === CLOSE_ARRAY) {
      this.#closed = byte === CLOSE_ARRAY
      return this.#open ? 'ended before' : 'continues'
    }
    if (byte <= SPACE) return 'continues'
    if (change > 0) this.#depth = 1
    if (this.#open) return 'continues'
    this.#open = true
    return 'begins'
  }

  #quoted(byte: number): void {
    if (this.#escaped) this.#escaped = false
    else if (byte === BACKSLASH) this.#escaped = true
    else if (byte === QUOTE) this.#inString = false
  }

  #keep(bytes: Uint8Array): void {
    this.#keptBytes += bytes.length
    if (this.#keptBytes > this.#maxBytes) this.#kept = []
    else this.#kept.push(Uint8Array.from(bytes))
  }

  #finish(rest: Uint8Array, lines: Line[]): void {
    this.number += 1
    if (this.#keptBytes + rest.length > this.#maxBytes) {
      lines.push(tooLong(this.number, this.#maxBytes))
    } else {
      const whole = this.#kept.length === 0 ? rest : Buffer.concat([...this.#kept, rest])
      lines.push({ number: this.number, ...decode(whole), problem: null })
    }
    this.#open = false
    this.#kept = []
    this.#keptBytes = 0
  }
}

/** By how much a byte changes the number of open brackets. */
function bracket(byte: number): -1 | 0 | 1 {
  if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) return 1
  return byte === CLOSE_OBJECT || byte === CLOSE_ARRAY ? -1 : 0
}
