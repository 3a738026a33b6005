import type { CheckedPart, CheckedRow } from '@akashi/client/evidence'
import { Code, Text, TextInput } from '@mantine/core'
import { useMemo, useState } from 'react'
import { type Column, DataTable } from '../console/parts/data-table.tsx'
import { Tag } from '../console/parts/tag.tsx'
import { whatOf, whoOf } from '../evidence/row-words.ts'
import { Dialog } from '../ui/index.ts'
import { useFileTexts, useTexts } from './texts.ts'

interface Listed {
  readonly log: string
  readonly checked: CheckedRow
  readonly words: string
}

/** The rows of a checked file, filtered by any text in them. */
export function CheckedRows({ parts }: { readonly parts: readonly CheckedPart[] }) {
  const t = useTexts()
  const texts = useFileTexts()
  const [words, setWords] = useState('')
  const [open, setOpen] = useState<Listed | null>(null)
  const all = useMemo(
    () =>
      parts.flatMap(({ log, rows }) =>
        rows.map((checked) => ({
          log,
          checked,
          words: `${log} ${checked.position} ${Object.values(checked.row).join(' ')}`.toLowerCase(),
        })),
      ),
    [parts],
  )
  const wanted = words.trim().toLowerCase()
  const rows = all.filter((row) => row.words.includes(wanted))
  const columns: readonly Column<Listed>[] = [
    { id: 'position', title: texts.position, width: '6rem', cell: ({ checked }) => checked.position },
    {
      id: 'state',
      title: texts.result,
      width: '7rem',
      cell: ({ checked: { state } }) => (
        <Tag tone={state === 'proven' ? 'good' : 'bad'}>{texts.state[state]}</Tag>
      ),
    },
    {
      id: 'time',
      title: texts.time,
      width: '13rem',
      cell: ({ checked }) =>
        String(checked.row['created_at'] ?? '')
          .replace('T', ' ')
          .slice(0, 19),
    },
    {
      id: 'what',
      title: texts.what,
      width: 'minmax(14rem, 2fr)',
      cell: ({ log, checked }) => whatOf(log, checked.row),
    },
    { id: 'who', title: texts.who, width: 'minmax(9rem, 1fr)', cell: ({ checked }) => whoOf(checked.row) },
  ]
  return (
    <>
      <TextInput
        type="search"
        label={t('find')}
        placeholder={texts.filterHint}
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
      />
      <Text size="sm" c="dimmed" role="status">
        {rows.length === 0
          ? t('none')
          : t('shown', { shown: rows.length.toLocaleString(), all: all.length.toLocaleString() })}
      </Text>
      <DataTable
        label={t('rows')}
        minWidth="52rem"
        columns={columns}
        rows={rows}
        rowKey={({ log, checked }) => `${log} ${checked.position}`}
        onOpen={setOpen}
      />
      <Dialog
        opened={open !== null}
        onClose={() => setOpen(null)}
        title={t('row', { position: open?.checked.position ?? '' })}
      >
        <Code block>{open === null ? '' : JSON.stringify(open.checked.row, null, 2)}</Code>
      </Dialog>
    </>
  )
}
