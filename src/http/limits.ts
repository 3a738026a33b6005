import { MAX_BODY_BYTES } from '@akashi/contract'

/** Limits of one server for everything that comes from the network. */
export interface HttpLimits {
  /** Bytes of one request body. */
  readonly bodyBytes: number
  /** Bytes of the request line and all headers together. */
  readonly headerBytes: number
  /** Milliseconds in which the headers must have arrived. */
  readonly headersTimeoutMs: number
  /** Milliseconds in which the whole request must have arrived. */
  readonly requestTimeoutMs: number
  /** Milliseconds between two checks of the two timeouts above. */
  readonly timeoutCheckMs: number
  /** Milliseconds that a handler may take before its signal is aborted and the response is a timeout. */
  readonly handlerTimeoutMs: number
  /** Milliseconds without a byte in either direction after which a connection is closed. */
  readonly connectionTimeoutMs: number
  /** Milliseconds that an idle connection is kept for the next request. */
  readonly keepAliveMs: number
  /** Milliseconds for all readiness checks together. */
  readonly readinessTimeoutMs: number
  /** Requests per address in one window of `rateWindowMs`. */
  readonly rateMax: number
  readonly rateWindowMs: number
  /** Requests with the same credentials that are handled at once. */
  readonly inFlightPerCaller: number
}

export const httpLimits: HttpLimits = {
  bodyBytes: MAX_BODY_BYTES,
  headerBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  // The largest upload at 2 Mbit/s; smaller bodies are limited by their size.
  requestTimeoutMs: 420_000,
  timeoutCheckMs: 5_000,
  handlerTimeoutMs: 30_000,
  connectionTimeoutMs: 120_000,
  // Longer than the usual idle timeout of load balancers, 60 s.
  keepAliveMs: 65_000,
  readinessTimeoutMs: 5_000,
  rateMax: 3_000,
  rateWindowMs: 60_000,
  inFlightPerCaller: 64,
}
