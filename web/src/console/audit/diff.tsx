// biome-ignore-all lint/a11y/useSemanticElements: a section would be a landmark of its own
import { Switch } from '@mantine/core'
import { useState } from 'react'
import { useTexts } from '../locales/index.ts'
import classes from './diff.module.css'
import { type Change, shown } from './row.ts'

interface DiffProps {
  readonly label: string
  readonly changes: readonly Change[]
}

/** A row before and after, side by side. */
export function Diff({ label, changes }: DiffProps) {
  const t = useTexts()
  const [all, setAll] = useState(false)
  const rows = changes.filter(({ changed }) => all || changed)
  const isPartial = changes.some(({ changed }) => !changed)
  return (
    <div>
      {isPartial && (
        <Switch
          className={classes['switch'] ?? ''}
          size="xs"
          label={t('audit.unchangedToo')}
          checked={all}
          onChange={(event) => setAll(event.currentTarget.checked)}
        />
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached with the keyboard */}
      <div className={classes['scroll']} tabIndex={0} role="region" aria-label={label}>
        <table className={classes['diff']}>
          <thead>
            <tr>
              <th scope="col">{t('audit.field')}</th>
              <th scope="col">{t('audit.before')}</th>
              <th scope="col">{t('audit.after')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ field, before, after, changed }) => (
              <tr key={field} data-changed={changed || undefined}>
                <th scope="row">{field}</th>
                <td data-side={changed && before !== undefined ? 'before' : undefined}>
                  <Value value={before} />
                </td>
                <td data-side={changed && after !== undefined ? 'after' : undefined}>
                  <Value value={after} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  )
}

/** Characters after which a value is shortened until it is expanded. */
const SHORT = 240

function Value({ value }: { readonly value: unknown }) {
  const text = shown(value)
  if (text.length <= SHORT) return text
  return (
    <details>
      <summary>{`${text.slice(0, SHORT)}…`}</summary>
      {text.slice(SHORT)}
    </details>
  )
}
