import { Drawer, type DrawerProps, Modal, type ModalProps } from '@mantine/core'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'

interface OpenDialog {
  readonly onEscape: () => void
}

/** The open dialogs; the last one is on top. */
let stack: readonly OpenDialog[] = []
const listeners = new Set<() => void>()

function setStack(next: readonly OpenDialog[]): void {
  stack = next
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Lists and menus within a dialog mark themselves like this while Escape closes them. */
const TAKES_ESCAPE = 'data-mantine-stop-propagation'

addEventListener(
  'keydown',
  (event) => {
    if (event.key !== 'Escape' || event.isComposing) return
    if (event.target instanceof Element && event.target.getAttribute(TAKES_ESCAPE) === 'true') return
    stack.at(-1)?.onEscape()
  },
  { capture: true },
)

const BASE_Z_INDEX = 200

interface Stackable {
  readonly opened: boolean
  readonly onClose: () => void
  readonly closeOnEscape?: boolean | undefined
}

/** Only the dialog on top takes Escape and holds the focus; it covers those below it. */
function useStacking({ opened, onClose, closeOnEscape = true }: Stackable) {
  const latest = useRef<() => void>(onClose)
  useEffect(() => {
    latest.current = closeOnEscape ? onClose : () => undefined
  })
  const [dialog] = useState<OpenDialog>({ onEscape: () => latest.current() })
  const open = useSyncExternalStore(subscribe, () => stack)
  useEffect(() => {
    if (!opened) return
    setStack([...stack, dialog])
    return () => setStack(stack.filter((other) => other !== dialog))
  }, [opened, dialog])
  const level = open.indexOf(dialog)
  return {
    zIndex: BASE_Z_INDEX + Math.max(level, 0),
    trapFocus: level === open.length - 1,
    closeOnEscape: false,
  }
}

export function Dialog(props: ModalProps) {
  const { t } = useTranslation()
  const stacking = useStacking(props)
  return <Modal closeButtonProps={{ 'aria-label': t('common.close') }} {...props} {...stacking} />
}

/** A dialog along the right edge of the window. */
export function SidePanel(props: DrawerProps) {
  const { t } = useTranslation()
  const stacking = useStacking(props)
  return (
    <Drawer
      position="right"
      closeButtonProps={{ 'aria-label': t('common.close') }}
      {...props}
      {...stacking}
    />
  )
}
