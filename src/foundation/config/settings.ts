/**
 * The single list of settings: names in file, environment and command line, accepted values and meaning.
 * The loader, the types and docs/configuration.md are derived from this table.
 */
import { isIP, isIPv4 } from 'node:net'
import { z } from 'zod'
import { logFormats, logLevels } from '../log.ts'
import { Secret } from '../secret.ts'
import { readVersion } from '../version.ts'
import { destinationsSchema } from './destinations.ts'
import { oidcIssuersSchema } from './oidc-issuers.ts'

const MAX_PORT = 65_535
const DEFAULT_PORT = 4180
const MAX_POOL_SIZE = 1000
/** Default number of connections of a pool. */
export const POOL_SIZE = 10
/** Default time limit of one statement, in milliseconds. */
export const STATEMENT_TIMEOUT_MS = 30_000
const DAY_MS = 86_400_000
/** Characters; the limit of the column in the audit trail. */
const MAX_APP_VERSION = 128
/** PostgreSQL truncates application_name to 63 bytes. */
const APP_NAME = /^[a-z][a-z0-9-]{0,62}$/

/** Metadata of a setting beside its schema. */
export interface Setting {
  /** Environment variable. */
  readonly env: string
  /** Accepted values, completing the error `must be …`. */
  readonly accepts: string
  /** Description for the reference. */
  readonly meaning: string
  /** Default as shown in the reference; undefined if there is none. */
  readonly default?: string
  /** Argument of its flag, such as `<n>`; undefined if no command has the flag. */
  readonly flag?: string
  /** Never printed, not even in an error about it. URLs are secret too, since they may carry a password. */
  readonly secret?: boolean
  /** A path, relative to the configuration file, or to the working directory for flags and environment. */
  readonly path?: boolean
}

const described = z.registry<Setting>()

function setting<S extends z.ZodType>(definition: Setting & { readonly schema: S }): S {
  const { schema, ...rest } = definition
  described.add(schema, rest)
  return schema
}

function wholeNumber(min: number, max: number, fallback: number) {
  const number = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)])
  return { schema: number.pipe(z.int().min(min).max(max)).default(fallback), default: String(fallback) }
}

function choice<const T extends readonly [string, ...string[]]>(options: T, fallback: T[number]) {
  return {
    schema: z.enum(options).default(() => fallback),
    accepts: `one of ${options.join(', ')}`,
    default: fallback,
  }
}

function url(...schemes: readonly [string, ...string[]]) {
  const accepted = (text: string) => schemes.some((scheme) => URL.parse(text)?.protocol === `${scheme}:`)
  return {
    schema: z.string().refine(accepted).optional(),
    accepts: `a URL that begins with ${schemes.map((scheme) => `${scheme}:`).join(' or ')}`,
    secret: true,
  }
}

function isOrigin(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && url.protocol === 'https:' && url.href === `${url.origin}/`
}

function isNetwork(text: string): boolean {
  const [address = '', bits] = text.split('/')
  const longest = isIPv4(address) ? 32 : 128
  return isIP(address) !== 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest))
}

/** Accepts the text of an environment variable or flag as well as the typed value of the file. */
export const configSchema = z.strictObject({
  data: setting({
    schema: z.string().min(1).default('.akashi'),
    env: 'AKASHI_DATA',
    accepts: 'the path of a folder',
    flag: '<dir>',
    meaning: 'Folder where `akashi up` keeps its data: database, objects, keys.',
    default: '.akashi',
    path: true,
  }),
  policy: setting({
    schema: z.string().min(1).optional(),
    env: 'AKASHI_POLICY',
    accepts: 'the path of a file',
    flag: '<file>',
    meaning:
      'File that pins the origins, keys and witnesses of the ledger (C2SP tlog-policy). Without it `verify` takes them from the database and keyring that it verifies.',
    path: true,
  }),
  host: setting({
    schema: z.string().min(1).default('127.0.0.1'),
    env: 'AKASHI_HOST',
    accepts: 'an address or host name to listen on',
    flag: '<address>',
    meaning: 'Address that HTTP listens on.',
    default: '127.0.0.1',
  }),
  port: setting({
    ...wholeNumber(0, MAX_PORT, DEFAULT_PORT),
    env: 'AKASHI_PORT',
    accepts: `a whole number from 0 to ${MAX_PORT}`,
    flag: '<n>',
    meaning: 'Port that HTTP listens on; 0 picks a free one.',
  }),
  databaseUrl: setting({
    ...url('postgresql', 'postgres'),
    env: 'DATABASE_URL',
    flag: '<url>',
    meaning:
      'The PostgreSQL database to use; a pooler in transaction mode is supported. If unset, `akashi up` runs its own server.',
  }),
  databaseDirectUrl: setting({
    ...url('postgresql', 'postgres'),
    env: 'DATABASE_DIRECT_URL',
    meaning:
      'The same database without a pooler in between, for migrations, replication, LISTEN and locks. Defaults to the database URL.',
  }),
  objectStoreUrl: setting({
    ...url('file', 's3', 'gs', 'azblob'),
    env: 'OBJECT_STORE_URL',
    meaning:
      'Where objects are kept: checkpoints, archives, backups (docs/object-stores.md). Defaults to a folder inside the data folder.',
  }),
  coldStoreUrl: setting({
    ...url('file', 's3', 'gs', 'azblob'),
    env: 'COLD_STORE_URL',
    meaning:
      'A second object store, also of another provider, for the long-term copies of the audit log (docs/backup.md). Defaults to the first.',
  }),
  archiveDestinations: setting({
    schema: destinationsSchema.default({}),
    env: 'ARCHIVE_DESTINATIONS',
    accepts: 'names and URLs of object stores, in the environment as JSON; the names main and cold are taken',
    meaning:
      'Further object stores that parts of the archive are copied to (docs/archive.md). `main` stands for the object store, `cold` for that of COLD_STORE_URL.',
    secret: true,
  }),
  azureConnectionString: setting({
    schema: z
      .string()
      .min(1)
      .transform((text) => new Secret(text))
      .optional(),
    env: 'AZURE_STORAGE_CONNECTION_STRING',
    accepts: 'a connection string of an Azure storage account',
    meaning: 'Account and credentials of an `azblob:` object store.',
    secret: true,
  }),
  keysUrl: setting({
    ...url('file', 'awskms'),
    env: 'KEYS_URL',
    meaning:
      'Where keys are kept: file:/folder, or awskms:KEY?folder=/folder&region=REGION. Defaults to a folder inside the data folder.',
  }),
  keysPassphrase: setting({
    schema: z
      .string()
      .min(1)
      .transform((text) => new Secret(text))
      .optional(),
    env: 'KEYS_PASSPHRASE',
    accepts: 'a text',
    meaning: 'Encrypts the keys of a `file:` keyring.',
    secret: true,
  }),
  publicUrl: setting({
    schema: z.string().refine(isOrigin).optional(),
    env: 'AKASHI_PUBLIC_URL',
    accepts: 'the https: URL of a host, without a path',
    flag: '<url>',
    meaning:
      'Public URL of this server. If set, HTTP serves other machines, under this host name only; if unset, only this machine.',
  }),
  tlsCertificate: setting({
    schema: z.string().min(1).optional(),
    env: 'AKASHI_TLS_CERTIFICATE',
    accepts: 'the path of a file',
    flag: '<file>',
    meaning:
      'Certificate and its chain (PEM). If set, HTTP is served over TLS only; a file that changes is taken over within 10 seconds, without a restart.',
    path: true,
  }),
  tlsKey: setting({
    schema: z.string().min(1).optional(),
    env: 'AKASHI_TLS_KEY',
    accepts: 'the path of a file',
    flag: '<file>',
    meaning: 'Private key of the certificate (PEM, without a passphrase).',
    path: true,
  }),
  trustedProxies: setting({
    schema: z
      .union([
        z.string().transform((text) => text.split(',').map((part) => part.trim())),
        z.array(z.string()),
      ])
      .pipe(z.array(z.string().refine(isNetwork)))
      .default([]),
    env: 'AKASHI_TRUSTED_PROXIES',
    accepts: 'addresses or networks such as 10.0.0.0/8, separated by commas',
    flag: '<list>',
    meaning:
      'Proxies whose `X-Forwarded-For` is trusted. For all other peers the address of the socket counts.',
  }),
  breachedPasswords: setting({
    schema: z.string().min(1).optional(),
    env: 'AKASHI_BREACHED_PASSWORDS',
    accepts: 'the path of a file or folder',
    flag: '<path>',
    meaning:
      'Corpus of breached passwords as `SHA1:COUNT` lines: one file sorted by hash, or a folder of files named by the first five digits. If unset, the word list, patterns and 34,379 passwords bundled with Akashi.',
    path: true,
  }),
  oidcIssuers: setting({
    schema: oidcIssuersSchema.default([]),
    env: 'OIDC_ISSUERS',
    accepts: 'a list of issuers with name, issuer and clientId (docs/sign-in.md), in the environment as JSON',
    meaning: 'OpenID providers: whose users may sign in, and whose tokens services may present.',
    secret: true,
  }),
  redisUrl: setting({
    ...url('redis', 'rediss'),
    env: 'REDIS_URL',
    meaning:
      'Notifies several HTTP nodes of changes immediately. If unset, each polls the database every second.',
  }),
  clamdUrl: setting({
    ...url('clamd'),
    secret: false,
    env: 'CLAMD_URL',
    flag: '<url>',
    meaning:
      'Where the ClamAV daemon that scans uploaded files listens: `clamd:/run/clamav/clamd.ctl` or `clamd://host:3310`. If unset, uploaded files stay unavailable.',
  }),
  appName: setting({
    schema: z.string().regex(APP_NAME).default('akashi'),
    env: 'AKASHI_APP_NAME',
    accepts: 'a name of lowercase letters, digits and hyphens, at most 63 characters',
    meaning: 'Name of the application in log lines, metrics and the `application_name` of connections.',
    default: 'akashi',
  }),
  appVersion: setting({
    schema: z.string().min(1).max(MAX_APP_VERSION).default(readVersion),
    env: 'AKASHI_APP_VERSION',
    accepts: `a text of at most ${MAX_APP_VERSION} characters`,
    meaning:
      'Version of the application in log lines, metrics and the `application_version` of the audit trail. Defaults to the version of Akashi.',
  }),
  appTier: setting({
    ...choice(['system', 'business', 'service'], 'system'),
    env: 'AKASHI_APP_TIER',
    meaning: 'Tier of the application in log lines and metrics.',
  }),
  appEnvironment: setting({
    ...choice(['dev', 'staging', 'prod'], 'dev'),
    env: 'AKASHI_APP_ENVIRONMENT',
    meaning: 'Environment that the application runs in, in log lines and metrics.',
  }),
  logLevel: setting({
    ...choice(logLevels, 'info'),
    env: 'AKASHI_LOG_LEVEL',
    flag: '<level>',
    meaning: 'Minimum level of log lines.',
  }),
  logFormat: setting({
    ...choice(logFormats, 'json'),
    env: 'AKASHI_LOG_FORMAT',
    flag: '<format>',
    meaning: 'One JSON document per line, or human-readable lines for a terminal.',
  }),
  otlpEndpoint: setting({
    ...url('http', 'https'),
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    meaning:
      'Collector that takes traces by OTLP over HTTP (docs/operations.md); `/v1/traces` is appended. If unset, nothing is traced.',
  }),
  otlpHeaders: setting({
    schema: z
      .string()
      .min(1)
      .transform((text) => new Secret(text))
      .optional(),
    env: 'OTEL_EXPORTER_OTLP_HEADERS',
    accepts: 'name=value pairs separated by commas, the values percent-encoded',
    meaning: 'Headers for the collector, such as its token.',
    secret: true,
  }),
  tracesRatio: setting({
    schema: z
      .union([
        z.number(),
        z
          .string()
          .regex(/^[01](?:[.]\d+)?$/)
          .transform(Number),
      ])
      .pipe(z.number().min(0).max(1))
      .default(1),
    env: 'OTEL_TRACES_SAMPLER_ARG',
    accepts: 'a number from 0 to 1',
    meaning:
      'Share of the traces that begin here and are delivered. A caller that sends `traceparent` decides itself.',
    default: '1',
  }),
  poolSize: setting({
    ...wholeNumber(1, MAX_POOL_SIZE, POOL_SIZE),
    env: 'AKASHI_POOL_SIZE',
    accepts: `a whole number from 1 to ${MAX_POOL_SIZE}`,
    flag: '<n>',
    meaning: 'Maximum number of database connections per process and role.',
  }),
  statementTimeoutMs: setting({
    ...wholeNumber(0, DAY_MS, STATEMENT_TIMEOUT_MS),
    env: 'AKASHI_STATEMENT_TIMEOUT_MS',
    accepts: `a whole number of milliseconds from 0 to ${DAY_MS}`,
    flag: '<n>',
    meaning: 'Time limit of one statement in milliseconds; 0 means no limit.',
  }),
})

/** The settings of a process, checked. URLs may carry passwords: print them through `redactText` only. */
export type Config = Readonly<z.output<typeof configSchema>>

export type SettingName = keyof Config

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(configSchema.shape, name)
}

/** In the order of docs/configuration.md. */
export const settingNames: readonly SettingName[] = Object.keys(configSchema.shape).filter(isSettingName)

export function settingOf(name: SettingName): Setting {
  const setting = described.get(configSchema.shape[name])
  if (setting === undefined) throw new Error(`setting ${name} is not described`)
  return setting
}
