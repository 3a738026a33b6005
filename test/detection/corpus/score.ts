/** Compares what rules found with what is there. */
import type { Finding } from '../../../src/detection/correlate.ts'
import type { Corpus, Labelled } from './build.ts'

/** Which rules find a kind of attack; `also` are further ones that may, since the attack is theirs as well. */
export interface Expected {
  readonly finds: readonly string[]
  readonly also?: readonly string[]
}

export interface Score {
  readonly precision: number
  readonly recall: number
  readonly missed: readonly string[]
  readonly wrong: readonly string[]
}

export function scoreOf(
  corpus: Corpus,
  findings: readonly Finding[],
  expected: Readonly<Record<string, Expected>>,
): Score {
  const labels = new Map<string, Labelled>()
  for (const log of [corpus.security_events, corpus.audit_logs])
    for (const each of log) labels.set(each.id, each)
  const found = new Set<number>()
  const wrong: string[] = []
  for (const { rule, subject, events } of findings) {
    const name = rule.name ?? rule.id
    const truths = events.flatMap((id) => labels.get(id)?.truth ?? [])
    let isRight = false
    for (const { kind, attack } of truths) {
      const { finds, also = [] } = expected[kind] ?? { finds: [] }
      if (finds.includes(name)) found.add(attack)
      isRight ||= finds.includes(name) || also.includes(name)
    }
    if (!isRight)
      wrong.push(
        `${name} ${JSON.stringify(subject)}${truths[0] === undefined ? '' : ` in ${truths[0].kind}`}`,
      )
  }
  const missed = corpus.attacks.filter(({ attack }) => !found.has(attack)).map(({ kind }) => kind)
  return {
    precision: findings.length === 0 ? 0 : 1 - wrong.length / findings.length,
    recall: 1 - missed.length / corpus.attacks.length,
    missed,
    wrong,
  }
}
