/** Seeded pseudo-random numbers (mulberry32): for test data, not for secrets. */
export interface Random {
  /** At least 0, below 1. */
  next(): number
  /** A whole number from 0 below `limit`. */
  below(limit: number): number
  pick<T>(choices: readonly [T, ...T[]]): T
  hex(digits: number): string
  uuid(): string
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  const hex = (digits: number) => Array.from({ length: digits }, () => below(16).toString(16)).join('')
  return {
    next,
    below,
    pick: (choices) => choices[below(choices.length)] ?? choices[0],
    hex,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
  }
}

/** A few addresses cause most events, as in real networks: squaring favours low numbers. */
export function address(random: Random): string {
  const host = Math.floor(random.next() ** 2 * 2000)
  return host % 10 === 9 ? `2001:db8::${(host + 1).toString(16)}` : `203.0.${host >> 8}.${host & 255}`
}
