"""The held-out test of starter-chat: wordings kept out of training, and free dialogues."""
