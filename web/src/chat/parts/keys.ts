import type { KeyboardEvent } from 'react'

/** The key code that browsers give to keys which an input method takes; Safari says so no other way. */
const TAKEN_BY_INPUT_METHOD = 229

/** Whether the input method, and not we, is to have the key: Enter then chooses a conversion. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.nativeEvent.isComposing || event.keyCode === TAKEN_BY_INPUT_METHOD
}

/** Enter sends, except with Shift, while an input method converts, and where there are no other keys. */
export function sends(event: KeyboardEvent): boolean {
  if (event.key !== 'Enter' || event.shiftKey || event.altKey || isComposing(event)) return false
  return event.ctrlKey || event.metaKey || !matchMedia('(pointer: coarse) and (hover: none)').matches
}
