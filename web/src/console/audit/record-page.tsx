import { Button, Slider } from '@mantine/core'
import { IconArrowLeft } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useParams } from 'react-router'
import { addressOf, call } from '../../api/index.ts'
import { useTexts } from '../locales/index.ts'
import { briefly, exactly } from '../parts/exactly.ts'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Columns, Panel, Screen } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import classes from './record-page.module.css'
import { type Row, rowOf, sentenceOf, shown } from './row.ts'
import { Details } from './row-panel.tsx'
import { exportColumns } from './trail-table.tsx'

const PAGE_ROWS = 200

/** The history of one record: each version, how it was then, who changed it. */
export function RecordPage() {
  const t = useTexts()
  const { schema = '', table = '', recordId = '' } = useParams()
  const params = { schema, table, recordId }
  const history = useInfiniteQuery({
    queryKey: ['console', 'record', params],
    queryFn: async ({ pageParam, signal }) => {
      const page = await call('GET /v1/audit/records/{schema}/{table}/{recordId}', {
        params,
        query: { limit: PAGE_ROWS, ...(pageParam === null ? {} : { cursor: pageParam }) },
        signal,
      })
      return { rows: page.rows.map(rowOf), next: page.next }
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  })
  const versions = history.data?.pages.flatMap((page) => page.rows) ?? []
  return (
    <Screen
      title={t('audit.recordTitle')}
      lead={`${schema}.${table} · ${recordId}`}
      actions={
        <>
          <Button
            component={Link}
            to="/console/audit"
            variant="default"
            size="xs"
            leftSection={<IconArrowLeft size={15} aria-hidden />}
          >
            {t('nav.audit')}
          </Button>
          <ExportMenu name={`${table}-history`} columns={exportColumns} rows={versions} />
          <ShowCommand
            cli={`akashi audit history ${schema}.${table} ${recordId}`}
            request={`GET ${addressOf('/v1/audit/records/{schema}/{table}/{recordId}', { params, query: {} })}`}
          />
        </>
      }
    >
      <Loaded query={history} rows={8}>
        {() =>
          versions.length === 0 ? (
            <Empty title={t('audit.noHistory')} detail={t('audit.noHistoryDetail')} />
          ) : (
            <Versions versions={versions} />
          )
        }
      </Loaded>
      {history.hasNextPage && (
        <Button
          variant="default"
          loading={history.isFetchingNextPage}
          onClick={() => void history.fetchNextPage()}
        >
          {t('common.more')}
        </Button>
      )}
    </Screen>
  )
}

function Versions({ versions }: { readonly versions: readonly Row[] }) {
  const t = useTexts()
  const [chosen, setChosen] = useState<number | null>(null)
  const last = versions.length - 1
  const at = Math.min(chosen ?? last, last)
  const version = versions[at]
  if (version === undefined) return null
  return (
    <>
      <Panel title={t('audit.asOf')} lead={exactly(version.createdAt)}>
        {last > 0 && (
          <Slider
            className={classes['slider'] ?? ''}
            min={0}
            max={last}
            step={1}
            value={at}
            onChange={setChosen}
            label={(value) => briefly(versions[value]?.createdAt ?? '')}
            thumbLabel={t('audit.asOf')}
            marks={versions.length <= 30 ? versions.map((_, index) => ({ value: index })) : []}
          />
        )}
        <ol className={classes['versions']}>
          {versions.map((row, index) => (
            <li key={row.id}>
              <button
                type="button"
                className={classes['version']}
                aria-current={index === at ? 'step' : undefined}
                onClick={() => setChosen(index)}
              >
                <b>{index + 1}</b>
                {sentenceOf(t, row)}
                <time dateTime={row.createdAt}>{briefly(row.createdAt)}</time>
              </button>
            </li>
          ))}
        </ol>
      </Panel>
      <Columns>
        <Panel title={t('audit.change')}>
          <Details row={version} />
        </Panel>
        <Panel title={t('audit.asItWas')} lead={exactly(version.createdAt)}>
          {version.newValues === null ? (
            <Empty title={t('audit.gone')} />
          ) : (
            <dl className={classes['state']}>
              {Object.entries(version.newValues).map(([field, value]) => (
                <div key={field} data-changed={version.changedFields?.includes(field) || undefined}>
                  <dt>{field}</dt>
                  <dd>{shown(value)}</dd>
                </div>
              ))}
            </dl>
          )}
        </Panel>
      </Columns>
    </>
  )
}
