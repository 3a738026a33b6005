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
export { Deliverer, lookForDeliveries } from './deliver.ts'
export { testChannel } from './test-message.ts'
