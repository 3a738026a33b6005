export { type ConversionResult, convertPlainUsers } from './convert.ts'
export { createUser } from './create.ts'
export { findUserByIdentity, findUserByLogin, readUser, resolveUserId } from './find.ts'
export { listUsers, USERS_PAGE_LIMIT, type UserFilter, type UserPage } from './list.ts'
export { type IndexRotation, rotateIndexes } from './reindex.ts'
export { setAccountStatus, setClassification, updateUser } from './update.ts'
export {
  type AccountStatus,
  accountStatuses,
  type Classification,
  classifications,
  LOCAL_ISSUER,
  type NewUser,
  newUserSchema,
  type User,
  type UserChange,
  userChangeSchema,
} from './user.ts'
export { viewUser, viewUsers } from './view.ts'
