"""Aura Analytics: what a voice shopping assistant was asked, what became of it, and how good it was."""
