-- name: level
-- How much of one allowance is left, or of one day's money is spent.
SELECT level, at FROM judge_allowance WHERE name = :name;

-- name: save
-- Store how much is left or spent.
INSERT INTO judge_allowance (name, level, at) VALUES (:name, :level, :at)
ON CONFLICT (name) DO UPDATE SET level = excluded.level, at = excluded.at;

-- name: correct
-- Put right what is left, where that is counted at all.
UPDATE judge_allowance SET level = level + :amount WHERE name = :name;

-- name: spend
-- Add to what a day has cost.
INSERT INTO judge_allowance (name, level, at) VALUES (:name, :amount, :at)
ON CONFLICT (name) DO UPDATE SET level = judge_allowance.level + excluded.level;
