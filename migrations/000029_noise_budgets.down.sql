delete from akashi_lifecycle.settings where key = 'detection.noise_budgets';
