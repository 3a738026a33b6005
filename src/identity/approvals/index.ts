export {
  confirmApproval,
  listApprovals,
  requestApproval,
  requireApproval,
  withdrawApproval,
} from './approvals.ts'
