import { Button, Skeleton, Text } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Problem } from '../../api/index.ts'
import { problemText } from '../../ui/index.ts'
import classes from './state.module.css'

interface LoadedProps<Data> {
  readonly query: Pick<UseQueryResult<Data>, 'data' | 'error' | 'refetch'>
  /** Rows that the placeholder has while data loads. */
  readonly rows?: number
  readonly children: (data: Data) => ReactNode
}

/** What a query gave; until then a placeholder, and why where it failed. */
export function Loaded<Data>({ query, rows = 4, children }: LoadedProps<Data>) {
  if (query.data !== undefined) return children(query.data)
  if (query.error !== null) return <Failed error={query.error} onRetry={() => void query.refetch()} />
  return <Placeholder rows={rows} />
}

export function Placeholder({ rows }: { readonly rows: number }) {
  const { t } = useTranslation()
  return (
    <div className={classes['placeholder']} role="status" aria-label={t('common.loading')}>
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are identical and never move
        <Skeleton key={index} height={14} />
      ))}
    </div>
  )
}

interface FailedProps {
  readonly error: Error
  readonly onRetry: () => void
}

function Failed({ error, onRetry }: FailedProps) {
  const { t } = useTranslation()
  return (
    <div className={classes['empty']} role="alert">
      <Text fw={600}>{problemText(t, error)}</Text>
      {error instanceof Problem && (
        <Text size="sm" c="dimmed">
          {error.message}
        </Text>
      )}
      <Button variant="default" size="xs" onClick={onRetry}>
        {t('common.retry')}
      </Button>
    </div>
  )
}

interface EmptyProps {
  readonly title: string
  readonly detail?: ReactNode
}

/** That there is nothing, and what would change that. */
export function Empty({ title, detail }: EmptyProps) {
  return (
    <div className={classes['empty']}>
      <Text fw={600}>{title}</Text>
      {detail !== undefined && (
        <Text size="sm" c="dimmed" component="div">
          {detail}
        </Text>
      )}
    </div>
  )
}
