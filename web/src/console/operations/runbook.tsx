import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTexts } from '../locales/index.ts'
import { Loaded } from '../parts/state.tsx'
import classes from './alarms.module.css'
import panel from './panel.module.css'
import { type Part, sectionOf } from './runbook-text.ts'

interface RunbookProps {
  /** Name of the condition, which is the section's heading. */
  readonly name: string
  /** Page and section of the documentation. */
  readonly page: string
}

/** What the documentation says about a condition, in the page: who is called has it before them. */
export function Runbook({ name, page }: RunbookProps) {
  const t = useTexts()
  const [isOpen, setOpen] = useState(true)
  const text = useQuery({
    queryKey: ['console', 'runbook'],
    queryFn: async () => (await import('../../../../docs/operations.md?raw')).default,
    staleTime: Number.POSITIVE_INFINITY,
    enabled: isOpen,
  })
  return (
    <section aria-label={t('alarms.runbook')}>
      <Button
        variant="subtle"
        size="compact-sm"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
        title={page}
      >
        {t(isOpen ? 'alarms.hideRunbook' : 'alarms.runbook')}
      </Button>
      {isOpen && (
        <div className={classes['runbook']} lang="en">
          <Loaded query={text} rows={3}>
            {(pages) => sectionOf(pages, name).map((part) => <Paragraph key={part.text} part={part} />)}
          </Loaded>
          <p className={panel['muted']}>{page}</p>
        </div>
      )}
    </section>
  )
}

function Paragraph({ part: { kind, text } }: { readonly part: Part }) {
  return kind === 'code' ? (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached with the keyboard
    <pre tabIndex={0}>{text}</pre>
  ) : (
    <p>{text}</p>
  )
}
