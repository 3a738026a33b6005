-- disposable: lifecycle.settings
drop table lifecycle.settings;
