/** Receives syslog from hosts over TCP or TLS and passes it to the intake. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { Log } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { normaliseAddress } from '../ingest/address.ts'
import type { ParsedBatch } from '../ingest/format.ts'
import { loadEvents } from '../ingest/load.ts'
import { Peer, type PeerParts } from './peer.ts'

/** Maximum connections in total, and from one address. */
const MAX_CONNECTIONS = 1_000
const MAX_CONNECTIONS_OF_ADDRESS = 64
/** Milliseconds during which messages are collected before they are stored. */
const GATHER_MS = 500
/** Maximum messages of one peer in one transaction, which also contains those of others. */
const MESSAGES_OF_PEER = 1_000
/** Milliseconds for the handshake of TLS. */
const HANDSHAKE_TIMEOUT_MS = 10_000
const RETRY_FIRST_MS = 500
const RETRY_LONGEST_MS = 30_000
/** Milliseconds within which a message must be complete once it has begun. */
const MESSAGE_TIMEOUT_MS = 30_000
/** Unparseable messages of one address kept per hour, and maximum addresses counted. */
const MAX_KEPT_UNREAD = 200
const MAX_COUNTED_ADDRESSES = 10_000
const HOUR_MS = 3_600_000
/** Milliseconds to store received messages when the receiver stops. */
const LAST_STORE_MS = 30_000

export interface ReceiverOptions {
  readonly host: string
  /** 0 for any. */
  readonly port: number
  /** With `ca`, peers need a certificate that it signed. */
  readonly tls: Pick<TlsOptions, 'cert' | 'key' | 'ca'> | null
  readonly parse: PeerParts['options']
  /** Milliseconds within which a message must be complete once it has begun; default 30,000. */
  readonly messageMs?: number
  readonly database: Database
  readonly actor: Actor
  readonly log: Log
  /** Stops the receiver, which stores what it has received. */
  readonly signal: AbortSignal
}

export interface ReceiverCounts {
  readonly peers: number
  readonly messages: number
  readonly stored: number
  readonly rejected: number
}

export interface Receiver {
  readonly port: number
  readonly counts: () => ReceiverCounts
  /** Resolves when everything is stored after the signal. */
  readonly ended: Promise<ReceiverCounts>
}

/** @throws what listening throws, such as EADDRINUSE */
export async function receiveSyslog(options: ReceiverOptions): Promise<Receiver> {
  const { host, port, tls, log, signal } = options
  signal.throwIfAborted()
  const peers = new Set<Peer>()
  const waiting = new Waiting(signal)
  const accept = (socket: Socket) => {
    const address = addressOf(socket)
    socket.setKeepAlive(true)
    peers.add(
      new Peer(socket, address, {
        options: options.parse,
        messageMs: options.messageMs ?? MESSAGE_TIMEOUT_MS,
        onMessages: () => waiting.tell(),
        onProblem: (problem) => log.warn({ address, problem }, 'a sender of syslog was disconnected'),
      }),
    )
  }
  const server: Server =
    tls === null
      ? createServer()
      : createTlsServer(
          {
            ...tls,
            minVersion: 'TLSv1.2',
            handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
            requestCert: tls.ca !== undefined,
            rejectUnauthorized: tls.ca !== undefined,
          },
          accept,
        )
  const connections = new Map<Socket, string>()
  // Counted before the handshake, so that peers that do not complete it cannot take the connections of
  // others.
  server.on('connection', (socket: Socket) => {
    const address = addressOf(socket)
    const own = [...connections.values()].filter((each) => each === address).length
    if (own >= MAX_CONNECTIONS_OF_ADDRESS) {
      log.warn({ address }, 'a sender of syslog was refused: too many are connected from its address')
      socket.destroy()
      return
    }
    connections.set(socket, address)
    socket.on('close', () => connections.delete(socket))
    if (tls === null) accept(socket)
  })
  server.on('tlsClientError', (error: Error, socket: Socket) => {
    log.warn({ address: addressOf(socket), problem: error.message }, 'a handshake of TLS failed')
    socket.destroy()
  })
  server.maxConnections = MAX_CONNECTIONS
  server.listen(port, host)
  await once(server, 'listening')
  server.on('error', (error) => log.error({ err: error }, 'the receiver of syslog failed'))
  const store = new Store(options, peers)
  return {
    port: (server.address() as AddressInfo).port,
    counts: () => store.counts,
    ended: run(options, server, connections, peers, waiting, store),
  }
}

function addressOf(socket: Socket): string {
  return normaliseAddress(socket.remoteAddress ?? '') ?? 'unknown'
}

async function run(
  { signal }: ReceiverOptions,
  server: Server,
  connections: ReadonlyMap<Socket, string>,
  peers: Set<Peer>,
  waiting: Waiting,
  store: Store,
): Promise<ReceiverCounts> {
  while (!signal.aborted) {
    await waiting.until()
    await sleep(GATHER_MS, undefined, { signal }).catch(() => undefined)
    await store.some(signal).catch(() => undefined)
    if ([...peers].some((peer) => peer.waiting > 0)) waiting.tell()
  }
  server.close()
  for (const socket of connections.keys()) socket.destroy()
  for (const peer of peers) peer.close()
  const limit = AbortSignal.timeout(LAST_STORE_MS)
  // The remaining messages of a closed connection are passed on by its close event.
  await sleep(0)
  while (!limit.aborted && (store.isOwing || [...peers].some((peer) => peer.waiting > 0)))
    await store.some(limit).catch(() => undefined)
  return store.counts
}

/** A flag that can be awaited. */
class Waiting {
  readonly #signal: AbortSignal
  #isTold = false
  #wake: () => void = () => undefined

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', () => this.#wake(), { once: true })
  }

  tell(): void {
    this.#isTold = true
    this.#wake()
  }

  async until(): Promise<void> {
    if (!this.#isTold && !this.#signal.aborted) {
      await new Promise<void>((done) => {
        this.#wake = done
      })
    }
    this.#isTold = false
  }
}

/** Passes received messages to the intake, in the order of each peer, until they are stored. */
class Store {
  readonly #options: ReceiverOptions
  readonly #peers: Set<Peer>
  #owed: { readonly address: string; readonly batch: ParsedBatch }[] = []
  #counts = { messages: 0, stored: 0, rejected: 0 }
  /** Count of this hour by address. */
  readonly #kept = new Map<string, number>()
  #hour = 0

  constructor(options: ReceiverOptions, peers: Set<Peer>) {
    this.#options = options
    this.#peers = peers
  }

  get counts(): ReceiverCounts {
    return { ...this.#counts, peers: [...this.#peers].filter((peer) => !peer.isDone).length }
  }

  get isOwing(): boolean {
    return this.#owed.length > 0
  }

  /**
   * Stores some queued messages of every peer, retrying until the database accepts them. @throws when it is
   * aborted
   */
  async some(signal: AbortSignal): Promise<void> {
    if (this.#owed.length === 0) this.#gather()
    for (let wait = RETRY_FIRST_MS; this.#owed.length > 0; wait = Math.min(wait * 2, RETRY_LONGEST_MS)) {
      const failure = await this.#store(signal)
      if (failure === null) return
      signal.throwIfAborted()
      this.#options.log.warn({ err: failure }, 'syslog could not be stored yet')
      await sleep(wait, undefined, { signal })
    }
  }

  #gather(): void {
    const now = new Date()
    for (const peer of this.#peers) {
      if (peer.discarded > 0) {
        this.#counts.rejected += peer.discarded
        this.#counts.messages += peer.discarded
        peer.discarded = 0
      }
      const { address } = peer
      if (peer.waiting > 0)
        this.#owed.push({ address, batch: this.#limited(address, peer.take(MESSAGES_OF_PEER, now)) })
      if (peer.isDone) this.#peers.delete(peer)
    }
  }

  /** Limits how much garbage can fill the table. */
  #limited(address: string, batch: ParsedBatch): ParsedBatch {
    const hour = Math.floor(Date.now() / HOUR_MS)
    if (hour !== this.#hour || this.#kept.size >= MAX_COUNTED_ADDRESSES) this.#kept.clear()
    this.#hour = hour
    const kept = this.#kept.get(address) ?? 0
    const unread = batch.unread.slice(0, MAX_KEPT_UNREAD - kept)
    this.#kept.set(address, kept + unread.length)
    return { ...batch, unread }
  }

  /** One load for each address: it names the source in the record of batches and in the quarantine. */
  async #store(signal: AbortSignal): Promise<unknown> {
    const { database, actor } = this.#options
    const byAddress = Map.groupBy(this.#owed, ({ address }) => address)
    let failure: unknown = null
    for (const [address, owed] of byAddress) {
      try {
        const batches = (async function* () {
          for (const { batch } of owed) yield batch
        })()
        const result = await loadEvents(database, actor, batches, {
          source: `syslog of ${address}`,
          format: 'sshd',
          signal,
        })
        this.#counts.messages += result.read
        this.#counts.stored += result.stored
        this.#counts.rejected += result.rejectedTotal
        this.#owed = this.#owed.filter((each) => !owed.includes(each))
      } catch (error) {
        failure = error
      }
    }
    return failure
  }
}
