/** Delivery and latency of a steady rate of messages over many sockets to `akashi up`, with audit and sealing. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { akashi, akashiUp } from '../scripts/akashi-process.ts'
import { removeCluster } from '../src/postgres/index.ts'
import { type ChatPerson, makeChatPeople } from './chat-people.ts'
import { atLeast, atMost, type Benchmark, figure } from './harness.ts'

const SOCKETS = 2_000
const ROOM_MEMBERS = 100
const MESSAGES_PER_SECOND = 100
const SECONDS = 20
/** Sockets opened at once, and the pause afterwards: the server limits requests by address. */
const WAVE = 50
const WAVE_PAUSE_MS = 100
/** Milliseconds to wait for the last messages. */
const REST_MS = 5_000

interface Person extends ChatPerson {
  socket: WebSocket | undefined
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const chat: Benchmark = {
  name: 'chat',
  description: `${SOCKETS} sockets in rooms of ${ROOM_MEMBERS}, ${MESSAGES_PER_SECOND} messages/s for ${SECONDS} s; clients share the machine`,
  async run({ scale, progress }) {
    const data = await mkdtemp(join(tmpdir(), 'akashi-bench-'))
    const server = await akashiUp(data)
    try {
      const { superuser } = JSON.parse((await akashi(['status', '--data', data, '--json'])).stdout)
      const count = Math.max(1, Math.round((SOCKETS * scale) / ROOM_MEMBERS)) * ROOM_MEMBERS
      const rooms = count / ROOM_MEMBERS
      // A smaller run has fewer rooms with the same load each.
      const perSecond = (MESSAGES_PER_SECOND * rooms * ROOM_MEMBERS) / SOCKETS
      const people: Person[] = (await makeChatPeople(superuser, count, rooms)).map((person) => ({
        ...person,
        socket: undefined,
      }))
      progress(`${people.length} people in ${rooms} rooms`)
      const late: number[] = []
      const answered: number[] = []
      const asked = new Map<string, number>()
      const hear = (text: string) => {
        const now = performance.now()
        const frame = JSON.parse(text)
        if (frame.type === 'event' && frame.event.type === 'message_created')
          late.push(now - Number(frame.event.message.content))
        if (frame.type === 'answer' && asked.has(frame.id)) answered.push(now - (asked.get(frame.id) ?? now))
        if (frame.type === 'refused') throw new Error(`refused: ${text}`)
      }
      for (let from = 0; from < people.length; from += WAVE) {
        await Promise.all(people.slice(from, from + WAVE).map((person) => connect(server.url, person, hear)))
        await sleep(WAVE_PAUSE_MS)
      }
      progress('all sockets are connected')
      const total = Math.round(perSecond * SECONDS)
      const begun = performance.now()
      for (let sent = 0; sent < total; sent += 1) {
        const due = begun + (sent * 1_000) / perSecond
        if (due > performance.now()) await sleep(due - performance.now())
        const person = people[(sent * 7_919) % people.length]
        if (person === undefined) continue
        const id = String(sent)
        const now = performance.now()
        asked.set(id, now)
        person.socket?.send(
          JSON.stringify({ type: 'send', id, roomId: person.roomId, message: { content: String(now) } }),
        )
      }
      await sleep(REST_MS)
      for (const { socket } of people) socket?.terminate()
      progress(`${answered.length} answered, ${late.length} delivered`)
      return [
        atLeast('delivered ÷ due', late.length / (total * ROOM_MEMBERS), '', 1),
        atMost('sent to delivered, p95', percentile(late, 0.95), 'ms', 100),
        atMost('sent to delivered, p99', percentile(late, 0.99), 'ms', 250),
        atMost('send answered, p95', percentile(answered, 0.95), 'ms', 40),
        figure('sockets', people.length, ''),
      ]
    } finally {
      await server.stop()
      await removeCluster(data)
      await rm(data, { recursive: true, force: true })
    }
  },
}

async function connect(url: string, person: Person, hear: (text: string) => void): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/chat/socket`, {
    headers: { cookie: `__Host-akashi-session=${person.token}` },
    perMessageDeflate: false,
  })
  person.socket = socket
  await once(socket, 'open')
  const listening = new Promise<void>((resolve) => {
    const wait = (data: unknown) => {
      if (!String(data).includes('"subscribed"')) return
      socket.off('message', wait)
      resolve()
    }
    socket.on('message', wait)
  })
  socket.send(JSON.stringify({ type: 'subscribe', id: 'first', roomId: person.roomId }))
  await listening
  socket.on('message', (data) => hear(String(data)))
}
