import { useEffect, useRef, useSyncExternalStore } from 'react'

export interface Shortcut {
  /**
   * `mod+k` (⌘ on a Mac, Ctrl elsewhere), `alt+arrowdown`, a single key such as `?`, or two keys one after the
   * other: `g c`. Those without `mod` or `alt` do nothing while the user types, and can be switched off
   * (WCAG 2.1.4).
   */
  readonly keys: string
  /** What it does, in the reader's language. */
  readonly label: string
  /** The heading under which the help lists it. */
  readonly group: string
  readonly run: () => void
}

/** Milliseconds within which the second of two keys must follow. */
const SEQUENCE_MS = 1_000
const STORED_AS = 'akashi.single-key-shortcuts'

let registered: readonly Shortcut[] = []
let singleKeys = localStorage.getItem(STORED_AS) !== 'off'
const listeners = new Set<() => void>()
let first = { key: '', at: 0 }

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function notify(): void {
  for (const listener of listeners) listener()
}

/** Enables shortcuts, and lists them in the help, while the component is mounted. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts)
  useEffect(() => {
    latest.current = shortcuts
  })
  const described = JSON.stringify(shortcuts.map(({ keys, label, group }) => ({ keys, label, group })))
  useEffect(() => {
    const mine: Shortcut[] = (JSON.parse(described) as Omit<Shortcut, 'run'>[]).map((shortcut, index) => ({
      ...shortcut,
      run: () => latest.current[index]?.run(),
    }))
    setRegistered([...registered, ...mine])
    return () => setRegistered(registered.filter((each) => !mine.includes(each)))
  }, [described])
}

/** Every shortcut of the page that is shown. */
export function useRegisteredShortcuts(): readonly Shortcut[] {
  return useSyncExternalStore(subscribe, () => registered)
}

function setRegistered(shortcuts: readonly Shortcut[]): void {
  registered = shortcuts
  notify()
}

/** Whether shortcuts without a modifier key are on, and how to change it. Remembered on this device. */
export function useSingleKeys(): readonly [boolean, (on: boolean) => void] {
  return [useSyncExternalStore(subscribe, () => singleKeys), setSingleKeys]
}

function setSingleKeys(on: boolean): void {
  singleKeys = on
  localStorage.setItem(STORED_AS, on ? 'on' : 'off')
  notify()
}

export function isSingleKey({ keys }: Pick<Shortcut, 'keys'>): boolean {
  return !/^(?:mod|alt)\+/.test(keys)
}

export function listenForShortcuts(): () => void {
  document.addEventListener('keydown', onKeyDown)
  return () => document.removeEventListener('keydown', onKeyDown)
}

function onKeyDown(event: KeyboardEvent): void {
  // While an input method converts text, the keys belong to it.
  if (event.isComposing || event.defaultPrevented) return
  const mod = event.metaKey || event.ctrlKey
  // Ctrl and Alt together are AltGr, which types characters.
  if (mod && event.altKey) return
  const key = event.key.toLowerCase()
  const single = !mod && !event.altKey
  if (single && (!singleKeys || takesKeys(event.target) || takesKeys(document.activeElement))) return
  const before = event.timeStamp - first.at < SEQUENCE_MS ? first.key : ''
  first = single ? { key, at: event.timeStamp } : { key: '', at: 0 }
  const pressed = single ? key : `${mod ? 'mod' : 'alt'}+${key}`
  const found =
    registered.findLast(({ keys }) => before !== '' && keys === `${before} ${key}`) ??
    registered.findLast(({ keys }) => keys === pressed)
  if (found === undefined) return
  event.preventDefault()
  first = { key: '', at: 0 }
  found.run()
}

/** Whether single keys mean something to the element: text fields, and what is inside dialogs, menus and lists. */
export function takesKeys(element: EventTarget | null): boolean {
  if (!(element instanceof HTMLElement)) return false
  return (
    element.isContentEditable ||
    element.matches('input, textarea, select, [role="textbox"]') ||
    element.closest('[role="dialog"], [role="menu"], [role="listbox"]') !== null
  )
}
