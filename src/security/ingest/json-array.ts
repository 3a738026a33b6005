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

/** Cuts the elements out of one JSON array, whose opening bracket has been read, by its brackets alone. */
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

  /** `inObject` says that the array is the value of an object's field, and ends with that object. */
  constructor(maxBytes: number, before: number, inObject: boolean) {
    this.#maxBytes = maxBytes
    this.number = before
    this.#outer = inObject ? 1 : 0
  }

  /** Adds the elements that `chunk` completes; returns what follows the document, or null while it goes on. */
  // biome-ignore lint/complexity/noExcessiveCognitiveComplexity: one loop over bytes, whose branches are its states
  push(chunk: Uint8Array, lines: Line[]): Uint8Array | null {
    let start = 0
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) this.#escaped = true
        else if (byte === QUOTE) this.#inString = false
        continue
      }
      const step =
        byte === OPEN_OBJECT || byte === OPEN_ARRAY
          ? 1
          : byte === CLOSE_OBJECT || byte === CLOSE_ARRAY
            ? -1
            : 0
      if (byte === QUOTE) this.#inString = true
      if (this.#closed) {
        this.#outer += step
      } else if (this.#depth > 0) {
        this.#depth += step
        if (this.#depth === 0) this.#finish(chunk.subarray(start, at + 1), lines)
      } else if (byte === COMMA || byte === CLOSE_ARRAY) {
        if (this.#open) this.#finish(chunk.subarray(start, at), lines)
        this.#closed = byte === CLOSE_ARRAY
      } else if (byte > SPACE) {
        if (!this.#open) start = at
        this.#open = true
        if (step > 0) this.#depth = 1
      }
      if (this.#closed && this.#outer === 0) return chunk.subarray(at + 1)
    }
    if (this.#open) this.#keep(chunk.subarray(start))
    return null
  }

  end(): Line[] {
    this.number += 1
    const problem = 'the document ends before its array does'
    return [{ number: this.number, text: null, problem, repaired: false }]
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
