/**
 * What a text does to the transaction that it runs in. Only a text that is one statement and nothing else counts as
 * anything but `work`, so that `begin; delete …` carries a context too.
 *
 * - `begin`: opens a transaction, which takes its context with the first statement of its work: what sets the
 *   isolation level has to come before every query.
 * - `back`: `rollback to savepoint`, which may take the context back
 * - `control`: says how the transaction runs, or ends it
 * - `alone`: cannot run in a transaction, and so carries no context
 * - `work`: everything else
 */
export type StatementKind = 'begin' | 'back' | 'control' | 'alone' | 'work'

const ignored = String.raw`(?:\s|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*\*/)*`
const whole = (words: string): RegExp => new RegExp(`^${ignored}(?:${words})[^;]*;?${ignored}$`, 'iu')

const begin = whole(String.raw`(?:begin|start\s+transaction)\b`)
const back = whole(String.raw`rollback\s+(?:(?:work|transaction)\s+)?to\b`)
const control = whole(
  String.raw`(?:commit|end|rollback|abort|prepare\s+transaction|set\s+transaction|set\s+session\s+characteristics)\b`,
)
const alone = whole(
  String.raw`(?:vacuum|discard|alter\s+system|(?:create|drop|alter)\s+(?:database|tablespace|subscription)|reindex|(?:create|drop)\s+(?:unique\s+)?index\s+concurrently)\b`,
)

export function statementKind(text: string): StatementKind {
  if (begin.test(text)) return 'begin'
  if (back.test(text)) return 'back'
  if (control.test(text)) return 'control'
  if (alone.test(text)) return 'alone'
  return 'work'
}

const end = new RegExp(`;${ignored}$`, 'u')

/** Whether a text is certainly one statement; one with a semicolon in a literal may be taken for several. */
export function isOneStatement(text: string): boolean {
  return !text.replace(end, '').includes(';')
}
