import { randomUUID } from 'node:crypto'
import type { Message, NewMessage, Person, Room, RoomEvent, ServerFrame } from '@akashi/contract'
import type { ChatApi } from '../../../web/src/chat/model/chat-api.ts'
import { ChatClient, type ChatClientOptions } from '../../../web/src/chat/model/chat-client.ts'
import type { SocketLike } from '../../../web/src/chat/model/socket.ts'

export const aoi: Person = { id: randomUUID(), username: 'aoi', displayName: '葵', avatarUrl: null }
export const ken: Person = { id: randomUUID(), username: 'ken', displayName: 'Ken', avatarUrl: null }

/** A chat of one room, in memory, over connections that break when told to. */
export class FakeServer {
  readonly roomId: string = randomUUID()
  readonly events: RoomEvent[] = []
  readonly messages: Message[] = []
  readonly sockets = new Set<FakeSocket>()
  /** Takes requests, but the connection breaks before their answers. */
  answers = true
  reachable = true
  gaps = false
  /** Called with every message that is asked for, before it is kept. */
  refuse: (message: NewMessage) => { status: number; detail: string } | null = () => null
  /** Runs after a page was read and before it arrives. */
  meanwhile: () => void = () => undefined
  requests: string[] = []
  /** How often the rooms were listed. */
  listings = 0
  level: Room['notificationLevel'] = 'all'

  post(author: Person, message: NewMessage): Message {
    const had = this.messages.find((one) => one.clientId === message.clientId && one.author?.id === author.id)
    if (message.clientId !== undefined && had !== undefined) return had
    const made: Message = {
      id: randomUUID(),
      roomId: this.roomId,
      sequence: this.events.length + 1,
      type: 'text',
      content: message.content,
      author,
      replyTo: null,
      mentions: message.mentions ?? [],
      reactions: [],
      file: null,
      clientId: message.clientId ?? null,
      classification: 'internal',
      isEdited: false,
      isDeleted: false,
      isEncrypted: false,
      unreadable: null,
      createdAt: new Date(Date.UTC(2026, 0, 1) + this.events.length * 1_000).toISOString(),
      updatedAt: '',
    }
    this.messages.push(made)
    this.happen('message_created', made)
    return made
  }

  edit(messageId: string, content: string): void {
    const at = this.messages.findIndex(({ id }) => id === messageId)
    const message = this.messages[at]
    if (message === undefined) throw new Error('no such message')
    const edited = { ...message, content, isEdited: true }
    this.messages[at] = edited
    this.happen('message_edited', edited)
  }

  happen(type: RoomEvent['type'], message: Message | null, userId: string | null = null): void {
    const event: RoomEvent = {
      roomId: this.roomId,
      sequence: this.events.length + 1,
      type,
      messageId: message?.id ?? null,
      userId,
      detail: {},
      createdAt: new Date().toISOString(),
      message,
    }
    this.events.push(event)
    for (const socket of this.sockets) if (socket.listening) socket.say({ type: 'event', event })
  }

  room(readTo: string | null = null): Room {
    const last = this.messages.at(-1)
    return {
      id: this.roomId,
      name: 'room',
      description: null,
      type: 'public',
      maxMembers: 100,
      isEncrypted: false,
      isActive: true,
      classification: 'internal',
      complianceTags: {},
      role: 'member',
      isFavourite: false,
      notificationLevel: this.level,
      memberCount: 2,
      peer: null,
      peers: [],
      lastSequence: this.events.length,
      lastMessage: last === undefined ? null : { ...last },
      unread: this.messages.filter(({ author }) => author?.id !== aoi.id).length,
      unreadMentions: 0,
      readTo,
      createdAt: new Date(0).toISOString(),
    }
  }

  breakAll(code = 1006): void {
    for (const socket of [...this.sockets]) socket.break(code)
  }

  api(): ChatApi {
    return {
      rooms: async () => {
        this.listings += 1
        return [this.room()]
      },
      room: async () => this.room(),
      presence: async () => [],
      history: async (_, { before, after, around }) => {
        const at = (id: string | undefined) => this.messages.findIndex((message) => message.id === id)
        const [from, to] =
          around !== undefined
            ? [at(around) - 5, at(around) + 6]
            : after !== undefined
              ? [at(after) + 1, at(after) + 11]
              : [
                  (before === undefined ? this.messages.length : at(before)) - 10,
                  before === undefined ? this.messages.length : at(before),
                ]
        const page = {
          messages: this.messages.slice(Math.max(0, from), to),
          hasOlder: from > 0,
          hasNewer: to < this.messages.length,
        }
        this.meanwhile()
        return page
      },
    }
  }

  client(storage = memory(), options: Partial<ChatClientOptions> = {}): ChatClient {
    return new ChatClient({
      me: aoi,
      api: this.api(),
      openSocket: () => new FakeSocket(this),
      storage,
      onEnded: () => this.requests.push('ended'),
      ...options,
    })
  }
}

class FakeSocket implements SocketLike {
  onmessage: SocketLike['onmessage'] = null
  onclose: SocketLike['onclose'] = null
  listening = false
  readonly #server: FakeServer
  #open = true

  constructor(server: FakeServer) {
    this.#server = server
    queueMicrotask(() => {
      if (!server.reachable) return this.break(1006)
      server.sockets.add(this)
      this.say({ type: 'hello', userId: aoi.id, heartbeatMs: 20_000, scansFiles: true })
    })
  }

  say(frame: ServerFrame): void {
    if (this.#open) this.onmessage?.({ data: JSON.stringify(frame) })
  }

  break(code: number): void {
    if (!this.#open) return
    this.#open = false
    this.#server.sockets.delete(this)
    this.onclose?.({ code })
  }

  close(): void {
    this.break(1000)
  }

  send(text: string): void {
    const frame = JSON.parse(text)
    this.#server.requests.push(frame.type)
    queueMicrotask(() => this.#perform(frame))
  }

  #perform(frame: { type: string; id: string; roomId: string; after?: number; message: NewMessage }): void {
    if (!this.#open) return
    const server = this.#server
    let result: unknown = null
    if (frame.type === 'subscribe') {
      const gap = server.gaps
      const from = gap ? server.events.length : (frame.after ?? server.events.length)
      this.say({ type: 'subscribed', roomId: frame.roomId, sequence: from, gap })
      for (const event of server.events.slice(from)) this.say({ type: 'event', event })
      this.listening = true
    }
    if (frame.type === 'send') {
      const problem = server.refuse(frame.message)
      if (problem !== null) {
        this.say({
          type: 'refused',
          id: frame.id,
          problem: { type: '', title: '', instance: '', code: 'invalid_input', ...problem },
        })
        return
      }
      if (!server.answers) this.#open = false
      result = server.post(aoi, frame.message)
      if (!server.answers) {
        server.sockets.delete(this)
        this.onclose?.({ code: 1006 })
        return
      }
    }
    this.say({ type: 'answer', id: frame.id, result })
  }
}

export function memory(text: string | null = null) {
  let kept = text
  return {
    read: () => kept,
    write: (next: string) => {
      kept = next
    },
  }
}
