/** What tools of the repository may know of the command line. */
export { commandNames, commandsBySetting } from './program.ts'
