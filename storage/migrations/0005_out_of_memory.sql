-- Attempts may end with out_of_memory. SQLite changes no CHECK: the table is made anew.
CREATE TABLE attempts_new (
  task_id       INTEGER NOT NULL REFERENCES tasks (id),  -- at what
  attempt       INTEGER NOT NULL CHECK (attempt >= 1),  -- 1, 2, 3 ... of the task
  lease_token   TEXT    NOT NULL UNIQUE,  -- names this attempt
  worker        TEXT    NOT NULL,  -- who was given it
  started_ms    INTEGER NOT NULL,  -- when it was handed out
  ended_ms      INTEGER NOT NULL DEFAULT 0,  -- when it ended
  outcome       TEXT    NOT NULL CHECK (outcome IN  -- how it ended
                  ('running', 'done', 'failed', 'infeasible', 'out_of_memory', 'transient',
                  'released', 'lost', 'superseded', 'cancelled')),
  message       TEXT    NOT NULL DEFAULT '',  -- why it ended so
  result        TEXT,  -- JSON, TaskResult that came too late to count: evidence
  PRIMARY KEY (task_id, attempt)
) STRICT;
INSERT INTO attempts_new SELECT task_id, attempt, lease_token, worker, started_ms, ended_ms, outcome,
  message, result FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_new RENAME TO attempts;
