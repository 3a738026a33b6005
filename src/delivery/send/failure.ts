/** Why a destination did not take a message. */
export class DeliveryFailure extends Error {
  /** The destination will refuse the same again. */
  readonly isFinal: boolean
  /** Of HTTP or SMTP. */
  readonly code: number | null

  constructor(
    message: string,
    { isFinal = false, code = null }: { isFinal?: boolean; code?: number | null } = {},
  ) {
    super(message)
    this.isFinal = isFinal
    this.code = code
  }
}

/** Milliseconds for one attempt. */
export const ATTEMPT_TIMEOUT_MS = 15_000
