/** Lays a document out as blocks, in the words of one language. */
import type { ReportLanguage } from '@akashi/contract'
import type { Block, Cell, Printed } from './blocks.ts'
import { drillsChart, findingsChart, sealedChart } from './charts.ts'
import type { ComplianceDocument, Control, Evidence } from './document.ts'
import { type ControlText, type Texts, texts } from './texts/index.ts'

export function layOut(document: ComplianceDocument, language: ReportLanguage): Printed {
  const words = texts[language]
  return {
    language,
    title: `${words.title} ${monthName(document, words)}`,
    id: document.id,
    generatedAt: document.generatedAt,
    footer: (page, pages) =>
      `${words.title} ${monthName(document, words)} · ${document.id} · ${words.page(page, pages)}`,
    blocks: [
      ...firstPage(document, words),
      ...openPoints(document, words),
      ...figures(document, words),
      ...document.controls.map((control) => controlBlock(control, words)),
      ...appendices(document, words),
    ],
  }
}

/** Verdict, scope, each control's result, and the signature: a summary for a reader in a hurry. */
function firstPage(document: ComplianceDocument, words: Texts): Block[] {
  const { verdict, controls, timeZone, from, until, installation, app, signer, id } = document
  const lastDay = new Date(Date.parse(until) - 1).toISOString()
  const count = (status: Control['status']) => controls.filter((one) => one.status === status).length
  return [
    {
      kind: 'title',
      title: words.title,
      subtitle: words.subtitle,
      month: monthName(document, words),
    },
    {
      kind: 'verdict',
      tone: verdict,
      ...words.verdicts[verdict],
      counted: words.counted(count('met'), count('not_met'), count('missing')),
    },
    { kind: 'paragraph', text: words.introduction },
    {
      kind: 'facts',
      rows: [
        [
          words.period,
          { text: words.inMonth(day(from, timeZone, words), day(lastDay, timeZone, words), timeZone) },
        ],
        [words.made, { text: moment(document.generatedAt, timeZone, words) }],
        [words.system, { text: `${app.name} ${app.version} (${app.environment}), ${app.database}` }],
        [words.installation, { text: installation, code: true }],
      ],
    },
    { kind: 'heading', text: words.summary },
    {
      kind: 'table',
      head: [words.control, words.result],
      widths: [80, 20],
      rows: controls.map((control) => [
        { text: textOf(control, words).title },
        { text: words.statuses[control.status], tone: control.status, bold: true },
      ]),
    },
    {
      kind: 'together',
      blocks: [
        { kind: 'heading', text: words.signature },
        { kind: 'paragraph', text: words.signatureText },
        {
          kind: 'facts',
          rows: [
            [words.signedBy, { text: signer, code: true }],
            [words.reportId, { text: id, code: true }],
          ],
        },
      ],
    },
    { kind: 'page' },
  ]
}

function openPoints({ controls }: ComplianceDocument, words: Texts): Block[] {
  const rows = controls.flatMap((control) => {
    const { title, evidence, remedy } = textOf(control, words)
    const open = control.evidence.filter(({ status }) => status === 'not_met' || status === 'missing')
    return open.map((one, index): Cell[] => [
      { text: index === 0 ? title : '', bold: true },
      {
        text: `${evidence[one.key] ?? one.key}: ${valueText(one, words)} (${words.required}: ${requiredText(one, words)})`,
        tone: one.status,
      },
      { text: index === 0 ? remedy : '' },
    ])
  })
  return [
    { kind: 'heading', text: words.openPoints },
    rows.length === 0
      ? { kind: 'paragraph', text: words.noOpenPoints }
      : { kind: 'table', head: [words.control, words.finding, words.toDo], widths: [22, 38, 40], rows },
  ]
}

function figures({ charts, controls }: ComplianceDocument, words: Texts): Block[] {
  const limit = controls
    .find(({ id }) => id === 'recovery')
    ?.evidence.find(({ key }) => key === 'worst_rto_seconds')?.required?.value
  const chart = (title: string, svg: string | null): Block =>
    svg === null
      ? {
          kind: 'together',
          blocks: [
            { kind: 'paragraph', text: title },
            { kind: 'paragraph', text: words.noData, muted: true },
          ],
        }
      : { kind: 'chart', title, svg }
  return [
    { kind: 'heading', text: words.figures },
    chart(words.sealedChart, sealedChart(charts.sealed, words)),
    chart(words.findingsChart, findingsChart(charts.findings, words)),
    chart(words.drillsChart, drillsChart(charts.drills, limit, words)),
    { kind: 'page' },
  ]
}

function controlBlock(control: Control, words: Texts): Block {
  const { title, aim, evidence } = textOf(control, words)
  return {
    kind: 'together',
    blocks: [
      { kind: 'heading', text: title, tone: control.status, status: words.statuses[control.status] },
      { kind: 'paragraph', text: aim },
      { kind: 'paragraph', text: frameworksText(control), muted: true },
      {
        kind: 'table',
        head: [words.evidence, words.value, words.lastMonth, words.required, ''],
        widths: [38, 13, 13, 21, 15],
        rows: control.evidence.map((one) => [
          { text: evidence[one.key] ?? one.key },
          { text: valueText(one, words), right: true, bold: true },
          { text: previousText(one, words), right: true },
          { text: one.required === null ? '' : requiredText(one, words), right: true },
          one.status === 'info'
            ? { text: '' }
            : { text: words.evidenceStatuses[one.status], tone: one.status, bold: true },
        ]),
      },
    ],
  }
}

function appendices(document: ComplianceDocument, words: Texts): Block[] {
  const { controls, comparedWith, timeZone } = document
  return [
    {
      kind: 'paragraph',
      muted: true,
      text: comparedWith === null ? words.notCompared : words.compared(moment(comparedWith, timeZone, words)),
    },
    { kind: 'page' },
    { kind: 'heading', text: words.queries },
    { kind: 'paragraph', text: words.queriesText },
    {
      kind: 'table',
      head: [words.evidence, words.queries.replace(/^.*?[:：　]\s*/u, '')],
      widths: [34, 66],
      rows: controls.flatMap((control) => {
        const { title, evidence } = textOf(control, words)
        return control.evidence.map(({ key, query }) => [
          { text: `${title} · ${evidence[key] ?? key}` },
          { text: query, code: true } as const,
        ])
      }),
    },
    { kind: 'page' },
    { kind: 'heading', text: words.frameworks },
    { kind: 'paragraph', text: words.frameworksText },
    {
      kind: 'table',
      head: [words.control, 'CIS v8', 'SOC 2', 'BLEA', 'NIST 800-53'],
      widths: [32, 16, 16, 18, 18],
      rows: controls.map((control) => [
        { text: textOf(control, words).title },
        ...[
          control.frameworks.cis,
          control.frameworks.soc2,
          control.frameworks.blea,
          control.frameworks.nist,
        ].map((ids) => ({ text: ids.length === 0 ? '–' : ids.join(', ') })),
      ]),
    },
  ]
}

/** Where a control belongs, on one line. */
function frameworksText({ frameworks: { cis, soc2, blea, nist } }: Control): string {
  return [
    ['CIS', cis],
    ['SOC 2', soc2],
    ['BLEA', blea],
    ['NIST 800-53', nist],
  ]
    .filter(([, ids]) => ids?.length !== 0)
    .map(([name, ids]) => `${String(name)}: ${[ids].flat().join(', ')}`)
    .join('  ·  ')
}

function textOf({ id }: Control, { controls }: Texts): ControlText {
  return controls[id] ?? { title: id, aim: '', remedy: '', evidence: {} }
}

function valueText({ value, unit }: Evidence, words: Texts): string {
  return quantity(value, unit, words)
}

function previousText({ previous, unit }: Evidence, words: Texts): string {
  return quantity(previous, unit, words)
}

function requiredText({ required, unit }: Evidence, words: Texts): string {
  if (required === null) return ''
  if (required.is === 'at_most' && required.value === 0) return words.none
  const value = quantity(required.value, unit, words)
  return required.is === 'at_most' ? words.atMost(value) : words.atLeast(value)
}

const HOUR_SECONDS = 3_600

/** Whole hours are easier to read than thousands of seconds. */
function quantity(value: number | null, unit: Evidence['unit'], words: Texts): string {
  if (value === null) return '–'
  const hours = value / HOUR_SECONDS
  if (unit === 'seconds' && hours >= 1 && Number.isInteger(hours)) return quantity(hours, 'hours', words)
  return words.units[unit](value.toLocaleString(words.locale))
}

function monthName({ from, timeZone }: ComplianceDocument, { locale }: Texts): string {
  return new Intl.DateTimeFormat(locale, { timeZone, year: 'numeric', month: 'long' }).format(new Date(from))
}

function day(at: string, timeZone: string, { locale }: Texts): string {
  return new Intl.DateTimeFormat(locale, { timeZone, dateStyle: 'long' }).format(new Date(at))
}

function moment(at: string, timeZone: string, { locale }: Texts): string {
  return new Intl.DateTimeFormat(locale, { timeZone, dateStyle: 'long', timeStyle: 'long' }).format(
    new Date(at),
  )
}
