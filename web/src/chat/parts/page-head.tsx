import { ActionIcon } from '@mantine/core'
import { IconArrowLeft } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { usePageTitle } from '../../shell/index.ts'
import { useTexts } from '../locales/index.ts'
import classes from './page-head.module.css'

interface PageHeadProps {
  readonly title: string
  readonly icon?: ReactNode
  readonly below?: ReactNode
  readonly children?: ReactNode
}

/** The title of a page, also for the browser tab; on a phone with a link back to the list. */
export function PageHead({ title, icon, below, children }: PageHeadProps) {
  const t = useTexts()
  usePageTitle(title)
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
  /** Whether the title is that of the page, which has no other. */
  readonly isPage?: boolean
  readonly children?: ReactNode
}

/** Shown where there is nothing yet, with what to do about it. */
export function Empty({ icon, title, detail, isPage = false, children }: EmptyProps) {
  const Heading = isPage ? 'h1' : 'h2'
  return (
    <div className={classes['empty']}>
      <span className={classes['picture']}>{icon}</span>
      <Heading>{title}</Heading>
      <p>{detail}</p>
      {children}
    </div>
  )
}
