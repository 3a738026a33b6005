export {
  accessReviewOwed,
  decideAccess,
  listAccessReviews,
  listAccessRights,
  openAccessReview,
  readAccessReview,
} from './access-reviews.ts'
