/**
 * Benchmarks compare with a named baseline in the same run: the contenders take turns in each round, and the
 * result is the median of the ratios per round, which reduces the effect of drifting machine speed.
 */

import { system } from '../src/postgres/index.ts'

/** The actor of benchmark transactions without a specific user. */
export const bencher = system('benchmark')

export interface Result {
  /** Measured quantity with its baseline: `audited ÷ unaudited, with context`. */
  readonly measure: string
  readonly value: number
  readonly unit: string
  /** Required value, e.g. `≥ 0.6`; null if there is none. */
  readonly bar: string | null
  readonly met: boolean | null
}

export interface Benchmark {
  readonly name: string
  readonly description: string
  run(options: BenchmarkOptions): Promise<readonly Result[]>
}

export interface BenchmarkOptions {
  readonly rounds: number
  /** Scales the amount of work; the bars apply at 1. */
  readonly scale: number
  readonly progress: (line: string) => void
}

/** Default number of rounds; fewer make no meaningful median. */
export const DEFAULT_ROUNDS = 5

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

export type Contenders = Readonly<Record<string, () => Promise<number>>>

/** Runs every contender once per round in rotating order; returns the figures of each by round. */
export async function interleave<C extends Contenders>(
  contenders: C,
  { rounds, progress }: BenchmarkOptions,
): Promise<Record<keyof C & string, number[]>> {
  const names = Object.keys(contenders)
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    keyof C & string,
    number[]
  >
  for (let round = 0; round < rounds; round += 1) {
    for (let i = 0; i < names.length; i += 1) {
      const name = names[(i + round) % names.length] ?? ''
      const value = (await contenders[name]?.()) ?? Number.NaN
      figures[name as keyof C & string].push(value)
      progress(`round ${round + 1}/${rounds} ${name}: ${format(value)}`)
    }
  }
  return figures
}

/** Median of the ratios per round. */
export function ratio(over: readonly number[], under: readonly number[]): number {
  return median(over.map((value, i) => value / (under[i] ?? Number.NaN)))
}

export function atLeast(measure: string, value: number, unit: string, bar: number): Result {
  return { measure, value, unit, bar: `≥ ${bar}`, met: value >= bar }
}

export function atMost(measure: string, value: number, unit: string, bar: number): Result {
  return { measure, value, unit, bar: `≤ ${bar}`, met: value <= bar }
}

export function figure(measure: string, value: number, unit: string): Result {
  return { measure, value, unit, bar: null, met: null }
}

export function format(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}
