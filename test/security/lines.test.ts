import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createLineReader } from '../../src/security/ingest/lines.ts'

function read(bytes: Uint8Array, portions: readonly number[] = [], maxBytes?: number) {
  const reader = createLineReader(maxBytes)
  const lines = []
  let at = 0
  for (const portion of portions) {
    lines.push(...reader.push(bytes.subarray(at, at + portion)))
    at += portion
  }
  lines.push(...reader.push(bytes.subarray(at)), ...reader.end())
  return lines
}

const texts = (input: string | Uint8Array, maxBytes?: number) =>
  read(Buffer.from(input), [], maxBytes).map(({ text }) => text)

describe('line reader', () => {
  test('takes line feeds and carriage returns with line feeds, and a last line without either', () => {
    expect(texts('a\r\nb\n\nc')).toEqual(['a', 'b', '', 'c'])
    expect(texts('')).toEqual([])
    expect(texts('\n')).toEqual([''])
  })

  test('drops a byte order mark before the first line only', () => {
    expect(texts('\ufeffa\n\ufeffb')).toEqual(['a', '\ufeffb'])
  })

  test('gives the same lines however the bytes are cut', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .string({ unit: fc.constantFrom('a', '\n', '\r', 'é', '証', '😀', '\0'), maxLength: 60 })
        .map((s) => Buffer.from(s)),
    )
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(9)), fc.integer({ min: 1, max: 20 }), (input, portions, limit) => {
        expect(read(input, portions, limit)).toEqual(read(input, [], limit))
      }),
    )
  })

  test('agrees with splitting the whole text', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '\n', 'é', '😀'), maxLength: 60 })
    fc.assert(
      fc.property(text, fc.array(fc.nat(9)), (input, portions) => {
        const whole = input.split('\n')
        if (whole.at(-1) === '') whole.pop()
        expect(read(Buffer.from(input), portions).map((line) => line.text)).toEqual(whole)
      }),
    )
  })

  test('refuses a line above the limit and goes on with the next', () => {
    const lines = read(Buffer.from(`ok\n${'x'.repeat(50)}\n12345678\r\n`), [3, 20, 20], 8)
    expect(lines.map(({ text, problem }) => text ?? problem)).toEqual([
      'ok',
      'longer than 8 bytes',
      '12345678',
    ])
  })

  test('keeps none of a line that never ends', () => {
    const reader = createLineReader(1000)
    const chunk = Buffer.alloc(1_000_000, 'x')
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 200; i += 1) reader.push(chunk)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000)
    expect(reader.end()).toMatchObject([{ number: 1, text: null }])
  })

  test('replaces what is not UTF-8 and what PostgreSQL cannot store, in that line alone', () => {
    const lines = read(
      Buffer.concat([Buffer.from('a\nb'), Buffer.from([0xff, 0x0a]), Buffer.from('c\0d\ne')]),
    )
    expect(lines.map(({ text, repaired }) => [text, repaired])).toEqual([
      ['a', false],
      ['b\ufffd', true],
      ['c\u2400d', true],
      ['e', false],
    ])
  })
})
