import type { Bus } from '../../../chat/index.ts'
import type { Actor } from '../../../postgres/index.ts'

/** Announces to all devices of a person that something of theirs changed on one of them. */
export function notifyOwnDevices(bus: Bus, { userId }: Actor): void {
  if (userId !== undefined) bus.announce({ about: 'person', userId })
}
