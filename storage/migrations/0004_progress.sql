-- JSON of the ranges that the hypervolume of the study is measured against; '' until they are fixed.
ALTER TABLE studies ADD COLUMN hypervolume_reference TEXT NOT NULL DEFAULT '';
-- When the study last became active after a pause; 0: it was never paused.
ALTER TABLE studies ADD COLUMN resumed_ms INTEGER NOT NULL DEFAULT 0;
