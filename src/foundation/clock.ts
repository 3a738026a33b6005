/** The current time, injectable so that tests and `--as-of` can choose another one. */
export interface Clock {
  now(): Date
}

export const systemClock: Clock = { now: () => new Date() }

/** A clock that shows `time` until it is set again. */
export function fixedClock(time: Date): Clock & { set(time: Date): void } {
  let current = time
  return {
    now: () => new Date(current),
    set: (next) => {
      current = next
    },
  }
}
