"""What all checks share."""


def unanswered(answer) -> bool:
    """Whether the dots are still there; says so if they are."""
    if answer is ...:
        print("Not answered yet: replace the dots, then run this cell again.")
    return answer is ...


def expect_function(answer, of_what: str) -> None:
    """Raises: TypeError naming the answer if it cannot be called; `of_what` says which function is wanted."""
    if not callable(answer):
        raise TypeError(f"a function {of_what} is expected, not {answer!r}")
