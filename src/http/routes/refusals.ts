import { problemResponse } from '../problem.ts'

/** How a route about something that has an owner may refuse. */
export const refusals = {
  400: problemResponse,
  401: problemResponse,
  403: problemResponse,
  404: problemResponse,
  409: problemResponse,
}
