/** The file format of C2SP tlog-policy. */
import { readFile, stat } from 'node:fs/promises'
import { AkashiError, errno } from '../../../foundation/index.ts'
import {
  formatVerifierKey,
  parseCosignerKey,
  parseVerifierKey,
  type VerifierKey,
} from '../../../keys/index.ts'
import type { Policy, PolicyWitness, Quorum } from './policy.ts'

/** Largest policy that is read, in bytes. */
const MAX_POLICY_BYTES = 1_048_576
/** Lines of each kind; the specification asks for at least 32. */
const MAX_LINES = 1_000

/** @throws AkashiError invalid_config when the file cannot be read or is not a policy */
export async function readPolicy(path: string): Promise<Policy> {
  try {
    const { size } = await stat(path)
    if (size > MAX_POLICY_BYTES) throw new AkashiError('invalid_input', 'it is too large')
    return parsePolicy(await readFile(path))
  } catch (error) {
    const why = error instanceof AkashiError ? error.message : errno(error)
    if (why === undefined) throw error
    throw new AkashiError('invalid_config', `the policy ${path} cannot be used: ${why}`, {
      hint: 'akashi witness policy prints one in the format of c2sp.org/tlog-policy',
      cause: error,
    })
  }
}

/**
 * Reads a policy. As an exception to the specification several logs may have the same key, since the logs of one
 * installation do; the same key for the same log twice is refused.
 *
 * @throws AkashiError invalid_input naming the line
 */
export function parsePolicy(bytes: Uint8Array): Policy {
  // Bytes above 0x7F are opaque: each is one character here.
  const lines = Buffer.from(bytes).toString('latin1').split('\n')
  const parser = new PolicyParser()
  for (const [index, line] of lines.entries()) {
    try {
      parser.line(line)
    } catch (error) {
      if (!(error instanceof AkashiError)) throw error
      throw new AkashiError('invalid_input', `line ${index + 1}: ${error.message}`, { cause: error })
    }
  }
  return parser.finish()
}

class PolicyParser {
  readonly #logs: VerifierKey[] = []
  readonly #witnesses: PolicyWitness[] = []
  /** Witnesses and groups share their names. */
  readonly #named = new Map<string, Quorum>()
  readonly #members = new Set<string>()
  #quorum: Quorum | undefined

  line(line: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the specification forbids
    if (/[\x00-\x08\x0b-\x1f\x7f]/.test(line)) {
      throw refused(line.endsWith('\r') ? 'it ends with a carriage return' : 'it has a control character')
    }
    const [keyword = '', ...items] = line.split(/[ \t]+/).filter((item) => item !== '')
    if (keyword === '' || keyword.startsWith('#')) return
    if (keyword === 'log') this.#log(items)
    else if (keyword === 'witness') this.#witness(items)
    else if (keyword === 'group') this.#group(items)
    else if (keyword === 'quorum') this.#setQuorum(items)
    else throw refused(`${shown(keyword)} is not log, witness, group or quorum`)
  }

  finish(): Policy {
    if (this.#quorum === undefined)
      throw refused('it has no quorum line; quorum none requires no cosignatures')
    return { logs: this.#logs, witnesses: this.#witnesses, quorum: this.#quorum }
  }

  #log([key, _url, ...more]: string[]): void {
    if (key === undefined || more.length > 0) throw refused('a log line has a key and optionally an address')
    const log = parseVerifierKey(utf8(key))
    if (this.#logs.some((known) => formatVerifierKey(known) === formatVerifierKey(log)))
      throw refused('this key of this log is given twice')
    this.#logs.push(log)
    limited(this.#logs.length)
  }

  #witness([name, key, url, ...more]: string[]): void {
    if (name === undefined || key === undefined || more.length > 0)
      throw refused('a witness line has a name, a key and optionally an address')
    const witness = {
      name: utf8(name),
      key: parseCosignerKey(utf8(key)),
      url: url === undefined ? null : utf8(url),
    }
    if (witness.url !== null && !/^https?:$/.test(URL.parse(witness.url)?.protocol ?? ''))
      throw refused('the address of a witness is not an http(s) URL')
    const same = ({ key: known }: PolicyWitness) => Buffer.from(known.publicKey).equals(witness.key.publicKey)
    if (this.#witnesses.some(same)) throw refused('the key of this witness is given twice')
    this.#define(name, { kind: 'witness', witness })
    this.#witnesses.push(witness)
  }

  #group([name, count, ...names]: string[]): void {
    if (name === undefined || count === undefined || names.length === 0)
      throw refused('a group line has a name, all, any or a number, and members')
    const members = names.map((member) => {
      if (this.#members.has(member)) throw refused(`${shown(member)} is already a member`)
      this.#members.add(member)
      return this.#get(member)
    })
    const threshold = count === 'all' ? members.length : count === 'any' ? 1 : Number(count)
    if (!/^(all|any|[1-9]\d{0,8})$/.test(count) || threshold > members.length)
      throw refused(`${shown(count)} is not a valid number of its ${members.length} members`)
    this.#define(name, { kind: 'group', threshold, members })
  }

  #setQuorum([name, ...more]: string[]): void {
    if (name === undefined || more.length > 0) throw refused('a quorum line has exactly one name')
    if (this.#quorum !== undefined) throw refused('a quorum is already defined')
    this.#quorum = name === 'none' ? { kind: 'none' } : this.#get(name)
  }

  #define(name: string, quorum: Quorum): void {
    if (name === 'none') throw refused('none cannot be the name of a witness or group')
    if (this.#named.has(name)) throw refused(`${shown(name)} is already defined`)
    this.#named.set(name, quorum)
    limited(this.#named.size)
  }

  #get(name: string): Quorum {
    const found = this.#named.get(name)
    if (found === undefined) throw refused(`no witness or group ${shown(name)} is defined above`)
    return found
  }
}

function limited(lines: number): void {
  if (lines > MAX_LINES) throw refused(`there are more than ${MAX_LINES} such lines`)
}

function utf8(item: string): string {
  return Buffer.from(item, 'latin1').toString('utf8')
}

/** An item of the file in a message. */
function shown(item: string): string {
  return `“${utf8(item).slice(0, 100)}”`
}

function refused(why: string): AkashiError {
  return new AkashiError('invalid_input', why)
}
