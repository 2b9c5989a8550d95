-- Version 7. One block per subject, each with a line that says what for.

-- Boxes and polygons: from which overlap on two people's shapes are the same one, and which share
-- of an item's shapes people must agree on for it to settle.
ALTER TABLE project ADD COLUMN iou REAL NOT NULL DEFAULT 0.5;
ALTER TABLE project ADD COLUMN shape_agreement REAL NOT NULL DEFAULT 0.8;
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
