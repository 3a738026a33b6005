/**
 * What a person has begun in each room and not sent: text, files, the message it replies to, and edits of
 * earlier messages. It outlives the room's page and a reload of the tab.
 */
import { type ChatFile, MAX_FILE_BYTES, type Message } from '@akashi/contract'
import { Observable } from './observable.ts'
import type { TextStorage } from './outbox.ts'

export interface Attachment {
  readonly key: string
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** From 0 to 1. */
  readonly progress: number
  /** `interrupted`: the page was reloaded during the upload, and its bytes are gone. */
  readonly state: 'uploading' | 'done' | 'failed' | 'interrupted'
  /** Id on the server, once it is uploaded. */
  readonly fileId: string | null
}

export type Quoted = NonNullable<Message['replyTo']>

export interface RoomDraft {
  readonly text: string
  readonly replyTo: Quoted | null
  readonly files: readonly Attachment[]
  /** Changed texts of messages that are being edited, by message id. */
  readonly edits: Readonly<Record<string, string>>
}

export const emptyDraft: RoomDraft = { text: '', replyTo: null, files: [], edits: {} }

export type Upload = (
  roomId: string,
  source: File,
  onProgress: (part: number) => void,
  signal: AbortSignal,
) => Promise<ChatFile>

export type FileFault = 'tooLarge' | 'empty'

interface DraftsOptions {
  readonly storage: TextStorage
  readonly upload: Upload
  readonly newId?: () => string
}

export class Drafts {
  readonly rooms: Observable<ReadonlyMap<string, RoomDraft>>
  readonly #options: DraftsOptions
  /** What is uploaded or can be uploaded again, by key. */
  readonly #sources = new Map<string, File>()
  readonly #running = new Map<string, AbortController>()

  constructor(options: DraftsOptions) {
    this.#options = options
    this.rooms = new Observable(restored(options.storage.read()))
  }

  of(roomId: string): RoomDraft {
    return this.rooms.get().get(roomId) ?? emptyDraft
  }

  write(roomId: string, text: string): void {
    this.#change(roomId, { text })
  }

  replyTo(roomId: string, message: Quoted | null): void {
    this.#change(roomId, { replyTo: message && quoteOf(message) })
  }

  /** Keeps the changed text of a message; null when the edit is saved or cancelled. */
  edit(roomId: string, messageId: string, text: string | null): void {
    const { [messageId]: _, ...others } = this.of(roomId).edits
    this.#change(roomId, { edits: text === null ? others : { ...others, [messageId]: text } })
  }

  /** Starts to upload files. Returns those that cannot be sent. */
  attach(
    roomId: string,
    sources: Iterable<File>,
  ): readonly { readonly fault: FileFault; readonly name: string }[] {
    const refused: { fault: FileFault; name: string }[] = []
    for (const source of sources) {
      if (source.size > MAX_FILE_BYTES) refused.push({ fault: 'tooLarge', name: source.name })
      else if (source.size === 0) refused.push({ fault: 'empty', name: source.name })
      else {
        const key = (this.#options.newId ?? (() => crypto.randomUUID()))()
        const file: Attachment = {
          key,
          name: source.name,
          size: source.size,
          progress: 0,
          state: 'uploading',
          fileId: null,
        }
        this.#change(roomId, { files: [...this.of(roomId).files, file] })
        this.#start(roomId, key, source)
      }
    }
    return refused
  }

  detach(roomId: string, key: string): void {
    this.#running.get(key)?.abort()
    this.#sources.delete(key)
    this.#change(roomId, { files: this.of(roomId).files.filter((file) => file.key !== key) })
  }

  /** Uploads a failed file again. */
  retry(roomId: string, key: string): void {
    const source = this.#sources.get(key)
    if (source === undefined) return
    this.#changeFile(roomId, key, { state: 'uploading', progress: 0 })
    this.#start(roomId, key, source)
  }

  /** Forgets the text, its files and its reply target, which were sent; edits of other messages stay. */
  sent(roomId: string): void {
    for (const { key } of this.of(roomId).files) this.#sources.delete(key)
    this.#change(roomId, { text: '', replyTo: null, files: [] })
  }

  /** Stops all uploads; what was written stays stored. */
  close(): void {
    for (const controller of this.#running.values()) controller.abort()
  }

  #start(roomId: string, key: string, source: File): void {
    const controller = new AbortController()
    this.#sources.set(key, source)
    this.#running.set(key, controller)
    this.#options
      .upload(roomId, source, (progress) => this.#changeFile(roomId, key, { progress }), controller.signal)
      .then(({ id }) => this.#changeFile(roomId, key, { state: 'done', progress: 1, fileId: id }))
      .catch(() => this.#changeFile(roomId, key, { state: 'failed' }))
      .finally(() => this.#running.delete(key))
  }

  #changeFile(roomId: string, key: string, changes: Partial<Attachment>): void {
    const { files } = this.of(roomId)
    if (!files.some((file) => file.key === key)) return
    this.#change(roomId, {
      files: files.map((file) => (file.key === key ? { ...file, ...changes } : file)),
    })
  }

  #change(roomId: string, changes: Partial<RoomDraft>): void {
    const draft = { ...this.of(roomId), ...changes }
    const rooms = new Map(this.rooms.get())
    if (isEmpty(draft)) rooms.delete(roomId)
    else rooms.set(roomId, draft)
    this.rooms.set(rooms)
    this.#options.storage.write(rooms.size === 0 ? '' : JSON.stringify([...rooms]))
  }
}

function quoteOf({ id, author, content, type, isDeleted }: Quoted): Quoted {
  return { id, author, content, type, isDeleted }
}

function isEmpty({ text, replyTo, files, edits }: RoomDraft): boolean {
  return text === '' && replyTo === null && files.length === 0 && Object.keys(edits).length === 0
}

/** Only uploads that were finished survive a reload; the others are shown as interrupted. */
function restored(text: string | null): ReadonlyMap<string, RoomDraft> {
  try {
    const entries = JSON.parse(text ?? '[]') as [string, RoomDraft][]
    return new Map(
      entries.map(([roomId, draft]) => [
        roomId,
        {
          ...emptyDraft,
          ...draft,
          files: draft.files.map((file) =>
            file.state === 'done' ? file : { ...file, state: 'interrupted' },
          ),
        },
      ]),
    )
  } catch {
    return new Map()
  }
}
