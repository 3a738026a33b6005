/** Sections of the page for those who are called, as plain text. */

export interface Part {
  readonly kind: 'text' | 'code'
  readonly text: string
}

/** Paragraphs and code blocks below `### name`, up to the next heading; none where there is no such section. */
export function sectionOf(page: string, name: string): readonly Part[] {
  const parts: Part[] = []
  let lines: string[] = []
  let isInside = false
  let isCode = false
  const finish = (kind: Part['kind']) => {
    const text = lines.join('\n').trim()
    if (text !== '') parts.push({ kind, text: kind === 'text' ? plain(text) : text })
    lines = []
  }
  for (const line of page.split('\n')) {
    if (!isCode && /^#{1,3} /.test(line)) {
      finish('text')
      if (isInside) break
      isInside = line === `### ${name}`
    } else if (isInside && line.startsWith('```')) {
      finish(isCode ? 'code' : 'text')
      isCode = !isCode
    } else if (isInside && !isCode && line === '') {
      finish('text')
    } else if (isInside) {
      lines.push(line)
    }
  }
  finish('text')
  return parts
}

/** `[label](address)` becomes its label; code loses its marks. */
function plain(text: string): string {
  return text.replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1').replaceAll('`', '')
}
