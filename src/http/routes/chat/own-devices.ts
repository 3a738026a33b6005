import type { Bus } from '../../../chat/index.ts'
import type { Actor } from '../../../postgres/index.ts'

/** Lets every device of a person show what they did on one of them. */
export function tellOwnDevices(bus: Bus, { userId }: Actor): void {
  if (userId !== undefined) bus.announce({ about: 'person', userId })
}
