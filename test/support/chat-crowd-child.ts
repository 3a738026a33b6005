/**
 * Many clients of the chat in a process of their own. Each connects to one of the nodes, resumes from its last
 * sequence at another when its connection breaks, sends again what was not answered, and notes every event that is not
 * the next one. Told by its parent what to do; see chat-crowd.ts.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Answer, Command, CrowdReport } from './chat-crowd.ts'

/** Milliseconds, at most, until a broken connection is made again. */
const BACKOFF_MS = 1_000
const POLL_MS = 20
/** Addresses that connections come from: a server counts requests by address. */
const ADDRESSES = 40
const FAULTS_TOLD = 20
/** Statuses from here on are no fault of whoever asks. */
const SERVER_TROUBLE = 500

let nodes: readonly string[] = []
const faults: string[] = []
let answered = 0
let heard = 0

class Client {
  readonly roomId: string
  ready = false
  last: number | undefined
  readonly #token: string
  readonly #localAddress: string | undefined
  #node: number
  #socket: WebSocket | undefined
  readonly #unanswered = new Map<string, string>()

  constructor(at: number, token: string, roomId: string) {
    this.#token = token
    this.roomId = roomId
    this.#node = at
    this.#localAddress = process.platform === 'linux' ? `127.0.1.${1 + (at % ADDRESSES)}` : undefined
  }

  get idle(): boolean {
    return this.#unanswered.size === 0
  }

  connect(): void {
    const socket = new WebSocket(`${nodes[this.#node % nodes.length]}/v1/chat/socket`, {
      headers: { cookie: `__Host-akashi-session=${this.#token}` },
      perMessageDeflate: false,
      ...(this.#localAddress === undefined ? {} : { localAddress: this.#localAddress }),
    })
    this.#socket = socket
    socket.on('open', () =>
      this.#write({
        type: 'subscribe',
        id: 'subscribe',
        roomId: this.roomId,
        ...(this.last === undefined ? {} : { after: this.last }),
      }),
    )
    socket.on('message', (data) => {
      if (this.#socket === socket) this.#hear(JSON.parse(String(data)))
    })
    // A close follows.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.ready = false
      this.#node += 1
      setTimeout(() => this.connect(), Math.random() * BACKOFF_MS)
    })
  }

  /** Breaks the connection; nothing is heard until it is made again, after so many milliseconds. */
  breakFor(ms: number): void {
    const socket = this.#socket
    this.#socket = undefined
    this.ready = false
    socket?.terminate()
    setTimeout(() => this.connect(), ms)
  }

  send(content: string): void {
    const clientId = randomUUID()
    this.#unanswered.set(clientId, content)
    if (this.ready) this.#transmit(clientId, content)
  }

  #transmit(clientId: string, content: string): void {
    this.#write({ type: 'send', id: clientId, roomId: this.roomId, message: { content, clientId } })
  }

  #write(frame: object): void {
    this.#socket?.send(JSON.stringify(frame))
  }

  #fault(text: string): void {
    faults.push(`room ${this.roomId}, after ${this.last}: ${text}`)
  }

  #hear(
    frame: Record<string, unknown> & {
      readonly event?: { readonly sequence: number }
      readonly problem?: { readonly status: number }
    },
  ): void {
    switch (frame['type']) {
      case 'subscribed': {
        const { sequence, gap } = frame
        if (this.last === undefined) this.last = Number(sequence)
        else if (sequence !== this.last || gap !== false) this.#fault(`resumed at ${sequence}, gap ${gap}`)
        return
      }
      case 'event': {
        const sequence = frame.event?.sequence ?? Number.NaN
        if (!this.#isNext(sequence)) this.#fault(`heard ${sequence}`)
        this.last = sequence
        heard += 1
        return
      }
      case 'answer': {
        const id = String(frame['id'])
        if (id === 'subscribe') {
          this.ready = true
          for (const [clientId, content] of this.#unanswered) this.#transmit(clientId, content)
        } else if (this.#unanswered.delete(id)) answered += 1
        return
      }
      case 'refused':
        // The server's own trouble: tried again, as any client does.
        if (Number(frame.problem?.status) >= SERVER_TROUBLE) this.#socket?.terminate()
        else this.#fault(JSON.stringify(frame))
        return
      case 'ended':
        this.#fault(JSON.stringify(frame))
    }
  }

  #isNext(sequence: number): boolean {
    return this.last !== undefined && sequence === this.last + 1
  }
}

const clients: Client[] = []

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(POLL_MS)
}

const allReady = () => until(() => clients.every(({ ready }) => ready))

function report(): CrowdReport {
  const last: Record<string, number[]> = {}
  for (const client of clients) {
    const known = last[client.roomId] ?? []
    last[client.roomId] = known
    if (client.last !== undefined && !known.includes(client.last)) known.push(client.last)
  }
  return { faults: faults.slice(0, FAULTS_TOLD), faultCount: faults.length, heard, answered, last }
}

async function perform(command: Command): Promise<CrowdReport> {
  switch (command.do) {
    case 'connect': {
      nodes = command.nodes
      const added = command.people.map(
        ({ token, roomId }, at) => new Client(clients.length + at, token, roomId),
      )
      clients.push(...added)
      for (const client of added) setTimeout(() => client.connect(), Math.random() * command.withinMs)
      await allReady()
      break
    }
    case 'send': {
      const begun = performance.now()
      for (let sent = 0; sent < command.count; sent += 1) {
        const due = begun + (sent * 1_000) / command.perSecond
        if (due > performance.now()) await sleep(due - performance.now())
        clients[(sent * 7_919) % clients.length]?.send(`${command.label} ${sent}`)
      }
      await until(() => clients.every(({ idle }) => idle))
      break
    }
    case 'storm':
      for (const client of clients) client.breakFor(Math.random() * command.withinMs)
      await allReady()
      break
    case 'report':
      break
  }
  return report()
}

process.on('message', (command: Command) => {
  perform(command).then(
    (result) => process.send?.({ id: command.id, report: result } satisfies Answer),
    (error: unknown) => process.send?.({ id: command.id, error: String(error) } satisfies Answer),
  )
})
process.on('disconnect', () => process.exit(0))
