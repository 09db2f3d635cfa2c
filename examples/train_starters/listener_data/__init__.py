"""What starter-listener hears: sentences, espeak-ng's voices, and the noise of rooms."""
