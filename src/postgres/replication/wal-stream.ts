import type { Client } from '../client.ts'
import type { Answer } from './command.ts'
import { formatLsn, type Lsn, parseLsn, postgresMicroseconds } from './lsn.ts'

export interface WalStreamOptions {
  /** Position to start from; a segment boundary. */
  readonly start: Lsn
  readonly timeline: number
  readonly slot?: string
}

export type WalMessage =
  | { readonly kind: 'wal'; readonly start: Lsn; readonly data: Buffer }
  /** `position`: the current end of the server's WAL. */
  | { readonly kind: 'keepalive'; readonly position: Lsn }
  /** The timeline ended; WAL continues on another one. */
  | { readonly kind: 'end'; readonly nextTimeline: number; readonly switchLsn: Lsn }

export interface WalStream extends AsyncIterable<WalMessage> {
  /**
   * Reports what was received and what is durable; the server frees WAL up to `flushed`. When the server
   * requests a status, the last report is repeated, so it never waits.
   */
  report(received: Lsn, flushed: Lsn): void
}

const WAL_DATA = 0x77
const KEEPALIVE = 0x6b
const STATUS = 0x72
const WAL_HEADER_BYTES = 25
const STATUS_BYTES = 34

/** START_REPLICATION PHYSICAL (PostgreSQL documentation, chapter 54.4). */
export function startWalStream(
  client: Client,
  start: (text: string) => AsyncIterable<Answer>,
  options: WalStreamOptions,
): WalStream {
  const slot = options.slot === undefined ? '' : `SLOT "${options.slot}" `
  const text = `START_REPLICATION ${slot}PHYSICAL ${formatLsn(options.start)} TIMELINE ${options.timeline}`
  let received = options.start
  let flushed = options.start
  const reply = () => client.connection.sendCopyFromChunk(statusMessage(received, flushed))
  return {
    report: (newReceived, newFlushed) => {
      received = newReceived
      flushed = newFlushed
      reply()
    },
    [Symbol.asyncIterator]: () => readMessages(client, start(text), reply),
  }
}

/** The messages of a stream; `reply` sends the status that the server asks for. */
export async function* readMessages(
  client: Client,
  answers: AsyncIterable<Answer>,
  reply: () => void,
): AsyncGenerator<WalMessage, void, undefined> {
  for await (const answer of answers) {
    if (answer.kind === 'copyDone') client.connection.endCopyFrom()
    if (answer.kind === 'row') {
      const [timeline, lsn] = answer.fields
      yield { kind: 'end', nextTimeline: Number(timeline), switchLsn: parseLsn(lsn ?? '') }
    }
    if (answer.kind !== 'copy') continue
    const { data } = answer
    if (data[0] === WAL_DATA) {
      yield { kind: 'wal', start: data.readBigUInt64BE(1), data: data.subarray(WAL_HEADER_BYTES) }
    } else if (data[0] === KEEPALIVE) {
      if (data[17] === 1) reply()
      yield { kind: 'keepalive', position: data.readBigUInt64BE(1) }
    }
  }
}

export function statusMessage(received: Lsn, flushed: Lsn): Buffer {
  const message = Buffer.alloc(STATUS_BYTES)
  message[0] = STATUS
  message.writeBigUInt64BE(received, 1)
  message.writeBigUInt64BE(flushed, 9)
  message.writeBigUInt64BE(flushed, 17)
  message.writeBigInt64BE(postgresMicroseconds(BigInt(Date.now()) * 1000n), 25)
  return message
}
