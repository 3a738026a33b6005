import { expect, test } from 'vitest'
import { table } from '../../src/cli/output/table.ts'

test('columns align, also beside wide characters and emoji', () => {
  const rows = [
    ['証', 1],
    ['か\u3099', 22],
    ['👍', 333],
    ['é', null],
  ]
  expect(table(['name', 'count'], rows).split('\n')).toEqual([
    'name  count',
    '証    1',
    'か\u3099    22',
    '👍    333',
    'é',
  ])
})

test('what someone wrote into a cell gives the terminal no orders', () => {
  const shown = table(['x'], [['a\u001b[31mred\u001b[0m\u0007\u009b2J\r\nb\u202ec\u2028d']])
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(shown.replace('x\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e\u2028]/)
  expect(shown).toContain('ared')
})

test('times show in UTC and structures as JSON', () => {
  expect(table(['x', 'y'], [[new Date(0), { a: [1] }]])).toBe(
    'x                         y\n1970-01-01T00:00:00.000Z  {"a":[1]}',
  )
})

test('a row may be shorter or longer than the header', () => {
  expect(table(['x', 'y'], [[1], [1, 2, 3]])).toBe('x  y\n1\n1  2')
})
