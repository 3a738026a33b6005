import { problemResponse } from '../problem.ts'

/** How a route about a thing that has an owner may refuse, beside what `plugins/openapi.ts` adds. */
export const refusals = { 404: problemResponse, 409: problemResponse }
