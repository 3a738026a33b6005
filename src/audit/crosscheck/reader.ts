/** Assembles the messages of the stream into transactions. */
import { AkashiError } from '../../foundation/index.ts'
import { type Lsn, parseArray } from '../../postgres/index.ts'
import type { Message, Tuple } from './pgoutput.ts'
import { nameOf, PROTECTED_TABLES, type Protection } from './protections.ts'
import type { Relation, Relations } from './relations.ts'
import { TRAIL, trailRow } from './trail-row.ts'
import { Transaction } from './transaction.ts'

/** Bytes of messages of one transaction that are kept to be compared; in memory they take a multiple of it. */
export const MAX_TRANSACTION_BYTES = 128 * 1024 * 1024

const POLICY = nameOf(PROTECTED_TABLES.schema, PROTECTED_TABLES.table)

export interface Ended {
  readonly transaction: Transaction
  /** WAL up to here is no longer needed. */
  readonly end: Lsn
  /**
   * It had more than {@link MAX_TRANSACTION_BYTES}: these tables were changed, and its changes were not kept.
   */
  readonly tooLarge: readonly string[] | null
}

export class Reader {
  readonly #relations: Relations
  readonly #protections: Map<string, Protection>
  readonly #maxBytes: number
  #transaction: Transaction | undefined
  #bytes = 0
  #tooLarge: Set<string> | undefined

  constructor(relations: Relations, protections: readonly Protection[], maxBytes = MAX_TRANSACTION_BYTES) {
    this.#relations = relations
    this.#protections = new Map(protections.map((each) => [nameOf(each.schema, each.table), each]))
    this.#maxBytes = maxBytes
  }

  /** Within a transaction no position can be reported. */
  get isOpen(): boolean {
    return this.#transaction !== undefined
  }

  /** As described by the messages so far. */
  get protections(): Protection[] {
    return [...this.#protections.values()]
  }

  /** @returns the transaction that the message ended */
  async read(message: Message, bytes: number): Promise<Ended | undefined> {
    switch (message.kind) {
      case 'begin':
        this.#transaction = new Transaction(message)
        this.#bytes = 0
        this.#tooLarge = undefined
        return undefined
      case 'commit': {
        const transaction = this.#open
        this.#transaction = undefined
        return {
          transaction,
          end: message.end,
          tooLarge: this.#tooLarge === undefined ? null : [...this.#tooLarge],
        }
      }
      case 'relation':
        await this.#relations.learn(message.relation)
        return undefined
      case 'origin':
        this.#open.origin = message.name
        return undefined
      case 'truncate':
        for (const oid of message.oids) this.#truncated(this.#relation(oid))
        return undefined
      case 'insert':
      case 'update':
      case 'delete':
        this.#change(message)
        this.#keep(bytes, this.#relation(message.oid))
        return undefined
      default:
        return undefined
    }
  }

  get #open(): Transaction {
    if (this.#transaction !== undefined) return this.#transaction
    throw new AkashiError('internal', 'the server sent a change outside of a transaction')
  }

  #relation(oid: number): Relation {
    const relation = this.#relations.get(oid)
    if (relation !== undefined) return relation
    throw new AkashiError('internal', `the server sent a change of relation ${oid} without describing it`)
  }

  #truncated(relation: Relation): void {
    if (relation.names.includes(TRAIL)) this.#open.trailRemoved.push(`all of ${relation.table}`)
    else if (this.#protected(relation) !== undefined) this.#open.truncated.push(relation)
    if (relation.names[0] === POLICY) this.#protections.clear()
  }

  #change(message: Extract<Message, { readonly oid: number }>): void {
    const transaction = this.#open
    const relation = this.#relation(message.oid)
    const added = message.kind === 'delete' ? undefined : message.added
    const removed = message.kind === 'insert' ? undefined : message.removed
    if (relation.names.includes(TRAIL)) {
      if (this.#tooLarge !== undefined) return
      const id = (tuple: Tuple | undefined) => tuple?.[relation.places.get('id') ?? -1] ?? 'unknown'
      if (message.kind === 'insert') transaction.trail.push(trailRow(relation, message.added))
      else if (message.kind === 'delete') transaction.trailRemoved.push(id(message.removed))
      else transaction.trailUpdated.push(id(message.added))
      return
    }
    const own = this.#protected(relation)
    if (own !== undefined && this.#tooLarge === undefined) {
      transaction.add(relation, own.protection, own.family, {
        operation: message.kind === 'insert' ? 'INSERT' : message.kind === 'update' ? 'UPDATE' : 'DELETE',
        added,
        removed,
        full: message.kind !== 'insert' && message.full,
      })
    }
    if (relation.names[0] === POLICY) this.#protect(relation, removed, added)
  }

  /** The topmost protected table that the relation is or is a partition of. */
  #protected(relation: Relation): { readonly protection: Protection; readonly family: string } | undefined {
    for (const family of relation.names.toReversed()) {
      const protection = this.#protections.get(family)
      if (protection !== undefined) return { protection, family }
    }
    return undefined
  }

  #protect(relation: Relation, removed: Tuple | undefined, added: Tuple | undefined): void {
    const text = (tuple: Tuple, name: string) => tuple[relation.places.get(name) ?? -1] ?? ''
    const list = (tuple: Tuple, name: string) =>
      parseArray(text(tuple, name), (element) => element).filter(
        (each): each is string => typeof each === 'string',
      )
    if (removed !== undefined)
      this.#protections.delete(nameOf(text(removed, 'schema_name'), text(removed, 'table_name')))
    if (added === undefined) return
    const [schema, table] = [text(added, 'schema_name'), text(added, 'table_name')]
    this.#protections.set(nameOf(schema, table), {
      schema,
      table,
      key: list(added, 'key_columns'),
      ignored: list(added, 'ignored_columns'),
      digested: list(added, 'digest_columns'),
      omitted: list(added, 'omitted_columns'),
    })
  }

  #keep(bytes: number, relation: Relation): void {
    this.#bytes += bytes
    if (this.#tooLarge === undefined && this.#bytes > this.#maxBytes) {
      const { changes, committed } = this.#open
      this.#tooLarge = new Set(changes.map((change) => change.family))
      this.#transaction = new Transaction(committed)
    }
    const family = this.#tooLarge === undefined ? undefined : this.#protected(relation)?.family
    if (family !== undefined) this.#tooLarge?.add(family)
  }
}
