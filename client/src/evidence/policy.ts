/** The trust policy (https://c2sp.org/tlog-policy): the keys of logs, and whose cosignatures a checkpoint needs. */
import type { Cosignature } from '../proof/cosignature.ts'
import { keysIn, type VerifierKey } from '../proof/note.ts'

export interface TrustPolicy {
  readonly logs: readonly VerifierKey[]
  readonly witnesses: readonly VerifierKey[]
  readonly quorum: Quorum
}

type Quorum =
  | { readonly kind: 'none' }
  | { readonly kind: 'witness'; readonly key: VerifierKey }
  | { readonly kind: 'group'; readonly threshold: number; readonly members: readonly Quorum[] }

/**
 * - `met`
 * - `not met`
 * - `not checked`: it would be met by cosignatures that this platform cannot check
 * - `none`: the policy asks for none
 */
export type QuorumState = 'met' | 'not met' | 'not checked' | 'none'

const MAX_LINES = 1_000

/** What is wrong with a policy, with the line. */
export class NoPolicy extends Error {
  override readonly name = 'NoPolicy'
}

/** @throws NoPolicy for whatever is not exactly one */
export async function parsePolicy(text: string): Promise<TrustPolicy> {
  const parser = new Parser()
  for (const [index, line] of text.split('\n').entries()) {
    if (index >= MAX_LINES) throw new NoPolicy(`the policy has more than ${MAX_LINES} lines`)
    const wrong = await parser.line(line)
    if (wrong !== null) throw new NoPolicy(`line ${index + 1} of the policy: ${wrong}`)
  }
  return parser.finish()
}

class Parser {
  readonly #logs: VerifierKey[] = []
  readonly #witnesses: VerifierKey[] = []
  /** Witnesses and groups share their names. */
  readonly #named = new Map<string, Quorum>()
  readonly #members = new Set<string>()
  #quorum: Quorum | undefined

  /** What is wrong with the line; null for nothing. */
  async line(line: string): Promise<string | null> {
    const [keyword = '', ...items] = line.split(/[ \t]+/).filter((item) => item !== '')
    if (keyword === '' || keyword.startsWith('#')) return null
    if (keyword === 'log') return await this.#log(items)
    if (keyword === 'witness') return await this.#witness(items)
    if (keyword === 'group') return this.#group(items)
    return keyword === 'quorum' ? this.#setQuorum(items) : `${keyword} is not log, witness, group or quorum`
  }

  finish(): TrustPolicy {
    if (this.#quorum === undefined) throw new NoPolicy('the policy has no quorum line')
    return { logs: this.#logs, witnesses: this.#witnesses, quorum: this.#quorum }
  }

  async #log(items: readonly string[]): Promise<string | null> {
    const key = await keyIn(items[0], 'log')
    if (key === null || items.length > 2) return 'not the key of a log'
    this.#logs.push(key)
    return null
  }

  async #witness([name, text, ...more]: readonly string[]): Promise<string | null> {
    const key = await keyIn(text, 'cosignature')
    if (name === undefined || key === null || more.length > 1) return 'not the key of a witness'
    // Cosignatures are told apart by the name that they are signed as.
    if (this.#witnesses.some((known) => known.name === key.name)) return 'this witness is given twice'
    this.#witnesses.push(key)
    return this.#define(name, { kind: 'witness', key })
  }

  #group([name, count = '', ...names]: readonly string[]): string | null {
    const members = names.map((member) => this.#named.get(member)).filter((member) => member !== undefined)
    if (name === undefined || names.length === 0 || members.length < names.length) return 'unknown members'
    for (const member of names) {
      if (this.#members.has(member)) return `${member} is already a member`
      this.#members.add(member)
    }
    const threshold = count === 'all' ? members.length : count === 'any' ? 1 : Number(count)
    if (!/^(all|any|[1-9]\d{0,8})$/.test(count) || threshold > members.length)
      return 'not a number of members'
    return this.#define(name, { kind: 'group', threshold, members })
  }

  #setQuorum([name, ...more]: readonly string[]): string | null {
    if (name === undefined || more.length > 0 || this.#quorum !== undefined) return 'not the only quorum'
    this.#quorum = name === 'none' ? { kind: 'none' } : this.#named.get(name)
    return this.#quorum === undefined ? `no witness or group ${name} is defined above` : null
  }

  #define(name: string, quorum: Quorum): string | null {
    if (name === 'none' || this.#named.has(name)) return `${name} is already defined`
    this.#named.set(name, quorum)
    return null
  }
}

async function keyIn(text: string | undefined, kind: VerifierKey['kind']): Promise<VerifierKey | null> {
  const [key] = await keysIn(text ?? '')
  return key?.kind === kind ? key : null
}

/** Whether the cosignatures of a checkpoint are those that the policy asks for. */
export function quorumState({ quorum }: TrustPolicy, cosignatures: readonly Cosignature[]): QuorumState {
  if (quorum.kind === 'none') return 'none'
  const by = (states: readonly Cosignature['state'][]) => (key: VerifierKey) =>
    cosignatures.some(({ witness, state }) => witness === key.name && states.includes(state))
  if (isMet(quorum, by(['valid']))) return 'met'
  return isMet(quorum, by(['valid', 'not checked'])) ? 'not checked' : 'not met'
}

function isMet(quorum: Quorum, cosigned: (key: VerifierKey) => boolean): boolean {
  if (quorum.kind === 'none') return true
  if (quorum.kind === 'witness') return cosigned(quorum.key)
  return quorum.members.filter((member) => isMet(member, cosigned)).length >= quorum.threshold
}
