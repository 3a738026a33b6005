import type { Person } from '@akashi/contract'
import { Popover, UnstyledButton } from '@mantine/core'
import { type ReactNode, Suspense, useState } from 'react'
import { lazily } from '../../shell/index.ts'
import { nameOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import classes from './person-card.module.css'

const PersonFacts = lazily(async () => (await import('./person-facts.tsx')).PersonFacts)

interface PersonCardProps {
  readonly person: Person
  /** What opens the card. */
  readonly children: ReactNode
}

/** A card about a person, with a way to write to them; opened by their picture. */
export function PersonCard({ person, children }: PersonCardProps) {
  const t = useTexts()
  const [opened, setOpened] = useState(false)
  const name = nameOf(t, person)
  return (
    <Popover opened={opened} onChange={setOpened} position="right-start" withinPortal trapFocus returnFocus>
      <Popover.Target>
        <UnstyledButton
          className={classes['target'] ?? ''}
          aria-label={t('card.open', { name })}
          aria-haspopup="dialog"
          onClick={() => setOpened((now) => !now)}
        >
          {children}
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown className={classes['card'] ?? ''} aria-label={name}>
        {opened && (
          <Suspense>
            <PersonFacts person={person} onLeave={() => setOpened(false)} />
          </Suspense>
        )}
      </Popover.Dropdown>
    </Popover>
  )
}
