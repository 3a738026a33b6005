drop index auth.users_issuer_subject_index_key;
drop index auth.users_issuer_email_index_key;
