import type { App } from '../schema.ts'

/** The code by which the problem of an encoded body is found. */
export const BODY_ENCODED = 'AKASHI_BODY_ENCODED'

/** Bodies are taken as they are: a small compressed one could unpack to gigabytes. */
export function refuseEncodedBodies(scope: App): void {
  scope.addHook('preParsing', async (request) => {
    const encoding = request.headers['content-encoding']
    if (encoding === undefined || encoding.toLowerCase() === 'identity') return
    throw Object.assign(new Error('the body is encoded'), { code: BODY_ENCODED })
  })
}
