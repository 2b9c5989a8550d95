-- Version 9: second looks (domain/doubts.py).

-- What the model said when, sure of itself, it contradicted the item's only vote (canonical).
ALTER TABLE item ADD COLUMN doubted TEXT;
CREATE INDEX item_doubted ON item (project_id, room) WHERE doubted IS NOT NULL;
-- Whether somebody else is asked then: not in a project that began without it.
ALTER TABLE project ADD COLUMN second_look INTEGER NOT NULL DEFAULT 0;
