/** Between the HTTP client, which learns that credentials must be shown again, and the dialog that asks for them. */

type Ask = () => Promise<boolean>

let ask: Ask | null = null
let underWay: Promise<boolean> | null = null

/** Sets who asks; answers how to take it back. */
export function onStepUp(dialog: Ask): () => void {
  ask = dialog
  return () => {
    if (ask === dialog) ask = null
  }
}

/** Whether credentials were shown again. Several that want it at once wait for one dialog. */
export function askForStepUp(): Promise<boolean> {
  if (ask === null) return Promise.resolve(false)
  underWay ??= ask().finally(() => {
    underWay = null
  })
  return underWay
}
