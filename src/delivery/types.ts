import type { BlockList } from 'node:net'
import type { ChannelFormat, ChannelKind, ChannelLog, Severity } from '@akashi/contract'
import type { ObjectStore } from '../object-store/index.ts'

export interface Channel {
  readonly id: string
  readonly name: string
  readonly kind: ChannelKind
  readonly log: ChannelLog
  readonly format: ChannelFormat
  readonly minSeverity: Severity
  /** Empty: all. */
  readonly types: readonly string[]
  readonly destination: string
  readonly perMinute: number
}

export interface SendParts {
  readonly secret: string | null
  /** Networks that are allowed although they are of this machine or link. */
  readonly allowed: BlockList
  readonly openStore: (url: string) => Promise<ObjectStore>
  /** Of tests: the authority that signed a receiver's certificate. */
  readonly tls?: { readonly ca: string }
  /** Aborted when the attempt takes too long. */
  readonly signal: AbortSignal
}
