import type { Row } from './row.ts'
import { RowPanel } from './row-panel.tsx'

interface OpenRowProps {
  readonly id: string
  readonly rows: readonly Row[]
  readonly onClose: () => void
}

/** The row that the address names, if it was found. */
export function OpenRow({ id, rows, onClose }: OpenRowProps) {
  return <RowPanel row={rows.find((row) => row.id === id) ?? null} onClose={onClose} />
}
