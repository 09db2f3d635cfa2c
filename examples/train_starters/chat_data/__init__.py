"""What starter-chat learns from: seeded generators of conversations, one module a skill."""
