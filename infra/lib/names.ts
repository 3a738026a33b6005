import { Stack } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import type { EnvironmentParameter } from './parameter.ts'

/** `akashi-prod`: prefix of everything that has a name. */
export function environmentName({ project, environment }: EnvironmentParameter): string {
  return `${project.toLowerCase()}-${environment}`
}

/** The vault in another region or account that copies go to. */
export function recoveryVaultName(name: string): string {
  return `${name}-recovery`
}

/** The roles of tasks have fixed names, so that policies of keys and buckets can name them first. */
export const TASKS = ['install', 'serve', 'work'] as const
/** Those that write into the object store. */
const WRITERS = ['serve', 'work'] as const

export function roleArn(partition: string, account: string, name: string): string {
  return `arn:${partition}:iam::${account}:role/${name}`
}

export function taskRoleArns({ partition, account }: Stack, name: string): string[] {
  return WRITERS.map((task) => roleArn(partition, account, `${name}-${task}`))
}

/** Names of buckets are unique in the world. */
export function archiveBucketName(scope: Construct, name: string): string {
  return `${name}-archive-${Stack.of(scope).account}`
}

export function witnessBucketName(name: string, account: string): string {
  return `${name}-witness-${account}`
}
