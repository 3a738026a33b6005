import { Textarea, type TextareaProps } from '@mantine/core'
import { useMergedRef } from '@mantine/hooks'
import { useLayoutEffect, useRef } from 'react'

interface GrowingTextareaProps extends Omit<TextareaProps, 'autosize'> {
  readonly value: string
  readonly minRows?: number
  readonly maxRows: number
}

/**
 * A text field as high as its text. Mantine's own measures in a second, hidden field whose English label shows
 * up in the accessibility tree.
 */
export function GrowingTextarea({ ref, value, minRows = 1, maxRows, ...props }: GrowingTextareaProps) {
  const field = useRef<HTMLTextAreaElement>(null)
  const merged = useMergedRef(field, ref)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    const element = field.current
    if (element === null) return
    const fit = () => {
      const { lineHeight, paddingTop, paddingBottom, borderTopWidth, borderBottomWidth } =
        getComputedStyle(element)
      const around = sum(paddingTop, paddingBottom)
      const border = sum(borderTopWidth, borderBottomWidth)
      element.style.height = 'auto'
      const most = sum(lineHeight) * maxRows + around
      element.style.height = `${Math.min(element.scrollHeight, most) + border}px`
      element.style.overflowY = element.scrollHeight > most ? 'auto' : 'hidden'
    }
    fit()
    let width = element.clientWidth
    const observer = new ResizeObserver(() => {
      // Only a new width wraps the text differently; `fit` itself changes the height.
      if (element.clientWidth === width) return
      width = element.clientWidth
      fit()
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [value, maxRows])
  return <Textarea ref={merged} value={value} rows={minRows} resize="none" {...props} />
}

function sum(...lengths: readonly string[]): number {
  return lengths.reduce((total, length) => total + Number.parseFloat(length), 0)
}
