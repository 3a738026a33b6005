/** The form of the table of operations. */
import type { z } from 'zod'

export interface Operation {
  /** One line for the documentation. */
  readonly summary: string
  readonly description?: string
  /** One string for each `{name}` of the path. */
  readonly params?: z.ZodObject
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  /** The body of success; without one there is none. Every other response is a problem. */
  readonly response?: z.ZodType
  /** The status of success: 200 with a response, 204 without, unless given. */
  readonly status?: 201 | 202 | 302
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
/** `GET /v1/chat/rooms/{roomId}`; a last `{*}` takes what is left of the path. */
export type OperationTable = Readonly<Record<`${Method} /${string}`, Operation>>
