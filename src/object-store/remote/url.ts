import { AkashiError } from '../../foundation/index.ts'
import { isKey } from '../key.ts'

export interface RemoteUrl {
  readonly bucket: string
  /** `''` or ends with a slash. */
  readonly prefix: string
  readonly parameters: Readonly<Record<string, string | undefined>>
  /** Without its parameters. */
  readonly location: string
}

const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,221}$/

/**
 * `scheme://bucket/prefix?name=value`. Credentials in it are refused, and errors never quote it, since it may
 * contain some nevertheless.
 *
 * @param accepted parameter names of the driver
 */
export function parseRemoteUrl(url: string, accepted: readonly string[], example: string): RemoteUrl {
  const parsed = URL.parse(url)
  const wrong = (what: string) =>
    new AkashiError('invalid_config', `the URL of the object store ${what}`, {
      hint: `write it as ${example}`,
    })
  if (parsed === null || !BUCKET.test(parsed.host)) throw wrong('names no bucket')
  if (parsed.username !== '' || parsed.password !== '') throw carriesCredentials()
  if (parsed.hash !== '') throw wrong('has a fragment')
  const prefix = parsed.pathname.replace(/^\//, '').replace(/\/$/, '')
  if (prefix !== '' && !isKey(prefix)) throw wrong('has a prefix that is not a valid key')
  const parameters: Record<string, string> = {}
  for (const [name, value] of parsed.searchParams) {
    if (/secret|password|token|accesskey|credential|signature|^sig$/i.test(name)) throw carriesCredentials()
    if (!accepted.includes(name)) throw wrong(`has a parameter other than ${accepted.join(', ')}`)
    if (value === '' || parameters[name] !== undefined) throw wrong(`must give ${name} exactly one value`)
    parameters[name] = value
  }
  const { endpoint } = parameters
  if (endpoint !== undefined) {
    const target = URL.parse(endpoint)
    if (target === null || !/^https?:$/.test(target.protocol))
      throw wrong('has an endpoint that is not an HTTP URL')
    if (target.username !== '' || target.password !== '' || target.search !== '') throw carriesCredentials()
  }
  return {
    bucket: parsed.host,
    prefix: prefix === '' ? '' : `${prefix}/`,
    parameters,
    location: `${parsed.protocol}//${parsed.host}${prefix === '' ? '' : `/${prefix}`}`,
  }
}

/** The parameter, one of `words`; undefined if absent. */
export function choice<const T extends string>(
  { parameters }: RemoteUrl,
  name: string,
  words: readonly T[],
): T | undefined {
  const value = parameters[name]
  if (value === undefined) return undefined
  const word = words.find((candidate) => candidate === value)
  if (word !== undefined) return word
  throw new AkashiError('invalid_config', `the URL of the object store has an unknown ${name}`, {
    hint: `accepted: ${words.join(', ')}`,
  })
}

function carriesCredentials(): AkashiError {
  return new AkashiError('invalid_config', 'the URL of the object store contains credentials', {
    hint: 'set them in the environment of the process (docs/object-stores.md) and revoke those that were in the URL',
  })
}
