/** Messages of pgoutput, protocol version 1 (PostgreSQL documentation, chapter 55.9), with values as text. */
import { AkashiError } from '../../foundation/index.ts'
import { type Lsn, unixMicroseconds } from '../../postgres/index.ts'

/** A row's values in the order of its relation's columns; undefined: a long value that did not change. */
export type Tuple = readonly (string | null | undefined)[]

export interface SentColumn {
  readonly name: string
  /** Part of the replica identity. */
  readonly key: boolean
  /** OID of the type. */
  readonly type: number
}

export interface SentRelation {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly columns: readonly SentColumn[]
}

export type Message =
  | {
      readonly kind: 'begin'
      /** Where the commit of this transaction is. */
      readonly commit: Lsn
      /** Microseconds since 1970. */
      readonly committedAt: bigint
      /** 32 bits. */
      readonly xid: number
    }
  /** `end`: everything up to here can be forgotten. */
  | { readonly kind: 'commit'; readonly end: Lsn }
  /** The transaction was made on another server, and a subscription applied it here. */
  | { readonly kind: 'origin'; readonly name: string }
  | { readonly kind: 'relation'; readonly relation: SentRelation }
  | { readonly kind: 'insert'; readonly oid: number; readonly added: Tuple }
  | {
      readonly kind: 'update'
      readonly oid: number
      /** The whole row as it was (`full`), or its key if that changed; undefined: the key is the same. */
      readonly removed: Tuple | undefined
      readonly full: boolean
      readonly added: Tuple
    }
  | { readonly kind: 'delete'; readonly oid: number; readonly removed: Tuple; readonly full: boolean }
  | { readonly kind: 'truncate'; readonly oids: readonly number[] }
  /** Types, and messages of later versions that carry no change. */
  | { readonly kind: 'other' }

const code = (letter: string) => letter.charCodeAt(0)
const [NEW, OLD, KEY] = [code('N'), code('O'), code('K')]
const [NULL, UNCHANGED, TEXT] = [code('n'), code('u'), code('t')]

/** @throws internal if the message is truncated or unknown */
export function decodeMessage(data: Buffer): Message {
  const reader = new Reader(data)
  const kind = String.fromCharCode(reader.byte())
  switch (kind) {
    case 'B':
      return {
        kind: 'begin',
        commit: reader.long(),
        committedAt: unixMicroseconds(reader.long()),
        xid: reader.integer(),
      }
    case 'C':
      reader.skip(1 + 8)
      return { kind: 'commit', end: reader.long() }
    case 'O':
      reader.skip(8)
      return { kind: 'origin', name: reader.text() }
    case 'R':
      return { kind: 'relation', relation: readRelation(reader) }
    case 'I': {
      const oid = reader.integer()
      reader.expect(NEW)
      return { kind: 'insert', oid, added: readTuple(reader) }
    }
    case 'U': {
      const oid = reader.integer()
      const first = reader.byte()
      const removed = first === NEW ? undefined : readTuple(reader)
      if (first !== NEW) reader.expect(NEW)
      return { kind: 'update', oid, removed, full: first === OLD, added: readTuple(reader) }
    }
    case 'D': {
      const oid = reader.integer()
      const first = reader.byte()
      if (first !== OLD && first !== KEY) throw malformed()
      return { kind: 'delete', oid, removed: readTuple(reader), full: first === OLD }
    }
    case 'T': {
      const count = reader.integer()
      reader.skip(1)
      return { kind: 'truncate', oids: Array.from({ length: count }, () => reader.integer()) }
    }
    default:
      return { kind: 'other' }
  }
}

function readRelation(reader: Reader): SentRelation {
  const oid = reader.integer()
  // An empty name stands for pg_catalog.
  const schema = reader.text() || 'pg_catalog'
  const name = reader.text()
  reader.skip(1)
  const columns = Array.from({ length: reader.short() }, (): SentColumn => {
    const key = (reader.byte() & 1) === 1
    const column = { name: reader.text(), key, type: reader.integer() }
    reader.skip(4)
    return column
  })
  return { oid, schema, name, columns }
}

function readTuple(reader: Reader): Tuple {
  const count = reader.short()
  const values: (string | null | undefined)[] = new Array(count)
  for (let place = 0; place < count; place += 1) {
    const kind = reader.byte()
    if (kind === TEXT) values[place] = reader.sized()
    else if (kind === NULL) values[place] = null
    else if (kind !== UNCHANGED) throw malformed()
  }
  return values
}

class Reader {
  readonly #data: Buffer
  #at = 0

  constructor(data: Buffer) {
    this.#data = data
  }

  byte(): number {
    const value = this.#data[this.#at]
    if (value === undefined) throw malformed()
    this.#at += 1
    return value
  }

  short(): number {
    this.#at += 2
    return this.#data.readUInt16BE(this.#at - 2)
  }

  integer(): number {
    this.#at += 4
    return this.#data.readUInt32BE(this.#at - 4)
  }

  long(): bigint {
    this.#at += 8
    return this.#data.readBigInt64BE(this.#at - 8)
  }

  /** Up to the zero byte. */
  text(): string {
    const end = this.#data.indexOf(0, this.#at)
    if (end < 0) throw malformed()
    const text = this.#data.toString('utf8', this.#at, end)
    this.#at = end + 1
    return text
  }

  /** With its length before it. */
  sized(): string {
    const length = this.integer()
    if (this.#at + length > this.#data.length) throw malformed()
    this.#at += length
    return this.#data.toString('utf8', this.#at - length, this.#at)
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  expect(byte: number): void {
    if (this.byte() !== byte) throw malformed()
  }
}

function malformed(): AkashiError {
  return new AkashiError('internal', 'the server sent a message of logical replication that cannot be read')
}
