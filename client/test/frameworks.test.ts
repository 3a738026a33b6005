import type { AddressInfo } from 'node:net'
import { type Actor, currentActor } from '@akashi/client'
import * as forExpress from '@akashi/client/express'
import * as forFastify from '@akashi/client/fastify'
import * as forHono from '@akashi/client/hono'
import * as forNext from '@akashi/client/next'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const headers = {
  authorization: 'taro',
  'user-agent': 'tester/1',
  'x-request-id': 'r-1',
  'x-correlation-id': 'c-1',
  'x-forwarded-for': '198.51.100.1, [2001:db8::1]:4711',
  traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
}

/** What an application behind one proxy answers: the actor of its code. */
type Serve = () => Promise<(path: string, init: RequestInit) => Promise<Response>>

const frameworks: Readonly<Record<string, Serve>> = {
  express: async () => {
    const app = express()
    app.set('trust proxy', 1)
    app.use(
      forExpress.requestContext({
        user: (request) => request.get('authorization'),
        applicationVersion: '1.2',
      }),
    )
    app.use(express.json())
    app.post('/orders/:id', (_request, response) => {
      setImmediate(() => response.json(currentActor() ?? null))
    })
    const server = app.listen(0)
    closing.push(() => server.close())
    return (path, init) => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, init)
  },
  fastify: async () => {
    const app = Fastify({ trustProxy: '127.0.0.1', requestIdHeader: 'x-request-id' })
    await app.register(forFastify.requestContext, {
      user: (request) => request.headers.authorization,
      applicationVersion: '1.2',
    })
    app.post('/orders/:id', async () => currentActor() ?? null)
    await app.listen({ port: 0 })
    closing.push(() => app.close())
    return (path, init) =>
      fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}${path}`, init)
  },
  hono: async () => {
    const app = new Hono()
    app.use(
      forHono.requestContext({
        user: (context) => context.req.header('authorization'),
        applicationVersion: '1.2',
        trustedProxies: 1,
      }),
    )
    app.post('/orders/:id', async (context) => {
      await context.req.text()
      return context.json({ ...currentActor() })
    })
    return async (path, init) => await app.request(path, init)
  },
  next: async () => {
    const context = forNext.requestContext({
      user: (request) => request.headers.get('authorization'),
      applicationVersion: '1.2',
      trustedProxies: 1,
    })
    const POST = context(async (request: Request, _more: { params: Promise<{ id: string }> }) => {
      await request.text()
      return Response.json(currentActor() ?? null)
    })
    return (path, init) =>
      POST(new Request(`http://shop.example${path}`, init), { params: Promise.resolve({ id: '7' }) })
  },
}

describe.each(Object.entries(frameworks))('%s', (name, serve) => {
  it('says who sends a request, from where, and with which ids', async () => {
    const request = await serve()
    const post = async (extra: Record<string, string>): Promise<Actor> => {
      const response = await request('/orders/7', {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json', ...extra },
      })
      return (await response.json()) as Actor
    }
    const { apiEndpoint, ...actor } = await post(headers)
    expect(actor).toEqual({
      userId: 'taro',
      clientIp: '2001:db8::1',
      userAgent: 'tester/1',
      requestId: 'r-1',
      traceId: TRACE,
      correlationId: 'c-1',
      applicationVersion: '1.2',
    })
    expect(apiEndpoint).toBe(name === 'fastify' ? 'POST /orders/:id' : 'POST /orders/7')
    const nobody = await post({ traceparent: 'nonsense' })
    expect(nobody.userId ?? null).toBeNull()
    expect(nobody.requestId).not.toBe('r-1')
    expect(nobody.traceId).toMatch(/^[0-9a-f]{32}$/)
    const many = await Promise.all(
      Array.from({ length: 20 }, (_, number) => post({ authorization: String(number) })),
    )
    expect(many.map(({ userId }) => userId)).toEqual(
      Array.from({ length: 20 }, (_, number) => String(number)),
    )
  })
})

describe('an address in X-Forwarded-For', () => {
  it('is believed only as far as there are proxies', async () => {
    const address = async (trustedProxies?: number) => {
      const context = forNext.requestContext({
        user: () => null,
        ...(trustedProxies === undefined ? {} : { trustedProxies }),
      })
      return await context(async () => currentActor()?.clientIp)(
        new Request('http://shop.example/', { headers }),
      )
    }
    expect(await address()).toBeUndefined()
    expect(await address(1)).toBe('2001:db8::1')
    expect(await address(2)).toBe('198.51.100.1')
    expect(await address(3)).toBeUndefined()
  })
})
