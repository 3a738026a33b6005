import type { PatternPart } from './ast.ts'
import { RuleFault } from './fault.ts'

/** Reads `*` and `?` as wildcards; a backslash before them, or before a backslash, makes them plain. */
export function parsePattern(written: string): PatternPart[] {
  const parts: PatternPart[] = []
  let text = ''
  const flush = () => {
    if (text !== '') parts.push(text)
    text = ''
  }
  for (let at = 0; at < written.length; at += 1) {
    const character = written[at] ?? ''
    const next = written[at + 1]
    if (character === '\\' && (next === '*' || next === '?' || next === '\\')) {
      text += next
      at += 1
    } else if (character === '*' || character === '?') {
      flush()
      parts.push({ wildcard: character === '*' ? 'any' : 'one' })
    } else text += character
  }
  flush()
  return parts
}

export const ANY: PatternPart = { wildcard: 'any' }

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/
const HEXTET_BITS = 16
const IPV6_BITS = 128

/** Patterns of the canonical text of the addresses of a network. */
export function networkPatterns(cidr: string): PatternPart[][] {
  const [address = '', length] = cidr.split('/')
  const bits = Number(length)
  const v4 = IPV4.exec(address)
  if (v4 !== null) return ipv4Patterns(cidr, v4.slice(1).map(Number), length === undefined ? 32 : bits)
  return ipv6Patterns(cidr, address.toLowerCase(), length === undefined ? IPV6_BITS : bits)
}

function ipv4Patterns(cidr: string, octets: readonly number[], bits: number): PatternPart[][] {
  if (!Number.isInteger(bits) || bits < 0 || bits > 32 || octets.some((octet) => octet > 255))
    throw wrong(cidr)
  const whole = Math.floor(bits / 8)
  const prefix = octets.slice(0, whole)
  if (whole === 4) return [[octets.join('.')]]
  const rest = bits % 8
  const lead = prefix.map((octet) => `${octet}.`).join('')
  if (rest === 0) return [whole === 0 ? [{ wildcard: 'any' }, '.', { wildcard: 'any' }] : [lead, ANY]]
  const size = 2 ** (8 - rest)
  const first = Math.floor((octets[whole] ?? 0) / size) * size
  return Array.from({ length: size }, (_, at) =>
    whole === 3 ? [`${lead}${first + at}`] : [`${lead}${first + at}.`, ANY],
  )
}

/** Only networks whose addresses begin alike in canonical text: within the first group, or of whole groups. */
function ipv6Patterns(cidr: string, address: string, bits: number): PatternPart[][] {
  if (!/^[0-9a-f:]+$/.test(address) || !Number.isInteger(bits) || bits < 0 || bits > IPV6_BITS)
    throw wrong(cidr)
  if (bits === IPV6_BITS) return [[address]]
  const groups = address.split('::')[0]?.split(':') ?? []
  if (bits <= HEXTET_BITS && bits > 0) {
    const size = 2 ** (HEXTET_BITS - bits)
    const first = Math.floor(Number.parseInt(groups[0] || '0', 16) / size) * size
    if (size > 4096 || first < 0x1000) throw unsupported(cidr)
    return Array.from({ length: size }, (_, at) => [`${(first + at).toString(16)}:`, ANY])
  }
  const whole = bits / HEXTET_BITS
  if (!Number.isInteger(whole) || groups.length < whole) throw unsupported(cidr)
  const prefix = groups.slice(0, whole)
  if (prefix.some((group) => /^0+$|^$/.test(group))) throw unsupported(cidr)
  return [[`${prefix.map((group) => group.replace(/^0+/, '')).join(':')}:`, ANY]]
}

function wrong(cidr: string): RuleFault {
  return new RuleFault(`${cidr} is not a network`)
}

function unsupported(cidr: string): RuleFault {
  return new RuleFault(`the network ${cidr} cannot be matched by the text of its addresses; use whole groups`)
}

const REFUSED_SYNTAX = /\(\?[=!<>P]|\\[1-9kpPXRQEAzZG]|\[\[:|[*+?}]\+/
const GREATEST_REGEX = 1_000

/** A regular expression of the syntax that PostgreSQL, RE2 and JavaScript share, or a fault. */
export function checkRegex(source: string): string {
  if (source.length > GREATEST_REGEX)
    throw new RuleFault(`a regular expression has at most ${GREATEST_REGEX} characters`)
  if (REFUSED_SYNTAX.test(source)) {
    throw new RuleFault(
      'look-around, back-references and classes by name are not in the syntax that all engines share',
    )
  }
  try {
    new RegExp(source, 'su')
  } catch (cause) {
    throw new RuleFault(`not a regular expression: ${cause instanceof Error ? cause.message : ''}`)
  }
  return source
}
