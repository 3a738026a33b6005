import { AkashiError } from '../../foundation/index.ts'
import type { Invocation } from '../invocation.ts'

export function limitOf(cli: Invocation): { limit?: number } {
  const { limit } = cli.flags
  if (limit === undefined) return {}
  const rows = Number(limit)
  if (!Number.isInteger(rows)) {
    throw new AkashiError('invalid_input', `${String(limit)} is not a valid --limit`, {
      hint: 'give a whole number',
    })
  }
  return { limit: rows }
}

export function moreOf(next: string | null): string {
  return next === null ? '' : `\nnext page: --cursor ${next}`
}
