import { AkashiError } from '../../foundation/index.ts'

/** A position in the WAL, in bytes; `0/16B3748` is 0x16b3748n. */
export type Lsn = bigint

const LSN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i
const LOW_BITS = 32n
const LOW_MASK = 0xffff_ffffn

export function isLsn(text: string): boolean {
  return LSN.test(text)
}

/** @throws invalid_input */
export function parseLsn(text: string): Lsn {
  const [, high, low] = LSN.exec(text) ?? []
  if (high === undefined || low === undefined) {
    throw new AkashiError('invalid_input', `${text} is not a WAL position`, {
      hint: 'write it as 0/16B3748',
    })
  }
  return (BigInt(`0x${high}`) << LOW_BITS) | BigInt(`0x${low}`)
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> LOW_BITS).toString(16).toUpperCase()}/${(lsn & LOW_MASK).toString(16).toUpperCase()}`
}

/** Microseconds from the epoch of PostgreSQL's timestamps (2000-01-01) to UNIX's. */
const EPOCH_US = 946_684_800_000_000n

/** A binary timestamp of PostgreSQL in microseconds since 1970. */
export function unixMicroseconds(timestamp: bigint): bigint {
  return timestamp + EPOCH_US
}

export function postgresMicroseconds(unix: bigint): bigint {
  return unix - EPOCH_US
}
