-- Voxbit store, version 1. Times are milliseconds since the Unix epoch, 0 = not yet.
-- JSON columns hold the canonical form of the domain object of the same name.

CREATE TABLE studies (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
  name          TEXT    NOT NULL UNIQUE CHECK (name <> ''),  -- what users call it
  config        TEXT    NOT NULL,  -- JSON, resolved StudyConfig, kept verbatim
  state         TEXT    NOT NULL CHECK (state IN  -- the user's view
                  ('active', 'paused', 'stopped', 'completed', 'failed')),
  phase         TEXT    NOT NULL CHECK (phase IN  -- where its work stands
                  ('profile', 'train', 'search', 'finetune', 'finished')),
  message       TEXT    NOT NULL DEFAULT '',  -- why it failed or was stopped
  last_sequence INTEGER NOT NULL DEFAULT 0 CHECK (last_sequence >= 0),  -- last one given to a trial
  created_ms    INTEGER NOT NULL,  -- when it was created
  finished_ms   INTEGER NOT NULL DEFAULT 0  -- when it became stopped, completed or failed
) STRICT;

CREATE TABLE algorithm_states (
  study_id      INTEGER PRIMARY KEY REFERENCES studies (id),  -- one for each study
  blob          BLOB    NOT NULL,  -- what Algorithm::Save returned
  told_sequence INTEGER NOT NULL CHECK (told_sequence >= 0),  -- trials above are still to be told
  saved_ms      INTEGER NOT NULL  -- when it was saved
) STRICT;

CREATE TABLE trials (
  study_id      INTEGER NOT NULL REFERENCES studies (id),  -- whose trial it is
  number        INTEGER NOT NULL CHECK (number >= 1),  -- 1, 2, 3 ... within the study
  candidate     TEXT    NOT NULL,  -- choices, "3.0.12.7"
  digest        TEXT    NOT NULL,  -- identity of the sub-network
  origin        TEXT    NOT NULL,  -- how it was proposed
  state         TEXT    NOT NULL CHECK (state IN  -- the last four are final
                  ('pending', 'running', 'succeeded', 'infeasible', 'failed', 'cancelled')),
  sequence      INTEGER CHECK (sequence >= 1),  -- place in the order of ending; NULL: not final
  measured      TEXT    NOT NULL,  -- JSON, Measurements of the search phase, costs included
  finetuned     TEXT    NOT NULL DEFAULT '[]',  -- JSON, Measurements after fine-tuning
  artifacts     TEXT    NOT NULL DEFAULT '{}',  -- JSON, role to SHA-256
  message       TEXT    NOT NULL DEFAULT '',  -- why it failed or is infeasible
  created_ms    INTEGER NOT NULL,  -- when it was proposed
  finished_ms   INTEGER NOT NULL DEFAULT 0,  -- when it became final
  PRIMARY KEY (study_id, number),
  UNIQUE (study_id, digest),
  UNIQUE (study_id, sequence),
  CHECK ((sequence IS NULL) = (state IN ('pending', 'running')))
) STRICT;

CREATE TABLE tasks (
  id               INTEGER PRIMARY KEY AUTOINCREMENT,  -- older tasks are handed out first
  study_id         INTEGER NOT NULL REFERENCES studies (id),  -- whose task it is
  trial_number     INTEGER,  -- of which trial; NULL: of the study as a whole
  kind             TEXT    NOT NULL CHECK (kind IN  -- what is to be done
                     ('profile', 'train_supernet', 'evaluate', 'measure_latency', 'finetune',
                     'export')),
  supernet_kind    TEXT    NOT NULL,  -- that a worker must know; '': any
  dataset_kind     TEXT    NOT NULL,  -- that a worker must read; '': any
  target           TEXT    NOT NULL,  -- hardware that must do it; '': any
  spec             TEXT    NOT NULL,  -- JSON, TaskSpec
  spec_digest      TEXT    NOT NULL,  -- TaskDigest of it
  state            TEXT    NOT NULL CHECK (state IN  -- the last three are final
                     ('queued', 'leased', 'done', 'failed', 'cancelled')),
  attempt          INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),  -- times it was leased
  lease_token      TEXT    NOT NULL DEFAULT '',  -- of the last lease
  worker           TEXT    NOT NULL DEFAULT '',  -- who holds or held the last lease
  avoid_worker     TEXT    NOT NULL DEFAULT '',  -- who failed it last: others go first
  lease_expires_ms INTEGER NOT NULL DEFAULT 0,  -- end of the lease, by the server's clock
  not_before_ms    INTEGER NOT NULL DEFAULT 0,  -- end of the back-off
  lost_attempts    INTEGER NOT NULL DEFAULT 0 CHECK (lost_attempts >= 0),  -- without its fault
  failed_attempts  INTEGER NOT NULL DEFAULT 0 CHECK (failed_attempts >= 0),  -- by its fault
  progress         TEXT    NOT NULL DEFAULT '{}',  -- JSON, as the worker said last
  result           TEXT,  -- JSON, TaskResult; NULL: none
  message          TEXT    NOT NULL DEFAULT '',  -- of the last failure
  created_ms       INTEGER NOT NULL,  -- when it was queued first
  finished_ms      INTEGER NOT NULL DEFAULT 0,  -- when it became final
  FOREIGN KEY (study_id, trial_number) REFERENCES trials (study_id, number),
  CHECK ((state = 'done') = (result IS NOT NULL)),
  CHECK (state <> 'leased' OR (worker <> '' AND lease_token <> '' AND attempt > 0))
) STRICT;
-- The same work is asked for once.
CREATE UNIQUE INDEX tasks_spec ON tasks (study_id, ifnull(trial_number, 0), spec_digest);
-- The queue, and the leases; the row id, the last part of every index, gives the order.
CREATE INDEX tasks_state ON tasks (state);

CREATE TABLE attempts (
  task_id       INTEGER NOT NULL REFERENCES tasks (id),  -- at what
  attempt       INTEGER NOT NULL CHECK (attempt >= 1),  -- 1, 2, 3 ... of the task
  lease_token   TEXT    NOT NULL UNIQUE,  -- names this attempt
  worker        TEXT    NOT NULL,  -- who was given it
  started_ms    INTEGER NOT NULL,  -- when it was handed out
  ended_ms      INTEGER NOT NULL DEFAULT 0,  -- when it ended
  outcome       TEXT    NOT NULL CHECK (outcome IN  -- how it ended
                  ('running', 'done', 'failed', 'infeasible', 'transient', 'released', 'lost',
                  'superseded', 'cancelled')),
  message       TEXT    NOT NULL DEFAULT '',  -- why it ended so
  result        TEXT,  -- JSON, TaskResult that came too late to count: evidence
  PRIMARY KEY (task_id, attempt)
) STRICT;

CREATE TABLE workers (
  name          TEXT    PRIMARY KEY CHECK (name <> ''),  -- unique and stable over restarts
  info          TEXT    NOT NULL,  -- JSON, WorkerInfo
  session       TEXT    NOT NULL,  -- of the last registration
  draining      INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)),  -- gets no further task
  registered_ms INTEGER NOT NULL,  -- when the session began
  last_seen_ms  INTEGER NOT NULL  -- last call, to about a second
) STRICT;

CREATE TABLE requests (
  id            TEXT    PRIMARY KEY,  -- UUID that the caller chose
  method        TEXT    NOT NULL,  -- "StudyService/CreateStudy"
  body_sha256   TEXT    NOT NULL,  -- of the request without its id
  answer        BLOB    NOT NULL,  -- what was answered
  created_ms    INTEGER NOT NULL  -- answers older than 24 hours are forgotten
) STRICT;
CREATE INDEX requests_created ON requests (created_ms);
