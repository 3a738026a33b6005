/** Prints a report as PDF/A-2b, the archival form: every font is embedded, and subset to the glyphs that are used. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pdfmake, { type Content, type TableCell } from 'pdfmake'
import { ACCENT, type Block, type Cell, colours, INK, LINE, MUTED, type Printed } from './blocks.ts'

/** BIZ UDPGothic (SIL Open Font License 1.1), which has Japanese and Latin. */
const FONT = 'BIZ UDPGothic'
const fontFolder = dirname(
  fileURLToPath(import.meta.resolve('@expo-google-fonts/biz-udpgothic/package.json')),
)
const fonts = {
  [FONT]: {
    normal: join(fontFolder, '400Regular', 'BIZUDPGothic_400Regular.ttf'),
    bold: join(fontFolder, '700Bold', 'BIZUDPGothic_700Bold.ttf'),
  },
}

/** Points. */
const MARGIN = 52
const FOOTER = 56
const A4_WIDTH = 595.28
const CONTENT_WIDTH = A4_WIDTH - 2 * MARGIN

export async function toPdf(printed: Printed): Promise<Buffer> {
  const { title, language, generatedAt, blocks, footer } = printed
  const definition: Parameters<typeof pdfmake.createPdf>[0] = {
    pageSize: 'A4',
    pageMargins: [MARGIN, MARGIN, MARGIN, FOOTER],
    version: '1.7',
    subset: 'PDF/A-2b',
    language,
    displayTitle: true,
    // The time of the report, so that the same document always gives the same bytes.
    info: { title, creator: 'Akashi', producer: 'Akashi', creationDate: new Date(generatedAt) },
    defaultStyle: { font: FONT, fontSize: 9, lineHeight: 1.25, color: INK },
    content: blocks.map(blockContent),
    footer: (page, pages) => ({
      text: footer(page, pages),
      alignment: 'center',
      fontSize: 7,
      color: MUTED,
      margin: [MARGIN, 24, MARGIN, 0],
    }),
  }
  pdfmake.setFonts(fonts)
  // A report is made of its own document: nothing is fetched, and no file is read but the fonts.
  pdfmake.setUrlAccessPolicy(() => false)
  pdfmake.setLocalAccessPolicy((path) => path.startsWith(fontFolder))
  return await pdfmake.createPdf(definition).getBuffer()
}

function blockContent(block: Block): Content {
  switch (block.kind) {
    case 'title':
      return {
        stack: [
          {
            columns: [
              { text: block.title, fontSize: 21, bold: true, color: ACCENT },
              {
                text: block.month,
                fontSize: 12,
                color: MUTED,
                alignment: 'right',
                width: 'auto',
                margin: [0, 8, 0, 0],
              },
            ],
          },
          { text: block.subtitle, color: MUTED },
          rule(ACCENT, 2),
        ],
        margin: [0, 0, 0, 8],
      }
    case 'verdict':
      return verdictContent(block)
    case 'facts':
      return {
        table: {
          widths: [88, '*'],
          body: block.rows.map(([name, cell]) => [{ text: name, color: MUTED }, cellContent(cell)]),
        },
        layout: { ...plain, paddingTop: () => 1, paddingBottom: () => 1, paddingLeft: () => 0 },
        margin: [0, 2, 0, 4],
      }
    case 'heading':
      return {
        text: [
          block.text,
          ...(block.tone === undefined
            ? []
            : ['  ', { ...tag(block.tone), text: ` ${block.status ?? ''} `, fontSize: 8.5 }]),
        ],
        fontSize: 12,
        bold: true,
        color: ACCENT,
        margin: [0, 10, 0, 3],
        headlineLevel: 1,
      }
    case 'paragraph':
      return { text: block.text, color: block.muted === true ? MUTED : INK, margin: [0, 0, 0, 4] }
    case 'table':
      return tableContent(block)
    case 'chart':
      return {
        stack: [
          { text: block.title, bold: true, margin: [0, 4, 0, 3] },
          { svg: block.svg.replace('<svg ', `<svg font-family="${FONT}" `), width: CONTENT_WIDTH },
        ],
        unbreakable: true,
        margin: [0, 0, 0, 8],
      }
    case 'page':
      return { text: '', pageBreak: 'after' }
    case 'together':
      return { stack: block.blocks.map(blockContent), unbreakable: true }
  }
}

function verdictContent({ tone, title, text, counted }: Extract<Block, { kind: 'verdict' }>): Content {
  const [colour, background] = colours[tone]
  return {
    table: {
      widths: ['*'],
      body: [
        [
          {
            stack: [
              { text: title, fontSize: 14, bold: true, color: colour },
              { text, margin: [0, 2, 0, 0] },
              { text: counted, bold: true, margin: [0, 2, 0, 0] },
            ],
            fillColor: background,
            margin: [8, 6, 8, 4],
          },
        ],
      ],
    },
    layout: { ...plain, vLineWidth: (column) => (column === 0 ? 4 : 0), vLineColor: () => colour },
    margin: [0, 0, 0, 8],
  }
}

function tableContent({ head, rows, widths }: Extract<Block, { kind: 'table' }>): Content {
  const right = head.map((_, column) => rows.some((row) => row[column]?.right === true))
  const body: TableCell[][] = [
    head.map((text, column) => ({
      text,
      bold: true,
      color: MUTED,
      fontSize: 8,
      alignment: right[column] === true ? 'right' : 'left',
    })),
    ...rows.map((row) => row.map(cellContent)),
  ]
  // The cells' padding is part of the table's width.
  const free = CONTENT_WIDTH - widths.length * 2 * CELL_PADDING
  const whole = widths.reduce((sum, width) => sum + width, 0)
  return {
    table: {
      headerRows: 1,
      dontBreakRows: true,
      keepWithHeaderRows: 1,
      widths: widths.map((width) => (free * width) / whole),
      body,
    },
    layout: {
      ...plain,
      hLineWidth: (line) => (line === 0 ? 0 : 0.5),
      hLineColor: (line) => (line === 1 ? MUTED : LINE),
      paddingLeft: () => CELL_PADDING,
      paddingRight: () => CELL_PADDING,
      paddingTop: () => 2.5,
      paddingBottom: () => 1.5,
    },
    margin: [0, 0, 0, 6],
  }
}

const CELL_PADDING = 4

const plain = { hLineWidth: () => 0, vLineWidth: () => 0 }

function cellContent({ text, tone, bold, code, right }: Cell): TableCell & object {
  return {
    text: tone === undefined || tone === 'info' ? text : ` ${text} `,
    ...(tone === undefined ? {} : tag(tone)),
    ...(bold === true ? { bold: true } : {}),
    ...(code === true ? { fontSize: 7.5, wordBreak: 'break-all' } : {}),
    ...(right === true ? { alignment: 'right' } : {}),
  }
}

function tag(tone: NonNullable<Cell['tone']>): { readonly color: string; readonly background: string } {
  const [color, background] = colours[tone]
  return { color, background }
}

function rule(colour: string, width: number): Content {
  return {
    canvas: [{ type: 'line', x1: 0, y1: 4, x2: CONTENT_WIDTH, y2: 4, lineWidth: width, lineColor: colour }],
  }
}
