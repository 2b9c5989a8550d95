-- Schema 6: the rooms.

-- Of a DICOM file: which frame and window of it people see (JSON of formats/dicom.View).
ALTER TABLE item ADD COLUMN dicom TEXT;

-- A question or an answer about an item. One thread per item and labeler, for that labeler and the
-- supervisors; other labelers see nothing of it, or their votes would not be their own any more.
CREATE TABLE comment (
  comment_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, item_id INTEGER NOT NULL,
  labeler_id TEXT NOT NULL, user_id TEXT NOT NULL, seq INTEGER NOT NULL, text TEXT NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX comment_by_item ON comment (item_id, seq);
CREATE INDEX comment_by_thread ON comment (project_id, labeler_id, item_id, seq);
-- How far a person has read what is written about an item.
CREATE TABLE comment_read (
  project_id TEXT NOT NULL, user_id TEXT NOT NULL, item_id INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (user_id, item_id)
) WITHOUT ROWID;
