insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('detection.noise_budgets', '[]', '\[("[a-z0-9_-]{1,100}=[1-9]\d{0,5}"(, (?="))?)*\]',
   'names of rules with a number from 1 to 999999, such as root_login=50',
   'findings a day for individual rules, instead of detection.noise_budget');
