/**
 * Whether the page is being used. The server counts requests as activity, so a page that asks by itself
 * would keep the session of an unattended computer from ever reaching its idle limit (ASVS 7.3.1).
 */

/** Milliseconds since the last input within which the page counts as attended. */
const ATTENDED_MS = 60_000

const inputs = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const

let lastInput = Date.now()
const listeners = new Set<() => void>()

for (const input of inputs) addEventListener(input, onInput, { capture: true, passive: true })

function onInput(): void {
  const returned = !isAttended()
  lastInput = Date.now()
  if (!returned) return
  for (const listener of [...listeners]) listener()
}

export function isAttended(): boolean {
  return Date.now() - lastInput < ATTENDED_MS
}

/** Calls `listener` at the first input after a pause. Returns how to stop. */
export function onReturn(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

const waiting = new Map<string, () => void>()
onReturn(() => {
  const runs = [...waiting.values()]
  waiting.clear()
  for (const run of runs) run()
})

/** Runs now, or when the user returns; of several pending under one key, only the last. */
export function whenAttended(key: string, run: () => void): void {
  if (isAttended()) run()
  else waiting.set(key, run)
}
