-- Counting the trials of a study by state reads this index and not the trials.
CREATE INDEX trials_state ON trials (study_id, state);
