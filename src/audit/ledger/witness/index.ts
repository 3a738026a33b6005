export { watchWitnesses } from './conflicts.ts'
export {
  forgetWitness,
  type TrustedWitness,
  trustedWitnesses,
  trustWitness,
  witnessAddress,
} from './registry.ts'
export { type ServeWitnessOptions, serveWitness, WITNESS_NOTICE, type WitnessServer } from './serve.ts'
export { witnessStates } from './states.ts'
export {
  type ConsistencyProver,
  type Cosigned,
  type SubmitOptions,
  submitToWitness,
  type WitnessAddress,
  type WitnessOutcome,
  witnessedNote,
  witnessHeads,
} from './submit.ts'
export { Witness, type WitnessOptions, type WitnessResponse } from './witness.ts'
export { type WitnessAlgorithm, witnessAlgorithms, witnessKey } from './witness-key.ts'
