import { messages } from './messages.js'

/**
 * The response of GET /v1/status. Counts that may be above 2^53 are decimals.
 * @typedef {string} Decimal
 * @typedef {{ log: string, size: Decimal, root: string, sealedAt: string | null, pending: number }} Log
 * @typedef {{ table: string, coveredUntil: string | null, alarm: boolean }} Partition
 * @typedef {{
 *   events: Decimal, auditRows: Decimal, protectedTables: string[], logs: Log[], partitions: Partition[],
 *   lastVerification: { at: string, ok: boolean, problems: number } | null, checkedAt: string
 * }} SystemStatus
 */

const REFRESH_MS = 2_000
const REQUEST_TIMEOUT_MS = 5_000
/** The state of the connection by HTTP status; anything else is `away`. */
const connections = /** @type {Record<number, 'live' | 'locked'>} */ ({ 200: 'live', 401: 'locked' })
const LANGUAGE_KEY = 'akashi.language'

/** @type {'ja' | 'en'} */
let language = preferredLanguage()
/** @type {SystemStatus | undefined} */
let state
/** @type {'connecting' | 'live' | 'away' | 'locked'} */
let connection = 'connecting'
let shown = ''

/** @returns {'ja' | 'en'} */
function preferredLanguage() {
  const chosen = localStorage.getItem(LANGUAGE_KEY) ?? navigator.language
  return chosen.startsWith('ja') ? 'ja' : 'en'
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id)
  if (found === null) {
    throw new Error(`the page has no element ${id}`)
  }
  return found
}

/**
 * Creates an element with text, never markup: table names come from the database.
 * @param {string} tag
 * @param {string} className
 * @param {(string | Node)[]} children
 */
function make(tag, className, ...children) {
  const made = document.createElement(tag)
  made.className = className
  made.append(...children)
  return made
}

/** @param {Decimal | number} count */
function number(count) {
  return new Intl.NumberFormat(language).format(typeof count === 'string' ? BigInt(count) : count)
}

/** @param {string} time */
function moment(time) {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' }).format(
    new Date(time),
  )
}

/** @param {string} time */
function day(time) {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: 'UTC' }).format(new Date(time))
}

/**
 * @param {string} className
 * @param {string} term
 * @param {string} value
 */
function fact(className, term, value) {
  return make('dl', className, make('dt', '', term), make('dd', '', value))
}

/** @param {Log} log */
function logCard(log) {
  const text = messages[language]
  const waits = BigInt(log.pending) > 0n
  return make(
    'article',
    'log',
    make('h3', '', log.log),
    fact('', text.sealed, number(log.size)),
    fact(waits ? 'waiting' : '', text.pending, number(log.pending)),
    fact('', text.checkpoint, log.sealedAt === null ? text.never : moment(log.sealedAt)),
    fact('root', text.root, log.root === '' ? text.never : log.root),
  )
}

/** @param {Partition} partition */
function partitionRow(partition) {
  const text = messages[language]
  const until = partition.coveredUntil
  const note = make('span', 'note', until === null ? text.notCovered : text.coveredUntil(day(until)))
  if (partition.alarm) {
    note.prepend(make('span', 'alarm', text.alarm), ' · ')
  }
  return make('li', '', make('span', 'name', partition.table), note)
}

/** @param {string} command */
function commandLine(command) {
  return make('p', 'command', make('code', '', command))
}

/**
 * @param {Node[]} rows
 * @param {Node[]} empty shown instead of an empty list
 */
function list(rows, ...empty) {
  return rows.length === 0 ? empty : [make('ul', 'rows', ...rows)]
}

/** @param {SystemStatus} status */
function renderVerdict(status) {
  const text = messages[language]
  const last = status.lastVerification
  let verdict = { state: 'none', title: text.unverified, detail: text.unverifiedDetail }
  if (last?.ok === true) {
    verdict = { state: 'ok', title: text.verified, detail: text.verifiedAt(moment(last.at)) }
  } else if (last !== null) {
    verdict = {
      state: 'bad',
      title: text.broken(number(last.problems)),
      detail: text.brokenDetail(moment(last.at)),
    }
  }
  element('verdict').dataset['state'] = verdict.state
  element('verdict-title').textContent = verdict.title
  element('verdict-detail').textContent = verdict.detail
  element('verdict-command').hidden = verdict.state === 'ok'
}

/** @param {SystemStatus} status */
function renderStatus(status) {
  const text = messages[language]
  renderVerdict(status)
  element('events').textContent = number(status.events)
  element('auditRows').textContent = number(status.auditRows)
  element('tables').textContent = number(status.protectedTables.length)
  const noLogs = make('p', 'note', text.noLogs)
  element('logs').replaceChildren(...(status.logs.length === 0 ? [noLogs] : status.logs.map(logCard)))
  const tables = status.protectedTables.map((table) => make('li', '', make('span', 'name', table)))
  element('protectedTables').replaceChildren(
    ...list(tables, make('p', 'note', text.noTables), commandLine('bin/akashi protect public.orders')),
  )
  element('partitions').replaceChildren(
    ...list(status.partitions.map(partitionRow), make('p', 'note', text.noPartitions)),
  )
  element('intake').hidden = BigInt(status.events) > 0n
}

function connectionText() {
  const text = messages[language]
  if (connection === 'live' && state !== undefined) {
    return text.live(moment(state.checkedAt))
  }
  if (connection === 'away') {
    return state === undefined ? text.away : text.awayStale(moment(state.checkedAt))
  }
  return connection === 'locked' ? text.locked : text.connecting
}

function render() {
  const line = element('connection')
  line.dataset['state'] = connection
  // Screen readers announce changes of the connection, but not every refresh.
  line.setAttribute('aria-live', line.dataset['announced'] === connection ? 'off' : 'polite')
  line.dataset['announced'] = connection
  line.textContent = connectionText()
  element('state').hidden = state === undefined
  element('state').classList.toggle('stale', connection !== 'live')
  // Rendered again only when it differs, so that selection and focus stay.
  const next = JSON.stringify([language, { ...state, checkedAt: '' }])
  if (state !== undefined && next !== shown) {
    renderStatus(state)
    shown = next
  }
}

/** @param {'ja' | 'en'} chosen */
function setLanguage(chosen) {
  language = chosen
  const texts = /** @type {Record<string, unknown>} */ (messages[chosen])
  document.documentElement.lang = chosen
  for (const labelled of document.querySelectorAll('[data-text]')) {
    labelled.textContent = String(texts[labelled.getAttribute('data-text') ?? ''])
  }
  for (const button of document.querySelectorAll('[data-language]')) {
    button.setAttribute('aria-pressed', String(button.getAttribute('data-language') === chosen))
  }
  render()
}

async function refresh() {
  try {
    const answer = await fetch('/v1/status', { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
    if (answer.ok) {
      state = await answer.json()
    }
    connection = connections[answer.status] ?? 'away'
  } catch {
    connection = 'away'
  }
  render()
}

async function follow() {
  if (!document.hidden) {
    await refresh()
  }
  setTimeout(follow, REFRESH_MS)
}

for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', () => {
    const chosen = button.getAttribute('data-language') === 'ja' ? 'ja' : 'en'
    localStorage.setItem(LANGUAGE_KEY, chosen)
    setLanguage(chosen)
  })
}
setLanguage(language)
await follow()
