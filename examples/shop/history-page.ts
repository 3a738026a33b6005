import type { RecordVersion } from '@akashi/client'

/** What happened to an order: who did it, from where, and what it changed. */
export function historyPage(id: number, versions: readonly RecordVersion[]): string {
  const rows = versions.map(
    ({ createdAt, userId, ipAddress, operation, changes }) => `<tr>
      <td>${escaped(createdAt.slice(0, 19).replace('T', ' '))}</td><td>${escaped(userId ?? 'nobody')}</td>
      <td>${escaped(ipAddress ?? '')}</td><td>${escaped(operation ?? '')}</td>
      <td>${changes.map(({ field, old, new: now }) => escaped(`${field}: ${said(old)} → ${said(now)}`)).join('<br>')}</td>
    </tr>`,
  )
  return `<!doctype html><html lang="en"><title>Order ${id}</title>
    <h1>Order ${id}</h1>
    <table><tr><th>when (UTC)<th>who<th>from<th>what<th>changes</tr>${rows.join('\n')}</table></html>`
}

function said(value: unknown): string {
  return value === undefined ? '' : String(value)
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
