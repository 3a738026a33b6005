/** What tools of the repository may know of the command line. */
export { allCommands, commandsBySetting } from './program.ts'
