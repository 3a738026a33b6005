/** Synthesis asks no account: no zone, image or network is looked up. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { addEnvironment } from '../lib/environment.ts'
import { environments } from '../parameter.ts'
import { newApp } from './support/synthesize.ts'

const TIMEOUT_MS = 300_000

test('nothing is missing from the context, in any environment', () => {
  const app = newApp()
  for (const parameter of environments) addEnvironment(app, parameter)
  expect(app.synth().manifest.missing).toBeUndefined()
})

test('without the context of cdk.json nothing is made', () => {
  const entry = join(import.meta.dirname, '../bin/akashi.ts')
  const { status, stderr } = spawnSync(process.execPath, [entry], { encoding: 'utf8' })
  expect(status).not.toBe(0)
  expect(stderr).toMatch(/feature flags of cdk\.json are missing; hint: npx cdk synth/)
})

describe('cdk synth', () => {
  const output = mkdtempSync(join(tmpdir(), 'akashi-cdk-'))

  test('makes the stacks of the three environments, without a warning, with no credentials', {
    timeout: TIMEOUT_MS,
  }, () => {
    const cdk = join(import.meta.dirname, '../node_modules/.bin/cdk')
    const cwd = join(import.meta.dirname, '..')
    try {
      const options = ['--strict', '--quiet', '--no-notices', '--output', output]
      const env = {
        PATH: process.env['PATH'],
        HOME: output,
        JSII_DEPRECATED: 'fail',
        AWS_EC2_METADATA_DISABLED: 'true',
      }
      execFileSync(cdk, ['synth', ...options], { cwd, env, stdio: 'pipe' })
      const { artifacts } = JSON.parse(readFileSync(join(output, 'manifest.json'), 'utf8'))
      const stacks = Object.entries<{ type: string }>(artifacts).filter(
        ([, { type }]) => type === 'aws:cloudformation:stack',
      )
      const ofEach = ['Archive', 'Data', 'Images', 'Monitoring', 'Service']
      expect(stacks.map(([name]) => name).toSorted()).toEqual(
        [
          ...['dev', 'staging', 'prod'].flatMap((environment) =>
            ofEach.map((stack) => `Akashi-${environment}-${stack}`),
          ),
          'Akashi-prod-RecoveryAccount',
          'Akashi-prod-RecoveryRegion',
          'Akashi-prod-Security',
          'Akashi-prod-Witness',
          'Akashi-staging-RecoveryRegion',
          'Akashi-staging-Security',
        ].toSorted(),
      )
    } finally {
      rmSync(output, { recursive: true })
    }
  })
})
