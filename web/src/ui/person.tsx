import type { CSSProperties } from 'react'
import classes from './person.module.css'

interface PersonProps {
  readonly name: string
  readonly url?: string | null
  /** Pixels. */
  readonly size?: number
}

const HUES = 360
/** A step that spreads names that differ little. */
const HUE_STEP = 47

/**
 * Somebody's picture where it is on this server, else their initials. No other server is asked for anything.
 * For those who see: the name stands beside it or in the label of what it is in.
 */
export function Person({ name, url = null, size = 32 }: PersonProps) {
  const look: CSSProperties & Record<`--${string}`, string> = {
    '--size': `${size}px`,
    '--hue': String(hueOf(name)),
  }
  if (isOurs(url)) return <img src={url} alt="" className={classes['person']} style={look} />
  // Not text of the page, which would be read out beside the name.
  return <span aria-hidden className={classes['person']} data-initials={initialsOf(name)} style={look} />
}

function isOurs(url: string | null): url is string {
  return url !== null && URL.canParse(url) && new URL(url).origin === location.origin
}

function hueOf(name: string): number {
  let sum = 0
  for (const character of name) sum = (sum * HUE_STEP + (character.codePointAt(0) ?? 0)) % HUES
  return sum
}

/** One character of a name in kanji or kana, else the first of two words. */
function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/)
  const [first = ''] = words
  if (/^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(first)) {
    return [...first][0] ?? ''
  }
  return words
    .slice(0, 2)
    .map((word) => [...word][0] ?? '')
    .join('')
    .toUpperCase()
}
