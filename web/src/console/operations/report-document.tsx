import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { callText } from '../../api/index.ts'
import { Loaded } from '../parts/state.tsx'

/** The page of a report, as it was signed, in a part of the document that shares no style with the console. */
export function ReportDocument({ address }: { readonly address: string }) {
  const file = useQuery({
    queryKey: ['console', 'report-file', address],
    queryFn: ({ signal }) => callText(address, signal),
    staleTime: Number.POSITIVE_INFINITY,
  })
  return (
    <Loaded query={file} rows={10}>
      {(html) => <Shadow html={html} />}
    </Loaded>
  )
}

function Shadow({ html }: { readonly html: string }) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const host = place.current
    if (host === null) return
    const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' })
    const parsed = new DOMParser().parseFromString(withoutStyles(html), 'text/html')
    const sheet = new CSSStyleSheet()
    // The page's policy refuses style elements; a sheet of the script's own may say the same.
    sheet.replaceSync(stylesOf(html).replaceAll(/(^|[\s}])body\{/g, '$1:host{display:block;'))
    root.adoptedStyleSheets = [sheet]
    root.replaceChildren(...safe(parsed))
    host.lang = parsed.documentElement.lang
  }, [html])
  return <div ref={place} />
}

const STYLE_ELEMENT = /<style>([^<]*)<\/style>/g

function stylesOf(html: string): string {
  return [...html.matchAll(STYLE_ELEMENT)].map(([, text = '']) => text).join('\n')
}

/** Parsed, each style would be refused by the page's policy, and reported; widths of columns are kept. */
function withoutStyles(html: string): string {
  return html.replaceAll(STYLE_ELEMENT, '').replaceAll(/<col style="width:([\d.]+%)">/g, '<col width="$1">')
}

/** What the server writes into reports; anything else is left out, as are all handlers and addresses. */
const elements: ReadonlySet<string> = new Set(
  'main header footer section p h1 h2 dl dt dd div table colgroup col thead tbody tr th td span b code figure figcaption hr svg g path rect line circle polyline text title desc'.split(
    ' ',
  ),
)
const refused = /^(on|href|src|xlink|style)/i

function safe(parsed: Document): readonly Node[] {
  for (const element of [...parsed.body.querySelectorAll('*')]) {
    if (!elements.has(element.localName)) {
      element.remove()
      continue
    }
    for (const { name } of [...element.attributes]) if (refused.test(name)) element.removeAttribute(name)
  }
  return [...parsed.body.childNodes]
}
