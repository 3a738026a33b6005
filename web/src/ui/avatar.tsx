import type { CSSProperties } from 'react'
import classes from './avatar.module.css'

interface AvatarProps {
  readonly name: string
  readonly url?: string | null
  /** Pixels. */
  readonly size?: number
}

const HUES = 360
/** Multiplier that gives similar names different hues. */
const HUE_STEP = 47

/**
 * A person's picture if it is hosted on this server, otherwise their initials: pages never load pictures from
 * other servers. Decorative, since the name is always shown or announced next to it.
 */
export function Avatar({ name, url = null, size = 32 }: AvatarProps) {
  const style: CSSProperties & Record<`--${string}`, string> = {
    '--size': `${size}px`,
    '--hue': String(hueOf(name)),
  }
  if (isHostedHere(url)) return <img src={url} alt="" className={classes['avatar']} style={style} />
  // An attribute rather than text, which screen readers would read out in addition to the name.
  return <span aria-hidden className={classes['avatar']} data-initials={initialsOf(name)} style={style} />
}

/** Whether the pages may load this picture. */
function isHostedHere(url: string | null): url is string {
  return (
    url !== null &&
    URL.canParse(url, location.origin) &&
    new URL(url, location.origin).origin === location.origin
  )
}

function hueOf(name: string): number {
  let sum = 0
  for (const character of name) sum = (sum * HUE_STEP + (character.codePointAt(0) ?? 0)) % HUES
  return sum
}

/** The first character of a name in kanji, kana or hangul, otherwise the initials of its first two words. */
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
