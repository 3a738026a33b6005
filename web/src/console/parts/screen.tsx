import { Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { usePageTitle } from '../../shell/index.ts'
import classes from './screen.module.css'

interface ScreenProps {
  readonly title: string
  readonly lead?: string
  /** Buttons beside the title. */
  readonly actions?: ReactNode
  readonly children: ReactNode
}

/** A screen of the console: its title, what it is about, and its panels. */
export function Screen({ title, lead, actions, children }: ScreenProps) {
  usePageTitle(title)
  return (
    <div className={classes['screen']}>
      <header className={classes['head']}>
        <div className={classes['titles']}>
          <Title order={1} size="h2">
            {title}
          </Title>
          {lead !== undefined && <p className={classes['lead']}>{lead}</p>}
        </div>
        {actions !== undefined && <div className={classes['actions']}>{actions}</div>}
      </header>
      {children}
    </div>
  )
}

interface PanelProps {
  readonly title?: string
  readonly lead?: string
  readonly actions?: ReactNode
  /** Content up to the edges, such as a table. */
  readonly flush?: boolean
  readonly children: ReactNode
}

export function Panel({ title, lead, actions, flush = false, children }: PanelProps) {
  return (
    <section className={classes['panel']} {...(title === undefined ? {} : { 'aria-label': title })}>
      {title !== undefined && (
        <div className={classes['panelHead']}>
          <div className={classes['titles']}>
            <h2 className={classes['panelTitle']}>{title}</h2>
            {lead !== undefined && <p className={classes['panelLead']}>{lead}</p>}
          </div>
          {actions !== undefined && <div className={classes['actions']}>{actions}</div>}
        </div>
      )}
      <div className={flush ? classes['flush'] : classes['body']}>{children}</div>
    </section>
  )
}

/** Panels side by side where there is room. */
export function Columns({ children }: { readonly children: ReactNode }) {
  return <div className={classes['columns']}>{children}</div>
}
