/**
 * Turns what the server sends into what the page shows: rooms, their loaded history, messages being sent, who is
 * present. Applies the events of a room in the room's order, each once. What is read over HTTP alone, such as
 * notifications and members, stays in the query cache; this invalidates it when it is out of date.
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
import { isTransient, Problem } from '../../api/problem.ts'
import type { ChatApi, HistoryEdge } from './chat-api.ts'
import type { Quoted } from './drafts.ts'
import { Observable } from './observable.ts'
import { Outbox, type Pending, type TextStorage } from './outbox.ts'
import { afterEvent, afterReading, concerns, mergeListed } from './rooms.ts'
import { ChatSocket, type ConnectionState, type SocketLike } from './socket.ts'
import { Timelines } from './timelines.ts'
import { Typing } from './typing.ts'

export interface ChatClientOptions {
  readonly me: Person
  readonly api: ChatApi
  readonly openSocket: () => SocketLike
  readonly storage: TextStorage
  readonly isOnline?: () => boolean
  readonly newId?: () => string
  /** The session ended: nothing more can be done here. */
  readonly onEnded: () => void
  /** Invitations or notifications may have changed. */
  readonly onInboxChanged?: () => void
  /** Members of a room, their roles, or its pins may have changed. */
  readonly onMembersChanged?: (roomId: string) => void
  /**
   * Runs a background request, now or once the page is used again: requests keep the session alive.
   * `key` names what is asked, so that it is asked once.
   */
  readonly inBackground?: (key: string, run: () => void) => void
}

export interface OutgoingMessage {
  readonly content: string
  readonly mentions?: readonly string[]
  readonly replyTo?: Quoted | null
  readonly file?: { readonly id: string; readonly name: string } | null
}

/** News within so many milliseconds lead to one request. */
const NEWS_DELAY_MS = 150
/** Milliseconds before something that failed for a passing reason is tried again. */
const RETRY_MS = 2_000

export class ChatClient {
  readonly me: Person
  readonly connection = new Observable<ConnectionState>('connecting')
  /** Null until the rooms were listed for the first time. */
  readonly rooms = new Observable<ReadonlyMap<string, Room> | null>(null)
  readonly presence = new Observable<ReadonlyMap<string, PresenceStatus>>(new Map())
  readonly people: Observable<ReadonlyMap<string, Person>>
  /** The newest message of others that the person is notified of. */
  readonly announced = new Observable<Message | null>(null)
  /** False when the server has no scanner, so that files stay hidden. */
  readonly scansFiles = new Observable(true)
  readonly pending: Observable<readonly Pending[]>
  readonly #options: ChatClientOptions
  readonly #socket: ChatSocket
  readonly #outbox: Outbox
  readonly #timelines = new Timelines()
  readonly #typing = new Typing()
  /** Sequence up to which the events of each room were applied. */
  readonly #cursors = new Map<string, number>()
  /** Rooms that this connection is subscribed to, or is about to be. */
  #subscribed = new Set<string>()
  readonly #unsentReads = new Map<string, Message>()
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  #listing = 0

  constructor(options: ChatClientOptions) {
    this.#options = options
    this.me = options.me
    this.people = new Observable<ReadonlyMap<string, Person>>(new Map([[options.me.id, options.me]]))
    this.#socket = new ChatSocket({
      open: options.openSocket,
      onFrame: (frame) => this.#receive(frame),
      onState: (state) => this.#connectionChanged(state),
      sessionHolds: () => this.#sessionHolds(),
      ...(options.isOnline === undefined ? {} : { isOnline: options.isOnline }),
    })
    this.#outbox = new Outbox({
      send: async ({ roomId, clientId, message }) =>
        (await this.#socket.request({ type: 'send', roomId, message: { ...message, clientId } })) as Message,
      onSent: (message) => this.#sent(message),
      storage: options.storage,
    })
    this.pending = this.#outbox.pending
  }

  get timelines() {
    return this.#timelines.views
  }

  /** Ids of the people who are typing, by room. */
  get typing() {
    return this.#typing.people
  }

  start(): void {
    this.#socket.start()
  }

  stop(): void {
    this.#socket.stop()
    this.#outbox.close()
    this.#typing.stop()
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }

  networkBack(): void {
    this.#socket.reconnectNow()
  }

  networkLost(): void {
    this.#socket.disconnect()
  }

  /** Lists the rooms again and subscribes to new ones. */
  async refresh(): Promise<void> {
    this.#listing += 1
    const listing = this.#listing
    const rooms = await this.#options.api.rooms()
    if (listing !== this.#listing) return
    this.rooms.set(mergeListed(this.rooms.get() ?? new Map(), rooms))
    for (const room of rooms) {
      this.remember(room.peers)
      if (!this.#cursors.has(room.id)) this.#cursors.set(room.id, room.lastSequence)
      void this.#subscribe(room.id)
    }
  }

  /** Loads the newest history of a room, unless it is loaded. */
  async open(roomId: string): Promise<void> {
    this.#timelines.use(roomId)
    const timeline = this.#timelines.of(roomId)
    if (timeline.view.loading === null && timeline.view.messages.length === 0) await this.toEnd(roomId)
  }

  async toEnd(roomId: string): Promise<void> {
    await this.#timelines.of(roomId).load('all', () => this.#history(roomId, {}))
  }

  async loadOlder(roomId: string): Promise<void> {
    const timeline = this.#timelines.of(roomId)
    const first = timeline.view.messages[0]
    if (first === undefined || !timeline.view.hasOlder) return
    await timeline.load('older', () => this.#history(roomId, { before: first.id }))
  }

  async loadNewer(roomId: string): Promise<void> {
    const timeline = this.#timelines.of(roomId)
    const last = timeline.view.messages.at(-1)
    if (last === undefined || !timeline.view.hasNewer) return
    await timeline.load('newer', () => this.#history(roomId, { after: last.id }))
  }

  /** Makes sure that the message is loaded. */
  async jump(roomId: string, messageId: string): Promise<void> {
    this.#timelines.use(roomId)
    const timeline = this.#timelines.of(roomId)
    if (timeline.has(messageId)) return
    await timeline.load('all', () => this.#history(roomId, { around: messageId }))
  }

  /** The reader is at the end of the room, so that older messages need not stay loaded. */
  atEnd(roomId: string): void {
    this.#timelines.trim(roomId)
  }

  send(roomId: string, { content, mentions = [], replyTo = null, file = null }: OutgoingMessage): void {
    const message: Omit<NewMessage, 'clientId'> = {
      content,
      mentions: [...mentions],
      ...(file === null ? {} : { fileId: file.id }),
      ...(replyTo === null ? {} : { replyToId: replyTo.id }),
    }
    if (this.timelines.get().get(roomId)?.hasNewer === true) void this.toEnd(roomId).catch(() => undefined)
    this.#outbox.add({
      clientId: (this.#options.newId ?? (() => crypto.randomUUID()))(),
      roomId,
      message,
      fileName: file?.name ?? null,
      replyTo,
      createdAt: new Date().toISOString(),
    })
  }

  retry(clientId: string): void {
    this.#outbox.retry(clientId)
  }

  discard(clientId: string): void {
    this.#outbox.discard(clientId)
  }

  /** The reader has seen the newest loaded message. */
  read(roomId: string): void {
    const message = this.timelines.get().get(roomId)?.messages.at(-1)
    const room = this.rooms.get()?.get(roomId)
    if (message === undefined || room === undefined) return
    const after = afterReading(room, message)
    if (after === room && room.unread === 0 && room.unreadMentions === 0) return
    this.#putRoom({ ...after, unread: 0, unreadMentions: 0 })
    this.#unsentReads.set(roomId, message)
    this.#sendReads()
  }

  typingIn(roomId: string): void {
    if (this.#typing.mayAnnounce(roomId)) this.#socket.send({ type: 'typing', roomId })
  }

  present(status: 'online' | 'away'): void {
    this.#socket.send({ type: 'presence', status })
  }

  /** Reads the presence of people; changes arrive over the connection. */
  async watch(userIds: readonly string[]): Promise<void> {
    if (userIds.length === 0) return
    const presence = await this.#options.api.presence(userIds.slice(0, MAX_PAGE_SIZE))
    this.presence.update(
      (known) => new Map([...known, ...presence.map(({ userId, status }) => [userId, status] as const)]),
    )
  }

  /** Keeps people's names, since most frames carry only ids. */
  remember(people: readonly Person[]): void {
    const known = this.people.get()
    const changed = people.filter((person) => {
      const before = known.get(person.id)
      return before?.displayName !== person.displayName || before.avatarUrl !== person.avatarUrl
    })
    if (changed.length > 0) {
      this.people.set(new Map([...known, ...changed.map((one) => [one.id, one] as const)]))
    }
  }

  #connectionChanged(state: ConnectionState): void {
    this.#subscribed = new Set()
    this.connection.set(state)
    this.#outbox.setOpen(state === 'open')
    if (state === 'open') void this.#resume()
    if (state === 'ended') this.#options.onEnded()
  }

  /** Continues known rooms where they were; the list brings new ones. */
  async #resume(): Promise<void> {
    this.#sendReads()
    this.#inboxChanged()
    for (const roomId of this.#cursors.keys()) void this.#subscribe(roomId)
    for (const roomId of this.#timelines.failed()) void this.toEnd(roomId).catch(() => undefined)
    try {
      await this.refresh()
    } catch (error) {
      if (isTransient(error))
        setTimeout(() => this.connection.get() === 'open' && void this.#resume(), RETRY_MS)
    }
  }

  async #subscribe(roomId: string): Promise<void> {
    if (this.connection.get() !== 'open' || this.#subscribed.has(roomId)) return
    const mine = this.#subscribed
    mine.add(roomId)
    try {
      await this.#socket.request({ type: 'subscribe', roomId, after: this.#cursors.get(roomId) ?? 0 })
    } catch (error) {
      mine.delete(roomId)
      if (!(error instanceof Problem) || mine !== this.#subscribed) return
      if (error.status === 404) this.#forget(roomId)
      else if (isTransient(error) && error.status !== 0)
        setTimeout(() => void this.#subscribe(roomId), RETRY_MS)
    }
  }

  #receive(frame: ServerFrame): void {
    switch (frame.type) {
      case 'hello':
        this.scansFiles.set(frame.scansFiles)
        return
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
        if (frame.userId !== this.me.id) this.#typing.started(frame.roomId, frame.userId)
        return
      case 'presence':
        this.presence.update((known) => new Map([...known, [frame.userId, frame.status]]))
        return
      case 'inbox':
        this.#inboxChanged()
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
      // An event in between did not arrive: subscribe again from the last one that did.
      this.#subscribed.delete(roomId)
      void this.#subscribe(roomId)
      return
    }
    this.#cursors.set(roomId, sequence)
    const room = this.rooms.get()?.get(roomId)
    if (message !== null) this.#applyMessage(message, event.type === 'message_created', room)
    if (room !== undefined) this.#putRoom(afterEvent(room, event, this.me.id))
    this.#applyMembership(event)
  }

  #applyMessage(message: Message, created: boolean, room: Room | undefined): void {
    const { roomId, author } = message
    const isMine = author?.id === this.me.id
    if (author !== null) this.remember([author])
    if (message.clientId !== null && isMine) this.#outbox.discard(message.clientId)
    this.#timelines.receive(message, created)
    if (!created || author === null) return
    this.#typing.stopped(roomId, author.id)
    // The server has written a notification.
    const notifies = room?.notificationLevel === 'all' || concerns(message, this.me.id)
    if (isMine || !notifies || room?.notificationLevel === 'none') return
    this.announced.set(message)
    this.#notificationsChanged()
  }

  #applyMembership({ type, roomId, userId }: RoomEvent): void {
    if (type === 'room_deleted' || (type === 'member_left' && userId === this.me.id)) {
      this.#forget(roomId)
      return
    }
    if (type.startsWith('member_') || type === 'room_changed') this.#options.onMembersChanged?.(roomId)
    if (type === 'room_changed') void this.#rereadRoom(roomId)
  }

  async #rereadRoom(roomId: string): Promise<void> {
    const room = await this.#options.api.room(roomId).catch(() => null)
    const known = this.rooms.get()?.get(roomId)
    if (room === null || known === undefined) return
    const { name, description, type, maxMembers, isActive, memberCount, role } = room
    this.#putRoom({ ...known, name, description, type, maxMembers, isActive, memberCount, role })
  }

  /** The events since the last connection are no longer available one by one. */
  #reload(roomId: string): void {
    void this.refresh().catch(() => undefined)
    this.#options.onMembersChanged?.(roomId)
    if (this.#timelines.isLoaded(roomId)) void this.toEnd(roomId).catch(() => undefined)
  }

  #forget(roomId: string): void {
    this.#cursors.delete(roomId)
    this.#subscribed.delete(roomId)
    this.#timelines.drop(roomId)
    this.rooms.update((rooms) => rooms && new Map([...rooms].filter(([id]) => id !== roomId)))
  }

  #sent(message: Message): void {
    // The response may arrive after later events about its message, which are newer.
    if ((this.#cursors.get(message.roomId) ?? 0) >= message.sequence) return
    this.#timelines.receive(message, true)
  }

  #sendReads(): void {
    for (const [roomId, message] of this.#unsentReads) {
      this.#socket
        .request({ type: 'read', messageId: message.id })
        .then(() => {
          if (this.#unsentReads.get(roomId) === message) this.#unsentReads.delete(roomId)
          this.#notificationsChanged()
        })
        .catch((error: unknown) => {
          if (!isTransient(error)) this.#unsentReads.delete(roomId)
        })
    }
  }

  #notificationsChanged(): void {
    this.#soon('inbox', () => this.#options.onInboxChanged?.())
  }

  #inboxChanged(): void {
    this.#notificationsChanged()
    this.#soon('rooms', () => void this.refresh().catch(() => undefined))
  }

  /** Runs a request once for all news of a short time. */
  #soon(key: string, run: () => void): void {
    if (this.#timers.has(key)) return
    const timer = setTimeout(() => {
      this.#timers.delete(key)
      this.#background(key, run)
    }, NEWS_DELAY_MS)
    this.#timers.set(key, timer)
  }

  #background(key: string, run: () => void): void {
    const { inBackground } = this.#options
    if (inBackground === undefined) run()
    else inBackground(key, run)
  }

  #putRoom(room: Room): void {
    this.rooms.update((rooms) => {
      if (rooms === null || rooms.get(room.id) === room) return rooms
      return new Map([...rooms, [room.id, room]])
    })
  }

  /** Events bring everything after a room's cursor, so a page may be loaded before the subscription. */
  async #history(roomId: string, edge: HistoryEdge): Promise<HistoryPage> {
    const page = await this.#options.api.history(roomId, edge)
    this.remember(page.messages.flatMap(({ author }) => (author === null ? [] : [author])))
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
