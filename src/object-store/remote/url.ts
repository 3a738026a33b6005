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
 * `scheme://bucket/prefix?name=value`. Credentials have no place in it, and no text of it is repeated in an
 * error: somebody may have written some all the same.
 *
 * @param accepted names of the parameters that the driver knows
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
  if (prefix !== '' && !isKey(prefix)) throw wrong('has a prefix that is no key')
  const parameters: Record<string, string> = {}
  for (const [name, value] of parsed.searchParams) {
    if (/secret|password|token|accesskey|credential|signature|^sig$/i.test(name)) throw carriesCredentials()
    if (!accepted.includes(name)) throw wrong(`has a parameter that is none of ${accepted.join(', ')}`)
    if (value === '' || parameters[name] !== undefined) throw wrong(`does not give ${name} one value`)
    parameters[name] = value
  }
  const { endpoint } = parameters
  if (endpoint !== undefined) {
    const target = URL.parse(endpoint)
    if (target === null || !/^https?:$/.test(target.protocol)) throw wrong('has an endpoint that is no URL')
    if (target.username !== '' || target.password !== '' || target.search !== '') throw carriesCredentials()
  }
  return {
    bucket: parsed.host,
    prefix: prefix === '' ? '' : `${prefix}/`,
    parameters,
    location: `${parsed.protocol}//${parsed.host}${prefix === '' ? '' : `/${prefix}`}`,
  }
}

/** One of a few words, or undefined when the parameter is not there. */
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
  return new AkashiError('invalid_config', 'the URL of the object store carries credentials', {
    hint: 'leave them to the environment of the process (docs/object-stores.md), and replace those that were in the URL',
  })
}
