/** Removes secrets from what leaves the process: log lines, error messages, printed URLs. */
import { REDACTED } from './secret.ts'

/** Names of secret values, compared ignoring case, `_` and `-`: `api_key`, `X-Api-Key`, `dbPassword`. */
const SECRET_NAME =
  /passwo?r?d|passphrase|secret|token|authorization|cookie|apikey|privatekey|credential|accesskey/

/** Patterns that are secret in any text, with their replacement. */
const SECRET_TEXTS: readonly (readonly [pattern: RegExp, kept: string])[] = [
  // Userinfo of a URL: everything between the first colon and the last @ before the path.
  [/\b([a-z][a-z0-9+.-]*:\/\/[^\s/?#:@"']*):[^\s/?#"']*@/gi, `$1:${REDACTED}@`],
  // An unescaped / ? # in a password would end the authority, so match up to the last @ of the word.
  [/\b(postgres(?:ql)?:\/\/[^\s/:@"']*):(?!\[redacted\]@)[^\s"']*@/gi, `$1:${REDACTED}@`],
  // name=value in connection strings and query strings.
  [
    /\b([\w-]*(?:password|passphrase|passwd|secret|token|api_?key|access_?key|signature|credential))\s*=\s*('[^']*'|"[^"]*"|[^\s&;,"']+)/gi,
    `$1=${REDACTED}`,
  ],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${REDACTED}`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED],
  [/\bAGE-SECRET-KEY-1[A-Z0-9]+/gi, REDACTED],
  [/\b(akctx_[a-z0-9_-]+_)[0-9a-f]{64}\b/gi, `$1${REDACTED}`],
]

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.toLowerCase().replaceAll(/[_-]/g, ''))
}

/** The text with its secrets replaced. */
export function redactText(text: string): string {
  let redacted = text
  for (const [pattern, kept] of SECRET_TEXTS) redacted = redacted.replaceAll(pattern, kept)
  return redacted
}

/** A copy of a JSON value with secrets replaced, by member name and within strings. */
export function redactJson(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value)
  if (Array.isArray(value)) return value.map(redactJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      isSecretName(name) && carriesSecret(member) ? REDACTED : redactJson(member),
    ]),
  )
}

/** Values such as `passwordChanged: true` and `token: null` reveal nothing. */
function carriesSecret(value: unknown): boolean {
  return value !== null && typeof value !== 'boolean'
}
