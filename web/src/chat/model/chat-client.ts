/**
 * The one place where what the server says becomes what the page shows: rooms, their loaded history, what is
 * on its way, who is there. Events of a room are applied in the room's order, each once.
 */
import {
  type HistoryPage,
  MAX_PAGE_SIZE,
  type Message,
  type NewMessage,
  type Person,
  type PresenceStatus,
  type Room,
  type RoomEvent,
  type ServerFrame,
} from '@akashi/contract'
import { mayPass, Problem } from '../../api/problem.ts'
import type { ChatApi, HistoryEdge } from './chat-api.ts'
import { Observable } from './observable.ts'
import { type Keep, Outbox, type Pending } from './outbox.ts'
import { afterEvent, afterReading, mergeListed } from './rooms.ts'
import { ChatSocket, type Link, type SocketLike } from './socket.ts'
import { Timeline, type TimelineView } from './timeline.ts'

export interface ChatClientOptions {
  readonly me: Person
  readonly api: ChatApi
  readonly openSocket: () => SocketLike
  readonly keep: Keep
  readonly isOnline?: () => boolean
  readonly newId?: () => string
  /** The session ended: nothing more can be done here. */
  readonly onEnded: () => void
}

export interface Draft {
  readonly content: string
  readonly mentions?: readonly string[]
  readonly replyTo?: Message | null
  readonly file?: { readonly id: string; readonly name: string } | null
}

/** A word about typing is repeated no more often, and believed for no longer, in milliseconds. */
const TYPING_SAID_MS = 2_500
const TYPING_BELIEVED_MS = 5_000
/** Words about the inbox within this time are one. */
const INBOX_MS = 150

export class ChatClient {
  readonly me: Person
  readonly link = new Observable<Link>('connecting')
  /** Null until the first listing. */
  readonly rooms = new Observable<ReadonlyMap<string, Room> | null>(null)
  readonly timelines = new Observable<ReadonlyMap<string, TimelineView>>(new Map())
  readonly presence = new Observable<ReadonlyMap<string, PresenceStatus>>(new Map())
  readonly typing = new Observable<ReadonlyMap<string, readonly string[]>>(new Map())
  readonly people: Observable<ReadonlyMap<string, Person>>
  /** Grows when invitations and notifications may have changed. */
  readonly inbox = new Observable(0)
  /** Grows, room by room, when its members or settings changed. */
  readonly roomVersions = new Observable<ReadonlyMap<string, number>>(new Map())
  readonly pending: Observable<readonly Pending[]>
  readonly #options: ChatClientOptions
  readonly #socket: ChatSocket
  readonly #outbox: Outbox
  readonly #timelines = new Map<string, Timeline>()
  /** Sequence up to which a room's events were applied. */
  readonly #cursors = new Map<string, number>()
  /** Rooms that this connection listens to, or is about to. */
  #subscribed = new Set<string>()
  readonly #unsaidReads = new Map<string, Message>()
  readonly #typingTimers = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #typingSaid = new Map<string, number>()
  #inboxTimer: ReturnType<typeof setTimeout> | undefined
  #listing = 0

  constructor(options: ChatClientOptions) {
    this.#options = options
    this.me = options.me
    this.people = new Observable<ReadonlyMap<string, Person>>(new Map([[options.me.id, options.me]]))
    this.#socket = new ChatSocket({
      open: options.openSocket,
      onFrame: (frame) => this.#hear(frame),
      onLink: (link) => this.#linked(link),
      sessionHolds: () => this.#sessionHolds(),
      ...(options.isOnline === undefined ? {} : { isOnline: options.isOnline }),
    })
    this.#outbox = new Outbox({
      send: async ({ roomId, clientId, message }) =>
        (await this.#socket.ask({ type: 'send', roomId, message: { ...message, clientId } })) as Message,
      onSent: (message) => this.#sent(message),
      keep: options.keep,
    })
    this.pending = this.#outbox.pending
  }

  start(): void {
    this.#socket.start()
  }

  stop(): void {
    this.#socket.stop()
    this.#outbox.setOpen(false)
    clearTimeout(this.#inboxTimer)
    for (const timer of this.#typingTimers.values()) clearTimeout(timer)
  }

  networkBack(): void {
    this.#socket.hurry()
  }

  networkLost(): void {
    this.#socket.lost()
  }

  /** Lists the rooms anew and listens to those that are new. */
  async refresh(): Promise<void> {
    this.#listing += 1
    const listing = this.#listing
    const rooms = await this.#options.api.rooms()
    if (listing !== this.#listing) return
    this.rooms.set(mergeListed(this.rooms.get() ?? new Map(), rooms))
    for (const room of rooms) {
      if (room.peer !== null) this.meet([room.peer])
      if (!this.#cursors.has(room.id)) this.#cursors.set(room.id, room.lastSequence)
      void this.#subscribe(room.id)
    }
  }

  /** The newest history of a room, unless it is loaded. */
  async open(roomId: string): Promise<void> {
    const timeline = this.#timelineOf(roomId)
    if (timeline.view.loading === null && timeline.view.messages.length === 0) await this.toEnd(roomId)
  }

  async toEnd(roomId: string): Promise<void> {
    await this.#timelineOf(roomId).load('all', () => this.#history(roomId, {}))
  }

  async loadOlder(roomId: string): Promise<void> {
    const timeline = this.#timelineOf(roomId)
    const first = timeline.view.messages[0]
    if (first === undefined || !timeline.view.hasOlder) return
    await timeline.load('older', () => this.#history(roomId, { before: first.id }))
  }

  async loadNewer(roomId: string): Promise<void> {
    const timeline = this.#timelineOf(roomId)
    const last = timeline.view.messages.at(-1)
    if (last === undefined || !timeline.view.hasNewer) return
    await timeline.load('newer', () => this.#history(roomId, { after: last.id }))
  }

  /** Makes sure that the message is loaded. */
  async jump(roomId: string, messageId: string): Promise<void> {
    const timeline = this.#timelineOf(roomId)
    if (timeline.has(messageId)) return
    await timeline.load('all', () => this.#history(roomId, { around: messageId }))
  }

  send(roomId: string, { content, mentions = [], replyTo = null, file = null }: Draft): void {
    const message: Omit<NewMessage, 'clientId'> = {
      content,
      mentions: [...mentions],
      ...(file === null ? {} : { fileId: file.id }),
      ...(replyTo === null ? {} : { replyToId: replyTo.id }),
    }
    if (this.#timelines.get(roomId)?.view.hasNewer === true) void this.toEnd(roomId).catch(() => undefined)
    this.#outbox.add({
      clientId: (this.#options.newId ?? (() => crypto.randomUUID()))(),
      roomId,
      message,
      fileName: file?.name ?? null,
      replyTo: replyTo && {
        id: replyTo.id,
        author: replyTo.author,
        content: replyTo.content,
        type: replyTo.type,
        isDeleted: replyTo.isDeleted,
      },
      createdAt: new Date().toISOString(),
    })
  }

  retry(clientId: string): void {
    this.#outbox.retry(clientId)
  }

  discard(clientId: string): void {
    this.#outbox.discard(clientId)
  }

  /** The newest loaded message was seen. */
  read(roomId: string): void {
    const message = this.#timelines.get(roomId)?.view.messages.at(-1)
    const room = this.rooms.get()?.get(roomId)
    if (message === undefined || room === undefined) return
    const after = afterReading(room, message)
    if (after === room && room.unread === 0 && room.unreadMentions === 0) return
    this.#putRoom({ ...after, unread: 0, unreadMentions: 0 })
    this.#unsaidReads.set(roomId, message)
    this.#sayReads()
  }

  typingIn(roomId: string): void {
    const now = performance.now()
    if (now - (this.#typingSaid.get(roomId) ?? Number.NEGATIVE_INFINITY) < TYPING_SAID_MS) return
    this.#typingSaid.set(roomId, now)
    this.#socket.word({ type: 'typing', roomId })
  }

  present(status: 'online' | 'away'): void {
    this.#socket.word({ type: 'presence', status })
  }

  /** Asks for the presence of people that were not asked about yet on this connection. */
  async watch(userIds: readonly string[]): Promise<void> {
    if (userIds.length === 0) return
    const presence = await this.#options.api.presence(userIds.slice(0, MAX_PAGE_SIZE))
    this.presence.update(
      (known) => new Map([...known, ...presence.map(({ userId, status }) => [userId, status] as const)]),
    )
  }

  /** Keeps names, for those of whom only ids are told. */
  meet(people: readonly Person[]): void {
    const known = this.people.get()
    const news = people.filter((person) => {
      const had = known.get(person.id)
      return had?.displayName !== person.displayName || had.avatarUrl !== person.avatarUrl
    })
    if (news.length > 0) this.people.set(new Map([...known, ...news.map((one) => [one.id, one] as const)]))
  }

  #linked(link: Link): void {
    this.#subscribed = new Set()
    this.link.set(link)
    this.#outbox.setOpen(link === 'open')
    if (link === 'open') void this.#resume()
    if (link === 'ended') {
      this.#outbox.clear()
      this.#options.onEnded()
    }
  }

  /** Rooms that are known go on where they were; the listing brings those that are new. */
  async #resume(): Promise<void> {
    this.#sayReads()
    this.#tellInbox()
    for (const roomId of this.#cursors.keys()) void this.#subscribe(roomId)
    for (const [roomId, { view }] of this.#timelines) {
      if (view.failed && view.messages.length === 0) void this.toEnd(roomId).catch(() => undefined)
    }
    try {
      await this.refresh()
    } catch (error) {
      if (mayPass(error)) setTimeout(() => this.#again(), 2_000)
    }
  }

  #again(): void {
    if (this.link.get() === 'open') void this.#resume()
  }

  async #subscribe(roomId: string): Promise<void> {
    if (this.link.get() !== 'open' || this.#subscribed.has(roomId)) return
    const mine = this.#subscribed
    mine.add(roomId)
    try {
      await this.#socket.ask({ type: 'subscribe', roomId, after: this.#cursors.get(roomId) ?? 0 })
    } catch (error) {
      mine.delete(roomId)
      if (!(error instanceof Problem) || mine !== this.#subscribed) return
      if (error.status === 404) this.#forget(roomId)
      else if (mayPass(error) && error.status !== 0) setTimeout(() => void this.#subscribe(roomId), 2_000)
    }
  }

  #hear(frame: ServerFrame): void {
    switch (frame.type) {
      case 'subscribed':
        this.#cursors.set(frame.roomId, frame.sequence)
        if (frame.gap) this.#reload(frame.roomId)
        return
      case 'event':
        this.#apply(frame.event)
        return
      case 'ended':
        this.#subscribed.delete(frame.roomId)
        void this.refresh().catch(() => undefined)
        return
      case 'typing':
        this.#believeTyping(frame.roomId, frame.userId)
        return
      case 'presence':
        this.presence.update((known) => new Map([...known, [frame.userId, frame.status]]))
        return
      case 'inbox':
        this.#tellInbox()
        return
      default:
        return
    }
  }

  #apply(event: RoomEvent): void {
    const { roomId, sequence, message } = event
    const cursor = this.#cursors.get(roomId)
    if (cursor === undefined || sequence <= cursor) return
    if (sequence > cursor + 1) {
      // Something in between did not arrive: ask for it from where we are.
      this.#subscribed.delete(roomId)
      void this.#subscribe(roomId)
      return
    }
    this.#cursors.set(roomId, sequence)
    if (message !== null) {
      const created = event.type === 'message_created'
      if (message.author !== null) this.meet([message.author])
      if (message.clientId !== null && message.author?.id === this.me.id)
        this.#outbox.discard(message.clientId)
      this.#timelines.get(roomId)?.hear(message, created)
      if (created && message.author !== null) this.#stopTyping(roomId, message.author.id)
    }
    const room = this.rooms.get()?.get(roomId)
    if (room !== undefined) this.#putRoom(afterEvent(room, event, this.me.id))
    this.#consequences(event)
  }

  #consequences({ type, roomId, userId }: RoomEvent): void {
    if (type === 'room_deleted' || (type === 'member_left' && userId === this.me.id)) {
      this.#forget(roomId)
      return
    }
    if (type.startsWith('member_') || type === 'room_changed') {
      this.roomVersions.update((known) => new Map([...known, [roomId, (known.get(roomId) ?? 0) + 1]]))
    }
    if (type === 'room_changed') void this.#rereadRoom(roomId)
  }

  async #rereadRoom(roomId: string): Promise<void> {
    const room = await this.#options.api.room(roomId).catch(() => null)
    const known = this.rooms.get()?.get(roomId)
    if (room === null || known === undefined) return
    const { name, description, type, maxMembers, isActive, memberCount, role } = room
    this.#putRoom({ ...known, name, description, type, maxMembers, isActive, memberCount, role })
  }

  /** What happened in between is no longer told one by one. */
  #reload(roomId: string): void {
    void this.refresh().catch(() => undefined)
    this.roomVersions.update((known) => new Map([...known, [roomId, (known.get(roomId) ?? 0) + 1]]))
    if (this.#timelines.has(roomId)) void this.toEnd(roomId).catch(() => undefined)
  }

  #forget(roomId: string): void {
    this.#cursors.delete(roomId)
    this.#subscribed.delete(roomId)
    this.#timelines.delete(roomId)
    this.rooms.update((rooms) => rooms && new Map([...rooms].filter(([id]) => id !== roomId)))
    this.timelines.update((known) => new Map([...known].filter(([id]) => id !== roomId)))
  }

  #sent(message: Message): void {
    // An answer may come behind later events about its message; it tells nothing new then.
    if ((this.#cursors.get(message.roomId) ?? 0) >= message.sequence) return
    this.#timelines.get(message.roomId)?.hear(message, true)
  }

  #sayReads(): void {
    for (const [roomId, message] of this.#unsaidReads) {
      this.#socket
        .ask({ type: 'read', messageId: message.id })
        .then(() => {
          if (this.#unsaidReads.get(roomId) === message) this.#unsaidReads.delete(roomId)
          this.inbox.update((version) => version + 1)
        })
        .catch((error: unknown) => {
          if (!mayPass(error)) this.#unsaidReads.delete(roomId)
        })
    }
  }

  #tellInbox(): void {
    clearTimeout(this.#inboxTimer)
    this.#inboxTimer = setTimeout(() => {
      this.inbox.update((version) => version + 1)
      void this.refresh().catch(() => undefined)
    }, INBOX_MS)
  }

  #believeTyping(roomId: string, userId: string): void {
    if (userId === this.me.id) return
    const key = `${roomId} ${userId}`
    clearTimeout(this.#typingTimers.get(key))
    this.#typingTimers.set(
      key,
      setTimeout(() => this.#stopTyping(roomId, userId), TYPING_BELIEVED_MS),
    )
    const now = this.typing.get().get(roomId) ?? []
    if (!now.includes(userId)) this.typing.update((all) => new Map([...all, [roomId, [...now, userId]]]))
  }

  #stopTyping(roomId: string, userId: string): void {
    const key = `${roomId} ${userId}`
    clearTimeout(this.#typingTimers.get(key))
    this.#typingTimers.delete(key)
    const now = this.typing.get().get(roomId)
    if (now?.includes(userId) !== true) return
    this.typing.update((all) => new Map([...all, [roomId, now.filter((id) => id !== userId)]]))
  }

  #putRoom(room: Room): void {
    this.rooms.update((rooms) => {
      if (rooms === null || rooms.get(room.id) === room) return rooms
      return new Map([...rooms, [room.id, room]])
    })
  }

  #timelineOf(roomId: string): Timeline {
    const known = this.#timelines.get(roomId)
    if (known !== undefined) return known
    const timeline = new Timeline((view) => {
      if (this.#timelines.get(roomId) !== timeline) return
      this.timelines.update((all) => new Map([...all, [roomId, view]]))
    })
    this.#timelines.set(roomId, timeline)
    return timeline
  }

  /** Everything after a room's cursor is heard sooner or later, so a page may come before the room is listened to. */
  async #history(roomId: string, edge: HistoryEdge): Promise<HistoryPage> {
    const page = await this.#options.api.history(roomId, edge)
    this.meet(page.messages.flatMap(({ author }) => (author === null ? [] : [author])))
    return page
  }

  async #sessionHolds(): Promise<boolean> {
    try {
      await this.#options.api.presence([this.me.id])
      return true
    } catch (error) {
      return !(error instanceof Problem && error.status === 401)
    }
  }
}
