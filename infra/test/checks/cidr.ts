import assert from 'node:assert/strict'

/** First and last address of an IPv4 range, as numbers. */
function bounds(cidr: string): [number, number] {
  const [address = '', length = ''] = cidr.split('/')
  const parts = address.split('.').map(Number)
  assert.ok(parts.length === 4 && parts.every((part) => part >= 0 && part <= 255), `${cidr} is no range`)
  const first = parts.reduce((sum, part) => sum * 256 + part, 0)
  const size = 2 ** (32 - Number(length))
  assert.equal(first % size, 0, `${cidr} does not begin on its boundary`)
  return [first, first + size - 1]
}

/** Asserts that all ranges lie in the outer one and none overlaps another. */
export function assertDisjoint(outer: string, ranges: readonly string[]): void {
  const [first, last] = bounds(outer)
  let end = first - 1
  for (const [from, to] of ranges.map(bounds).toSorted(([one], [other]) => one - other)) {
    assert.ok(from > end, 'ranges overlap')
    end = to
  }
  assert.ok(end <= last, `a range is outside ${outer}`)
}
