import type { ResponseOf } from '@akashi/contract'
import { UnstyledButton } from '@mantine/core'
import { IconX } from '@tabler/icons-react'
import { useTexts } from '../locales/index.ts'
import { PersonName } from '../parts/person-name.tsx'
import classes from './facets.module.css'

type Facet = ResponseOf<'GET /v1/audit/counts'>['facets'][number]

interface FacetsProps {
  readonly facets: readonly Facet[]
  readonly chosen: Readonly<Partial<Record<Facet['name'], string>>>
  readonly onChoose: (name: Facet['name'], value: string) => void
}

/** The most frequent values in the results; each one narrows the search. */
export function Facets({ facets, chosen, onChoose }: FacetsProps) {
  const t = useTexts()
  return (
    <div className={classes['facets']}>
      {facets
        .filter(({ values }) => values.length > 0)
        .map(({ name, values }) => {
          const most = values[0]?.count ?? 1
          return (
            <section key={name} aria-label={t(`audit.facet.${name}`)}>
              <h3 className={classes['title']}>{t(`audit.facet.${name}`)}</h3>
              <ul className={classes['values']}>
                {values.map(({ value, count }) => {
                  const isChosen = chosen[name] === value
                  return (
                    <li key={value}>
                      <UnstyledButton
                        className={classes['value'] ?? ''}
                        aria-pressed={isChosen}
                        onClick={() => onChoose(name, isChosen ? '' : value)}
                      >
                        <span className={classes['bar']} style={{ width: `${(100 * count) / most}%` }} />
                        <span className={classes['text']} title={value}>
                          {name === 'userId' ? <PersonName of={value} /> : value}
                        </span>
                        {isChosen ? (
                          <IconX size={14} aria-hidden />
                        ) : (
                          <span className={classes['count']}>{count.toLocaleString()}</span>
                        )}
                      </UnstyledButton>
                    </li>
                  )
                })}
              </ul>
            </section>
          )
        })}
    </div>
  )
}
