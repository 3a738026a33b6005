/** The rows, filtered, a page at a time. */
import type { CheckedRow } from '@akashi/client/evidence'
import { element } from './dom.ts'
import { textOf, whatOf, whoOf } from './row-words.ts'
import type { Texts } from './texts.ts'

export interface ListedRow {
  readonly log: string
  readonly checked: CheckedRow
  /** Everything in the row, in lower case. */
  readonly words: string
}

export interface Filter {
  words: string
  log: string
  state: string
}

const PAGE_ROWS = 200

export function rowList(t: Texts, rows: readonly ListedRow[], filter: Filter): HTMLElement {
  const body = element('div', { class: 'rows' })
  const count = element('p', { class: 'quiet', role: 'status' })
  const more = element('button', { type: 'button', class: 'button', click: () => addPage() }, t.more)
  let found: readonly ListedRow[] = []
  let drawn = 0
  const addPage = () => {
    body.append(...found.slice(drawn, drawn + PAGE_ROWS).map((row) => rowElement(t, row)))
    drawn = Math.min(found.length, drawn + PAGE_ROWS)
    more.hidden = drawn >= found.length
  }
  const draw = () => {
    const words = filter.words.trim().toLowerCase()
    found = rows.filter(
      (row) =>
        (filter.log === '' || row.log === filter.log) &&
        (filter.state === '' || row.checked.state === filter.state) &&
        row.words.includes(words),
    )
    drawn = 0
    body.replaceChildren()
    count.textContent = found.length === 0 ? t.none : t.shown(found.length, rows.length)
    addPage()
  }
  const logs = [...new Set(rows.map(({ log }) => log))]
  const states = ['proven', 'changed', 'not proven'] as const
  const bar = element(
    'div',
    { class: 'filters' },
    element(
      'label',
      {},
      element('span', {}, t.filter),
      element('input', {
        type: 'search',
        placeholder: t.filterHint,
        value: filter.words,
        input: ({ target }) => {
          filter.words = (target as HTMLInputElement).value
          draw()
        },
      }),
    ),
    choice(
      t.log,
      t.allLogs,
      logs.map((log) => [log, log]),
      filter.log,
      (value) => {
        filter.log = value
        draw()
      },
    ),
    choice(
      t.result,
      t.allStates,
      states.map((state) => [state, t.state[state]]),
      filter.state,
      (value) => {
        filter.state = value
        draw()
      },
    ),
  )
  draw()
  return element('section', { 'aria-label': t.rows }, element('h2', {}, t.rows), bar, count, body, more)
}

function choice(
  label: string,
  all: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: string,
  onChange: (value: string) => void,
): HTMLElement {
  const select = element(
    'select',
    { change: () => onChange(select.value) },
    element('option', { value: '' }, all),
    ...options.map(([value, text]) => element('option', { value, selected: value === chosen }, text)),
  )
  return element('label', {}, element('span', {}, label), select)
}

function rowElement(t: Texts, { log, checked }: ListedRow): HTMLElement {
  const { position, row, state } = checked
  const details = element(
    'details',
    { class: 'row', 'data-state': state },
    element(
      'summary',
      {},
      element('span', { class: 'state' }, t.state[state]),
      element('span', { class: 'number' }, position),
      element('time', {}, textOf(row['created_at']).replace('T', ' ').replace('Z', '')),
      element('span', { class: 'what' }, whatOf(log, row)),
      element('span', { class: 'who' }, whoOf(row)),
    ),
  )
  // Most rows are never opened.
  details.addEventListener('toggle', () => {
    if (details.childElementCount > 1) return
    const fields = Object.entries(row).map(([name, value]) =>
      element('div', {}, element('dt', {}, name), element('dd', {}, textOf(value))),
    )
    details.append(element('dl', {}, ...fields))
  })
  return details
}
