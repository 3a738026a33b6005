import { Button, Group, Text, Textarea, TextInput } from '@mantine/core'
import { IconPlayerPlay } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { type KeyboardEvent, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, Problem } from '../../api/index.ts'
import { problemText, showProblem } from '../../ui/index.ts'
import { shown } from '../audit/row.ts'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Panel, Screen } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import classes from './query.module.css'

const MAX_ROWS = 1_000
const EXAMPLES = [
  [
    'byDay',
    "select date_trunc('day', created_at) as day, count(*) as rows\nfrom akashi_audit.audit_logs\ngroup by 1 order by 1 desc",
  ],
  [
    'byTable',
    "select schema_name, table_name, operation, count(*) as rows\nfrom akashi_audit.audit_logs\nwhere created_at >= now() - interval '7 days'\ngroup by all order by rows desc",
  ],
  [
    'bySource',
    "select source_ip, event_type, count(*) as events\nfrom akashi_security.security_events\nwhere created_at >= now() - interval '7 days'\ngroup by all order by events desc",
  ],
] as const

interface Result {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
  readonly files: readonly string[]
  readonly hot: number
  readonly truncated: boolean
}

/** SQL over everything that is kept, in the database and in the archive. */
export function Query() {
  const t = useTexts()
  const { t: shell } = useTranslation()
  const [sql, setSql] = useState<string>(EXAMPLES[0][1])
  const [reason, setReason] = useState('')
  const cancel = useRef<AbortController>(null)
  const query = useMutation({
    mutationFn: async () => {
      cancel.current = new AbortController()
      const body = { sql, rows: MAX_ROWS, ...(reason === '' ? {} : { reason }) }
      // As JSON is asked for, which has these members.
      return (await call('POST /v1/query', { body, signal: cancel.current.signal })) as Result
    },
    onError: (error) => {
      if (!(error instanceof Problem)) showProblem(error)
    },
  })
  const result = query.data
  const rows = (result?.rows ?? []).map((values, index) => ({ index, values }))
  type Row = (typeof rows)[number]
  const columns: readonly Column<Row>[] = (result?.columns ?? []).map((title, at) => ({
    id: `${at}`,
    title,
    width: 'minmax(9rem, 1fr)',
    cell: ({ values }) => shown(values[at]),
  }))
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return
    event.preventDefault()
    query.mutate()
  }
  return (
    <Screen
      title={t('nav.query')}
      lead={t('query.lead')}
      actions={
        <>
          <ExportMenu
            name="query"
            rows={rows}
            columns={(result?.columns ?? []).map((name, at) => ({
              name,
              value: ({ values }: Row) => values[at],
            }))}
          />
          <ShowCommand cli={`akashi query "${sql.replaceAll('"', '\\"')}"`} request="POST /v1/query" />
        </>
      }
    >
      <Panel>
        <Group gap="xs" mb="sm">
          {EXAMPLES.map(([name, text]) => (
            <Button key={name} size="compact-sm" variant="default" onClick={() => setSql(text)}>
              {t(`query.examples.${name}`)}
            </Button>
          ))}
        </Group>
        <Textarea
          aria-label={t('query.sql')}
          classNames={{ input: classes['editor'] ?? '' }}
          autosize
          minRows={5}
          maxRows={18}
          spellCheck={false}
          value={sql}
          onChange={(event) => setSql(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <div className={classes['run']}>
          <TextInput
            className={classes['reason'] ?? ''}
            aria-label={t('common.reason')}
            placeholder={t('query.reason')}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          {query.isPending && (
            <Button variant="default" onClick={() => cancel.current?.abort()}>
              {shell('common.cancel')}
            </Button>
          )}
          <Button
            leftSection={<IconPlayerPlay size={16} aria-hidden />}
            loading={query.isPending}
            disabled={sql.trim() === ''}
            onClick={() => query.mutate()}
          >
            {t('query.run')}
          </Button>
        </div>
      </Panel>
      {query.error instanceof Problem && (
        <Panel>
          <div role="alert">
            <Text fw={600}>{problemText(shell, query.error)}</Text>
            <pre className={classes['problem']}>{query.error.message}</pre>
          </div>
        </Panel>
      )}
      {result !== undefined && (
        <Panel
          title={t('common.rows', { count: rows.length })}
          flush
          actions={
            <>
              <Tag tone="good">{t('query.hot', { count: result.hot })}</Tag>
              <Tag tone="info">{t('query.cold', { count: result.files.length })}</Tag>
              {result.truncated && <Tag tone="warn">{t('query.truncated')}</Tag>}
            </>
          }
        >
          {rows.length === 0 ? (
            <Empty title={t('audit.nothing')} />
          ) : (
            <DataTable
              label={t('query.result')}
              minWidth={`${Math.max(30, columns.length * 10)}rem`}
              columns={columns}
              rows={rows}
              rowKey={({ index }) => String(index)}
            />
          )}
        </Panel>
      )}
    </Screen>
  )
}
