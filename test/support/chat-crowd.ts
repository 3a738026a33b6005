/** Many clients of the chat, which live in a process of their own so that they do not slow the test's down. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ChatPerson } from '../../bench/chat-people.ts'

type Task =
  /** Everybody connects and subscribes, spread over so many milliseconds. */
  | {
      readonly do: 'connect'
      readonly nodes: readonly string[]
      readonly people: readonly ChatPerson[]
      readonly withinMs: number
    }
  /** Messages `label 0`, `label 1`, …, by everybody in turn; done when each was answered. */
  | { readonly do: 'send'; readonly label: string; readonly count: number; readonly perSecond: number }
  /** All connections break at once, and are made again at random moments within so many milliseconds. */
  | { readonly do: 'storm'; readonly withinMs: number }
  | { readonly do: 'report' }
export type Command = Task & { readonly id: number }

export interface CrowdReport {
  /** Events that were not the next one of their room, refusals and gaps; the first of them. */
  readonly faults: readonly string[]
  readonly faultCount: number
  /** Events that all clients heard. */
  readonly heard: number
  /** Messages whose sending was answered. */
  readonly answered: number
  /** By room: the last sequences that its clients heard, each once. */
  readonly last: Readonly<Record<string, readonly number[]>>
}

export type Answer =
  | { readonly id: number; readonly report: CrowdReport }
  | { readonly id: number; readonly error: string }

export interface Crowd {
  perform(task: Task): Promise<CrowdReport>
  close(): Promise<void>
}

export function openCrowd(): Crowd {
  const child = fork(fileURLToPath(new URL('chat-crowd-child.ts', import.meta.url)), {
    env: { PATH: process.env['PATH'] ?? '' },
  })
  const gone = once(child, 'exit')
  const waiting = new Map<number, PromiseWithResolvers<CrowdReport>>()
  child.on('message', (answer: Answer) => {
    const asked = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('report' in answer) asked?.resolve(answer.report)
    else asked?.reject(new Error(answer.error))
  })
  child.on('exit', () => {
    for (const asked of waiting.values()) asked.reject(new Error('the crowd ended'))
  })
  let commands = 0
  return {
    perform: (task) => {
      commands += 1
      const asked = Promise.withResolvers<CrowdReport>()
      waiting.set(commands, asked)
      // Whoever began it may have failed at something else meanwhile.
      asked.promise.catch(() => undefined)
      child.send({ ...task, id: commands } satisfies Command)
      return asked.promise
    },
    close: async () => {
      child.disconnect()
      await gone
    },
  }
}
