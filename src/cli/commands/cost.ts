import type { Assumptions, Forecast, Prices } from '../../lifecycle/index.ts'
import type { Invocation, Register } from '../invocation.ts'

const numbers = [
  ['users <n>', 'users', 'number of users'],
  ['events-per-user <n>', 'eventsPerUser', 'events per user and day'],
  ['event-bytes <n>', 'eventBytes', 'bytes of one event in the database'],
  ['years <n>', 'years', 'years to forecast'],
  ['hot-days <n>', 'hotDays', 'age in days at which events leave the database'],
  ['retention-days <n>', 'retentionDays', 'age in days at which objects are deleted'],
  ['compression <x>', 'compression', 'bytes in the object store ÷ bytes in the database'],
  ['objects-per-day <n>', 'objectsPerDay', 'archived objects per day'],
  ['scan-gb <n>', 'scanGb', 'GB scanned by Athena per month'],
  ['retrieve-gb <n>', 'retrieveGb', 'GB retrieved from the coldest class per month'],
] as const

const GB_A_TB = 1_000
const CENTS = 100

async function readPrices(file: unknown): Promise<Prices> {
  const { pricesSchema, tokyo } = await import('../../lifecycle/index.ts')
  if (typeof file !== 'string') return tokyo
  const { readFile } = await import('node:fs/promises')
  const { AkashiError, parseQuery } = await import('../../foundation/index.ts')
  let document: unknown
  try {
    document = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new AkashiError('invalid_input', `${file} is not a valid price file`, {
      hint: 'give a JSON file of the form of assumptions.prices in akashi cost --json',
      cause,
    })
  }
  return parseQuery(pricesSchema, document)
}

async function readAssumptions(cli: Invocation): Promise<Assumptions> {
  const { assumptionsSchema, costPresets, parseTiers } = await import('../../lifecycle/index.ts')
  const { parseQuery } = await import('../../foundation/index.ts')
  const preset = cli.flags['preset'] === 'akashi' ? costPresets.akashi : costPresets.s4
  const given = numbers
    .map(([, name]) => [name, cli.flags[name]] as const)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, Number(value)] as const)
  const { tiers, crawler } = cli.flags
  return parseQuery(assumptionsSchema, {
    ...preset,
    ...Object.fromEntries(given),
    ...(typeof tiers === 'string' ? { tiers: parseTiers(tiers) } : {}),
    ...(crawler === true ? { crawler } : {}),
  })
}

/** Rounds amounts to cents. */
function rounded(forecast: Forecast): unknown {
  const amounts = new Set(['keep', 'keepTotal', 'archiveTotal', 'keepMonthly', 'archiveMonthly', 'saving'])
  const bill = ['storage', 'minimums', 'requests', 'retrieval', 'scan', 'crawler', 'total', 'savingAfterFees']
  const { assumptions, ...figures } = forecast
  const text = JSON.stringify(figures, (key, value: unknown) =>
    typeof value === 'number' && (amounts.has(key) || bill.includes(key) || key === 'savingPercent')
      ? Math.round(value * CENTS) / CENTS
      : value,
  )
  const document: unknown = JSON.parse(text)
  return { assumptions, ...(typeof document === 'object' ? document : {}) }
}

function shown(
  { assumptions, milestones, totals }: Forecast,
  table: (header: readonly string[], rows: readonly (readonly unknown[])[]) => string,
  dollars: (amount: number) => string,
): string {
  const classes = [...new Set(assumptions.tiers.map((tier) => tier.class))]
  const tb = (gb: number) => `${(gb / GB_A_TB).toFixed(2)} TB`
  const rows = milestones.map(({ day, gb, volume, keepMonthly, archiveMonthly }) => [
    day,
    tb(gb),
    `${dollars(keepMonthly)}/month`,
    tb(volume.database),
    ...classes.map((name) => tb(volume.tiers[name] ?? 0)),
    `${dollars(archiveMonthly)}/month`,
  ])
  const { archive } = totals
  const fees = archive.requests + archive.retrieval + archive.scan + archive.crawler
  const full = totals.databaseFullOnDay
  return [
    table(['day', 'all', 'in the database', 'hot', ...classes, 'archived'], rows),
    '',
    `${assumptions.years} years: ${dollars(totals.keep)} in the database, ${dollars(archive.storage)} archived: ${totals.savingPercent.toFixed(0)} % less`,
    `in addition, the archive costs ${dollars(archive.minimums)} for minimum sizes and durations and ${dollars(fees)} in fees`,
    ...(full === null ? [] : [`without the archive, the database would be full on day ${full}`]),
    `prices: ${assumptions.prices.region}, ${assumptions.prices.date}`,
  ].join('\n')
}

export const cost: Register = (program, perform) => {
  const command = program
    .command('cost')
    .description('forecast the cost of keeping events, all in the database compared with archived')
    .option('--preset <name>', 's4 (the plan of the requirements) or akashi (the default policies)', 's4')
  for (const [option, , meaning] of numbers) command.option(`--${option}`, meaning)
  command
    .option('--tiers <list>', 'class:age in days, such as standard:90,infrequent:180,deep:365')
    .option('--crawler', 'include a Glue crawler that runs once a day')
    .option('--prices <file>', 'JSON file with prices, instead of the built-in ones')
    .option('--svg <file>', 'write a chart to this file')
    .action(() =>
      perform(async (cli) => {
        const { chartSvg, dollars, forecast } = await import('../../lifecycle/index.ts')
        const { table } = await import('../output/table.ts')
        const { AkashiError } = await import('../../foundation/index.ts')
        const { preset, prices, svg } = cli.flags
        if (preset !== 's4' && preset !== 'akashi') {
          throw new AkashiError('invalid_input', `${String(preset)} is not a preset`, {
            hint: 'one of s4, akashi',
          })
        }
        const result = forecast(await readAssumptions(cli), await readPrices(prices))
        if (typeof svg === 'string') {
          const { writeFile } = await import('node:fs/promises')
          await writeFile(svg, chartSvg(result))
        }
        cli.print(rounded(result), shown(result, table, dollars))
        return 0
      }),
    )
}
