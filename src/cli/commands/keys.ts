import type { Command } from 'commander'
import type { Keyring } from '../../keys/index.ts'
import type { KeyRotation } from '../../operations/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import type { Invocation, Perform, Register } from '../invocation.ts'
import type { ExitStatus } from '../world.ts'

export const keys: Register = (program, perform) => {
  const group = program.command('keys').description('keyring: status, rotation, and erasure of people')
  status(group, perform)
  rotate(group, perform)
  adopt(group, perform)
  shred(group, perform)
  forget(group, perform)
  certificate(group, perform)
  check(group, perform)
  reconcile(group, perform)
}

function status(group: Command, perform: Perform): void {
  group
    .command('status', { isDefault: true })
    .description('list the service keys and count the person keys')
    .action(() =>
      perform((cli) =>
        withKeyring(cli, async (keyring) => {
          const { erasureVerifierKey } = await import('../../identity/index.ts')
          const { table } = await import('../output/table.ts')
          const listed = await keyring.list()
          const counted = await keyring.countPersonKeys({ signal: cli.signal })
          const persons = { ...counted, wrappedBy: Object.fromEntries(counted.wrappedBy) }
          const verifierKey = await erasureVerifierKey(keyring)
          cli.print(
            { location: keyring.location, keys: listed, persons, verifierKey },
            [
              `keyring ${keyring.location}`,
              table(
                ['key', 'state', 'created'],
                listed.map(({ id, state, createdAt }) => [id, state, createdAt.toISOString()]),
              ),
              `${counted.keys} people have a key, ${counted.destroyed} were erased`,
              `${counted.rooms} encrypted rooms have a key`,
              ...(counted.rotating
                ? [
                    'a rotation is in progress or was interrupted: akashi keys rotate --purpose wrapping completes it',
                  ]
                : []),
              `verifier key of erasure certificates: ${verifierKey}`,
            ].join('\n'),
          )
          return 0
        }),
      ),
    )
}

function rotate(group: Command, perform: Perform): void {
  group
    .command('rotate')
    .requiredOption('--purpose <purpose>', 'checkpoint, context, wrapping, blind-index, report or backup')
    .option('--reason <text>', 'the reason, one line; recorded', 'rotation')
    .description(
      'replace a service key, or complete an interrupted rotation; exits 1 if users share an address',
    )
    .action(() =>
      perform((cli) =>
        withKeyring(cli, async (keyring) => {
          const { rotateKey } = await import('../../operations/index.ts')
          const { openObjects } = await import('../../start/index.ts')
          const { withConnections } = await import('../databases.ts')
          const purpose = await purposeOf(cli)
          const store = await openObjects(await cli.config())
          const total =
            purpose === 'wrapping' ? (await keyring.countPersonKeys({ signal: cli.signal })).keys : 0
          const bar = await cli.progress('rotating', total)
          const rotation = await withConnections(
            cli,
            ({ pool, actor }) =>
              rotateKey(
                { keyring, store, owner: pool('owner'), worker: pool('worker'), actor },
                {
                  purpose,
                  reason: String(cli.flags['reason']),
                  signal: cli.signal,
                  onProgress: (done) => bar.update(done),
                },
              ),
            keyring,
          ).finally(() => bar.stop())
          const { epochs = [], conflicts = [], ...rest } = rotation
          const opened = epochs.map(({ log, epoch, origin, size }) => ({ log, epoch, origin, size }))
          cli.print({ ...rest, epochs: opened, conflicts }, describeRotation(rotation))
          return conflicts.length === 0 ? 0 : 1
        }),
      ),
    )
}

async function purposeOf(cli: Invocation) {
  const { rotatablePurposes } = await import('@akashi/contract')
  const purpose = rotatablePurposes.find((each) => each === cli.flags['purpose'])
  if (purpose !== undefined) return purpose
  const { AkashiError } = await import('../../foundation/index.ts')
  throw new AkashiError('invalid_input', `a ${String(cli.flags['purpose'])} key cannot be rotated`, {
    hint: `one of ${rotatablePurposes.join(', ')}`,
  })
}

function describeRotation(rotation: KeyRotation): string {
  const { purpose, keyId, resumed, epochs = [], rewrapped, reindexed, conflicts = [] } = rotation
  return [
    `${keyId} is now the ${purpose} key${resumed ? '; an interrupted rotation was completed' : ''}`,
    ...epochs.map(({ log, epoch, size }) => `  ${log}: epoch ${epoch} from size ${size} on`),
    ...(purpose === 'checkpoint' ? ['give its public key to auditors and witnesses: akashi audit key'] : []),
    ...(purpose === 'report'
      ? ['keep the former public key: it verifies the certificates that it signed']
      : []),
    ...(rewrapped === undefined ? [] : [`  ${rewrapped} person keys were wrapped with it`]),
    ...(reindexed === undefined ? [] : [`  ${reindexed} users were indexed with it`]),
    ...conflicts.map((userId) => `  ${userId} has the address of another user`),
  ].join('\n')
}

function adopt(group: Command, perform: Perform): void {
  group
    .command('adopt')
    .requiredOption('--reason <text>', 'the reason, one line; recorded and signed')
    .requiredOption(
      '--confirm <database>',
      'name of the database; what the lost keyring encrypted stays unreadable',
    )
    .description('continue with this keyring after the previous one was lost without a copy')
    .action(() =>
      perform((cli) =>
        withKeyring(cli, async (keyring) => {
          const { adoptKeyring } = await import('../../operations/index.ts')
          const { openObjects } = await import('../../start/index.ts')
          const { withConnections } = await import('../databases.ts')
          const store = await openObjects(await cli.config())
          // Without the keyring, since it would be refused.
          const adopted = await withConnections(cli, ({ pool, actor }) =>
            adoptKeyring(
              { keyring, store, owner: pool('owner'), worker: pool('worker'), actor },
              { reason: String(cli.flags['reason']), confirm: String(cli.flags['confirm']) },
            ),
          )
          cli.print(
            { ...adopted, epochs: adopted.epochs.length },
            'the database goes on with this keyring; keep the former public key of the ledger\ngive the new one to auditors and witnesses: akashi audit key',
          )
          return 0
        }),
      ),
    )
}

function forget(group: Command, perform: Perform): void {
  group
    .command('forget')
    .argument('<person>', 'as in the column given with protect --subject')
    .requiredOption('--confirm <person>', 'repeat it: this cannot be undone')
    .requiredOption('--reason <text>', 'recorded in the audit trail')
    .description(
      'destroy the salt of an application’s user, so that digests in the audit trail can no longer be matched',
    )
    .action((person: string) =>
      perform(async (cli) => {
        const { forgetPerson } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const options = { confirm: String(cli.flags['confirm']), reason: String(cli.flags['reason']) }
        const salts = await withConnections(cli, ({ pool, actor }) =>
          forgetPerson(pool('owner'), actor, person, options),
        )
        cli.print(
          { person, salts },
          salts === 0 ? `the audit trail has no digests of ${person}` : `${person} is forgotten`,
        )
        return 0
      }),
    )
}

function shred(group: Command, perform: Perform): void {
  group
    .command('shred')
    .argument('<user>', 'id, username or e-mail')
    .requiredOption('--confirm <user>', 'repeat the username or id: this cannot be undone')
    .requiredOption('--reason <text>', 'recorded in the audit trail')
    .description('erase a person: delete the account, destroy the key, print the signed certificate')
    .action((user: string) =>
      perform((cli) =>
        withPersons(cli, user, async ({ database, actor, keyring, userId }) => {
          const { eraseUser } = await import('../../identity/index.ts')
          const erasure = await eraseUser({ database, keyring }, actor, userId, {
            confirm: String(cli.flags['confirm']),
            reason: String(cli.flags['reason']),
            signal: cli.signal,
          })
          cli.print(erasure, erasure.certificate ?? '')
          return 0
        }),
      ),
    )
}

function certificate(group: Command, perform: Perform): void {
  group
    .command('certificate')
    .argument('<user>', 'id of an erased person')
    .description('print the certificate of an erasure; exits 1 while the erasure is incomplete')
    .action((user: string) =>
      perform((cli) =>
        withPersons(cli, user, async ({ database, actor, userId }) => {
          const { readErasure } = await import('../../identity/index.ts')
          const { AkashiError } = await import('../../foundation/index.ts')
          const erasure = await readErasure({ database }, actor, userId)
          if (erasure === null) throw new AkashiError('not_found', 'this person was not erased')
          const unfinished = 'the erasure was interrupted: akashi keys reconcile completes it'
          cli.print(erasure, erasure.certificate ?? unfinished)
          return erasure.certificate === null ? 1 : 0
        }),
      ),
    )
}

function check(group: Command, perform: Perform): void {
  group
    .command('check')
    .argument('<file>', 'a certificate')
    .requiredOption('--key <verifier key>', 'as printed by akashi keys status')
    .description('verify a certificate offline; exits 1 if it was changed or is not signed by the key')
    .action((file: string) =>
      perform(async (cli) => {
        const { readFile } = await import('node:fs/promises')
        const { checkErasureCertificate } = await import('../../identity/index.ts')
        const checked = checkErasureCertificate(await readFile(file, 'utf8'), [String(cli.flags['key'])])
        const values = checked.unreadable.reduce((sum, place) => sum + (place.values ?? 0), 0)
        cli.print(
          checked,
          `${checked.person} was erased at ${checked.destroyedAt}; ${values} encrypted values in the database are unreadable`,
        )
        return 0
      }),
    )
}

function reconcile(group: Command, perform: Perform): void {
  group
    .command('reconcile')
    .description('repeat earlier erasures after restoring the database or the keyring; exits 1 if that fails')
    .action(() =>
      perform((cli) =>
        withKeyring(cli, async (keyring) => {
          const { reconcileErasures } = await import('../../identity/index.ts')
          const { withConnections } = await import('../databases.ts')
          const result = await withConnections(
            cli,
            ({ pool, actor }) =>
              reconcileErasures({ database: pool('owner'), keyring }, actor, { signal: cli.signal }),
            keyring,
          )
          const { completed, destroyedAgain, erasedAgain, refused, missingKeys } = result
          cli.print(
            result,
            [
              `${completed.length} erasures completed, ${destroyedAgain.length} keys destroyed again, ${erasedAgain.length} accounts erased again`,
              ...refused.map(({ userId, reason }) => `  ${userId} is not erased: ${reason}`),
              ...(missingKeys === 0
                ? []
                : [
                    `${missingKeys} users have no key in this keyring: it is the wrong one, or keys were lost`,
                  ]),
            ].join('\n'),
          )
          return refused.length === 0 && missingKeys === 0 ? 0 : 1
        }),
      ),
    )
}

async function withKeyring(
  cli: Invocation,
  work: (keyring: Keyring) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  const { openKeys } = await import('../../start/index.ts')
  const keyring = await openKeys(await cli.config())
  try {
    return await work(keyring)
  } finally {
    await keyring.close()
  }
}

/** Runs with the privileges of akashi_owner. */
function withPersons(
  cli: Invocation,
  user: string,
  work: (parts: {
    database: Database
    actor: Actor
    keyring: Keyring
    userId: string
  }) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  return withKeyring(cli, async (keyring) => {
    const { resolveUserId } = await import('../../identity/index.ts')
    const { openPersonVault } = await import('../../keys/index.ts')
    const { withConnections } = await import('../databases.ts')
    return await withConnections(
      cli,
      async ({ pool, actor }) => {
        const database = pool('owner')
        const vault = openPersonVault(keyring)
        const userId = await database.transaction(actor, (session) => resolveUserId(session, vault, user))
        return await work({ database, actor, keyring, userId })
      },
      keyring,
    )
  })
}
