/** Prints a report as one page that needs nothing else: no script, no font, no picture from elsewhere. */
import { ACCENT, type Block, type Cell, colours, INK, LINE, MUTED, type Printed } from './blocks.ts'
import { escapeText } from './escape.ts'

export function toHtml({ language, title, blocks, footer }: Printed): string {
  return [
    '<!doctype html>',
    `<html lang="${language}">`,
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeText(title)}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    `<main>${blocks.map(blockHtml).join('\n')}</main>`,
    `<footer>${escapeText(footer(1, 1).replace(/ · [^·]*$/, ''))}</footer>`,
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

function blockHtml(block: Block): string {
  switch (block.kind) {
    case 'title':
      return `<header><p class="month">${escapeText(block.month)}</p><h1>${escapeText(block.title)}</h1><p>${escapeText(block.subtitle)}</p></header>`
    case 'verdict':
      return `<section class="verdict ${block.tone}"><h2>${escapeText(block.title)}</h2><p>${escapeText(block.text)}</p><p>${escapeText(block.counted)}</p></section>`
    case 'facts':
      return `<dl>${block.rows.map(([name, cell]) => `<dt>${escapeText(name)}</dt><dd>${cellHtml(cell)}</dd>`).join('')}</dl>`
    case 'heading':
      return `<h2>${escapeText(block.text)}${block.tone === undefined ? '' : ` <span class="tag ${block.tone}">${escapeText(block.status ?? '')}</span>`}</h2>`
    case 'paragraph':
      return `<p${block.muted === true ? ' class="muted"' : ''}>${escapeText(block.text)}</p>`
    case 'table':
      return tableHtml(block)
    case 'chart':
      return `<figure><figcaption>${escapeText(block.title)}</figcaption>${block.svg.replace('<svg ', `<svg role="img" aria-label="${escapeText(block.title)}" `)}</figure>`
    case 'page':
      return '<hr class="page">'
    case 'together':
      return `<section class="together">${block.blocks.map(blockHtml).join('\n')}</section>`
  }
}

function tableHtml({ head, rows, widths }: Extract<Block, { kind: 'table' }>): string {
  const right = head.map((_, column) => rows.some((row) => row[column]?.right === true))
  const columns = widths.map((width) => `<col style="width:${width}%">`).join('')
  const heads = head
    .map((text, i) => `<th scope="col"${right[i] === true ? ' class="right"' : ''}>${escapeText(text)}</th>`)
    .join('')
  const body = rows
    .map(
      (row) =>
        `<tr>${row.map((cell) => `<td${cell.right === true ? ' class="right"' : ''}>${cellHtml(cell)}</td>`).join('')}</tr>`,
    )
    .join('')
  return `<div class="wide"><table><colgroup>${columns}</colgroup><thead><tr>${heads}</tr></thead><tbody>${body}</tbody></table></div>`
}

function cellHtml({ text, tone, bold, code }: Cell): string {
  const content = code === true ? `<code>${escapeText(text)}</code>` : escapeText(text)
  if (tone !== undefined) return `<span class="tag ${tone}">${content}</span>`
  return bold === true ? `<b>${content}</b>` : content
}

const TONES = Object.entries(colours)
  .map(([tone, [text, background]]) => `.${tone}{color:${text};background:${background}}`)
  .join('')

const STYLE = `
*{box-sizing:border-box}
body{margin:0;background:#f3f5f8;color:${INK};font:15px/1.65 "BIZ UDPGothic","Hiragino Sans","Noto Sans JP","Yu Gothic",system-ui,sans-serif}
main{max-width:60rem;margin:2rem auto;padding:3rem;background:#fff;border:1px solid ${LINE}}
header{border-bottom:3px solid ${ACCENT};margin-bottom:1.5rem;padding-bottom:.5rem}
header p{margin:0;color:${MUTED}}
h1{margin:0;font-size:2rem;color:${ACCENT}}
h2{font-size:1.2rem;color:${ACCENT};margin:2rem 0 .5rem}
.month{float:right;font-size:1.2rem}
.verdict{padding:1rem 1.25rem;border-left:6px solid currentColor}
.verdict h2{margin:0;font-size:1.4rem;color:inherit}
.verdict p{margin:.25rem 0 0;color:${INK}}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.5rem;margin:1rem 0}
dt{color:${MUTED}}
dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto}
table{width:100%;border-collapse:collapse;margin:.5rem 0;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid ${LINE}}
th{color:${MUTED};font-weight:600;border-bottom-color:${MUTED};white-space:nowrap}
.right{text-align:right;font-variant-numeric:tabular-nums}
code{font-size:.85em;overflow-wrap:anywhere;font-family:ui-monospace,Menlo,Consolas,monospace}
.tag{display:inline-block;padding:0 .5rem;border-radius:.25rem;font-size:.88em}
h2 .tag{font-size:.8rem;vertical-align:middle}
.muted{color:${MUTED}}
figure{margin:1rem 0}
figcaption{font-weight:600}
svg{width:100%;height:auto}
hr.page{border:0;border-top:1px solid ${LINE};margin:2.5rem 0}
footer{text-align:center;color:${MUTED};font-size:.8rem;padding-bottom:2rem;overflow-wrap:anywhere}
@media (max-width:40rem){main{margin:0;padding:1.25rem;border:0}dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}.month{float:none}}
@media print{body{background:#fff}main{border:0;margin:0;padding:0;max-width:none}hr.page{visibility:hidden;break-after:page;margin:0}.together,figure{break-inside:avoid}}
${TONES}`
