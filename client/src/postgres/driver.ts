/** The parts of the driver that its types do not name. */
type Handler = ((query: DriverQuery) => unknown) & { readonly debug?: unknown }

/** A statement, which is sent by its handler when it is awaited. */
export interface DriverQuery extends Promise<unknown> {
  handler: Handler
  executed: boolean
  strings: readonly string[]
  resolve: (result: unknown) => void
  reject: (error: unknown) => void
  execute(): this
}

export type TaggedSql = (...parameters: unknown[]) => unknown

export type AnySql = TaggedSql & {
  readonly options: { onclose?: ((id: number) => void) | undefined }
  unsafe(...parameters: unknown[]): DriverQuery
  file(...parameters: unknown[]): DriverQuery
  begin(modes: string, work: (tx: AnySql) => unknown): Promise<unknown>
  savepoint(...parameters: unknown[]): Promise<unknown>
  reserve(): Promise<AnySql>
  release(): void
}
