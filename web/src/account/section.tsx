import { Skeleton, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { usePageTitle } from '../shell/index.ts'
import classes from './account.module.css'

interface HeadingProps {
  readonly title: string
  readonly lead?: string
}

/** The title of an account page, and what it is about. */
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

interface SectionProps {
  readonly title?: string
  readonly lead?: string
  /** A button beside the title. */
  readonly action?: ReactNode
  readonly children: ReactNode
}

/** A card of a page. */
export function Section({ title, lead, action, children }: SectionProps) {
  return (
    <section className={classes['card']}>
      {title !== undefined && (
        <div className={classes['cardHead']}>
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

export function SectionBody({ children }: { readonly children: ReactNode }) {
  return <div className={classes['cardBody']}>{children}</div>
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

/** As high as the rows that will replace it, so that nothing moves when they load. */
export function RowsSkeleton({ rows }: { readonly rows: number }) {
  return (
    <Rows>
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are identical and never move
        <Row key={index}>
          <Skeleton height={12} width="45%" />
          <Skeleton height={10} width="70%" mt={9} />
        </Row>
      ))}
    </Rows>
  )
}
