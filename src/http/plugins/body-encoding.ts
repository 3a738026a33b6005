import type { App } from '../schema.ts'

/** The error code of an encoded body. */
export const BODY_ENCODED = 'AKASHI_BODY_ENCODED'

/** Compressed bodies are refused, since a small one could unpack to gigabytes. */
export function refuseEncodedBodies(scope: App): void {
  scope.addHook('preParsing', async (request) => {
    const encoding = request.headers['content-encoding']
    if (encoding === undefined || encoding.toLowerCase() === 'identity') return
    throw Object.assign(new Error('the body is encoded'), { code: BODY_ENCODED })
  })
}
