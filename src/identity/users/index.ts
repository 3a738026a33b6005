export { type ConversionResult, convertPlainUsers } from './convert.ts'
export { createUser } from './create.ts'
export {
  type AccountName,
  accountsOfTenant,
  findUserByIdentity,
  findUserByLogin,
  readUser,
  resolveUserId,
} from './find.ts'
export { listUsers, type UserFilter, type UserPage } from './list.ts'
export { type IndexRotation, rotateIndexes } from './reindex.ts'
export { setAccountStatus, setClassification, updateUser } from './update.ts'
export { viewUser, viewUsers } from './view.ts'
