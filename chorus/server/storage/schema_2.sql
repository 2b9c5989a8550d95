-- Schema 2: labelers' skills decide how many votes an item needs; votes can be taken back.

-- The parameters that votes are merged with, by revision (consensus/live.py Params, JSON).
CREATE TABLE estimate (
  project_id TEXT NOT NULL REFERENCES project, rev INTEGER NOT NULL, votes INTEGER NOT NULL,
  body TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (project_id, rev)
);
-- estimate_rev: votes are merged with it. landed_rev: every item has been re-merged with it.
ALTER TABLE project ADD COLUMN estimate_rev INTEGER NOT NULL DEFAULT 0;
ALTER TABLE project ADD COLUMN landed_rev INTEGER NOT NULL DEFAULT 0;
ALTER TABLE project ADD COLUMN class_count INTEGER NOT NULL DEFAULT 0;
UPDATE project SET class_count =
  (SELECT COUNT(*) FROM label_class c WHERE c.project_id = project.project_id);
-- What the model says of the item, by heads that never saw its label: "class:probability,…".
ALTER TABLE item ADD COLUMN model_probs TEXT;

ALTER TABLE member ADD COLUMN paused_at INTEGER;

-- A fact: these votes of one person do not count from here on. undone_seq: they do again.
CREATE TABLE takeback (
  takeback_id INTEGER PRIMARY KEY, project_id TEXT NOT NULL, user_id TEXT NOT NULL,
  since INTEGER NOT NULL, until INTEGER NOT NULL, by_user TEXT NOT NULL, votes INTEGER NOT NULL,
  created_at INTEGER NOT NULL, undone_at INTEGER
);
CREATE INDEX takeback_by_user ON takeback (project_id, user_id);
CREATE INDEX event_notes ON event (project_id, seq) WHERE type = 'note.added';
