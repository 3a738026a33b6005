import { system } from '../../src/postgres/index.ts'

/** Who acts in what a test does for nobody in particular. */
export const tester = system('test')
