/** How long a browser takes to open an evidence file of the most rows that one may have, and to check it. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { auditLogs, seal } from '../src/audit/index.ts'
import { MAX_EVIDENCE_ROWS, makeEvidence } from '../src/evidence/index.ts'
import { systemClock } from '../src/foundation/index.ts'
import { benchCluster } from './cluster.ts'
import { atMost, type Benchmark, bencher, figure, median } from './harness.ts'

const CHROMIUM = '/usr/bin/chromium'

export const evidence: Benchmark = {
  name: 'evidence',
  description: 'milliseconds from opening an evidence file in Chromium until every row is checked',
  async run({ rounds, scale, progress }) {
    const cluster = await benchCluster()
    const folder = await mkdtemp(join(tmpdir(), 'akashi-bench-'))
    const rows = Math.min(MAX_EVIDENCE_ROWS, Math.round(MAX_EVIDENCE_ROWS * scale))
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu'],
    })
    try {
      await cluster.asAdministrator((session) =>
        session.query(`create table bench_evidence (id bigint generated always as identity primary key, customer integer, amount numeric(12,2), note text);
          select akashi_audit.protect('bench_evidence')`),
      )
      const from = new Date().toISOString()
      await cluster.asAdministrator((session) =>
        session.query(
          `insert into bench_evidence (customer, amount, note) select i, 12.5, 'two boxes of green tea' from generate_series(1, ${rows}) i`,
        ),
      )
      await seal(cluster.worker, bencher, cluster.keyring, auditLogs)
      const begun = performance.now()
      const made = await makeEvidence(
        { database: cluster.worker, keyring: cluster.keyring, clock: systemClock },
        bencher,
        { logs: ['audit_logs'], from, to: new Date(Date.now() + 1_000).toISOString(), reason: 'benchmark' },
        new AbortController().signal,
      )
      const making = performance.now() - begun
      const file = join(folder, made.name)
      await writeFile(file, made.html)
      const shown: number[] = []
      const checked: number[] = []
      for (let round = 0; round < rounds; round += 1) {
        const page = await browser.newPage()
        const opened = performance.now()
        await page.goto(pathToFileURL(file).href)
        const root = page.locator('html[data-verdict]')
        await root.waitFor()
        shown.push(performance.now() - opened)
        if ((await root.getAttribute('data-verdict')) === 'failed')
          throw new Error('the file does not verify')
        checked.push(Number(await root.getAttribute('data-milliseconds')))
        progress(`round ${round + 1}/${rounds}: ${Math.round(shown.at(-1) ?? 0)} ms`)
        await page.close()
      }
      return [
        atMost(`opened, checked and shown, ${made.rows} rows`, median(shown), 'ms', 2_000),
        figure('of that, checking', median(checked), 'ms'),
        figure('making the file', making, 'ms'),
        figure('size of the file', (await stat(file)).size / 1_048_576, 'MiB'),
      ]
    } finally {
      await browser.close()
      await rm(folder, { recursive: true, force: true })
      await cluster.close()
    }
  },
}
