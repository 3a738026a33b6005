import { ActionIcon } from '@mantine/core'
import { IconArrowLeft } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { useTexts } from '../locales/index.ts'
import classes from './page-head.module.css'

interface PageHeadProps {
  readonly title: string
  readonly icon?: ReactNode
  readonly below?: ReactNode
  readonly children?: ReactNode
}

/** Above every page of the chat; on a phone with the way back. */
export function PageHead({ title, icon, below, children }: PageHeadProps) {
  const t = useTexts()
  return (
    <header className={classes['head']}>
      <ActionIcon
        component={Link}
        to="/chat"
        className={classes['back'] ?? ''}
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={t('backToList')}
      >
        <IconArrowLeft size={20} />
      </ActionIcon>
      {icon}
      <div className={classes['texts']}>
        <h1>
          <bdi>{title}</bdi>
        </h1>
        {below !== undefined && <p>{below}</p>}
      </div>
      <div className={classes['tools']}>{children}</div>
    </header>
  )
}

interface EmptyProps {
  readonly icon: ReactNode
  readonly title: string
  readonly detail: string
  readonly children?: ReactNode
}

/** In place of what is not there yet, and how it comes to be. */
export function Empty({ icon, title, detail, children }: EmptyProps) {
  return (
    <div className={classes['empty']}>
      <span className={classes['picture']}>{icon}</span>
      <h2>{title}</h2>
      <p>{detail}</p>
      {children}
    </div>
  )
}
