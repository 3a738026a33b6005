import { z } from 'zod'

/** Names that stand for a store without being configured: the object store, and that of COLD_STORE_URL. */
export const BUILT_IN_DESTINATIONS = ['main', 'cold'] as const

const name = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}$/)
  .refine((text) => !BUILT_IN_DESTINATIONS.some((reserved) => reserved === text))
const url = z
  .string()
  .refine((text) => ['file:', 's3:', 'gs:', 'azblob:'].includes(URL.parse(text)?.protocol ?? ''))

/** An object of names and URLs, or the JSON text of one as an environment variable gives it. */
export const destinationsSchema = z
  .union([z.string().transform(parseJson), z.record(z.string(), z.unknown())])
  .pipe(z.record(name, url))

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON' })
    return z.NEVER
  }
}
