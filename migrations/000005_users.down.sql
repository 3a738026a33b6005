drop view auth.profiles;
drop table auth.users;
