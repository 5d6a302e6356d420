#![cfg_attr(fuzzing, no_main)]

tower_fc_fuzz::target!(tower_fc_fuzz::checks::dates);
