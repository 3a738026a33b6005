/**
 * The program inside an evidence file: checks the document with the keys and shows what that proves. It has no network, no
 * storage, and writes text only.
 */
import {
  type CheckedEvidence,
  type CheckedPart,
  canVerify,
  EVIDENCE_DOCUMENT_ID,
  EVIDENCE_NOTE_ID,
  type EvidenceProblem,
  evidenceTexts,
  verifyEvidence,
} from '@akashi/client/evidence'
import { element } from './dom.ts'
import { type Filter, type ListedRow, rowList } from './row-list.ts'
import { type Language, type Texts, texts } from './texts.ts'

/** Places that are listed of one kind of problem. */
const MAX_PLACES = 20
const MAX_GAPS = 20

interface State {
  language: Language
  /** The chosen policy; undefined for that of the file. */
  policy: string | undefined
  checked: CheckedEvidence | null
  rows: readonly ListedRow[]
  milliseconds: number
  readonly filter: Filter
}

const state: State = {
  language: navigator.language.startsWith('ja') ? 'ja' : 'en',
  policy: undefined,
  checked: null,
  rows: [],
  milliseconds: 0,
  filter: { words: '', log: '', state: '' },
}

async function check(): Promise<void> {
  const { document: text, note } = evidenceTexts(contentOf(EVIDENCE_DOCUMENT_ID), contentOf(EVIDENCE_NOTE_ID))
  const started = performance.now()
  state.checked = await verifyEvidence(text, note, state.policy)
  state.milliseconds = Math.round(performance.now() - started)
  state.rows = state.checked.parts.flatMap(({ log, rows }) =>
    rows.map((checked) => ({ log, checked, words: wordsOf(log, checked.position, checked.row) })),
  )
  draw()
  document.documentElement.dataset['verdict'] = state.checked.verdict
  document.documentElement.dataset['milliseconds'] = String(state.milliseconds)
}

function wordsOf(
  log: string,
  position: string,
  row: Readonly<Record<string, string | readonly string[]>>,
): string {
  return `${log} ${position} ${Object.values(row).join(' ')}`.toLowerCase()
}

function contentOf(id: string): string {
  return document.getElementById(id)?.textContent ?? ''
}

function draw(): void {
  const t = texts[state.language]
  document.documentElement.lang = state.language
  document.title = t.title
  const { checked } = state
  const parts = [
    header(t),
    ...(checked === null
      ? [element('p', { role: 'status' }, canVerify() ? t.checking : t.noCrypto)]
      : [
          verdict(t, checked),
          problems(t, checked),
          meaning(t, checked),
          logs(t, checked),
          rowList(t, state.rows, state.filter),
        ]),
  ]
  document.getElementById('root')?.replaceChildren(...parts.filter((part) => part !== null))
}

function header(t: Texts): HTMLElement {
  const change = () => {
    state.language = state.language === 'ja' ? 'en' : 'ja'
    draw()
  }
  return element(
    'header',
    {},
    element('div', {}, element('h1', {}, t.title), element('p', { class: 'quiet' }, t.lead)),
    element(
      'button',
      { type: 'button', class: 'button', lang: state.language === 'ja' ? 'en' : 'ja', click: change },
      t.language,
    ),
  )
}

function verdict(t: Texts, { verdict: found, trust, parts }: CheckedEvidence): HTMLElement {
  return element(
    'section',
    { class: 'verdict', 'data-verdict': found, role: 'status' },
    element('h2', {}, t.verdict[found]),
    element('p', {}, t.verdictDetail[found]),
    trust === 'file' && found !== 'failed' ? element('p', {}, t.trustFile) : null,
    parts.length === 0 && found !== 'failed' ? element('p', {}, t.noRows) : null,
    element('p', { class: 'quiet' }, t.counted(state.rows.length, state.milliseconds)),
  )
}

function problems(t: Texts, { problems: found }: CheckedEvidence): HTMLElement | null {
  if (found.length === 0) return null
  const kinds = Map.groupBy(found, ({ kind }) => kind)
  return element(
    'section',
    { class: 'problems' },
    element('h2', {}, t.problems),
    ...[...kinds].map(([kind, places]) => problemList(t, kind, places)),
  )
}

function problemList(
  t: Texts,
  kind: EvidenceProblem['kind'],
  places: readonly EvidenceProblem[],
): HTMLElement {
  const left = places.length - MAX_PLACES
  return element(
    'div',
    {},
    element('h3', {}, t.problem[kind]),
    element(
      'ul',
      {},
      ...places
        .slice(0, MAX_PLACES)
        .map(({ log, position, detail }) =>
          element(
            'li',
            {},
            ...(log === null ? [] : [element('b', {}, t.at(log, position)), ' ']),
            element('code', {}, detail),
          ),
        ),
      left > 0 ? element('li', {}, t.morePlaces(left)) : null,
    ),
  )
}

function meaning(t: Texts, { trust, signer, document: made }: CheckedEvidence): HTMLElement {
  const absent = Object.values(made?.absent ?? {}).reduce((sum, count) => sum + count, 0)
  const list = (items: readonly string[]) =>
    element('ul', {}, ...items.map((item) => element('li', {}, item)))
  return element(
    'section',
    { class: 'columns' },
    element(
      'div',
      {},
      element('h2', {}, t.proven),
      list([...t.provenList, ...(signer === 'given' ? [t.provenSigner] : [])]),
    ),
    element(
      'div',
      {},
      element('h2', {}, t.unproven),
      list([
        ...t.unprovenList,
        ...(absent === 0 ? [] : [t.absent(absent)]),
        ...(trust === 'file' ? [] : [t.trustGiven]),
        ...(signer === 'file' ? [t.unprovenSigner] : []),
        t.notTheProgram,
      ]),
      policyChoice(t),
    ),
  )
}

function policyChoice(t: Texts): HTMLElement {
  return element(
    'label',
    { class: 'policy' },
    element('span', {}, t.choosePolicy),
    element('input', {
      type: 'file',
      change: ({ target }) => {
        const [file] = (target as HTMLInputElement).files ?? []
        if (file === undefined) return
        void file.text().then((policy) => {
          state.policy = policy
          return check()
        })
      },
    }),
    element('span', { class: 'quiet' }, t.policyHint),
  )
}

function logs(t: Texts, { parts, document: made }: CheckedEvidence): HTMLElement {
  const facts =
    made === null ? [] : [...fact(t.range, `${made.from} – ${made.to}`), ...fact(t.created, made.createdAt)]
  return element(
    'section',
    {},
    element('h2', {}, t.logs),
    element('dl', { class: 'facts' }, ...facts),
    ...parts.map((part) => logPart(t, part)),
  )
}

function logPart(t: Texts, { log, rows, checkpoint, quorum, cosignatures, gaps }: CheckedPart): HTMLElement {
  const by = cosignatures.map(({ witness, state: found, at }) =>
    [`${witness}: ${t.cosignature[found]}`, ...(at === null ? [] : [at])].join(', '),
  )
  const stretches = gaps
    .slice(0, MAX_GAPS)
    .map(({ first, last }) => (first === last ? first : `${first}–${last}`))
  const left = gaps.length - MAX_GAPS
  return element(
    'div',
    { class: 'log' },
    element('h3', {}, log),
    element(
      'dl',
      { class: 'facts' },
      ...fact(t.rows, rows.length.toLocaleString(state.language)),
      ...fact(
        t.checkpoint,
        checkpoint === null ? t.problem.checkpoint : `${checkpoint.origin}, ${t.entries(checkpoint.size)}`,
      ),
      ...fact(t.witnesses, [t.quorum[quorum], ...by].join('; ')),
      ...fact(
        t.gaps,
        gaps.length === 0 ? t.noGaps : [...stretches, ...(left > 0 ? [t.morePlaces(left)] : [])].join(', '),
      ),
    ),
  )
}

function fact(term: string, value: string): HTMLElement[] {
  return [element('div', {}, element('dt', {}, term), element('dd', {}, value))]
}

draw()
if (canVerify()) void check()
