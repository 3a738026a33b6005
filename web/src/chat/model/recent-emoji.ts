/** Emoji that were picked last on this device, newest first. */
const STORED_AS = 'akashi.recent-emoji'
const MOST = 16
const USUAL = ['👍', '👏', '🙏', '👀', '🙇', '🎉', '✅', '❤️', '😄', '😂', '🤔', '😢', '🔥', '💯', '☕', '🚀']

export function recentEmoji(): readonly string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORED_AS) ?? '[]')
    const known = Array.isArray(stored) ? stored.filter((one) => typeof one === 'string') : []
    return [...new Set([...known, ...USUAL])].slice(0, MOST)
  } catch {
    return USUAL
  }
}

export function rememberEmoji(emoji: string): void {
  try {
    const others = recentEmoji().filter((one) => one !== emoji)
    localStorage.setItem(STORED_AS, JSON.stringify([emoji, ...others].slice(0, MOST)))
  } catch {
    // The storage is full or switched off: nothing is remembered.
  }
}
