import pg from 'pg'
import { AkashiError, type ErrorCode, type ErrorOptions, given } from '../foundation/index.ts'

/** What a SQLSTATE, or a whole class of them (its first two characters), means to a caller. */
interface Meaning {
  readonly code: ErrorCode
  /** Replaces the server's message, which may quote values of the statement. */
  readonly message: string
  readonly hint?: string
}

/** SQLSTATEs that the code refers to. The AK… ones are raised by Akashi's own functions. */
export const SQLSTATE = {
  appendOnly: 'AK001',
  integrity: 'AK002',
  conflict: 'AK003',
  rateLimited: 'AK004',
  uniqueViolation: '23505',
  serializationFailure: '40001',
  deadlock: '40P01',
  lockNotAvailable: '55P03',
  objectInUse: '55006',
  queryCanceled: '57014',
  undefinedTable: '42P01',
  invalidDatetime: '22007',
  insufficientPrivilege: '42501',
} as const

const tryAgain = 'try again'

/**
 * SQLSTATE → Akashi error. The five-character code is looked up first, then its class.
 * Source of the codes: PostgreSQL documentation, appendix A.
 */
const meanings: Readonly<Record<string, Meaning>> = {
  AK001: { code: 'append_only', message: 'the record is append-only' },
  AK002: { code: 'integrity', message: 'stored data failed verification' },
  AK003: { code: 'conflict', message: 'the state does not allow this' },
  AK004: { code: 'rate_limited', message: 'this was done too often', hint: 'try again later' },
  AK005: { code: 'forbidden', message: 'a signed request context is required' },

  '08': { code: 'unavailable', message: 'the connection to the database failed', hint: tryAgain },
  '0A': { code: 'unsupported', message: 'the database does not support this' },
  '21': { code: 'invalid_input', message: 'the statement has too many values' },
  '22': { code: 'invalid_input', message: 'a value is not valid for its type' },
  '23': { code: 'invalid_input', message: 'a value violates a constraint of its table' },
  '23001': { code: 'conflict', message: 'other rows still refer to this one' },
  '23502': { code: 'invalid_input', message: 'a required value is missing' },
  '23503': {
    code: 'invalid_input',
    message: 'a value refers to a row that does not exist, or is still referred to',
  },
  '23505': { code: 'already_exists', message: 'a row with this key already exists' },
  '23514': { code: 'invalid_input', message: 'a value violates a check constraint of its table' },
  '23P01': { code: 'conflict', message: 'the row overlaps another one' },
  '25': { code: 'internal', message: 'the state of the transaction does not allow this statement' },
  '25006': { code: 'unsupported', message: 'the transaction is read-only' },
  '25P02': { code: 'internal', message: 'an earlier statement of the transaction failed' },
  '25P03': { code: 'timeout', message: 'the transaction was idle for too long', hint: tryAgain },
  '25P04': { code: 'timeout', message: 'the transaction took too long', hint: tryAgain },
  '28': {
    code: 'invalid_config',
    message: 'the database refused the login',
    hint: 'check the user and password in the database URL',
  },
  '3D': {
    code: 'invalid_config',
    message: 'the database does not exist',
    hint: 'check the name in the database URL',
  },
  '40': { code: 'conflict', message: 'the transaction was rolled back', hint: tryAgain },
  '40001': { code: 'conflict', message: 'a concurrent transaction changed the same data', hint: tryAgain },
  '40P01': { code: 'conflict', message: 'two transactions waited for each other', hint: tryAgain },
  '42': { code: 'internal', message: 'the statement is not valid' },
  '42501': { code: 'forbidden', message: 'the database role may not do this' },
  '42P01': {
    code: 'internal',
    message: 'a table does not exist',
    hint: 'apply the migrations: akashi migrate up',
  },
  '3F': {
    code: 'internal',
    message: 'a schema does not exist',
    hint: 'apply the migrations: akashi migrate up',
  },
  '44': { code: 'forbidden', message: 'the caller may not write this row' },
  '53': { code: 'unavailable', message: 'the database is out of resources', hint: tryAgain },
  '53100': { code: 'unavailable', message: 'the disk of the database is full' },
  '53300': { code: 'unavailable', message: 'the database has no free connection', hint: tryAgain },
  '54': { code: 'too_large', message: 'a limit of the database was exceeded' },
  '55': { code: 'conflict', message: 'an object of the database is in use' },
  '55P03': { code: 'conflict', message: 'another transaction holds the lock', hint: tryAgain },
  '57': { code: 'unavailable', message: 'the database stopped the statement', hint: tryAgain },
  '57014': { code: 'timeout', message: 'the statement took too long' },
  '57P01': { code: 'unavailable', message: 'the database is shutting down', hint: tryAgain },
  '57P02': { code: 'unavailable', message: 'the database crashed', hint: tryAgain },
  '57P03': { code: 'unavailable', message: 'the database is starting', hint: tryAgain },
  '58': { code: 'unavailable', message: 'the operating system of the database reported an error' },
  P0001: { code: 'conflict', message: 'the database refused this' },
  P0002: { code: 'not_found', message: 'row not found' },
  XX001: { code: 'integrity', message: 'the database found damaged data' },
  XX002: { code: 'integrity', message: 'the database found a damaged index' },
}

/** Raised by a function, these concern a name that its caller passed; raised by the parser, they are a bug. */
const raisedCodes: Readonly<Record<string, ErrorCode>> = {
  '42704': 'not_found',
  '42P01': 'not_found',
  '42710': 'already_exists',
}

const unknown: Meaning = { code: 'internal', message: 'the database reported an error' }

/** The server's routine behind RAISE: such a message comes from a function of ours and is safe to show. */
const RAISE_ROUTINE = 'exec_stmt_raise'

/** The SQLSTATE of an error, translated or not. */
export function sqlState(error: unknown): string | undefined {
  if (error instanceof AkashiError) {
    return sqlState(error.cause)
  }
  return error instanceof pg.DatabaseError ? error.code : undefined
}

/**
 * Translates errors of the driver. The server's error becomes the cause, without the parts that can contain
 * values of the statement; table, column and constraint go into the detail.
 */
export function toAkashiError(error: unknown): AkashiError {
  if (error instanceof AkashiError) {
    return error
  }
  if (error instanceof pg.DatabaseError) {
    return fromServer(error)
  }
  return fromDriver(error)
}

function fromServer(error: pg.DatabaseError): AkashiError {
  const state = error.code ?? ''
  const raised = error.routine === RAISE_ROUTINE
  const meaning = meanings[state] ?? meanings[state.slice(0, 2)] ?? unknown
  const code = (raised ? raisedCodes[state] : undefined) ?? meaning.code
  const hint = (raised ? error.hint : undefined) ?? meaning.hint ?? error.hint
  const detail: Record<string, unknown> = { sqlstate: state }
  for (const part of ['schema', 'table', 'column', 'constraint'] as const) {
    if (error[part] !== undefined) {
      detail[part] = error[part]
    }
  }
  return new AkashiError(code, raised ? error.message : meaning.message, {
    ...given({ hint }),
    detail,
    cause: withoutValues(error, raised),
  } satisfies ErrorOptions)
}

/** Values of a statement appear in DETAIL, in the context line of COPY, and after the colon of a conversion error. */
function withoutValues(error: pg.DatabaseError, raised: boolean): pg.DatabaseError {
  error.detail = undefined
  error.where = undefined
  error.internalQuery = undefined
  if (!raised && !(error.code ?? '').startsWith('42')) {
    const quoted = /: ".*"/s
    const stack = error.stack
    const message = error.message
    error.message = message.replace(quoted, ': …')
    if (stack !== undefined) {
      error.stack = stack.replace(message, error.message)
    }
  }
  return error
}

/** Other errors of the driver are about the connection. */
function fromDriver(error: unknown): AkashiError {
  if (!(error instanceof Error)) {
    return new AkashiError('internal', 'the database driver failed', { cause: error })
  }
  const cause = errnoOf(error)
  if (error.message === 'timeout exceeded when trying to connect') {
    return new AkashiError('unavailable', 'no connection to the database became free in time', {
      hint: 'increase the pool size, or find the transactions that take too long',
      cause: error,
    })
  }
  const refused = transportProblem(error, cause)
  if (refused !== undefined) return refused
  if (
    cause !== undefined ||
    /terminat|timeout|timed out|not queryable|closed|Connection/i.test(error.message)
  ) {
    return new AkashiError('unavailable', 'the database cannot be reached', {
      hint: 'check that it is running and that the database URL is correct',
      detail: given({ errno: cause }),
      cause: error,
    })
  }
  return new AkashiError('internal', 'the database driver failed', { cause: error })
}

/** What OpenSSL and Node.js say of a certificate that they do not accept. */
const untrusted =
  /^(?:ERR_TLS_CERT_ALTNAME_\w+|CERT_\w+|UNABLE_TO_\w+|(?:DEPTH_ZERO_)?SELF_SIGNED_CERT\w*|INVALID_CA|\w+_EXCEEDED)$/

function transportProblem(error: Error, code: string | undefined): AkashiError | undefined {
  if (code !== undefined && untrusted.test(code)) {
    return new AkashiError('unavailable', `the certificate of the database is not accepted (${code})`, {
      hint: 'it must name the host of the database URL and come from a known authority: name your own with sslrootcert=FILE in the URL',
      cause: error,
    })
  }
  if (error.message === 'The server does not support SSL connections') {
    return new AkashiError('unavailable', 'the database offers no TLS', {
      hint: 'give the server a certificate and set ssl = on; only in a network that nobody else can reach, add sslmode=disable to the database URL',
      cause: error,
    })
  }
  return undefined
}

function errnoOf(error: Error): string | undefined {
  const code: unknown = 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}
