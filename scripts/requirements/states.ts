/** The states of a requirement and the text allowed after the colon. */
export const STATES = ['planned', 'done', 'decided otherwise', 'not ours'] as const
export type State = (typeof STATES)[number]

/** `done: reason`, `decided otherwise: reason`, `not ours: reason`, `planned: capability; decision`. */
const REASON: Readonly<Record<State, 'optional' | 'required'>> = {
  planned: 'required',
  done: 'optional',
  'decided otherwise': 'required',
  'not ours': 'required',
}

/** The state of a cell such as `decided otherwise: reason`, or undefined for an unknown state. */
export function stateOf(cell: string): State | undefined {
  const word = cell.replace(/:.*$/, '').trim()
  return STATES.find((state) => state === word)
}

/** The capability in `planned: capability; decision`; empty for other states. */
export function capabilityOf(cell: string): string {
  return /^planned:\s*([^;]*)/.exec(cell)?.[1]?.trim() ?? ''
}

/** Whether the product implements it, so that places and tests are required. */
export function isBuilt(state: State | undefined): boolean {
  return state === 'done' || state === 'decided otherwise'
}

/** The problem of a state cell, or undefined. */
export function stateProblem(cell: string, capabilities: readonly string[]): string | undefined {
  const state = stateOf(cell)
  if (state === undefined) return `state '${cell}' is none of ${STATES.join(', ')}`
  if (!/:\s*\S/.test(cell)) {
    if (cell !== state) return `state '${state}' has a colon but no reason`
    if (REASON[state] === 'optional') return undefined
    return state === 'planned'
      ? 'is planned without naming the capability that builds it'
      : `state '${state}' needs a reason after a colon`
  }
  if (state === 'planned' && !capabilities.includes(capabilityOf(cell))) {
    return `capability '${capabilityOf(cell)}' is not in the list of docs/requirements.md`
  }
  return undefined
}
