/** What the repository's scripts use of the command line. */
export { allCommands, commandsBySetting } from './program.ts'
