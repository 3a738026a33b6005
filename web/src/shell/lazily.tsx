import { type ComponentType, lazy } from 'react'

/** The code of a part of the pages could not be loaded: offline, or replaced by a newer version on the server. */
export class PartNotLoaded extends Error {
  override readonly name = 'PartNotLoaded'
  /** Makes the next rendering load it again, since React keeps the result of the first attempt. */
  readonly forget: () => void

  constructor(forget: () => void, options: ErrorOptions) {
    super('a part of the pages could not be loaded', options)
    this.forget = forget
  }
}

/** Milliseconds before the second and third attempt. */
const RETRY_DELAYS_MS = [300, 1_200]

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function withRetries<T>(load: () => Promise<T>): Promise<T> {
  for (const delay of RETRY_DELAYS_MS) {
    try {
      return await load()
    } catch {
      await wait(delay)
    }
  }
  return await load()
}

const ahead: (() => Promise<unknown>)[] = []
let fetching = false

/**
 * A component whose code is loaded when it is first rendered. Throws {@link PartNotLoaded} to the nearest error
 * boundary when that fails.
 */
export function lazily<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): ComponentType<Props> {
  const begin = () =>
    lazy(async () => {
      try {
        return { default: await withRetries(load) }
      } catch (cause) {
        throw new PartNotLoaded(forget, { cause })
      }
    })
  let Part: ComponentType<Props> = begin()
  const forget = () => {
    Part = begin()
  }
  ahead.push(load)
  if (fetching) scheduleNext()
  // biome-ignore lint/correctness/noComponentHookFactories: called once for each part, at the top of a module
  return function Lazily(props: Props) {
    return <Part {...props} />
  }
}

/** Loads all other parts while the browser is idle, so that they are there when the network is not. */
export function fetchAhead(): void {
  if (fetching) return
  fetching = true
  scheduleNext()
}

function scheduleNext(): void {
  const whenIdle = globalThis.requestIdleCallback ?? ((run: () => void) => setTimeout(run, 1_000))
  whenIdle(() => {
    const load = ahead.shift()
    if (load === undefined) return
    // A part that cannot be loaded now is loaded when it is needed.
    void load()
      .catch(() => undefined)
      .finally(scheduleNext)
  })
}
