/** What every part of the pages may use. */
export { CodeField, DigitsField } from './code-field.tsx'
export { Mark } from './mark.tsx'
export { PasswordField } from './password-field.tsx'
export { Person } from './person.tsx'
export { problemText } from './problem-text.ts'
export { tell, tellProblem } from './toast.ts'
