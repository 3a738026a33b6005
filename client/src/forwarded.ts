import { addressOf } from './address.ts'
import type { RequestOptions } from './request.ts'

export interface FetchOptions<R> extends RequestOptions<R> {
  /**
   * How many of your proxies append to X-Forwarded-For; 0 by default. What stands
   * further to the left was written by the caller. Without a proxy the address is unknown here.
   */
  readonly trustedProxies?: number
}

/** The address that the outermost trusted proxy saw. */
export function forwardedAddress(header: string | null | undefined, trustedProxies = 0): string | undefined {
  if (trustedProxies < 1) return undefined
  return addressOf(header?.split(',').at(-trustedProxies) ?? '')
}
