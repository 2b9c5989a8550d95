-- Version 8: no new tables.

-- How pages turned out whose last answer was one on a check: no vote, so that nothing had noticed
-- that they were done (services/pace.py counts them by now).
WITH missed AS (
  SELECT DISTINCT p.page_id FROM check_vote c JOIN page p ON p.page_id = c.page_id
  WHERE p.answered = 0 AND p.kind <> 'prelabeled' AND NOT EXISTS
    (SELECT 1 FROM lease o WHERE o.page_id = p.page_id AND o.released_at IS NULL)
),
-- With MAX the other columns are those of its row: the holder's last answer on an item.
answer AS (
  SELECT l.page_id, v.item_id, v.kind, v.value, MAX(v.seq) FROM missed m
  JOIN lease l ON l.page_id = m.page_id
  JOIN vote v ON v.item_id = l.item_id AND v.user_id = l.user_id AND v.page_id = l.page_id
  GROUP BY l.page_id, v.item_id
),
label AS (SELECT page_id, COUNT(*) AS n FROM answer WHERE kind = 'label' GROUP BY page_id, value),
commonest AS (SELECT page_id, MAX(n) AS n FROM label GROUP BY page_id),
turnout AS (
  SELECT a.page_id, COUNT(*) AS answered, COALESCE(c.n, 1) AS alike FROM answer a
  LEFT JOIN commonest c ON c.page_id = a.page_id GROUP BY a.page_id HAVING COUNT(*) >= 4
)
UPDATE page SET answered = t.answered, alike = t.alike
FROM turnout AS t WHERE t.page_id = page.page_id;
