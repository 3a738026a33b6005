import type { Severity } from '@akashi/contract'
import { useTexts } from '../locales/index.ts'
import { toneOf } from '../severities.ts'
import { Tag } from './tag.tsx'

export function SeverityTag({ severity }: { readonly severity: Severity }) {
  const t = useTexts()
  return <Tag tone={toneOf[severity]}>{t(`severity.${severity}`)}</Tag>
}
