import { Skeleton, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { usePageTitle } from '../shell/index.ts'
import classes from './account.module.css'

interface HeadingProps {
  readonly title: string
  readonly lead?: string
}

/** The first lines of a page of the account. */
export function Heading({ title, lead }: HeadingProps) {
  usePageTitle(title)
  return (
    <div className={classes['heading']}>
      <Title order={1} size="h2">
        {title}
      </Title>
      {lead !== undefined && <Text c="dimmed">{lead}</Text>}
    </div>
  )
}

interface PartProps {
  readonly title?: string
  readonly lead?: string
  /** Beside the title. */
  readonly action?: ReactNode
  readonly children: ReactNode
}

/** One sheet of a page. */
export function Part({ title, lead, action, children }: PartProps) {
  return (
    <section className={classes['part']}>
      {title !== undefined && (
        <div className={classes['partHead']}>
          <div>
            <Title order={2} size="h4">
              {title}
            </Title>
            {lead !== undefined && (
              <Text size="sm" c="dimmed" mt={2}>
                {lead}
              </Text>
            )}
          </div>
          {action}
        </div>
      )}
      {children}
    </section>
  )
}

export function PartBody({ children }: { readonly children: ReactNode }) {
  return <div className={classes['partBody']}>{children}</div>
}

export function Rows({ children }: { readonly children: ReactNode }) {
  return <ul className={classes['rows']}>{children}</ul>
}

interface RowProps {
  readonly icon?: ReactNode
  readonly children: ReactNode
  readonly action?: ReactNode
}

export function Row({ icon, children, action }: RowProps) {
  return (
    <li className={classes['row']}>
      {icon}
      <div className={classes['rowText']}>{children}</div>
      {action}
    </li>
  )
}

/** As high as the rows that come, so that nothing jumps when they do. */
export function RowsSkeleton({ rows }: { readonly rows: number }) {
  return (
    <Rows>
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same and never move
        <Row key={index}>
          <Skeleton height={12} width="45%" />
          <Skeleton height={10} width="70%" mt={9} />
        </Row>
      ))}
    </Rows>
  )
}
