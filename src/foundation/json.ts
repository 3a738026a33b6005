/** What a text says in JSON; null for a text that is none, so that its schema refuses both alike. */
export function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
