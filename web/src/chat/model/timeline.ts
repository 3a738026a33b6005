/**
 * The loaded part of a room's history: one run of messages without gaps. Pages and events may arrive in either
 * order, and neither may undo what the other brought.
 */
import type { HistoryPage, Message } from '@akashi/contract'

export interface TimelineView {
  /** Oldest first, without gaps. */
  readonly messages: readonly Message[]
  readonly hasOlder: boolean
  readonly hasNewer: boolean
  readonly loading: 'all' | 'older' | 'newer' | null
  readonly failed: boolean
}

const empty: TimelineView = { messages: [], hasOlder: false, hasNewer: true, loading: null, failed: false }

type Part = 'all' | 'older' | 'newer'

export class Timeline {
  #view: TimelineView = empty
  /** Sequence of the newest message known, loaded or not. */
  #newest = 0
  /** Messages that events brought while a page was being loaded: they are newer than the page. */
  #fresh: Map<string, Message> | null = null
  #load = 0
  readonly #onChange: (view: TimelineView) => void

  constructor(onChange: (view: TimelineView) => void) {
    this.#onChange = onChange
  }

  get view(): TimelineView {
    return this.#view
  }

  /** Takes a message from an event or a response; ignores messages outside of the loaded run. */
  receive(message: Message, created: boolean): void {
    this.#fresh?.set(message.id, message)
    if (created) this.#newest = Math.max(this.#newest, message.sequence)
    const { messages, hasNewer, loading } = this.#view
    const at = messages.findLastIndex(({ id }) => id === message.id)
    if (at >= 0) this.#change({ messages: messages.with(at, message) })
    else if (created && !hasNewer && loading !== 'all') {
      const isNext = message.sequence > (messages.at(-1)?.sequence ?? 0)
      this.#change({ messages: isNext ? [...messages, message] : inOrder([...messages, message]) })
    }
    // Nobody has quoted a message that was just created.
    if (!created) this.#updateQuotes(message)
  }

  /** Whether the message is loaded. */
  has(messageId: string): boolean {
    return this.#view.messages.some(({ id }) => id === messageId)
  }

  /** Keeps only the newest messages, for a reader at the end of the room. */
  trim(most: number): void {
    const { messages, hasNewer, loading } = this.#view
    if (hasNewer || loading !== null || messages.length <= most) return
    this.#change({ messages: messages.slice(-most), hasOlder: true })
  }

  /**
   * Loads a page and adds it; `all` starts a new run. Of two loads of `all` the later one counts. Older and newer
   * messages are loaded one page at a time.
   */
  async load(part: Part, fetchPage: () => Promise<HistoryPage>): Promise<void> {
    if (part !== 'all' && this.#view.loading !== null) return
    this.#load += 1
    const load = this.#load
    const fresh = new Map<string, Message>()
    this.#fresh = fresh
    this.#change({ loading: part, failed: false })
    try {
      const page = await fetchPage()
      if (load === this.#load) this.#add(part, page, fresh)
    } catch (error) {
      if (load === this.#load) this.#change({ loading: null, failed: true })
      throw error
    }
  }

  #add(part: Part, page: HistoryPage, fresh: ReadonlyMap<string, Message>): void {
    this.#fresh = null
    const loaded = page.messages.map((message) => fresh.get(message.id) ?? message)
    if (part !== 'older' && !page.hasNewer) {
      // The page ended where the room did; events have brought what was created since, in order.
      const last = loaded.at(-1)?.sequence ?? this.#view.messages.at(-1)?.sequence ?? 0
      for (const message of fresh.values()) if (message.sequence > last) loaded.push(message)
    }
    const { messages: run, hasOlder, hasNewer } = this.#view
    const messages = inOrder(part === 'all' ? loaded : [...run, ...loaded])
    const missing = (messages.at(-1)?.sequence ?? 0) < this.#newest
    this.#change({
      messages,
      hasOlder: part === 'newer' ? hasOlder : page.hasOlder,
      hasNewer: part === 'older' ? hasNewer : page.hasNewer || missing,
      loading: null,
      failed: false,
    })
  }

  /** Quotes of a message show its current text. */
  #updateQuotes({ id, content, isDeleted }: Message): void {
    const { messages } = this.#view
    if (!messages.some(({ replyTo }) => replyTo?.id === id)) return
    const quoted = [...content].slice(0, 200).join('')
    this.#change({
      messages: messages.map((message) =>
        message.replyTo?.id === id
          ? { ...message, replyTo: { ...message.replyTo, content: quoted, isDeleted } }
          : message,
      ),
    })
  }

  #change(changes: Partial<TimelineView>): void {
    this.#view = { ...this.#view, ...changes }
    this.#onChange(this.#view)
  }
}

/** By sequence. Of several copies of a message the first stays: they say the same. */
function inOrder(messages: readonly Message[]): Message[] {
  const byId = new Map<string, Message>()
  for (const message of messages) if (!byId.has(message.id)) byId.set(message.id, message)
  return [...byId.values()].sort((left, right) => left.sequence - right.sequence)
}
