import { Button, Menu } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useEffect, useRef, useState } from 'react'
import { csvOf, download, showMessage, showProblem } from '../ui/index.ts'
import { pageOf, type RecordFilter } from './record-filter.ts'
import { sentenceOf, type Telling } from './sentences.ts'
import type { TrailRow } from './trail-row.ts'

/** Entries in one file; a browser holds them all at once. */
const MAX_ENTRIES = 20_000
const PAGE_ROWS = 500

interface RecordExportProps {
  readonly filter: RecordFilter
  readonly telling: Telling
}

/** Saves everything that the filter finds, not only what the page shows. */
export function RecordExport({ filter, telling }: RecordExportProps) {
  const { t } = telling
  const [got, setGot] = useState<number | null>(null)
  const running = useRef<AbortController>(null)
  useEffect(() => () => running.current?.abort(), [])
  const save = async (format: 'csv' | 'json') => {
    const stop = new AbortController()
    const { signal } = stop
    running.current = stop
    const rows: TrailRow[] = []
    try {
      let cursor: string | null = null
      do {
        setGot(rows.length)
        const page: Awaited<ReturnType<typeof pageOf>> = await pageOf(filter, cursor, signal, PAGE_ROWS)
        rows.push(...page.rows)
        cursor = page.next
      } while (cursor !== null && rows.length < MAX_ENTRIES)
      write(format, rows)
      showMessage(t(cursor === null ? 'exported' : 'exportedPart', { count: rows.length }))
    } catch (error) {
      if (!signal.aborted) showProblem(error)
    } finally {
      if (!signal.aborted) setGot(null)
    }
  }
  const write = (format: 'csv' | 'json', rows: readonly TrailRow[]) => {
    const entries = rows.map((row) => ({ ...row, what: sentenceOf(telling, row, filter.by) }))
    if (format === 'json') {
      return download('my-record.json', 'application/json', JSON.stringify(entries, null, 2))
    }
    const names = [
      'createdAt',
      'what',
      'schema',
      'table',
      'operation',
      'before',
      'after',
      'ipAddress',
      'userAgent',
      'requestId',
      'id',
    ] as const
    const columns = names.map((name) => ({ name, value: (row: (typeof entries)[number]) => row[name] }))
    download('my-record.csv', 'text/csv', csvOf(columns, entries))
  }
  return (
    <Menu position="bottom-end" withinPortal width={170}>
      <Menu.Target>
        <Button
          size="xs"
          variant="default"
          disabled={got !== null}
          leftSection={<IconDownload size={16} aria-hidden />}
        >
          {got === null ? t('exportAs') : t('exporting', { count: got })}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => void save('csv')}>CSV</Menu.Item>
        <Menu.Item onClick={() => void save('json')}>JSON</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
