-- Schema 5: label sets and texts; what to label next; what each way of working costs.

-- Consensus of label sets: each class by itself ('class'), or the whole set ('exact').
ALTER TABLE project ADD COLUMN set_rule TEXT NOT NULL DEFAULT 'class';
-- What to label next by hand: 'random', 'uncertain' or 'auto'. Running projects stay as they were.
ALTER TABLE project ADD COLUMN ordering TEXT NOT NULL DEFAULT 'random';
-- The round that chose this item to be labeled early; 0: it lies where chance put it. The labels of
-- chosen items teach the model and never test it: they are no random sample.
ALTER TABLE item ADD COLUMN chosen INTEGER NOT NULL DEFAULT 0;
