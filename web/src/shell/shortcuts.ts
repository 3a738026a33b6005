import { useEffect, useRef, useSyncExternalStore } from 'react'

export interface Shortcut {
  /**
   * `?`, `mod+k` (⌘ on a Mac, Ctrl elsewhere), or two keys one after the other: `g c`. Keys without `mod` do
   * nothing while somebody writes.
   */
  readonly keys: string
  /** What it does, in the reader's language. */
  readonly label: string
  /** The heading under which the help lists it. */
  readonly group: string
  readonly act: () => void
}

/** Milliseconds within which the second of two keys must follow. */
const SEQUENCE_MS = 1_000

let registered: readonly Shortcut[] = []
const listeners = new Set<() => void>()
let first = { key: '', at: 0 }

/** Makes shortcuts work, and the help list them, for as long as the component is there. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts)
  useEffect(() => {
    latest.current = shortcuts
  })
  const described = JSON.stringify(shortcuts.map(({ keys, label, group }) => ({ keys, label, group })))
  useEffect(() => {
    const mine: Shortcut[] = (JSON.parse(described) as Omit<Shortcut, 'act'>[]).map((shortcut, index) => ({
      ...shortcut,
      act: () => latest.current[index]?.act(),
    }))
    change([...registered, ...mine])
    return () => change(registered.filter((each) => !mine.includes(each)))
  }, [described])
}

/** Every shortcut that works now. */
export function useRegisteredShortcuts(): readonly Shortcut[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => registered,
  )
}

function change(shortcuts: readonly Shortcut[]): void {
  registered = shortcuts
  for (const listener of listeners) listener()
}

export function listenForShortcuts(): () => void {
  document.addEventListener('keydown', onKeyDown)
  return () => document.removeEventListener('keydown', onKeyDown)
}

function onKeyDown(event: KeyboardEvent): void {
  // Enter and the like belong to the input method while it converts.
  if (event.isComposing || event.defaultPrevented || event.altKey) return
  const mod = event.metaKey || event.ctrlKey
  if (!mod && isWriting(event.target)) return
  const key = event.key.toLowerCase()
  const before = event.timeStamp - first.at < SEQUENCE_MS ? first.key : ''
  first = mod ? { key: '', at: 0 } : { key, at: event.timeStamp }
  const pressed = mod ? `mod+${key}` : key
  const found =
    registered.findLast(({ keys }) => before !== '' && keys === `${before} ${key}`) ??
    registered.findLast(({ keys }) => keys === pressed)
  if (found === undefined) return
  event.preventDefault()
  first = { key: '', at: 0 }
  found.act()
}

function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || target.matches('input, textarea, select, [role="textbox"]')
}
