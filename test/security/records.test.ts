import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createJsonReader } from '../../src/security/ingest/records.ts'

function read(input: string, portions: readonly number[] = [], maxBytes?: number) {
  const bytes = Buffer.from(input)
  const reader = createJsonReader(maxBytes)
  const lines = []
  let at = 0
  for (const portion of portions) {
    lines.push(...reader.push(bytes.subarray(at, at + portion)))
    at += portion
  }
  lines.push(...reader.push(bytes.subarray(at)), ...reader.end())
  return lines
}
const texts = (input: string, maxBytes?: number) =>
  read(input, [], maxBytes).map(({ text, problem }) => text ?? problem)

describe('records of a JSON document', () => {
  test('come out of arrays and of CloudTrail’s files, whole and in order', () => {
    expect(texts('{"Records":[{"a":[1,{"b":"]}\\""}]},{"c":2}]}')).toEqual([
      '{"a":[1,{"b":"]}\\""}]}',
      '{"c":2}',
    ])
    expect(texts('\ufeff \n{ "Records" : [\n {"a":1}\n,{"b":2} ] ,"x":{"y":[1]}}\n')).toEqual([
      '{"a":1}',
      '{"b":2}',
    ])
    expect(texts('[1, "two", [3], null]')).toEqual(['1', '"two"', '[3]', 'null'])
    expect(texts('{"Records":[]}')).toEqual([])
  })

  test('go on through several documents, and lines after them', () => {
    const lines = read('{"Records":[{"a":1}]}\n{"Records":[{"b":1}]}[{"c":1}]\n{"d":1}\n{"e":1}\n')
    expect(lines.map(({ number, text }) => [number, text])).toEqual([
      [1, '{"a":1}'],
      [2, '{"b":1}'],
      [3, '{"c":1}'],
      [4, '{"d":1}'],
      [5, '{"e":1}'],
    ])
  })

  test('one object a line is read as lines', () => {
    expect(texts('{"a":1}\n{"b":2}')).toEqual(['{"a":1}', '{"b":2}'])
    expect(texts('')).toEqual([])
    expect(texts('x')).toEqual(['x'])
  })

  test('a document that was cut off says so', () => {
    expect(texts('{"Records":[{"a":1},{"b"')).toEqual(['{"a":1}', 'the document is truncated'])
    expect(texts('{"Records":[{"a":1}]')).toEqual(['{"a":1}', 'the document is truncated'])
  })

  test('a record above the limit is refused alone', () => {
    expect(texts(`[{"a":"${'x'.repeat(40)}"},{"b":1}]`, 20)).toEqual(['longer than 20 bytes', '{"b":1}'])
  })

  test('are the same however the bytes are cut, and those that were put in', () => {
    const records = fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }), { maxLength: 5 })
    fc.assert(
      fc.property(records, fc.array(fc.nat(30)), fc.constantFrom(0, 2), (values, portions, indent) => {
        const document = JSON.stringify({ Records: values }, null, indent)
        const found = read(document, portions)
        expect(found.map(({ text }) => JSON.parse(text ?? ''))).toEqual(JSON.parse(JSON.stringify(values)))
        expect(found.map(({ number }) => number)).toEqual(values.map((_, i) => i + 1))
      }),
    )
  })

  test('whatever the bytes are, cutting them elsewhere changes nothing', () => {
    const text = fc.string({
      unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', '\n', '1', '{"Records":['),
      maxLength: 40,
    })
    fc.assert(
      fc.property(text, fc.array(fc.nat(9)), (input, portions) => {
        expect(read(`[${input}`, portions, 15)).toEqual(read(`[${input}`, [], 15))
      }),
    )
  })
})
