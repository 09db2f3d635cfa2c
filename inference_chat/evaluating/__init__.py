"""How often models are right: labelled sets, measures, and what was measured."""
