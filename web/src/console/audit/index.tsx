import { Route, Routes } from 'react-router'
import { NotFound } from '../../shell/index.ts'
import { PersonPage } from './person-page.tsx'
import { RecordPage } from './record-page.tsx'
import { SearchPage } from './search-page.tsx'

/** The audit trail: search, the history of a record, what a person did. */
export function Audit() {
  return (
    <Routes>
      <Route index element={<SearchPage />} />
      <Route path="records/:schema/:table/:recordId" element={<RecordPage />} />
      <Route path="people/:userId" element={<PersonPage />} />
      <Route path="*" element={<NotFound />} />
    </Routes>
  )
}
