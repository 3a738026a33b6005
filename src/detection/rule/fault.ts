/** Why a rule cannot be compiled, and where: keys and positions from the top of its document. */
export class RuleFault extends Error {
  readonly path: readonly (string | number)[]

  constructor(message: string, path: readonly (string | number)[] = []) {
    super(message)
    this.path = path
  }
}
