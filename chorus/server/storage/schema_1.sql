-- Schema 1. Portable subset of SQL: TEXT, INTEGER, REAL; booleans are 0/1; times are ms since 1970.
-- Facts: vote, review, lease, event. Derived (chorus fsck re-derives and compares): the state
-- columns of item, and standing.

CREATE TABLE person (
  user_id TEXT PRIMARY KEY, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  admin INTEGER NOT NULL, password_hash TEXT, session_epoch INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE TABLE token (
  token_hash TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES person, name TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE TABLE invite (
  token_hash TEXT PRIMARY KEY, role TEXT NOT NULL, project_id TEXT, created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, uses_left INTEGER NOT NULL
);
CREATE TABLE project (
  project_id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL,
  instructions TEXT NOT NULL, task_type TEXT NOT NULL,
  votes_min INTEGER NOT NULL, votes_max INTEGER NOT NULL, skips_max INTEGER NOT NULL,
  consensus TEXT NOT NULL, target REAL NOT NULL, page_size INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL, cluster INTEGER NOT NULL, prelabel INTEGER NOT NULL,
  state TEXT NOT NULL, seed INTEGER NOT NULL, last_seq INTEGER NOT NULL, epoch TEXT NOT NULL,
  created_at INTEGER NOT NULL, featurized_to INTEGER NOT NULL, featurized INTEGER NOT NULL
);
CREATE TABLE label_class (
  project_id TEXT NOT NULL REFERENCES project, idx INTEGER NOT NULL, name TEXT NOT NULL,
  color TEXT NOT NULL, PRIMARY KEY (project_id, idx), UNIQUE (project_id, name)
);
CREATE TABLE member (
  project_id TEXT NOT NULL REFERENCES project, user_id TEXT NOT NULL REFERENCES person,
  role TEXT NOT NULL, page_size INTEGER, joined_at INTEGER NOT NULL,
  PRIMARY KEY (project_id, user_id)
);
CREATE INDEX member_by_user ON member (user_id);

CREATE TABLE item (
  item_id INTEGER PRIMARY KEY, project_id TEXT NOT NULL REFERENCES project,
  name TEXT NOT NULL, content_hash TEXT NOT NULL, width INTEGER NOT NULL,
  height INTEGER NOT NULL, rank INTEGER NOT NULL, added_by TEXT,
  state TEXT NOT NULL, room INTEGER NOT NULL,
  n_labels INTEGER NOT NULL, n_skips INTEGER NOT NULL, n_flags INTEGER NOT NULL,
  n_leases INTEGER NOT NULL, n_prelabel_votes INTEGER NOT NULL, reached INTEGER NOT NULL,
  provisional TEXT, confidence REAL, agreement REAL,
  label TEXT, label_source TEXT, revision INTEGER NOT NULL, label_at INTEGER,
  review TEXT, review_value TEXT, requeue_seq INTEGER NOT NULL,
  queue TEXT NOT NULL, queue_pos INTEGER NOT NULL, queue_block INTEGER NOT NULL,
  pre_value TEXT, pre_score REAL, model_value TEXT, model_score REAL, odd REAL,
  easy_round INTEGER NOT NULL,
  UNIQUE (project_id, content_hash)
);
-- The next page is the head of this index: it holds only what may still be handed out.
CREATE INDEX item_queue ON item (project_id, queue, queue_pos) WHERE room > 0;
CREATE INDEX item_state ON item (project_id, state, item_id);
CREATE INDEX item_label ON item (project_id, label) WHERE state = 'labeled';

CREATE TABLE vote (
  vote_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, item_id INTEGER NOT NULL,
  user_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, value TEXT,
  page_id INTEGER, page_kind TEXT, prelabel TEXT, prelabel_score REAL,
  duration_ms INTEGER, supersedes TEXT, created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX vote_by_item ON vote (item_id, seq);
CREATE INDEX vote_by_user ON vote (user_id, project_id, seq);

CREATE TABLE standing (
  item_id INTEGER NOT NULL, user_id TEXT NOT NULL, project_id TEXT NOT NULL,
  vote_id TEXT NOT NULL, kind TEXT NOT NULL, value TEXT, prelabel TEXT, seq INTEGER NOT NULL,
  PRIMARY KEY (item_id, user_id)
) WITHOUT ROWID;

CREATE TABLE lease (
  lease_id INTEGER PRIMARY KEY, project_id TEXT NOT NULL, item_id INTEGER NOT NULL,
  user_id TEXT NOT NULL, tab TEXT NOT NULL, page_id INTEGER NOT NULL, pos INTEGER NOT NULL,
  prelabel TEXT, prelabel_score REAL, odd REAL, granted_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL, released_at INTEGER, release_reason TEXT
);
-- At most one open lease per person and item, whatever the code above does.
CREATE UNIQUE INDEX lease_open ON lease (item_id, user_id) WHERE released_at IS NULL;
CREATE INDEX lease_item ON lease (item_id, user_id);
CREATE INDEX lease_page ON lease (page_id);
CREATE INDEX lease_expiry ON lease (expires_at) WHERE released_at IS NULL;
CREATE INDEX lease_holder ON lease (project_id, user_id, tab) WHERE released_at IS NULL;

CREATE TABLE page (
  page_id INTEGER PRIMARY KEY, project_id TEXT NOT NULL, user_id TEXT NOT NULL,
  tab TEXT NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL, round INTEGER,
  created_at INTEGER NOT NULL
);

CREATE TABLE review (
  review_id INTEGER PRIMARY KEY, project_id TEXT NOT NULL, item_id INTEGER NOT NULL,
  user_id TEXT NOT NULL, action TEXT NOT NULL, value TEXT, seq INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX review_by_item ON review (item_id, seq);

CREATE TABLE round (
  project_id TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL,
  labels INTEGER NOT NULL, started_at INTEGER NOT NULL, finished_at INTEGER, body TEXT NOT NULL,
  PRIMARY KEY (project_id, number)
);
CREATE TABLE job (
  job_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, kind TEXT NOT NULL, round_number INTEGER,
  state TEXT NOT NULL, progress REAL NOT NULL, attempts INTEGER NOT NULL, error TEXT,
  result TEXT, created_by TEXT, created_at INTEGER NOT NULL, started_at INTEGER,
  finished_at INTEGER
);
CREATE INDEX job_by_project ON job (project_id, kind, created_at);
CREATE TABLE fault (
  job_id TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX fault_by_job ON fault (job_id);

CREATE TABLE event (
  project_id TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY (project_id, seq)
) WITHOUT ROWID;
