/**
 * The part of a room's history that is loaded: one unbroken run of messages in the room's order. Pages and
 * events may overtake each other, and neither may undo what the other brought.
 */
import type { HistoryPage, Message } from '@akashi/contract'

export interface TimelineView {
  /** Oldest first, without a gap in between. */
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
  /** Sequence of the newest message heard of, loaded or not. */
  #newest = 0
  /** Messages that events brought while a page was under way: they are newer than the page. */
  #fresh: Map<string, Message> | null = null
  #load = 0
  readonly #onChange: (view: TimelineView) => void

  constructor(onChange: (view: TimelineView) => void) {
    this.#onChange = onChange
  }

  get view(): TimelineView {
    return this.#view
  }

  /** A message as an event or an answer tells it; messages outside of the run are left for their page. */
  hear(message: Message, created: boolean): void {
    this.#fresh?.set(message.id, message)
    if (created) this.#newest = Math.max(this.#newest, message.sequence)
    const { messages, hasNewer, loading } = this.#view
    const at = messages.findIndex(({ id }) => id === message.id)
    if (at >= 0) this.#change({ messages: messages.with(at, message) })
    else if (created && !hasNewer && loading !== 'all') {
      this.#change({ messages: inOrder([...messages, message]) })
    }
    this.#quoteAnew(message)
  }

  /** Whether the message is in the run. */
  has(messageId: string): boolean {
    return this.#view.messages.some(({ id }) => id === messageId)
  }

  /**
   * Fetches a page and adds it: `all` begins a new run. Of two loads of everything the later counts; a page of
   * older or newer messages waits for nobody and is fetched only once at a time.
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
      if (load === this.#load) this.#take(part, page, fresh)
    } catch (error) {
      if (load === this.#load) this.#change({ loading: null, failed: true })
      throw error
    }
  }

  #take(part: Part, page: HistoryPage, fresh: ReadonlyMap<string, Message>): void {
    this.#fresh = null
    const loaded = page.messages.map((message) => fresh.get(message.id) ?? message)
    if (part !== 'older' && !page.hasNewer) {
      // The page ended where the room did; what was created since has been heard, in order.
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

  /** Quotes of a message say what it says now. */
  #quoteAnew({ id, content, isDeleted }: Message): void {
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

/** By sequence; of two of one id the later in the list wins nothing: both tell the same. */
function inOrder(messages: readonly Message[]): Message[] {
  const byId = new Map<string, Message>()
  for (const message of messages) if (!byId.has(message.id)) byId.set(message.id, message)
  return [...byId.values()].sort((left, right) => left.sequence - right.sequence)
}
