/** The function that CloudFront runs for each request, run. */
import { expect, test } from 'vitest'
import { prod } from '../parameter.ts'
import { synthesize } from './support/synthesize.ts'
import type { Json } from './support/template.ts'

const { Service } = synthesize(prod)
const code: string = Service?.only('AWS::CloudFront::Function').Properties['FunctionCode']
const handler = new Function(`${code}; return handler`)() as (event: Json) => Json

function sent(headers: Json): Json {
  return handler({ viewer: { ip: '203.0.113.7' }, request: { uri: '/', headers } }).headers
}

test('the web ACL counts by the address that CloudFront spoke to, not by what the caller writes', () => {
  const { Rules } = Service?.only('AWS::WAFv2::WebACL').Properties ?? {}
  const header: string = Rules[0].Statement.RateBasedStatement.ForwardedIPConfig.HeaderName
  const name = header.toLowerCase()
  expect(sent({})[name]).toEqual({ value: '203.0.113.7' })
  expect(sent({ [name]: { value: '198.51.100.1' }, host: { value: 'a' } })).toEqual({
    [name]: { value: '203.0.113.7' },
    host: { value: 'a' },
  })
})

test('a caller from outside begins no trace, and chooses no id of one', () => {
  const traceparent = { value: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
  const headers = sent({ traceparent, tracestate: { value: 'a=b' }, accept: { value: '*/*' } })
  expect(Object.keys(headers).toSorted()).toEqual(['accept', 'true-client-ip'])
})

test('every behaviour runs it', () => {
  const { DistributionConfig } = Service?.only('AWS::CloudFront::Distribution').Properties ?? {}
  const behaviours = [DistributionConfig.DefaultCacheBehavior, ...DistributionConfig.CacheBehaviors]
  for (const { FunctionAssociations } of behaviours) expect(FunctionAssociations).toHaveLength(1)
})
