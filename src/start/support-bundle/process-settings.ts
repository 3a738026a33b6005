import { type Config, REDACTED, redactJson, settingNames, settingOf } from '../../foundation/index.ts'

/**
 * The settings of this process without secrets: of a URL only the scheme, host and path; of any other secret
 * only that it is set.
 */
export function describeSettings(settings: Config): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    settingNames.map((name) => {
      const value = settings[name]
      if (value === undefined) return [name, null]
      return [name, settingOf(name).secret === true ? describeSecret(value) : redactJson(plain(value))]
    }),
  )
}

function describeSecret(value: unknown): string {
  const url = typeof value === 'string' ? withoutSecrets(value) : null
  return url ?? REDACTED
}

/** URLs are stripped everywhere. */
function plain(value: unknown): unknown {
  if (typeof value === 'string') return withoutSecrets(value) ?? value
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]))
}

/** null if it is not a URL. The query may contain account keys, and the user name belongs to a person. */
function withoutSecrets(text: string): string | null {
  const url = URL.parse(text)
  if (url === null || !text.includes(':/')) return null
  return `${url.protocol}//${url.host}${url.pathname}`
}
