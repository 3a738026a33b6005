/** JSON as PostgreSQL prints it, read without losing a digit. */

/** Every decimal of up to 15 significant digits survives a double (IEEE 754). */
const SAFE = /^-?[\d.]{1,15}$/

/**
 * Parses JSON; a number that a JavaScript number cannot hold exactly (`9007199254740993`, `0.1` with thirty
 * digits) is given as the string of its digits.
 */
export function parseExact(text: string): unknown {
  return JSON.parse(text, (_key: string, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source
    if (typeof value !== 'number' || source === undefined || SAFE.test(source)) return value
    return normal(source) === normal(String(value)) ? value : source
  })
}

/** Sign, significant digits and exponent: equal for two spellings of one number. */
function normal(number: string): string {
  const [mantissa = '', exponent = '0'] = number.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.')
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  const power = Number(exponent) - fraction.length + digits.length - significant.length
  return `${mantissa.startsWith('-') ? '-' : ''}${significant}e${significant === '' ? 0 : power}`
}
