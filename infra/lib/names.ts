import type { EnvironmentParameter } from './parameter.ts'

/** `akashi-prod`: prefix of everything that has a name. */
export function environmentName({ project, environment }: EnvironmentParameter): string {
  return `${project.toLowerCase()}-${environment}`
}

/** The vault in another region or account that copies go to. */
export function recoveryVaultName(name: string): string {
  return `${name}-recovery`
}
