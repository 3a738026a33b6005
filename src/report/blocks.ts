/** The report as a tree of blocks. Each format prints these and nothing else, so that all say the same. */
import type { ControlStatus, EvidenceStatus, Verdict } from './document.ts'

export type Tone = ControlStatus | EvidenceStatus | Verdict

export interface Cell {
  readonly text: string
  readonly tone?: Tone
  readonly bold?: true
  /** Statements and identifiers; they may break anywhere. */
  readonly code?: true
  /** Numbers. */
  readonly right?: true
}

export type Block =
  | { readonly kind: 'title'; readonly title: string; readonly subtitle: string; readonly month: string }
  | {
      readonly kind: 'verdict'
      readonly tone: Verdict
      readonly title: string
      readonly text: string
      readonly counted: string
    }
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [string, Cell])[] }
  | {
      readonly kind: 'heading'
      readonly text: string
      readonly tone?: ControlStatus
      readonly status?: string
    }
  | { readonly kind: 'paragraph'; readonly text: string; readonly muted?: true }
  | {
      readonly kind: 'table'
      readonly head: readonly string[]
      readonly rows: readonly (readonly Cell[])[]
      /** Shares of the width. */
      readonly widths: readonly number[]
    }
  | { readonly kind: 'chart'; readonly title: string; readonly svg: string }
  | { readonly kind: 'page' }
  /** Not divided between pages where it fits on one. */
  | { readonly kind: 'together'; readonly blocks: readonly Block[] }

export interface Printed {
  readonly language: string
  readonly title: string
  readonly id: string
  /** ISO 8601. */
  readonly generatedAt: string
  readonly footer: (page: number, pages: number) => string
  readonly blocks: readonly Block[]
}

/** The colours of a tone: of text and of its background. */
export const colours: Readonly<Record<Tone, readonly [text: string, background: string]>> = {
  met: ['#14663a', '#e3f4ea'],
  fulfilled: ['#14663a', '#e3f4ea'],
  missing: ['#7a5200', '#fdf2d8'],
  incomplete: ['#7a5200', '#fdf2d8'],
  not_met: ['#a11b2b', '#fce8ea'],
  not_fulfilled: ['#a11b2b', '#fce8ea'],
  info: ['#1f2933', '#ffffff'],
}

/** Text, lines, and what is less important. */
export const INK = '#1f2933'
export const LINE = '#d5dae1'
export const MUTED = '#5b6673'
export const ACCENT = '#1d3557'
