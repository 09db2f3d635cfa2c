"""starter-listener's figures and its card."""


def finish(*a: object) -> None: ...
