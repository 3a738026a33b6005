/** Syslog messages in a byte stream: prefixed with their length, or one per line (RFC 6587, RFC 5425). */

/** Longest message in bytes; RFC 5424 wants 2,048 at least. */
export const MAX_MESSAGE_BYTES = 65_536
/** Bytes of one overlong message after which the peer is assumed not to speak syslog. */
const MAX_DISCARDED_BYTES = 16_777_216
/** Maximum digits of a length. */
const MAX_DIGITS = 8

const NEWLINE = 10
const NUL = 0
const SPACE = 32
const [ZERO, NINE] = [48, 57]

export interface Frames {
  /** Complete messages, without length and line ending. */
  readonly messages: Uint8Array[]
  /** Messages that were too long and are left out. */
  readonly discarded: number
}

/** The bytes are not syslog. */
export class FrameError extends Error {}

/** Splits one stream. Holds one message at most. */
export class FrameReader {
  #kept: Uint8Array[] = []
  #keptBytes = 0
  /** Bytes missing from the message; null if it ends with a line ending, or while its length is not known. */
  #missing: number | null = null
  /** Digits of the length received so far. */
  #digits = ''
  #isStart = true
  #isTooLong = false
  #discardedBytes = 0

  /** Whether a message is incomplete. */
  get isWithin(): boolean {
    return !this.#isStart
  }

  /** @throws FrameError for a message without an end */
  push(chunk: Uint8Array): Frames {
    const messages: Uint8Array[] = []
    let discarded = 0
    const finish = () => {
      if (this.#isTooLong) discarded += 1
      else if (this.#keptBytes > 0) messages.push(Buffer.concat(this.#kept))
      this.#reset()
    }
    let at = 0
    while (at < chunk.length) {
      const byte = chunk[at] ?? 0
      if (this.#isStart) {
        // A line ending may follow a message with a length too.
        if (byte === NEWLINE || byte === NUL) {
          at += 1
          continue
        }
        this.#isStart = false
      }
      if (this.#missing === null && this.#keptBytes === 0 && !this.#isTooLong && this.#takesDigit(byte)) {
        at += 1
        continue
      }
      if (this.#missing !== null) {
        const taken = Math.min(this.#missing, chunk.length - at)
        this.#keep(chunk.subarray(at, at + taken))
        at += taken
        this.#missing -= taken
        if (this.#missing === 0) finish()
        continue
      }
      const end = endOfLine(chunk, at)
      this.#keep(chunk.subarray(at, end < 0 ? chunk.length : end))
      if (end < 0) break
      at = end + 1
      finish()
    }
    return { messages, discarded }
  }

  /**
   * The last message of a stream that ends without a line ending. A message shorter than its length was cut
   * off.
   */
  end(): Uint8Array | null {
    const isWhole = this.#missing === null && !this.#isTooLong && this.#keptBytes > 0
    const message = isWhole ? Buffer.concat(this.#kept) : null
    this.#reset()
    return message
  }

  /** Whether the byte belongs to a length. Digits without a following space are the beginning of a line. */
  #takesDigit(byte: number): boolean {
    const isDigit = byte >= ZERO && byte <= NINE && (this.#digits !== '' || byte !== ZERO)
    if (isDigit && this.#digits.length < MAX_DIGITS) {
      this.#digits += String.fromCharCode(byte)
      return true
    }
    if (this.#digits === '') return false
    if (byte === SPACE) {
      this.#missing = Number(this.#digits)
      this.#digits = ''
      this.#isTooLong = this.#missing > MAX_MESSAGE_BYTES
      if (this.#missing > MAX_DISCARDED_BYTES) throw new FrameError(`a message of ${this.#missing} bytes`)
      return true
    }
    const line = Buffer.from(this.#digits)
    this.#digits = ''
    this.#keep(line)
    return false
  }

  #keep(bytes: Uint8Array): void {
    if (this.#isTooLong || this.#keptBytes + bytes.length > MAX_MESSAGE_BYTES) {
      this.#discardedBytes += this.#keptBytes + bytes.length
      this.#isTooLong = true
      this.#kept = []
      this.#keptBytes = 0
      if (this.#discardedBytes > MAX_DISCARDED_BYTES)
        throw new FrameError(`a line of more than ${MAX_DISCARDED_BYTES} bytes`)
      return
    }
    if (bytes.length === 0) return
    // A copy, since the chunk belongs to the caller.
    this.#kept.push(Uint8Array.prototype.slice.call(bytes))
    this.#keptBytes += bytes.length
  }

  #reset(): void {
    this.#kept = []
    this.#keptBytes = 0
    this.#missing = null
    this.#digits = ''
    this.#isStart = true
    this.#isTooLong = false
    this.#discardedBytes = 0
  }
}

/** rsyslog and others end a line by a line feed, some by NUL. */
function endOfLine(chunk: Uint8Array, from: number): number {
  const line = chunk.indexOf(NEWLINE, from)
  const nul = chunk.subarray(from, line < 0 ? chunk.length : line).indexOf(NUL)
  return nul < 0 ? line : from + nul
}
