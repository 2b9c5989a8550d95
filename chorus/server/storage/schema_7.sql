-- Version 7. One block per subject, each with a line that says what for.

-- Boxes and polygons: from which overlap on two people's shapes are the same one, and which share
-- of an item's shapes people must agree on for it to settle.
ALTER TABLE project ADD COLUMN iou REAL NOT NULL DEFAULT 0.5;
ALTER TABLE project ADD COLUMN shape_agreement REAL NOT NULL DEFAULT 0.8;

-- What people did with the model's shapes, one row per vote on a picture that came with some:
-- derived from the vote's prelabel and value (domain/shape_changes.py), kept because it is summed.
CREATE TABLE shape_change (
  item_id INTEGER NOT NULL, vote_id TEXT NOT NULL, project_id TEXT NOT NULL, user_id TEXT NOT NULL,
  round INTEGER, kept INTEGER NOT NULL, moved INTEGER NOT NULL, reclassed INTEGER NOT NULL,
  added INTEGER NOT NULL, dropped INTEGER NOT NULL, PRIMARY KEY (item_id, vote_id)
) WITHOUT ROWID;
CREATE INDEX shape_change_of ON shape_change (project_id);
-- As in schema_3.sql, but that shapes of the model never equal people's (tx/review.py, DOUBT).
DROP INDEX item_doubt;
CREATE INDEX item_doubt ON item (
  project_id, state,
  CASE WHEN n_labels = 0 THEN 2000 ELSE
    CAST(1000 * (1 - COALESCE(agreement, 0)) + 1000 * (1 - COALESCE(confidence, 0))
      + CASE WHEN model_value <> COALESCE(label, provisional)
        AND substr(model_value, 1, 1) <> '['
        THEN 1000 * COALESCE(model_score, 0) ELSE 0 END AS INTEGER) END DESC,
  item_id
) WHERE state IN ('needs_review', 'skipped', 'in_progress', 'labeled');

-- Teams: a person belongs to any number of them, and is a member wherever one of their teams is,
-- besides what they are by themselves. by_team 1: they are here by their teams alone.
CREATE TABLE team (
  team_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE team_person (
  team_id TEXT NOT NULL REFERENCES team, user_id TEXT NOT NULL REFERENCES person,
  PRIMARY KEY (team_id, user_id)
) WITHOUT ROWID;
CREATE INDEX team_of_person ON team_person (user_id);
CREATE TABLE team_role (
  project_id TEXT NOT NULL REFERENCES project, team_id TEXT NOT NULL REFERENCES team,
  role TEXT NOT NULL, PRIMARY KEY (project_id, team_id)
) WITHOUT ROWID;
ALTER TABLE member ADD COLUMN by_team INTEGER NOT NULL DEFAULT 0;
-- As their browser says it (a name of the IANA database); NULL: none has yet.
ALTER TABLE person ADD COLUMN time_zone TEXT;

-- When the server last saw that it can write (GET /readyz).
CREATE TABLE beat (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL);
-- Assignments: items that go to some people first, or to them only (domain/assignment.py).
-- assigned: the number of the item's; 0: everybody's. picked 1: a filter gave it to them, so that no
-- chance decides when it is labeled.
ALTER TABLE item ADD COLUMN assigned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE item ADD COLUMN picked INTEGER NOT NULL DEFAULT 0;
-- What waits is found by whose it is: nobody passes over what others have to do.
DROP INDEX item_queue;
CREATE INDEX item_queue ON item (project_id, assigned, queue, queue_pos) WHERE room > 0;
DROP INDEX item_priority;
CREATE INDEX item_priority ON item (project_id, priority, assigned, queue, queue_pos)
  WHERE room > 0 AND priority = 1;
-- The states in this order, which no other statement has: none may take it for its own index.
CREATE INDEX item_open ON item (project_id, assigned) WHERE state IN ('in_progress', 'unlabeled');
-- state: spreading (items up to after_item have been looked at), on, ending (items up to after_item
-- are everybody's again). wanted: which items (JSON of domain/assignment.Wanted).
CREATE TABLE assignment (
  project_id TEXT NOT NULL REFERENCES project, number INTEGER NOT NULL, only INTEGER NOT NULL,
  wanted TEXT NOT NULL, state TEXT NOT NULL, after_item INTEGER NOT NULL,
  created_by TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (project_id, number)
) WITHOUT ROWID;
-- kind: person or team.
CREATE TABLE assignee (
  project_id TEXT NOT NULL REFERENCES project, number INTEGER NOT NULL, kind TEXT NOT NULL,
  id TEXT NOT NULL, PRIMARY KEY (project_id, number, kind, id)
) WITHOUT ROWID;

-- Signed things that are over before their time: sessions that people have signed out of, sign-in
-- links that were used. until: when they would be over anyway (ms).
CREATE TABLE spent (what TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX spent_until ON spent (until);
-- Of the server's networks only so many, the first ones, look at this project's items; 0: all.
ALTER TABLE project ADD COLUMN networks INTEGER NOT NULL DEFAULT 0;

-- People who are being erased: their names in the log and elsewhere are replaced by the pseudonym,
-- project by project; project_id and seq: how far. known: what they were called (JSON). The row goes
-- when nothing is left of them.
CREATE TABLE erasure (
  user_id TEXT PRIMARY KEY, pseudonym TEXT NOT NULL, known TEXT NOT NULL, project_id TEXT NOT NULL,
  seq INTEGER NOT NULL, asked_at INTEGER NOT NULL
) WITHOUT ROWID;
