import { fileURLToPath } from 'node:url'

/** The path of another program of ours, as source or compiled like the module that names it. */
export function programFile(from: string, name: string): string {
  return fileURLToPath(new URL(`${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from))
}
