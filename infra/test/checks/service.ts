import type { Check } from './check.ts'
import { complete } from './exactly.ts'
import { frontChecks } from './front.ts'
import { installerChecks } from './installer.ts'
import { tagChecks } from './tags.ts'
import { taskRoleChecks } from './task-roles.ts'
import { taskChecks } from './tasks.ts'

const exact = [...installerChecks, ...taskRoleChecks, ...taskChecks, ...frontChecks]

export const serviceChecks: readonly Check[] = [...exact, complete(exact), ...tagChecks]
