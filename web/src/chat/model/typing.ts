/** Who is typing. Clients announce it again while it lasts, so that it ends by itself when they stop. */
import { Observable } from './observable.ts'

/** Milliseconds between two announcements by this user, and for which those of others are shown. */
const ANNOUNCE_MS = 2_500
const SHOWN_MS = 5_000

export class Typing {
  readonly people = new Observable<ReadonlyMap<string, readonly string[]>>(new Map())
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #announced = new Map<string, number>()

  /** Whether it is time to announce that the person is typing here. */
  mayAnnounce(roomId: string): boolean {
    const now = performance.now()
    if (now - (this.#announced.get(roomId) ?? Number.NEGATIVE_INFINITY) < ANNOUNCE_MS) return false
    this.#announced.set(roomId, now)
    return true
  }

  started(roomId: string, userId: string): void {
    const key = `${roomId} ${userId}`
    clearTimeout(this.#timers.get(key))
    this.#timers.set(
      key,
      setTimeout(() => this.stopped(roomId, userId), SHOWN_MS),
    )
    const now = this.people.get().get(roomId) ?? []
    if (!now.includes(userId)) this.people.update((all) => new Map([...all, [roomId, [...now, userId]]]))
  }

  stopped(roomId: string, userId: string): void {
    const key = `${roomId} ${userId}`
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
    const now = this.people.get().get(roomId)
    if (now?.includes(userId) !== true) return
    this.people.update((all) => new Map([...all, [roomId, now.filter((id) => id !== userId)]]))
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }
}
