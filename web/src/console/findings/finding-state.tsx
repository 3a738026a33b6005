import { type FindingState, findingStates } from '@akashi/contract'
import { type ConsoleTexts, useTexts } from '../locales/index.ts'
import { Tag, type Tone } from '../parts/tag.tsx'

const tones: Readonly<Record<FindingState, Tone>> = {
  open: 'warn',
  in_progress: 'info',
  resolved: 'good',
  suppressed: 'plain',
  false_positive: 'plain',
}

export function FindingTag({ state }: { readonly state: FindingState }) {
  const t = useTexts()
  return <Tag tone={tones[state]}>{t(`findings.states.${state}`)}</Tag>
}

export function findingOptions(t: ConsoleTexts) {
  return findingStates.map((value) => ({ value, label: t(`findings.states.${value}`) }))
}
