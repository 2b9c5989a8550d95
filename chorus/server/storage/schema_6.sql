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

-- Dashboard: its past. Whole boards now and then (JSON, zlib; `rev`: how they are worked out), from
-- which the log is folded on; and points of the curve, a few thousand of the longest project.
CREATE TABLE board_copy (
  project_id TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, rev TEXT NOT NULL,
  body BLOB NOT NULL, PRIMARY KEY (project_id, seq)
);
CREATE TABLE board_point (
  project_id TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, votes INTEGER NOT NULL,
  unlabeled INTEGER NOT NULL, in_progress INTEGER NOT NULL, labeled INTEGER NOT NULL,
  needs_review INTEGER NOT NULL, skipped INTEGER NOT NULL, PRIMARY KEY (project_id, seq)
) WITHOUT ROWID;
-- 0: older than some figures of the board; they are counted once, and said in the log.
ALTER TABLE project ADD COLUMN board_rev INTEGER NOT NULL DEFAULT 0;
-- Gold items, found by two columns rather than one: between indexes of which a statement uses only
-- project_id, SQLite takes item_page, and looks at every item of the project for each page dealt.
DROP INDEX item_gold;
CREATE INDEX item_gold ON item (project_id, gold, rank) WHERE gold = 1;

-- The digit that chooses a class; NULL: whichever is left.
ALTER TABLE label_class ADD COLUMN key TEXT;
-- Names that classes had before they were renamed: answers on their way still use them.
CREATE TABLE former_name (
  project_id TEXT NOT NULL, name TEXT NOT NULL, idx INTEGER NOT NULL,
  PRIMARY KEY (project_id, name)
) WITHOUT ROWID;
-- All labels of a project are being set aside (services/starting_over.py), up to after_item so far.
CREATE TABLE start_over (
  project_id TEXT PRIMARY KEY, bulk_id TEXT NOT NULL, user_id TEXT NOT NULL, seq INTEGER NOT NULL,
  preset INTEGER NOT NULL, resume INTEGER NOT NULL, after_item INTEGER NOT NULL,
  done INTEGER NOT NULL
);
-- The label an item had before: shown like a prelabel until it is answered anew.
ALTER TABLE item ADD COLUMN preset TEXT;

-- A supervisor wants this item labeled before all others; `chosen` is -1 then: not brought by chance.
ALTER TABLE item ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
CREATE INDEX item_priority ON item (project_id, priority, queue, queue_pos)
  WHERE room > 0 AND priority = 1;

-- Instructions: each change that labelers should know of is a revision, and each says once that it
-- was read. Their pictures are blobs.
ALTER TABLE project ADD COLUMN instructions_rev INTEGER NOT NULL DEFAULT 0;
CREATE TABLE instructions_read (
  project_id TEXT NOT NULL, user_id TEXT NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (project_id, user_id)
) WITHOUT ROWID;
CREATE TABLE prose_picture (
  project_id TEXT NOT NULL, content_hash TEXT NOT NULL, media_type TEXT NOT NULL,
  added_at INTEGER NOT NULL, PRIMARY KEY (project_id, content_hash)
) WITHOUT ROWID;
-- What was changed of a project, for its history.
CREATE INDEX event_changes ON event (project_id, seq) WHERE type = 'project.changed';

-- A project that somebody is making in the wizard: all answers so far (JSON).
CREATE TABLE draft (
  draft_id TEXT PRIMARY KEY, user_id TEXT NOT NULL, body TEXT NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
);
CREATE INDEX draft_by_user ON draft (user_id, updated_at);

-- Fine-tuning: a backbone whose last stages learn from a project's own labels (services/tuning.py).
ALTER TABLE project ADD COLUMN fine_tune INTEGER NOT NULL DEFAULT 0;
-- The fine-tuning that learned from this item or was judged on it; 0: none. For its network and all
-- later ones the item is no evidence.
ALTER TABLE item ADD COLUMN tuned INTEGER NOT NULL DEFAULT 0;
CREATE TABLE tuning (
  project_id TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, labels INTEGER NOT NULL,
  backbone TEXT, started_at INTEGER NOT NULL, finished_at INTEGER, body TEXT NOT NULL,
  PRIMARY KEY (project_id, number)
) WITHOUT ROWID;
-- Where a project's pictures or texts come from, besides uploads: read again and again.
-- secret: credentials, encrypted (storage/vault). next_at: when it is read by itself; NULL: only on
-- request. last_job: the last refresh (job.kind 'refresh').
CREATE TABLE source (
  source_id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES project, name TEXT NOT NULL,
  url TEXT NOT NULL, mode TEXT NOT NULL, endpoint TEXT NOT NULL, region TEXT NOT NULL,
  account TEXT NOT NULL, secret TEXT, every_ms INTEGER, next_at INTEGER, last_job TEXT,
  created_by TEXT NOT NULL, created_at INTEGER NOT NULL, removed_at INTEGER
);
CREATE INDEX source_by_project ON source (project_id);
-- What lies there, as of the last refresh. state: new (to be read), in (an item has its content),
-- faulty, changed (its content is no longer what came in), gone.
CREATE TABLE source_object (
  source_id TEXT NOT NULL REFERENCES source, name TEXT NOT NULL, version TEXT NOT NULL,
  size INTEGER NOT NULL, state TEXT NOT NULL, content_hash TEXT, reason TEXT,
  PRIMARY KEY (source_id, name)
) WITHOUT ROWID;
CREATE INDEX source_object_state ON source_object (source_id, state, name);
CREATE INDEX source_object_content ON source_object (content_hash) WHERE content_hash IS NOT NULL;
-- What a person has set for themselves (JSON of domain/preferences.Preferences).
CREATE TABLE preference (user_id TEXT PRIMARY KEY REFERENCES person, body TEXT NOT NULL);
-- Imports of labels (services/label_imports.py) find items by name.
CREATE INDEX item_name ON item (project_id, name);
-- 1: the item's label leans on answers that were brought in from outside, of which nobody has said
-- that people gave them blind: it teaches the model, and proves nothing of it.
ALTER TABLE item ADD COLUMN outside INTEGER NOT NULL DEFAULT 0;

-- What labelers are shown of their own work: how fast, and how often the settled label is theirs.
ALTER TABLE project ADD COLUMN show_pace INTEGER NOT NULL DEFAULT 1;
ALTER TABLE project ADD COLUMN show_agreement INTEGER NOT NULL DEFAULT 0;

-- API tokens: what each may do (read, label, all), where (NULL: in every project), until when (NULL:
-- until it is revoked), and when it was last used, to the minute.
ALTER TABLE token ADD COLUMN scope TEXT NOT NULL DEFAULT 'all';
ALTER TABLE token ADD COLUMN project_id TEXT;
ALTER TABLE token ADD COLUMN expires_at INTEGER;
ALTER TABLE token ADD COLUMN last_used_at INTEGER;
CREATE INDEX token_by_user ON token (user_id);

-- An invitation for one person: their login is this, and nobody else's. NULL: whoever has the link.
ALTER TABLE invite ADD COLUMN login TEXT;
ALTER TABLE invite ADD COLUMN name TEXT;
ALTER TABLE invite ADD COLUMN email TEXT;
-- To the minute.
ALTER TABLE person ADD COLUMN last_seen_at INTEGER;
ALTER TABLE person ADD COLUMN email TEXT;

-- Requests with an Idempotency-Key, kept a day; status NULL: not answered (yet).
CREATE TABLE request_key (
  user_id TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, status INTEGER,
  answer BLOB NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (user_id, key)
) WITHOUT ROWID;
CREATE INDEX request_key_age ON request_key (created_at);

-- Webhooks: events up to delivered_seq have been taken, or were not asked for. types: a JSON list,
-- empty: all. secret: sealed (storage/vault.py). failing_since: of the failures in a row.
CREATE TABLE webhook (
  webhook_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, url TEXT NOT NULL, types TEXT NOT NULL,
  secret TEXT NOT NULL, state TEXT NOT NULL, delivered_seq INTEGER NOT NULL,
  failures INTEGER NOT NULL, failing_since INTEGER, next_at INTEGER NOT NULL, created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX webhook_by_project ON webhook (project_id);
-- The newest attempts of each.
CREATE TABLE delivery (
  delivery_id INTEGER PRIMARY KEY, webhook_id TEXT NOT NULL, project_id TEXT NOT NULL,
  message_id TEXT NOT NULL, events INTEGER NOT NULL, attempt INTEGER NOT NULL, status INTEGER,
  error TEXT, ms INTEGER NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX delivery_by_webhook ON delivery (webhook_id, delivery_id);
CREATE INDEX delivery_by_project ON delivery (project_id);

-- Who a person is to a provider of OpenID Connect.
CREATE TABLE identity (
  issuer TEXT NOT NULL, sub TEXT NOT NULL, user_id TEXT NOT NULL REFERENCES person,
  created_at INTEGER NOT NULL, PRIMARY KEY (issuer, sub)
) WITHOUT ROWID;
CREATE INDEX invite_by_email ON invite (email) WHERE email IS NOT NULL;

-- Practice: so many gold items come before a person's first real page, and they are told the
-- answers (services/practising.py). run: how often they were asked to, 0: they had begun to work
-- before; finished_at NULL: they are at it.
ALTER TABLE project ADD COLUMN practice INTEGER NOT NULL DEFAULT 0;
CREATE TABLE practice (
  project_id TEXT NOT NULL, user_id TEXT NOT NULL, run INTEGER NOT NULL, finished_at INTEGER,
  PRIMARY KEY (project_id, user_id)
) WITHOUT ROWID;
-- truth: what the person was told; NULL: the item was no longer gold by then.
CREATE TABLE practice_answer (
  vote_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, item_id INTEGER NOT NULL,
  user_id TEXT NOT NULL, run INTEGER NOT NULL, seq INTEGER NOT NULL, page_id INTEGER NOT NULL,
  kind TEXT NOT NULL, value TEXT, truth TEXT, duration_ms INTEGER, created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX practice_by_person ON practice_answer (project_id, user_id, run, item_id);
CREATE INDEX practice_by_item ON practice_answer (item_id, user_id);
-- What a supervisor says of a gold item to whoever practises on it.
CREATE TABLE gold_note (item_id INTEGER PRIMARY KEY, project_id TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX gold_note_by_project ON gold_note (project_id);
