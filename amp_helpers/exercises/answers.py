"""What all checks share."""


def unanswered(answer) -> bool:
    """Whether the dots are still there; says so if they are."""
    if answer is ...:
        print("Not answered yet: replace the dots, then run this cell again.")
    return answer is ...
