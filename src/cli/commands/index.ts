/** Every verb. A verb is one file that registers itself and imports what is heavy when it runs. */
import type { Register } from '../invocation.ts'
import { doctor } from './doctor.ts'

export const commands: readonly Register[] = [doctor]
