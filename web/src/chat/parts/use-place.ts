import { elementScroll, observeElementOffset, useVirtualizer } from '@tanstack/react-virtual'
import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from 'react'
import type { Row } from '../model/rows.ts'

/** Pixels from the newest row within which the reader counts as being there, and stays there. */
const AT_END_PX = 60
const OVERSCAN_ROWS = 8
const BELOW_PX = 6
const ABOVE_PX = 12

interface Place {
  /** The row at the lower edge, and how far it reaches below it, in pixels. */
  readonly key: string
  readonly within: number
  readonly atEnd: boolean
}

/**
 * Which rows are drawn, and where the reader stands among them.
 *
 * Everything is counted from the end: the scroller is laid out in reverse, 0 is the newest row, and index 0 the
 * row that stands there. Whatever is loaded or changes its height above the reader therefore moves nothing, and
 * the end is where it is whatever the rows turn out to measure. Rows that come in below are the one case to mend:
 * the reader stays with the row that they saw, or at the end if they were there.
 *
 * `hasNewer`: the rows end before the room does, so that their end is not a place to stay at.
 */
export function usePlace(rows: readonly Row[], hasNewer: boolean, scroller: RefObject<HTMLElement | null>) {
  const [atEnd, setAtEnd] = useState(true)
  const place = useRef<Place | null>(null)
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
        note()
        tell(0 - top, moves)
      }),
    scrollToFn: (offset, { adjustments = 0, ...how }, instance) =>
      elementScroll(-offset, { ...how, adjustments: -adjustments }, instance),
    overscan: OVERSCAN_ROWS,
    paddingStart: BELOW_PX,
    paddingEnd: ABOVE_PX,
  })

  function note(): void {
    const offset = 0 - (scroller.current?.scrollTop ?? 0)
    const item = virtualizer.getVirtualItemForOffset(offset)
    place.current =
      item === undefined
        ? null
        : { key: String(item.key), within: offset - item.start, atEnd: offset < AT_END_PX }
    setAtEnd(offset < AT_END_PX)
  }

  function offsetOf({ key, within }: Place): number {
    const index = rows.findLastIndex((row) => row.key === key)
    if (index < 0) return 0
    // Asking for a row has the sizes added up anew.
    virtualizer.getVirtualItemForOffset(0)
    return (virtualizer.measurementsCache[rows.length - 1 - index]?.start ?? 0) + within
  }

  useLayoutEffect(() => {
    const element = scroller.current
    const before = shown.current
    if (element !== null && before.rows !== rows && place.current !== null) {
      const follows = endWanted.current || (place.current.atEnd && !before.hasNewer)
      element.scrollTop = follows ? 0 : -offsetOf(place.current)
    }
    if (!hasNewer) endWanted.current = false
    shown.current = { rows, hasNewer }
    note()
  })

  return {
    virtualizer,
    atEnd,
    /** To the newest row; to that of the rows that are about to come, where these end before the room does. */
    toEnd() {
      virtualizer.cancelScroll()
      endWanted.current = hasNewer
      if (scroller.current !== null) scroller.current.scrollTop = 0
      note()
    },
    /** What was asked for does not come. */
    stay() {
      endWanted.current = false
    },
    /** To a row, by its place in `rows`. */
    show(index: number, where: 'top' | 'center') {
      virtualizer.scrollToIndex(rows.length - 1 - index, { align: where === 'top' ? 'end' : 'center' })
      note()
    },
  }
}

/** Pixels, before a row was measured. */
function estimate(row: Row | undefined): number {
  if (row === undefined || row.kind === 'unread') return 32
  if (row.kind === 'day') return 41
  const message = row.kind === 'message' ? row.message : null
  const length = (message?.content ?? '').length
  const base = row.continued ? 27.5 : 58
  return base + Math.floor(length / 70) * 22 + (message?.type === 'image' ? 240 : message?.file ? 70 : 0)
}
