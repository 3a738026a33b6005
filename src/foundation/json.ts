/** Parses JSON; null for invalid JSON, which the schema of the caller then rejects. */
export function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
