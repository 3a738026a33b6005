/**
 * Detection in a process of its own, to be killed. Looks at what is sealed again and again, and prints a line when it begins
 * and after each round. Argument: the worker's URL.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  calendarOf,
  LiveDetector,
  noResponses,
  OWN_RULES,
  readRuleFolders,
} from '../../src/detection/index.ts'
import { openDatabase } from '../../src/postgres/index.ts'
import { CONTEXT_KEY } from './settings.ts'
import { tester } from './tester.ts'

const PAUSE_MS = 5

const [url = ''] = process.argv.slice(2)
const database = openDatabase({ url, role: 'worker', poolSize: 1, contextKey: CONTEXT_KEY })
const { rules } = await readRuleFolders([OWN_RULES])
// Records what it has seen at once, so that it is killed in the midst of that as well.
const detector = new LiveDetector(rules, calendarOf('Asia/Tokyo', []), noResponses, 0)
process.stdout.write('begins\n')
for (;;) {
  await detector.round(database, tester)
  process.stdout.write('round\n')
  await sleep(PAUSE_MS)
}
