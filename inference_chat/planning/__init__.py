"""Several models for one question: what each part needs, step by step, and its sources."""

from .planner import Planner

__all__ = ["Planner"]
