-- Schema 3: gold items, served again blind; decisions, take-backs and rules that land in chunks.

-- A labeled item whose label is known to be right: its label is the truth people are checked on.
ALTER TABLE item ADD COLUMN gold INTEGER NOT NULL DEFAULT 0;
CREATE INDEX item_gold ON item (project_id, rank) WHERE gold = 1;
-- Share of the items handed to a person that are checks; 0: none.
ALTER TABLE project ADD COLUMN gold_rate REAL NOT NULL DEFAULT 0.05;
-- This hold on an item is a check: it is no work on the item, and its answer is no vote.
ALTER TABLE lease ADD COLUMN blind_check INTEGER NOT NULL DEFAULT 0;

-- A fact: a person's answer on a check. Not in `vote`, so that nothing can count it as one.
CREATE TABLE check_vote (
  vote_id TEXT PRIMARY KEY, project_id TEXT NOT NULL, item_id INTEGER NOT NULL,
  user_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, value TEXT,
  page_id INTEGER NOT NULL, duration_ms INTEGER, supersedes TEXT, created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX check_by_item ON check_vote (item_id, user_id, seq);
CREATE INDEX check_by_user ON check_vote (user_id, project_id, seq);
-- An answer stands unless a later one supersedes it, which only one can.
CREATE UNIQUE INDEX check_superseded ON check_vote (supersedes) WHERE supersedes IS NOT NULL;

-- How many checks a person is owed by now, in fractions of one (see services/checking.py).
CREATE TABLE check_debt (
  project_id TEXT NOT NULL, user_id TEXT NOT NULL, debt REAL NOT NULL,
  PRIMARY KEY (project_id, user_id)
) WITHOUT ROWID;

-- Review: lists in order of doubt (tx/review.py DOUBT, the same expression), and what is disputed.
CREATE INDEX item_doubt ON item (
  project_id, state,
  CASE WHEN n_labels = 0 THEN 2000 ELSE
    CAST(1000 * (1 - COALESCE(agreement, 0)) + 1000 * (1 - COALESCE(confidence, 0))
      + CASE WHEN model_value <> COALESCE(label, provisional)
        THEN 1000 * COALESCE(model_score, 0) ELSE 0 END AS INTEGER) END DESC,
  item_id
) WHERE state IN ('needs_review', 'skipped', 'in_progress', 'labeled');
CREATE INDEX item_disputed ON item (project_id, state, item_id) WHERE agreement < 1;
CREATE INDEX item_objected ON item (project_id, state, item_id)
  WHERE model_value <> COALESCE(label, provisional);

-- One decision for all items of a filter: every review of it carries its id.
ALTER TABLE review ADD COLUMN bulk_id TEXT;
CREATE INDEX review_by_bulk ON review (bulk_id, item_id) WHERE bulk_id IS NOT NULL;

-- A takeback covers votes up to seq (NULL: any). It lands on the items chunk by chunk: votes of the
-- person up to pending_after are done (NULL: all are).
ALTER TABLE takeback ADD COLUMN seq INTEGER;
ALTER TABLE takeback ADD COLUMN pending_after INTEGER;

-- Not 0: the rules have changed so often since every item followed them.
ALTER TABLE project ADD COLUMN remerge_due INTEGER NOT NULL DEFAULT 0;

-- The round's threshold card (JSON): kept for good, its folder is not.
ALTER TABLE round ADD COLUMN card TEXT;

-- Blind audit: this item's prelabel is kept from labelers, and compared with what they answer.
ALTER TABLE item ADD COLUMN audit INTEGER NOT NULL DEFAULT 0;
CREATE INDEX item_audit ON item (project_id, label_at) WHERE audit = 1;
-- Share of prelabeled items that are audited; 0: none.
ALTER TABLE project ADD COLUMN audit_share REAL NOT NULL DEFAULT 0.05;
-- Labels made before it prove nothing of the model any more: its prelabels broke their promise.
ALTER TABLE project ADD COLUMN evidence_since INTEGER NOT NULL DEFAULT 0;
