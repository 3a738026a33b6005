import type { ControlStatus, EvidenceStatus, Unit, Verdict } from '../document.ts'

export interface ControlText {
  readonly title: string
  /** What the control makes sure, one sentence. */
  readonly aim: string
  /** What to do when it is not fulfilled. */
  readonly remedy: string
  /** Labels of its evidence by key. */
  readonly evidence: Readonly<Record<string, string>>
}

/** Everything that a report says in one language. */
export interface Texts {
  /** BCP 47. */
  readonly locale: string
  readonly title: string
  readonly subtitle: string
  readonly verdicts: Readonly<Record<Verdict, { readonly title: string; readonly text: string }>>
  readonly statuses: Readonly<Record<ControlStatus, string>>
  readonly evidenceStatuses: Readonly<Record<EvidenceStatus, string>>
  readonly counted: (met: number, notMet: number, missing: number) => string
  readonly introduction: string
  readonly period: string
  readonly installation: string
  readonly made: string
  readonly system: string
  readonly inMonth: (from: string, until: string, zone: string) => string
  readonly summary: string
  readonly control: string
  readonly result: string
  readonly openPoints: string
  readonly noOpenPoints: string
  readonly finding: string
  readonly toDo: string
  readonly signature: string
  readonly signatureText: string
  readonly signedBy: string
  readonly reportId: string
  readonly evidence: string
  readonly value: string
  readonly required: string
  readonly lastMonth: string
  readonly figures: string
  readonly sealedChart: string
  readonly findingsChart: string
  readonly drillsChart: string
  readonly noData: string
  readonly logs: Readonly<Record<string, string>>
  readonly severities: Readonly<Record<string, string>>
  readonly found: string
  readonly closed: string
  readonly overdue: string
  readonly rto: string
  readonly limit: string
  readonly compared: (when: string) => string
  readonly notCompared: string
  readonly queries: string
  readonly queriesText: string
  readonly frameworks: string
  readonly frameworksText: string
  /** At most 0. */
  readonly none: string
  readonly atMost: (value: string) => string
  readonly atLeast: (value: string) => string
  readonly units: Readonly<Record<Unit, (value: string) => string>>
  readonly page: (page: number, pages: number) => string
  readonly controls: Readonly<Record<string, ControlText>>
}
