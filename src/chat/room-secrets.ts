/**
 * Encrypted rooms. The database holds only ciphertext of what is said in them; here it is encrypted on its way in and
 * read on its way out, with the acting person's copy of the room's key. Without this, rows of such rooms stay
 * ciphertext and the database refuses text.
 */
import { randomUUID } from 'node:crypto'
import {
  type HistoryPage,
  MESSAGE_PREVIEW_CHARACTERS,
  type Message,
  type MessageChange,
  type MissedEvents,
  messageChange,
  type NewMessage,
  type NewRoom,
  type NotificationPage,
  newMessage,
  newRoom,
  type Room,
} from '@akashi/contract'
import { AkashiError, type Log } from '../foundation/index.ts'
import type { RoomKey, RoomVault } from '../keys/index.ts'
import { type Actor, type Database, isPerson } from '../postgres/index.ts'
import { invite } from './members.ts'
import { editMessage, listEdits, type MessageEdit, postMessage, readMessage } from './messages.ts'
import { NOTIFICATION_PREVIEW_CHARACTERS } from './people.ts'
import { createRoom, deleteRoom } from './rooms.ts'

/** Number of rooms whose encryption, which never changes, is cached. */
const MAX_ROOMS_REMEMBERED = 10_000

/** By room; without rooms whose key was destroyed or that the caller has no copy for. */
type Keys = ReadonlyMap<string, RoomKey | 'damaged'>

interface Opened {
  readonly content: string
  readonly unreadable: Message['unreadable']
}

export class RoomSecrets {
  readonly #app: Database
  readonly #vault: RoomVault
  readonly #log: Log
  readonly #encrypted = new Map<string, boolean>()

  constructor(parts: { readonly app: Database; readonly vault: RoomVault; readonly log: Log }) {
    this.#app = parts.app
    this.#vault = parts.vault
    this.#log = parts.log
  }

  async createRoom(actor: Actor, room: NewRoom): Promise<Room> {
    const { isEncrypted, type } = newRoom.parse(room)
    if (!isEncrypted) return await createRoom(this.#app, actor, room)
    if (type !== 'private') throw new AkashiError('invalid_input', 'an encrypted room must be private')
    if (!isPerson(actor)) throw new AkashiError('forbidden', 'only people can create rooms')
    const roomId = randomUUID()
    const copy = await this.#vault.create(roomId, actor.userId)
    try {
      return await createRoom(this.#app, actor, room, { roomId, copy })
    } catch (error) {
      await this.#vault.destroy(roomId)
      throw error
    }
  }

  /** The key of an encrypted room goes with it, so that no copy or backup of its messages can be read. */
  async deleteRoom(actor: Actor, roomId: string): Promise<void> {
    const isEncrypted = await this.#isEncrypted(actor, roomId)
    await deleteRoom(this.#app, actor, roomId)
    if (!isEncrypted) return
    try {
      await this.#vault.destroy(roomId)
    } catch (error) {
      // The room is gone for everybody; the daily job destroys the key.
      this.#log.error({ err: error, room: roomId }, 'the key of a deleted room was not destroyed yet')
    }
  }

  async invite(actor: Actor, roomId: string, userId: string): Promise<string> {
    if (!(await this.#isEncrypted(actor, roomId))) return await invite(this.#app, actor, roomId, userId)
    // A person key is created for everybody who gets a copy, so the id must belong to an existing user.
    const { rows } = await this.#app.transaction(
      actor,
      (session) =>
        session.query('select from akashi_auth.profiles p where p.id = $1 and p.is_active', [userId]),
      { readOnly: true },
    )
    if (rows.length === 0) throw new AkashiError('not_found', 'user not found')
    const key = (await this.#keysOf(actor, [roomId])).get(roomId)
    const copy = key === undefined || key === 'damaged' ? undefined : await key.copyFor(userId)
    return await invite(this.#app, actor, roomId, userId, copy)
  }

  async post(actor: Actor, roomId: string, message: NewMessage): Promise<Message> {
    if (!(await this.#isEncrypted(actor, roomId))) return await postMessage(this.#app, actor, roomId, message)
    const { content, fileId, clientId } = newMessage.parse(message)
    if (fileId !== undefined) throw refusedFile()
    if (content === '') throw new AkashiError('invalid_input', 'a message needs at least one character')
    const row = clientId?.toLowerCase() ?? randomUUID()
    const sealed = (await this.#writingKey(actor, roomId)).seal(row, content)
    const posted = await postMessage(this.#app, actor, roomId, { ...message, clientId: row }, sealed)
    return await this.message(actor, posted)
  }

  async edit(actor: Actor, messageId: string, change: MessageChange): Promise<Message> {
    const { content } = messageChange.parse(change)
    const stored = await readMessage(this.#app, actor, messageId)
    if (!stored.isEncrypted) return await editMessage(this.#app, actor, messageId, change)
    const present = await this.message(actor, stored)
    if (present.unreadable === null && !present.isDeleted && present.content === content) return present
    const key = await this.#writingKey(actor, stored.roomId)
    const sealed = key.seal(stored.clientId ?? '', content)
    return await this.message(actor, await editMessage(this.#app, actor, messageId, change, sealed))
  }

  async message(actor: Actor, message: Message): Promise<Message> {
    const [opened] = await this.messages(actor, [message])
    return opened ?? message
  }

  async messages(actor: Actor, messages: readonly Message[]): Promise<Message[]> {
    const rooms = messages.flatMap(({ isEncrypted, roomId }) => (isEncrypted ? [roomId] : []))
    const keys = await this.#keysOf(actor, rooms)
    return messages.map((message) => this.#open(message, keys))
  }

  async history(actor: Actor, page: HistoryPage): Promise<HistoryPage> {
    return { ...page, messages: await this.messages(actor, page.messages) }
  }

  async events(actor: Actor, missed: MissedEvents): Promise<MissedEvents> {
    const rooms = missed.events.flatMap(({ message, roomId }) =>
      message?.isEncrypted === true ? [roomId] : [],
    )
    if (rooms.length === 0) return missed
    const keys = await this.#keysOf(actor, rooms)
    const events = missed.events.map((event) =>
      event.message === null ? event : { ...event, message: this.#open(event.message, keys) },
    )
    return { ...missed, events }
  }

  async rooms(actor: Actor, rooms: readonly Room[]): Promise<Room[]> {
    const encrypted = rooms.filter(({ isEncrypted, lastMessage }) => isEncrypted && lastMessage !== null)
    const keys = await this.#keysOf(
      actor,
      encrypted.map(({ id }) => id),
    )
    return rooms.map((room) => {
      const { id, isEncrypted, lastMessage } = room
      if (!isEncrypted || lastMessage === null) return room
      const { content } = this.#read(keys, id, lastMessage.content)
      return { ...room, lastMessage: { ...lastMessage, content: shortened(content) } }
    })
  }

  async notifications(actor: Actor, page: NotificationPage): Promise<NotificationPage> {
    const rooms = page.notifications.flatMap(({ room }) => (room.isEncrypted ? [room.id] : []))
    if (rooms.length === 0) return page
    const keys = await this.#keysOf(actor, rooms)
    const notifications = page.notifications.map((notification) => {
      const { room, preview } = notification
      if (!room.isEncrypted || preview === null) return notification
      const { content } = this.#read(keys, room.id, preview)
      return { ...notification, preview: shortened(content, NOTIFICATION_PREVIEW_CHARACTERS) }
    })
    return { ...page, notifications }
  }

  async edits(actor: Actor, messageId: string): Promise<readonly MessageEdit[]> {
    const edits = await listEdits(this.#app, actor, messageId)
    if (edits.length === 0) return edits
    const { isEncrypted, roomId, clientId } = await readMessage(this.#app, actor, messageId)
    if (!isEncrypted) return edits
    const keys = await this.#keysOf(actor, [roomId])
    return edits.map((edit) => ({
      ...edit,
      previousContent: this.#read(keys, roomId, edit.previousContent, clientId ?? '').content,
    }))
  }

  #open(message: Message, keys: Keys): Message {
    if (!message.isEncrypted) return message
    const { roomId, clientId, replyTo } = message
    return {
      ...message,
      ...this.#read(keys, roomId, message.content, clientId ?? ''),
      replyTo:
        replyTo === null
          ? null
          : { ...replyTo, content: shortened(this.#read(keys, roomId, replyTo.content).content) },
    }
  }

  /** @param row whose text it has to be, where it is known */
  #read(keys: Keys, roomId: string, sealed: string, row?: string): Opened {
    // A deleted message.
    if (sealed === '') return { content: '', unreadable: null }
    const key = keys.get(roomId)
    if (key === undefined) return { content: '', unreadable: 'erased' }
    if (key === 'damaged') return { content: '', unreadable: 'damaged' }
    try {
      return { content: key.unseal(sealed, row), unreadable: null }
    } catch (error) {
      // One altered row does not hide the others.
      this.#log.error({ err: error, room: roomId, row }, 'an encrypted message was changed or moved')
      return { content: '', unreadable: 'damaged' }
    }
  }

  async #writingKey(actor: Actor, roomId: string): Promise<RoomKey> {
    const key = (await this.#keysOf(actor, [roomId])).get(roomId)
    if (key !== undefined && key !== 'damaged') return key
    throw new AkashiError('not_found', 'room not found', {
      hint: 'you are not a member of the room, or its key cannot be used',
    })
  }

  async #keysOf(actor: Actor, roomIds: readonly string[]): Promise<Keys> {
    const keys = new Map<string, RoomKey | 'damaged'>()
    const wanted = [...new Set(roomIds)]
    if (wanted.length === 0) return keys
    const { rows } = await this.#app.transaction(
      actor,
      (session) =>
        session.query<{ roomId: string; userId: string; wrapped: Uint8Array }>(
          `select k.room_id as "roomId", k.user_id as "userId", k.wrapped from akashi_chat.room_keys k
           where k.room_id = any ($1::uuid[])`,
          [wanted],
        ),
      { readOnly: true },
    )
    for (const { roomId, userId, wrapped } of rows) {
      try {
        const key = await this.#vault.open(roomId, userId, wrapped)
        if (key !== null) keys.set(roomId, key)
      } catch (error) {
        if (!(error instanceof AkashiError && error.code === 'integrity')) throw error
        // One altered copy does not keep its owner from their other rooms.
        this.#log.error({ err: error, room: roomId }, "a copy of a room's key was changed or moved")
        keys.set(roomId, 'damaged')
      }
    }
    return keys
  }

  /** @throws not_found for a room that the caller may not see, before its text is sent anywhere */
  async #isEncrypted(actor: Actor, roomId: string): Promise<boolean> {
    const known = this.#encrypted.get(roomId)
    if (known !== undefined) return known
    const { rows } = await this.#app.transaction(
      actor,
      (session) =>
        session.query<{ isEncrypted: boolean }>(
          'select r.is_encrypted as "isEncrypted" from akashi_chat.rooms r where r.id = $1',
          [roomId],
        ),
      { readOnly: true },
    )
    const [room] = rows
    if (room === undefined) throw new AkashiError('not_found', 'room not found')
    if (this.#encrypted.size >= MAX_ROOMS_REMEMBERED) this.#encrypted.clear()
    this.#encrypted.set(roomId, room.isEncrypted)
    return room.isEncrypted
  }
}

/** Destroys the keys of encrypted rooms that were deleted. Returns how many. */
export async function forgetRooms(worker: Database, actor: Actor, vault: RoomVault): Promise<number> {
  const { rows } = await worker.transaction(
    actor,
    (session) => session.query<{ id: string }>('select id from akashi_chat.rooms_to_forget() id'),
    { readOnly: true },
  )
  for (const { id } of rows) {
    await vault.destroy(id)
    await worker.transaction(actor, (session) =>
      session.query('select akashi_chat.room_key_destroyed($1)', [id]),
    )
  }
  return rows.length
}

function shortened(text: string, characters = MESSAGE_PREVIEW_CHARACTERS): string {
  return [...text].slice(0, characters).join('')
}

function refusedFile(): AkashiError {
  return new AkashiError('conflict', 'files cannot be sent in an encrypted room', {
    hint: 'send it in another room',
  })
}
