/** Parses jsonb text as printed by PostgreSQL without losing a digit or a character. */

/** The members of an object's text, each with the text of its value; null unless it is an object. */
export function members(text: string): Map<string, string> | null {
  if (text[0] !== '{') return null
  const found = new Map<string, string>()
  let at = 1
  while (at < text.length && text[at] !== '}') {
    const keyEnd = stringEnd(text, at)
    const key: string = JSON.parse(text.slice(at, keyEnd))
    // `": "`
    const start = keyEnd + 2
    const end = valueEnd(text, start)
    found.set(key, text.slice(start, end))
    at = text[end] === ',' ? end + 2 : end
  }
  return found
}

/** The index after the string that begins at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote < 0) return text.length
    let slashes = 0
    while (text[quote - 1 - slashes] === '\\') slashes += 1
    if (slashes % 2 === 0) return quote + 1
    at = quote + 1
  }
}

function valueEnd(text: string, start: number): number {
  const first = text[start]
  if (first === '"') return stringEnd(text, start)
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    const character = text[at]
    if (character === '"') at = stringEnd(text, at) - 1
    else if (character === '{' || character === '[') depth += 1
    else if (character === '}' || character === ']') {
      if (depth === 0) return at
      depth -= 1
      if (depth === 0) return at + 1
    } else if (character === ',' && depth === 0) return at
  }
  return text.length
}

/** An object's text with its members in the order of jsonb: by length of the key in bytes, then by its bytes. */
export function objectText(entries: readonly (readonly [key: string, value: string])[]): string {
  const sorted = entries
    .map(([key, value]) => ({ bytes: Buffer.from(key), key, value }))
    .sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes))
  return `{${sorted.map(({ key, value }) => `${JSON.stringify(key)}: ${value}`).join(', ')}}`
}
