"""The routes below `/v1`: what OpenAI's clients ask for, answered by the same service as everything else.

Field names and shapes are those of https://platform.openai.com/docs/api-reference.
"""
