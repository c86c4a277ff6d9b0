-- SHA-256 of the file that holds the algorithm's state; '' while it is small enough for the blob.
ALTER TABLE algorithm_states ADD COLUMN artifact TEXT NOT NULL DEFAULT '';
