import { Button, Menu } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { csvOf, download, type ExportColumn } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'

interface ExportMenuProps<Row> {
  /** Of the file, without its ending. */
  readonly name: string
  readonly columns: readonly ExportColumn<Row>[]
  readonly rows: readonly Row[]
}

/** Saves what a table shows, as CSV or JSON. */
export function ExportMenu<Row>({ name, columns, rows }: ExportMenuProps<Row>) {
  const t = useTexts()
  const json = () =>
    JSON.stringify(
      rows.map((row) => Object.fromEntries(columns.map((column) => [column.name, column.value(row)]))),
      null,
      2,
    )
  return (
    <Menu position="bottom-end" withinPortal width={170}>
      <Menu.Target>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconDownload size={15} aria-hidden />}
          disabled={rows.length === 0}
        >
          {t('common.export')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => download(`${name}.csv`, 'text/csv', csvOf(columns, rows))}>CSV</Menu.Item>
        <Menu.Item onClick={() => download(`${name}.json`, 'application/json', json())}>JSON</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
