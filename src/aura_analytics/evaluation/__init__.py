"""Labels: plain rules, then a judge, from a durable queue."""
