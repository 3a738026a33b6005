import type { WitnessState } from '@akashi/contract'
import type { Actor, Database } from '../../../postgres/index.ts'

/** The trusted witnesses with what each cosigned last of every log, and what it disagrees with. */
export async function witnessStates(database: Database, actor: Actor): Promise<WitnessState[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<WitnessState>(
        `select w.name, w.url, w.verifier_key as key,
                (select string_agg(a.detail, '; ' order by a.detail) from akashi_audit.standing_alarms a
                 where a.kind = 'witness_conflict' and strpos(a.subject, w.name) > 0) as conflict,
                (select coalesce(jsonb_agg(jsonb_build_object('log', h.log, 'size', h.size::text, 'cosignedSize', c.size::text,
                          'cosignedAt', c.cosigned_at) order by h.log), '[]')
                 from akashi_audit.ledger_heads h
                 left join lateral (
                   select c.size, c.cosigned_at from akashi_audit.ledger_cosignatures c
                   where c.log = h.log and c.epoch = h.epoch and c.witness = w.name order by c.size desc limit 1
                 ) c on true) as logs
         from akashi_audit.witnesses w order by w.name`,
      ),
    { readOnly: true },
  )
  return rows
}
