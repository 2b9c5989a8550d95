-- Version 7. One block per subject, each with a line that says what for.

-- Boxes and polygons: from which overlap on two people's shapes are the same one, and which share
-- of an item's shapes people must agree on for it to settle.
ALTER TABLE project ADD COLUMN iou REAL NOT NULL DEFAULT 0.5;
ALTER TABLE project ADD COLUMN shape_agreement REAL NOT NULL DEFAULT 0.8;
