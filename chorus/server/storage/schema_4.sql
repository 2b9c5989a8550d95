-- Schema 4: several backbones look at the pictures, one after the other.

-- Items up to to_item, `items` of them, have been through a backbone. What was counted before is
-- not taken over, since nobody noted which backbone it was: a pass over known features is quick.
CREATE TABLE feature_pass (
  project_id TEXT NOT NULL, backbone TEXT NOT NULL, to_item INTEGER NOT NULL,
  items INTEGER NOT NULL, PRIMARY KEY (project_id, backbone)
) WITHOUT ROWID;
ALTER TABLE project DROP COLUMN featurized_to;
ALTER TABLE project DROP COLUMN featurized;
