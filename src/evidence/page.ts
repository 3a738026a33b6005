/** The HTML page of an evidence file: the document, its note, and the program that checks them, without a network. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { EVIDENCE_DOCUMENT_ID, EVIDENCE_NOTE_ID } from '@akashi/client/evidence'
import { AkashiError, errno } from '../foundation/index.ts'

/** What `npm run build` makes of web/src/evidence. */
const VIEWER = fileURLToPath(new URL('../../web/dist/evidence/', import.meta.url))

/** Before the program has run, and if it cannot. */
const UNCHECKED = {
  en: 'Nothing has been checked. If this text stays, JavaScript is off, or the file was changed. Check it with: akashi evidence check FILE',
  ja: '何も検証されていません。この文が消えない場合は、JavaScript が無効か、ファイルが改変されています。akashi evidence check ファイル名 で検証してください。',
} as const

interface Viewer {
  readonly script: string
  readonly style: string
}

async function readViewer(): Promise<Viewer> {
  try {
    const [script, style] = await Promise.all([
      readFile(`${VIEWER}viewer.js`, 'utf8'),
      readFile(`${VIEWER}viewer.css`, 'utf8'),
    ])
    // Within a string of JavaScript, both spellings are the same.
    return {
      script: script.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--').trim(),
      style: style.trim(),
    }
  } catch (cause) {
    if (errno(cause) !== 'ENOENT') throw cause
    throw new AkashiError('unavailable', 'the pages have not been built', { hint: 'npm run build', cause })
  }
}

/**
 * Texts of JSON that can be within an element of HTML: no row can end the element or begin another.
 */
export function jsonForHtml(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
}

/**
 * @param document made by {@link jsonForHtml}
 * @param note signed note about it
 */
export async function evidencePage(document: string, note: string): Promise<string> {
  const { script, style } = await readViewer()
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>Akashi evidence · 証拠ファイル</title>
<style>${style}</style>
</head>
<body>
<main id="root"><p id="unchecked">${UNCHECKED.en}</p><p lang="ja">${UNCHECKED.ja}</p></main>
<script type="application/json" id="${EVIDENCE_DOCUMENT_ID}">${document}</script>
<script type="application/json" id="${EVIDENCE_NOTE_ID}">${jsonForHtml(note)}</script>
<script>${script}</script>
</body>
</html>
`
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
