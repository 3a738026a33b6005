export {
  addChannel,
  changeChannel,
  channelNamed,
  listChannels,
  listDeadLetters,
  type NewChannel,
  removeChannel,
  replayDeadLetters,
} from './channels.ts'
export { Deliverer } from './deliver.ts'
export { testChannel } from './test-message.ts'
