/** What tools of the repository may know of the command line. */
export { commandNames } from './program.ts'
