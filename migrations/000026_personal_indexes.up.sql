-- no-transaction
drop index concurrently if exists auth.users_issuer_subject_index_key
-- statement-breakpoint
create unique index concurrently users_issuer_subject_index_key on auth.users (issuer, subject_index)
-- statement-breakpoint
drop index concurrently if exists auth.users_issuer_email_index_key
-- statement-breakpoint
create unique index concurrently users_issuer_email_index_key on auth.users (issuer, email_index)
-- statement-breakpoint
alter table auth.users validate constraint users_subject_form_check
-- statement-breakpoint
alter table auth.users validate constraint users_email_form_check
-- statement-breakpoint
alter table auth.users validate constraint users_index_length_check
