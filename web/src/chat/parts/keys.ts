import type { KeyboardEvent } from 'react'

/** The key code of keys that an input method handles; Safari shows it in no other way. */
const HANDLED_BY_INPUT_METHOD = 229

/** Whether the key belongs to an input method, where Enter chooses a conversion. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.nativeEvent.isComposing || event.keyCode === HANDLED_BY_INPUT_METHOD
}

/** Whether people have a keyboard; on a phone a focused field would cover half of the screen with one. */
export function hasKeyboard(): boolean {
  return !matchMedia('(pointer: coarse) and (hover: none)').matches
}

/** Enter sends, except with Shift, while an input method converts, and on phones, which have no Shift+Enter. */
export function sends(event: KeyboardEvent): boolean {
  if (event.key !== 'Enter' || event.shiftKey || event.altKey || isComposing(event)) return false
  return event.ctrlKey || event.metaKey || hasKeyboard()
}
