/** A PostgreSQL array: elements, nulls, and arrays of the next dimension. */
type Nested<T> = (T | null | Nested<T>)[]

/**
 * Parses PostgreSQL's array text, `{1,NULL,"a \"b\""}`, into nested arrays. Explicit bounds (`[0:1]={…}`)
 * are ignored. Source: PostgreSQL documentation, 8.15.6.
 */
export function parseArray<T>(text: string, decode: (element: string) => T): Nested<T> {
  let at = text.indexOf('{') + 1

  const quoted = (): string => {
    let element = ''
    for (at += 1; text[at] !== '"'; at += 1) {
      if (text[at] === '\\') {
        at += 1
      }
      if (at >= text.length) {
        throw new Error('the array text ends within a quoted element')
      }
      element += text[at]
    }
    at += 1
    return element
  }

  const bare = (): string => {
    const start = at
    while (at < text.length && text[at] !== ',' && text[at] !== '}') {
      at += 1
    }
    return text.slice(start, at)
  }

  const elements = (): Nested<T> => {
    const result: Nested<T> = []
    while (text[at] !== '}') {
      if (at >= text.length) {
        throw new Error('the array text has no end')
      }
      if (text[at] === ',') {
        at += 1
      } else if (text[at] === '{') {
        at += 1
        result.push(elements())
      } else if (text[at] === '"') {
        result.push(decode(quoted()))
      } else {
        const element = bare()
        result.push(element === 'NULL' ? null : decode(element))
      }
    }
    at += 1
    return result
  }

  return elements()
}
