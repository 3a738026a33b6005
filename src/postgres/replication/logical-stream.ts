import type { Client } from '../client.ts'
import type { Answer } from './command.ts'
import { formatLsn, type Lsn } from './lsn.ts'
import { readMessages, statusMessage, type WalMessage } from './wal-stream.ts'

export interface LogicalStreamOptions {
  readonly slot: string
  readonly publication: string
}

/** Messages of pgoutput, protocol version 1, which PostgreSQL 15 to 18 speak alike: text values, whole transactions. */
export interface LogicalStream extends AsyncIterable<Exclude<WalMessage, { readonly kind: 'end' }>> {
  /**
   * Reports what was received, and up to where nothing is needed any more: the server begins at `flushed` the next time
   * and frees the WAL before.
   */
  report(received: Lsn, flushed: Lsn): void
}

/**
 * START_REPLICATION LOGICAL from the position of the slot (PostgreSQL documentation, chapters 54.4 and 54.5).
 */
export function startLogicalStream(
  client: Client,
  start: (text: string) => AsyncIterable<Answer>,
  { slot, publication }: LogicalStreamOptions,
): LogicalStream {
  const text = `START_REPLICATION SLOT "${slot}" LOGICAL ${formatLsn(0n)} (proto_version '1', publication_names '"${publication}"')`
  // 0/0 reports nothing.
  let received: Lsn = 0n
  let flushed: Lsn = 0n
  const reply = () => client.connection.sendCopyFromChunk(statusMessage(received, flushed))
  return {
    report: (newReceived, newFlushed) => {
      received = newReceived
      flushed = newFlushed
      reply()
    },
    [Symbol.asyncIterator]: async function* () {
      for await (const message of readMessages(client, start(text), reply)) {
        if (message.kind !== 'end') yield message
      }
    },
  }
}
