import { AkashiError } from '../../../foundation/index.ts'
import { parseCosignerKey } from '../../../keys/index.ts'
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import type { WitnessAddress } from './submit.ts'

export interface TrustedWitness {
  /** The name that it signs as. */
  readonly name: string
  readonly url: string
  /** Verifier key as the witness prints it. */
  readonly key: string
}

/**
 * Has every published head submitted to this witness from now on. Registering it again changes its address.
 *
 * @throws AkashiError conflict for another key under a name that is trusted: what it cosigned before would not verify
 */
export async function trustWitness(
  owner: Database,
  actor: Actor,
  url: string,
  key: string,
): Promise<TrustedWitness> {
  const { name } = parseCosignerKey(key)
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new AkashiError('invalid_input', 'the address of a witness is not an http(s) URL', {
      hint: 'give the address that akashi witness serve printed',
    })
  }
  const { rowCount } = await owner.transaction(actor, (session) =>
    session.query(
      `insert into akashi_audit.witnesses as known (name, url, verifier_key) values ($1, $2, $3)
       on conflict (name) do update set url = excluded.url where known.verifier_key = excluded.verifier_key`,
      [name, url, key],
    ),
  )
  if (rowCount === 0) {
    throw new AkashiError('conflict', `the witness ${name} is trusted with another key`, {
      hint: 'a witness with a new key signs under a new name; check that it is still the same witness',
    })
  }
  return { name, url, key }
}

/** Stops submitting to this witness. */
export async function forgetWitness(owner: Database, actor: Actor, name: string): Promise<void> {
  const { rowCount } = await owner.transaction(actor, (session) =>
    session.query('delete from akashi_audit.witnesses where name = $1', [name]),
  )
  if (rowCount === 0) throw new AkashiError('not_found', `there is no trusted witness ${name}`)
}

export async function trustedWitnesses(database: Database, actor: Actor): Promise<TrustedWitness[]> {
  return await database.transaction(actor, (session) => readTrusted(session))
}

export async function readTrusted(session: Session): Promise<TrustedWitness[]> {
  const { rows } = await session.query<TrustedWitness>(
    'select name, url, verifier_key as key from akashi_audit.witnesses order by name',
  )
  return rows
}

export function witnessAddress({ url, key }: TrustedWitness): WitnessAddress {
  return { url, key: parseCosignerKey(key) }
}
