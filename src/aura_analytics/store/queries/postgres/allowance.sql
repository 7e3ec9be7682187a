-- name: hold
-- Keep others from some rows meanwhile, in the order of the list; one that isn't there yet is as though it was never used.
INSERT INTO judge_allowance (name, level, at)
SELECT listed.name, 0, 0
FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS listed (name, place)
ORDER BY listed.place
ON CONFLICT (name) DO UPDATE SET level = excluded.level WHERE false;

-- name: levels
-- How much is left of some allowances, and spent of a day's money.
SELECT name, level, at FROM judge_allowance WHERE name {in:names};
