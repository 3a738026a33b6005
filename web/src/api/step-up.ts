/**
 * Connects the HTTP client, which learns that an operation needs a recent identity check, with the dialog that
 * performs it.
 */
import { Problem } from './problem.ts'

type Confirm = () => Promise<boolean>

let confirm: Confirm | null = null
let pending: Promise<boolean> | null = null

/** Registers the dialog. Returns how to remove it. */
export function onStepUp(dialog: Confirm): () => void {
  confirm = dialog
  return () => {
    if (confirm === dialog) confirm = null
  }
}

/** Whether the person confirmed their identity. Operations that need it at the same time share one dialog. */
export function requestStepUp(): Promise<boolean> {
  if (confirm === null) return Promise.resolve(false)
  pending ??= confirm().finally(() => {
    pending = null
  })
  return pending
}

/** Whether an operation failed because the person closed the dialog. */
export function isDismissedStepUp(error: unknown): boolean {
  return error instanceof Problem && error.reason === 'step_up'
}
