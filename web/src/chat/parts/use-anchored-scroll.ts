import { elementScroll, observeElementOffset, useVirtualizer } from '@tanstack/react-virtual'
import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from 'react'
import type { Row } from '../model/rows.ts'

/** Pixels from the newest row within which the reader counts as being there, and stays there. */
const AT_END_PX = 60
const OVERSCAN_ROWS = 8
const BELOW_PX = 6
const ABOVE_PX = 12

interface Anchor {
  /** The row at the lower edge, and how far it extends below the edge, in pixels. */
  readonly key: string
  readonly within: number
  readonly atEnd: boolean
}

/**
 * Which rows are rendered, and where the reader is among them.
 *
 * Positions count from the end: the scroller is laid out in reverse, so that offset 0 and index 0 are the newest
 * row. Rows that are loaded or change their height above the reader therefore move nothing, and the end does not
 * depend on measured heights. Only rows that are added below need a correction: the reader stays at the row they
 * saw, or at the end if they were there.
 *
 * `hasNewer`: the loaded rows end before the room does, so that their end is not a position to stay at.
 */
export function useAnchoredScroll(
  rows: readonly Row[],
  hasNewer: boolean,
  scroller: RefObject<HTMLElement | null>,
) {
  const [atEnd, setAtEnd] = useState(true)
  const anchor = useRef<Anchor | null>(null)
  const shown = useRef({ rows, hasNewer })
  const endWanted = useRef(false)
  const rowAt = (index: number) => rows[rows.length - 1 - index]
  const getItemKey = useCallback((index: number) => rows[rows.length - 1 - index]?.key ?? index, [rows])

  const virtualizer = useVirtualizer<HTMLElement, HTMLElement>({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => estimate(rowAt(index)),
    getItemKey,
    measureElement: (element) => element.getBoundingClientRect().height,
    observeElementOffset: (instance, tell) =>
      observeElementOffset(instance, (top, moves) => {
        remember()
        tell(0 - top, moves)
      }),
    scrollToFn: (offset, { adjustments = 0, ...how }, instance) =>
      elementScroll(-offset, { ...how, adjustments: -adjustments }, instance),
    overscan: OVERSCAN_ROWS,
    paddingStart: BELOW_PX,
    paddingEnd: ABOVE_PX,
  })

  function remember(): void {
    const offset = 0 - (scroller.current?.scrollTop ?? 0)
    const item = virtualizer.getVirtualItemForOffset(offset)
    anchor.current =
      item === undefined
        ? null
        : { key: String(item.key), within: offset - item.start, atEnd: offset < AT_END_PX }
    setAtEnd(offset < AT_END_PX)
  }

  function offsetOf({ key, within }: Anchor): number {
    const index = rows.findLastIndex((row) => row.key === key)
    if (index < 0) return 0
    // Makes the virtualizer add up the sizes again.
    virtualizer.getVirtualItemForOffset(0)
    return (virtualizer.measurementsCache[rows.length - 1 - index]?.start ?? 0) + within
  }

  useLayoutEffect(() => {
    const element = scroller.current
    const before = shown.current
    if (element !== null && before.rows !== rows && anchor.current !== null) {
      const follows = endWanted.current || (anchor.current.atEnd && !before.hasNewer)
      element.scrollTop = follows ? 0 : -offsetOf(anchor.current)
    }
    if (!hasNewer) endWanted.current = false
    shown.current = { rows, hasNewer }
    remember()
  })

  return {
    virtualizer,
    atEnd,
    /** Scrolls to the newest row, also if it is only being loaded. */
    toEnd() {
      virtualizer.cancelScroll()
      endWanted.current = hasNewer
      if (scroller.current !== null) scroller.current.scrollTop = 0
      remember()
    },
    /** The newest rows could not be loaded. */
    cancelToEnd() {
      endWanted.current = false
    },
    /** Scrolls to a row, by its index in `rows`. */
    show(index: number, where: 'top' | 'center') {
      virtualizer.scrollToIndex(rows.length - 1 - index, { align: where === 'top' ? 'end' : 'center' })
      remember()
    },
  }
}

/** Height in pixels of a row that is not measured yet. */
function estimate(row: Row | undefined): number {
  if (row === undefined || row.kind === 'unread') return 32
  if (row.kind === 'day') return 41
  const message = row.kind === 'message' ? row.message : null
  const length = (message?.content ?? '').length
  const base = row.continued ? 27.5 : 58
  return base + Math.floor(length / 70) * 22 + (message?.type === 'image' ? 240 : message?.file ? 70 : 0)
}
