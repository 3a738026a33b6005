/** Text that is put into a JSON document as it is, also where it is no JSON. */
export class Verbatim {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** `JSON.stringify`, but for {@link Verbatim} and for members that it would leave out, such as `__proto__`. */
export function jsonText(value: unknown): string {
  if (value instanceof Verbatim) return value.text
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}:${jsonText(inner)}`)
    return `{${members.join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}

const DEPTH = 400_000

/** So deep that whoever walks through it by recursion runs out of stack. */
export const deepArray = new Verbatim(`${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}`)
export const deepObject = new Verbatim(`${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`)
