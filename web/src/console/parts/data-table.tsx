// biome-ignore-all lint/a11y/useSemanticElements: the rows of a real table cannot be placed one by one
// biome-ignore-all lint/a11y/useFocusableInteractive: the button in the first cell of a row takes the focus
// biome-ignore-all lint/a11y/noNoninteractiveTabindex: what scrolls can be reached with the keyboard
import { UnstyledButton } from '@mantine/core'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type CSSProperties, type KeyboardEvent, type ReactNode, useRef } from 'react'
import classes from './data-table.module.css'

export interface Column<Row> {
  readonly id: string
  readonly title: string
  /** Width of a grid track, such as `8rem` or `minmax(10rem, 2fr)`. */
  readonly width: string
  readonly cell: (row: Row) => ReactNode
  /** Numbers end at the same edge. */
  readonly end?: boolean
}

interface DataTableProps<Row> {
  readonly label: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly rowKey: (row: Row) => string
  /** Makes each row a button, placed in the first column. */
  readonly onOpen?: (row: Row) => void
  readonly isOpen?: (row: Row) => boolean
  /** Below it the table scrolls sideways, such as `46rem`. */
  readonly minWidth?: string
  /** Below the rows, such as a button for more. */
  readonly footer?: ReactNode
}

/** Pixels. */
const ROW_HEIGHT = 44
/** Rows up to which all of them are drawn. */
const DRAWN_AT_ONCE = 60
const OVERSCAN = 12
const DEFAULT_MIN_WIDTH = '46rem'

/** A table that renders only the visible rows if it is long. Arrow keys move from row to row. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, columns, rows, footer, minWidth = DEFAULT_MIN_WIDTH } = props
  const viewport = useRef<HTMLDivElement>(null)
  const isLong = rows.length > DRAWN_AT_ONCE
  const virtual = useVirtualizer({
    count: rows.length,
    enabled: isLong,
    getScrollElement: () => viewport.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
  })
  const template = { gridTemplateColumns: columns.map(({ width }) => width).join(' ') }
  const drawn = isLong
    ? virtual.getVirtualItems().map(({ index, start }) => ({ index, top: start }))
    : rows.map((_, index) => ({ index, top: index * ROW_HEIGHT }))
  return (
    <div className={classes['frame']}>
      <div
        ref={viewport}
        role="table"
        aria-label={label}
        aria-rowcount={rows.length + 1}
        tabIndex={0}
        className={classes['viewport']}
        style={{ '--min-width': minWidth } as CSSProperties}
        onKeyDown={(event) => stepThroughRows(event, viewport.current)}
      >
        <div role="rowgroup" className={classes['head']}>
          <div role="row" aria-rowindex={1} className={classes['row']} style={template}>
            {columns.map(({ id, title, end }) => (
              <div role="columnheader" key={id} className={classes['heading']} data-end={end || undefined}>
                {title}
              </div>
            ))}
          </div>
        </div>
        <div role="rowgroup" className={classes['rows']} style={{ height: rows.length * ROW_HEIGHT }}>
          {drawn.map(({ index, top }) => {
            const row = rows[index]
            return row === undefined ? null : (
              <TableRow key={props.rowKey(row)} {...props} row={row} index={index} top={top} />
            )
          })}
        </div>
      </div>
      {footer !== undefined && <div className={classes['footer']}>{footer}</div>}
    </div>
  )
}

interface TableRowProps<Row> extends DataTableProps<Row> {
  readonly row: Row
  readonly index: number
  readonly top: number
}

function TableRow<Row>({ columns, row, index, top, onOpen, isOpen }: TableRowProps<Row>) {
  const open = isOpen?.(row) ?? false
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      className={classes['row']}
      data-open={open || undefined}
      style={{
        gridTemplateColumns: columns.map(({ width }) => width).join(' '),
        transform: `translateY(${top}px)`,
        height: ROW_HEIGHT,
      }}
    >
      {columns.map((column, at) => (
        <div role="cell" key={column.id} className={classes['cell']} data-end={column.end || undefined}>
          {at === 0 && onOpen !== undefined ? (
            <UnstyledButton
              className={classes['open'] ?? ''}
              aria-expanded={open}
              data-row={index}
              onClick={() => onOpen(row)}
            >
              {column.cell(row)}
            </UnstyledButton>
          ) : (
            column.cell(row)
          )}
        </div>
      ))}
    </div>
  )
}

const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 }

function stepThroughRows(event: KeyboardEvent, viewport: HTMLElement | null): void {
  const step = steps[event.key]
  const from = event.target instanceof HTMLElement ? event.target.dataset['row'] : undefined
  if (step === undefined || from === undefined || viewport === null) return
  const to = viewport.querySelector<HTMLElement>(`[data-row="${Number(from) + step}"]`)
  if (to === null) return
  event.preventDefault()
  to.focus()
}
