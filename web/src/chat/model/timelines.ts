/** The loaded histories of all rooms, as many as fit into memory. */
import type { Message } from '@akashi/contract'
import { Observable } from './observable.ts'
import { Timeline, type TimelineView } from './timeline.ts'

/** Rooms whose history stays loaded; of more, the one that was opened longest ago is dropped. */
const MAX_ROOMS = 12
/** Messages of a room that stay loaded while its reader is at the end, and those from which on older ones go. */
const KEPT_MESSAGES = 300
const MAX_MESSAGES = 600

export class Timelines {
  readonly views = new Observable<ReadonlyMap<string, TimelineView>>(new Map())
  /** The room that was opened last comes last. */
  readonly #timelines = new Map<string, Timeline>()

  of(roomId: string): Timeline {
    const known = this.#timelines.get(roomId)
    if (known !== undefined) return known
    const timeline = new Timeline((view) => {
      if (this.#timelines.get(roomId) !== timeline) return
      this.views.update((all) => new Map([...all, [roomId, view]]))
    })
    this.#timelines.set(roomId, timeline)
    return timeline
  }

  /** The reader opened the room. */
  use(roomId: string): void {
    const timeline = this.of(roomId)
    this.#timelines.delete(roomId)
    this.#timelines.set(roomId, timeline)
    const [oldest] = this.#timelines.keys()
    if (this.#timelines.size > MAX_ROOMS && oldest !== undefined) this.drop(oldest)
  }

  isLoaded(roomId: string): boolean {
    return this.#timelines.has(roomId)
  }

  receive(message: Message, created: boolean): void {
    this.#timelines.get(message.roomId)?.receive(message, created)
  }

  trim(roomId: string): void {
    const timeline = this.#timelines.get(roomId)
    if (timeline !== undefined && timeline.view.messages.length > MAX_MESSAGES) timeline.trim(KEPT_MESSAGES)
  }

  drop(roomId: string): void {
    this.#timelines.delete(roomId)
    this.views.update((all) => new Map([...all].filter(([id]) => id !== roomId)))
  }

  /** Rooms that could not be loaded at all. */
  failed(): string[] {
    return [...this.#timelines].flatMap(([roomId, { view }]) =>
      view.failed && view.messages.length === 0 ? [roomId] : [],
    )
  }
}
