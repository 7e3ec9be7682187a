"""Who may come in: API keys, signatures, networks, rates; pure functions and one middleware (`guard.door`)."""
