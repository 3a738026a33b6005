export {
  type ConditionName,
  conditionNames,
  conditionOf,
  definitionOf,
  isCondition,
  runbookOf,
} from './conditions.ts'
export type { AlarmParts } from './look.ts'
export {
  acknowledgeAlarm,
  alarmHistory,
  alarmsLookedAt,
  endSilence,
  listConditions,
  listSilences,
  openAlarms,
  silenceAlarms,
} from './store.ts'
export { alarmLoop, watchAlarms } from './watch.ts'
