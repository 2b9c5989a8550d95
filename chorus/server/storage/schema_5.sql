-- Schema 5: label sets and texts; what to label next; what each way of working costs.

-- Consensus of label sets: each class by itself ('class'), or the whole set ('exact').
ALTER TABLE project ADD COLUMN set_rule TEXT NOT NULL DEFAULT 'class';
-- What to label next by hand: 'random', 'uncertain' or 'auto'. Running projects stay as they were.
ALTER TABLE project ADD COLUMN ordering TEXT NOT NULL DEFAULT 'random';
-- The round that chose this item to be labeled early; 0: it lies where chance put it. The labels of
-- chosen items teach the model and never test it: they are no random sample.
ALTER TABLE item ADD COLUMN chosen INTEGER NOT NULL DEFAULT 0;
-- Of a text, in characters; 0: a picture.
ALTER TABLE item ADD COLUMN length INTEGER NOT NULL DEFAULT 0;

-- What each way of working costs, counted from the log up to event `seq` (services/pace.py).
CREATE TABLE pace_mark (project_id TEXT PRIMARY KEY, seq INTEGER NOT NULL);
-- Answers by how long they took: `bin` is a logarithmic class of durations (domain/pace.py).
CREATE TABLE pace_time (
  project_id TEXT NOT NULL, view TEXT NOT NULL, bin INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (project_id, view, bin)
) WITHOUT ROWID;
-- Answers on an item that can be judged, and the wrong ones among them; by item and in all.
CREATE TABLE pace_item (
  item_id INTEGER NOT NULL, view TEXT NOT NULL, project_id TEXT NOT NULL,
  n INTEGER NOT NULL, wrong INTEGER NOT NULL, PRIMARY KEY (item_id, view)
) WITHOUT ROWID;
CREATE TABLE pace_error (
  project_id TEXT NOT NULL, view TEXT NOT NULL, n INTEGER NOT NULL, wrong INTEGER NOT NULL,
  PRIMARY KEY (project_id, view)
) WITHOUT ROWID;
-- How a page turned out: the answers on it, and how many of them are the commonest one; 0: it is
-- not done, or too small to say.
ALTER TABLE page ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE page ADD COLUMN alike INTEGER NOT NULL DEFAULT 0;
CREATE INDEX page_turnout ON page (project_id, kind, round, answered, alike) WHERE answered > 0;

-- Checks that somebody flagged: few, and a supervisor wants to see them.
CREATE INDEX check_flag ON check_vote (project_id, item_id) WHERE kind = 'flag';

-- All items of a project, page by page, in order of item_id (a round's input, features, exports):
-- without it every page sorts what is left of the project, and the whole takes the square of it.
CREATE INDEX item_page ON item (project_id, item_id);
